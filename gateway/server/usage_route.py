"""GET /gateway/usage.json: the sums that `python app.py usage --json` prints, from the ledger of this gateway.
A client that is no admin gets those of its own calls."""

from collections.abc import Callable, Sequence
from typing import Final

from gateway.core.errors import InternalFault, InvalidRequest, RouteNotFound
from gateway.core.strict_json import dumps
from gateway.handler.reply import JSON_TYPE, Reply
from gateway.observe.ledger import Ledger
from gateway.observe.ledger_store import LedgerStore, NoLedger, UnreadableLedger
from gateway.server.paths import USAGE
from gateway.server.routes import Asked, Endpoint, Row
from gateway.wires.base import CallerWire
from gateway.wires.openai_chat.inbound import OpenAIChatCallers

FLUSH_SECONDS: Final = 1.0
"""How long the question waits at most until the calls that have ended before it are counted in."""


def usage_rows(ledger: Ledger, now: Callable[[], float]) -> Sequence[Row]:
    """The row.

    Args:
        ledger: of this gateway.
        now: wall seconds.
    """
    store = ledger.store

    def answer(asked: Asked, _: CallerWire) -> Reply:
        if store is None:
            raise RouteNotFound("There is no ledger: ledger.enabled is false.")
        ledger.flush(FLUSH_SECONDS)
        return Reply(200, (("Content-Type", JSON_TYPE),), _usage(store, asked, now()))

    return (Endpoint("usage", USAGE, ("GET",), OpenAIChatCallers, answer),)


def _usage(store: LedgerStore, asked: Asked, now: float) -> bytes:
    from gateway.observe import usage_forms  # noqa: PLC0415 - they need SQLite, which no start needs
    from gateway.observe.usage import BY, Sums, Usage, usage  # noqa: PLC0415
    from gateway.observe.usage_period import DEFAULT, BadPeriod, period  # noqa: PLC0415

    query = asked.query
    client = None if asked.client.admin else asked.client.name
    by = next((each for each in BY if each == query.get("by", "model")), None)
    if by is None:
        raise InvalidRequest(f"by must be one of {', '.join(BY)}.", param="by")
    try:
        asked_for = period(query.get("since", DEFAULT), query.get("until"), now)
    except BadPeriod as fault:
        raise InvalidRequest(f"{fault}.", param=fault.name) from None
    try:
        shown = store.read(lambda connection: usage(connection, asked_for, by, client))
    except NoLedger:
        shown = Usage(asked_for, by, (), Sums())
    except UnreadableLedger as fault:
        raise InternalFault(f"The ledger {fault}.") from None
    return dumps(usage_forms.as_json(shown))
