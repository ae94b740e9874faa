"""Cache marks: `cache_control`, which says up to where a request is to be cached.

Callers of other wires send it too, with a text, a tool or a message, and it travels in `extra`. It changes no meaning,
so a mark that cannot be sent is left out without a report.
Source: https://platform.claude.com/docs/en/build-with-claude/prompt-caching (2026-11).
"""

from collections.abc import Iterator
from typing import Final

from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.anthropic_messages import VENDOR

MARK: Final = "cache_control"
MOST: Final = 4
"""Marks of one request; the API refuses more."""
_TTLS: Final = ("5m", "1h")


def mark(extra: JsonObject) -> JsonObject:
    """The `cache_control` of a value's `extra`, as a field for its block; empty where it has none."""
    ours = extra.get(VENDOR)
    value = ours.get(MARK) if isinstance(ours, dict) else None
    if not isinstance(value, dict) or value.get("type") != "ephemeral":
        return {}
    ttl: JsonObject = {"ttl": value["ttl"]} if value.get("ttl") in _TTLS else {}
    return {MARK: {"type": "ephemeral", **ttl}}


def keep_first(body: JsonObject, most: int = MOST) -> None:
    """Remove all marks but the first `most`, in the order in which the API caches: tools, system, messages."""
    marked = (one for name in ("tools", "system", "messages") for one in _marked(body.get(name)))
    for place, block in enumerate(marked):
        if place >= most:
            del block[MARK]


def _marked(value: JsonValue) -> Iterator[JsonObject]:
    """The objects with a mark among tools, messages, blocks and the blocks inside them; never inside other data."""
    for one in value if isinstance(value, list) else ():
        if isinstance(one, dict):
            yield from _marked(one.get("content"))
            if MARK in one:
                yield one
