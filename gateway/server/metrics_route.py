"""GET /metrics: what a monitoring system reads.

It needs what every route needs (Host, Origin), an admin's key where keys are configured, and no web page may read it.
It is no model call, so it runs beside them on threads of its own.
"""

from collections.abc import Callable, Sequence
from typing import Final

from gateway.handler.reply import Reply
from gateway.observe.metrics.families import Reading
from gateway.observe.metrics.text import OPEN_METRICS_TYPE, PLAIN_TYPE, Writer, is_open_metrics
from gateway.server.paths import METRICS
from gateway.server.routes import Asked, Endpoint, Row
from gateway.wires.base import CallerWire
from gateway.wires.openai_chat.inbound import OpenAIChatCallers

NAME: Final = "metrics"
"""Of the row."""
NOT_KEPT: Final = ("Cache-Control", "no-store")


def metrics_rows(read: Callable[[], Sequence[Reading]], writer: Writer) -> Sequence[Row]:
    """The row.

    Args:
        read: every metric now.
        writer: makes a text of them.
    """

    def answer(asked: Asked, _: CallerWire) -> Reply:
        open_metrics = is_open_metrics(asked.environ.get("HTTP_ACCEPT", ""))
        kind = OPEN_METRICS_TYPE if open_metrics else PLAIN_TYPE
        return Reply(200, (("Content-Type", kind), NOT_KEPT), writer.text(read(), open_metrics=open_metrics))

    return (Endpoint(NAME, METRICS, ("GET",), OpenAIChatCallers, answer, admin=True),)
