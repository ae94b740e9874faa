"""The list of models in Anthropic's shape.

Source: https://platform.claude.com/docs/en/api/models/list.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from gateway.core.errors import InvalidRequest
from gateway.core.strict_json import JsonObject, JsonValue

VERSION: Final = "anthropic-version"
"""The header by which clients of this wire show themselves where a path serves other clients too."""
MOST: Final = 1_000
"""Models of one page; fewer where the client asks for fewer."""


def describe(name: str, created: int) -> JsonObject:
    """One model. `created`: seconds since the epoch."""
    return {
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "lifecycle": "active",
    }


def page(names: Sequence[str], created: int, query: Mapping[str, str]) -> JsonObject:
    """A page of models.

    Args:
        names: of all models, in their order.
        created: seconds since the epoch.
        query: `limit`, and `after_id` or `before_id`, which names the model next to the page.

    Raises:
        InvalidRequest: `limit` is no number of models.
    """
    limit = query.get("limit") or str(MOST)
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= MOST):
        raise InvalidRequest(f"limit: Input should be a number from 1 to {MOST}", param="limit")
    found, most = list(names), int(limit)
    after, before = query.get("after_id"), query.get("before_id")
    if after in found:
        found = found[found.index(after) + 1 :]
    backwards = before in found
    if backwards:
        found = found[: found.index(before or "")]
    shown = found[-most:] if backwards else found[:most]
    data: list[JsonValue] = [describe(name, created) for name in shown]
    return {
        "data": data,
        "has_more": len(found) > len(shown),
        "first_id": shown[0] if shown else None,
        "last_id": shown[-1] if shown else None,
    }
