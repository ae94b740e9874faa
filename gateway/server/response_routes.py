"""The routes of the Responses API: to answer, to read and delete what is kept of answers, and to count tokens.

The answers are kept in memory (gateway.core.response_store), so the rows are made with the store. A caller sees only
what was kept for its own key.
Source: https://platform.openai.com/docs/api-reference/responses.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import Final

from gateway.core.errors import InvalidRequest, MethodNotAllowed, ResponseNotFound, RouteNotFound, UpgradeRefused
from gateway.core.response_store import ResponseStore
from gateway.core.strict_json import JsonObject, JsonValue, dumps
from gateway.handler.reply import JSON_TYPE, Reply
from gateway.server.routes import Asked, Endpoint, Row, context_of, count_tokens
from gateway.wires.openai_responses.inbound import OpenAIResponsesCallers

PATH: Final = "/v1/responses"
MOST_ITEMS: Final = 100
USUAL_ITEMS: Final = 20
_PREFIXES: Final[Mapping[str, str]] = {"function_call_output": "fco_", "custom_tool_call_output": "ctco_"}


def response_rows(store: ResponseStore, now: Callable[[], float]) -> Sequence[Row]:
    """The rows.

    Args:
        store: keeps the answers.
        now: wall seconds.
    """
    wire = partial(OpenAIResponsesCallers, store, now)
    return (
        Endpoint("responses", PATH, ("POST", "GET"), wire, _respond, model_call=True),
        Endpoint("input_tokens", f"{PATH}/input_tokens", ("POST",), wire, count_tokens, model_call=True),
        Endpoint("responses_compact", f"{PATH}/compact", ("POST",), wire, _compact),
        Endpoint("response_items", f"{PATH}/<id>/input_items", ("GET",), wire, _items),
        Endpoint("response_cancel", f"{PATH}/<id>/cancel", ("POST",), wire, _cancel),
        Endpoint("response", f"{PATH}/<id>", ("GET", "DELETE"), wire, _response),
    )


def _respond(asked: Asked, wire: OpenAIResponsesCallers) -> Reply:
    """POST /v1/responses. With its built-in provider Codex tries a WebSocket first, and at 426 it goes on by HTTP at
    once (0.171, 2026-11)."""
    if asked.environ["REQUEST_METHOD"] != "POST":
        if asked.environ.get("HTTP_UPGRADE", "").lower() == "websocket":
            raise UpgradeRefused("The gateway speaks no WebSocket; send the request by POST.")
        raise MethodNotAllowed(f"{PATH} takes POST; a response is at {PATH}/ID.")
    return asked.served.handler(wire).handle(
        asked.model_call, asked.body, context_of(asked, wire, asked.served.guard.owner(asked.environ))
    )


def _response(asked: Asked, wire: OpenAIResponsesCallers) -> Reply:
    """GET and DELETE /v1/responses/ID."""
    id, client = asked.arguments["id"], asked.served.guard.owner(asked.environ)
    if asked.environ["REQUEST_METHOD"] == "DELETE":
        if not wire.store.delete(id, client):
            raise _not_found(id)
        return _json({"id": id, "object": "response", "deleted": True})
    if asked.query.get("stream", "").lower() == "true":
        raise InvalidRequest("A response that is kept cannot be streamed again.", param="stream")
    found = wire.store.response(id, client)
    if found is None:
        raise _not_found(id)
    return _json(found)


def _items(asked: Asked, wire: OpenAIResponsesCallers) -> Reply:
    """GET /v1/responses/ID/input_items."""
    id = asked.arguments["id"]
    items = wire.store.input(id, asked.served.guard.owner(asked.environ))
    if items is None:
        raise _not_found(id)
    listed = [_with_id(item, f"{id} {place}") for place, item in enumerate(items) if isinstance(item, dict)]
    if _order(asked.query) == "desc":
        listed.reverse()
    if after := asked.query.get("after"):
        place = next((place for place, item in enumerate(listed) if item["id"] == after), None)
        if place is None:
            raise InvalidRequest("after names no item of this response.", param="after")
        listed = listed[place + 1 :]
    limit = _limit(asked.query)
    page: list[JsonValue] = [*listed[:limit]]
    return _json(
        {
            "object": "list",
            "data": page,
            "first_id": listed[0]["id"] if listed else None,
            "last_id": listed[:limit][-1]["id"] if listed else None,
            "has_more": len(listed) > limit,
        }
    )


def _cancel(asked: Asked, wire: OpenAIResponsesCallers) -> Reply:
    """POST /v1/responses/ID/cancel."""
    if wire.store.response(asked.arguments["id"], asked.served.guard.owner(asked.environ)) is None:
        raise _not_found(asked.arguments["id"])
    raise InvalidRequest("Only a response that was created with background set to true can be cancelled.")


def _compact(asked: Asked, _: OpenAIResponsesCallers) -> Reply:
    """POST /v1/responses/compact, which is not served; without this row it would be a response's id."""
    raise RouteNotFound(
        f"Unknown path: {asked.environ['PATH_INFO']}. A compaction is asked for by its item in `input`."
    )


def _order(query: Mapping[str, str]) -> str:
    order = query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise InvalidRequest("order must be asc or desc.", param="order")
    return order


def _limit(query: Mapping[str, str]) -> int:
    text = query.get("limit", str(USUAL_ITEMS))
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(MOST_ITEMS)) and 1 <= int(text) <= MOST_ITEMS):
        raise InvalidRequest(f"limit must be an integer from 1 to {MOST_ITEMS}.", param="limit")
    return int(text)


def _with_id(item: JsonObject, seed: str) -> JsonObject:
    """The item with an id: its own, or one that is the same each time."""
    if isinstance(item.get("id"), str):
        return item
    kind = item.get("type")
    prefix = _PREFIXES.get(kind, "msg_") if isinstance(kind, str) else "msg_"
    return {"id": prefix + sha256(seed.encode()).hexdigest()[:32], **{k: v for k, v in item.items() if k != "id"}}


def _not_found(id: str) -> ResponseNotFound:
    shown = id if id.isascii() and id.isprintable() and len(id) <= 128 else "this id"
    return ResponseNotFound(f"Response with id '{shown}' not found. Responses are kept in memory, and for a time only.")


def _json(value: JsonObject) -> Reply:
    return Reply(200, (("Content-Type", JSON_TYPE),), dumps(value))
