"""GET /gateway/clients.json: what clients have used of their limits and budgets. A client that is no admin gets its own
row."""

from collections.abc import Sequence

from gateway.clients.admission import ClientStatus, ClientUse
from gateway.clients.budget import BudgetView
from gateway.core.strict_json import JsonObject, JsonValue, dumps
from gateway.handler.reply import JSON_TYPE, Reply
from gateway.limits.slots import RowStatus
from gateway.server.paths import CLIENTS
from gateway.server.routes import Asked, Endpoint, Row
from gateway.wires.base import CallerWire
from gateway.wires.openai_chat.inbound import OpenAIChatCallers


def client_rows(use: ClientUse) -> Sequence[Row]:
    """The row.

    Args:
        use: what clients have used.
    """

    def answer(asked: Asked, _: CallerWire) -> Reply:
        found = use.status(None if asked.client.admin else asked.client.name)
        return Reply(200, (("Content-Type", JSON_TYPE),), dumps({"clients": [_client(each) for each in found]}))

    return (Endpoint("clients", CLIENTS, ("GET",), OpenAIChatCallers, answer),)


def _client(status: ClientStatus) -> JsonObject:
    return {
        "name": status.name,
        "limits": _limits(status.limits),
        "budget": None if status.budget is None else _budget(status.budget),
    }


def _limits(row: RowStatus | None) -> list[JsonValue]:
    return [{"unit": unit.unit, "limit": unit.limit, "used": unit.used} for unit in row.units] if row else []


def _budget(view: BudgetView) -> JsonObject:
    """In US dollars; `endsAt` in wall seconds, null where the period has no end."""
    return {
        "per": view.per,
        "usd": view.limit_usd,
        "spentUsd": view.spent_usd,
        "reservedUsd": view.reserved_usd,
        "endsAt": view.ends_at,
    }
