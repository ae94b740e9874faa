"""POST /gateway/reload: reads the configuration file again.

It needs what every route needs (Host, Origin, a JSON body), and an admin's key where keys are configured. It takes no
setting: all that is served stands in the file, so the request cannot bring in what its sender may not write there.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol

from gateway.config.changes import ReloadOutcome
from gateway.core.durations import plural
from gateway.core.errors import InvalidConfiguration, InvalidRequest
from gateway.core.strict_json import as_object, dumps, loads
from gateway.handler.reply import JSON_TYPE, Reply, error_reply
from gateway.server.paths import RELOAD
from gateway.server.routes import Asked, Endpoint, Row
from gateway.wires.openai_chat.inbound import OpenAIChatCallers

EMPTY: Final = frozenset({b"", b"{}"})
"""Bodies, without blanks."""
MAX_BODY: Final = 64


class Reloads(Protocol):
    """What reads the file (gateway.reload.Reloader)."""

    def reload(self) -> ReloadOutcome:
        """Read it now. Raises Draining."""


def reload_rows(reloads: Reloads) -> Sequence[Row]:
    """The row, for a gateway whose configuration can be read again."""

    def answer(asked: Asked, wire: OpenAIChatCallers) -> Reply:
        _check_body(asked)
        outcome = reloads.reload()
        if not outcome.faults:
            return Reply(200, (("Content-Type", JSON_TYPE),), dumps(outcome.as_json()))
        return _refusal(outcome, wire)

    return (Endpoint("reload", RELOAD, ("POST",), OpenAIChatCallers, answer, admin=True),)


def _check_body(asked: Asked) -> None:
    length = asked.environ.get("CONTENT_LENGTH") or "0"
    body = asked.environ["wsgi.input"].read(min(int(length), MAX_BODY)) if length.isdecimal() else b""
    if b"".join(body.split()) not in EMPTY:
        raise InvalidRequest("A reload takes no settings: send {} as the body, and write the settings into the file.")


def _refusal(outcome: ReloadOutcome, wire: OpenAIChatCallers) -> Reply:
    """An error object, and beside it what was found at which place of the file."""
    count = len(outcome.faults)
    why = f"The configuration has {count} {plural('fault', count)} and was not reloaded; what was served is served on."
    error = InvalidConfiguration(f"{why} The first: {outcome.faults[0].message}")
    body = {**as_object(loads(wire.render_error(error))), **outcome.as_json()}
    return replace(error_reply(error, wire), body=dumps(body))
