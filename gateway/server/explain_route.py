"""GET /gateway/explain: what `python app.py explain` asks of a gateway that runs."""

from collections.abc import Callable, Sequence

import msgspec

from gateway.core.errors import InvalidRequest
from gateway.dispatch.explanation import CHAT, Explanation
from gateway.handler.reply import JSON_TYPE, Reply
from gateway.server.paths import EXPLAIN
from gateway.server.routes import Asked, Endpoint, Row
from gateway.wires.base import CallerWire
from gateway.wires.openai_chat.inbound import OpenAIChatCallers


def explain_rows(explain: Callable[[str, str], Explanation]) -> Sequence[Row]:
    """The row.

    Args:
        explain: how a model would be routed now at an endpoint.
    """

    def answer(asked: Asked, _: CallerWire) -> Reply:
        name = asked.query.get("model")
        if not name:
            raise InvalidRequest(f"Which model? Ask {EXPLAIN}?model=NAME.", param="model")
        explanation = explain(name, asked.query.get("endpoint", CHAT))
        return Reply(200, (("Content-Type", JSON_TYPE),), msgspec.json.encode(explanation))

    return (Endpoint("explain", EXPLAIN, ("GET",), OpenAIChatCallers, answer, admin=True),)
