"""GET /gateway/status.json and GET /gateway/calls.json: what the page shows, and `status` reads."""

from collections.abc import Sequence
from typing import Final, Protocol

from gateway.core.errors import InvalidRequest
from gateway.handler.reply import JSON_TYPE, Reply
from gateway.observe.recent import MAX_CALLS
from gateway.server.paths import CALLS, STATUS
from gateway.server.routes import Asked, Endpoint, Row
from gateway.wires.base import CallerWire
from gateway.wires.openai_chat.inbound import OpenAIChatCallers

LONGEST: Final = 15
"""Digits of a number in a query."""
HEADERS: Final = (("Content-Type", JSON_TYPE), ("Cache-Control", "no-store"))


class View(Protocol):
    """What there is to say (gateway.view.status.StatusView)."""

    def status(self) -> bytes:
        """All but the calls, as JSON."""

    def calls(self, after: int, limit: int) -> bytes:
        """The latest calls with an id above `after`, at most `limit`, as JSON."""


def status_rows(view: View) -> Sequence[Row]:
    """The rows."""

    def status(_asked: Asked, _: CallerWire) -> Reply:
        return Reply(200, HEADERS, view.status())

    def calls(asked: Asked, _: CallerWire) -> Reply:
        after, limit = _number(asked, "after", 0), _number(asked, "limit", MAX_CALLS)
        return Reply(200, HEADERS, view.calls(after, min(limit, MAX_CALLS)))

    return (
        Endpoint("status", STATUS, ("GET",), OpenAIChatCallers, status, admin=True),
        Endpoint("calls", CALLS, ("GET",), OpenAIChatCallers, calls, admin=True),
    )


def _number(asked: Asked, name: str, default: int) -> int:
    text = asked.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= LONGEST):
        raise InvalidRequest(f"{name} must be a whole number.", param=name)
    return int(text)
