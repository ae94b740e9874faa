"""What vendors that refuse by their rules have in common: what they say in a turn, and what they sign and read.

A vendor knows again what it has signed, and no other's. Data of another vendor are refused wherever they stand in a
request, which is more than some real ones do: they may be of no use to it, and are none of its business.
"""

import base64
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema

from gateway.wires.anthropic_messages import OWN_SIGNATURE
from gateway.wires.openai_responses import OWN_REASONING
from tests.support.upstream_script import Json, Request, ScriptedUpstream, Step

SCHEMAS: Final = Path(__file__).parents[1] / "schemas"
WORDS: Final = frozenset({4, 5, 8, 9})
"""The turns in which no tool is called."""
Pairs = list[tuple[str, str]]


@cache
def validator(file: str, root: str) -> jsonschema.Draft202012Validator:
    defs = json.loads((SCHEMAS / file).read_text("utf-8"))["$defs"]
    return jsonschema.Draft202012Validator({"$ref": f"#/$defs/{root}", "$defs": defs})


def thought(turn: int) -> str:
    """What is thought in a turn."""
    return f"Thought {turn}."


def said(turn: int) -> str:
    """What is said in a turn."""
    return f"Answer {turn}."


def cities(turn: int) -> list[str]:
    """The cities whose weather a turn asks for, a call each; some turns are only words."""
    return [] if turn in WORDS else [f"city-{turn}-{name}" for name in "ab"]


def weather(city: str) -> str:
    """The result of the call for a city."""
    return f"rain in {city}"


class Vendor(ABC):
    """One vendor.

    Attributes:
        name: of its provider.
        model: of its, that is asked.
        turn: the number of the turn that it answers next.
        faults: why it has answered 400.
        signed: what it has signed: its reasoning by the signature.
    """

    name: str
    model: str

    def __init__(self, up: ScriptedUpstream) -> None:
        self.up = up
        self.turn = 0
        self.faults: list[str] = []
        self.signed: dict[str, str] = {}
        self.others: Sequence[Vendor] = ()
        up.answers(self._answer)

    @abstractmethod
    def section(self) -> dict[str, object]:
        """Its section of the configuration."""

    @abstractmethod
    def pairs(self, body: Any) -> Pairs:
        """The calls of a request, by city, and their results."""

    @abstractmethod
    def _rules(self, body: Any) -> Iterator[str]:
        """What is wrong with a request."""

    @abstractmethod
    def _speak(self, *, streamed: bool) -> Sequence[Step]:
        """The answer of the turn."""

    def _answer(self, request: Request) -> Sequence[Step]:
        body = request.json()
        if found := [*self._rules(body), *self._foreign(request.body.decode())]:
            self.faults += found
            return (Json(400, {"error": {"message": found[0], "type": "invalid_request_error"}}),)
        return self._speak(streamed=bool(body.get("stream")) or "streamGenerateContent" in request.path)

    def _foreign(self, sent: str) -> Iterator[str]:
        """Data that only another vendor can read, or only the gateway."""
        for other in self.others:
            yield from (f"a signature of {other.name}: {each}" for each in other.signed if each in sent)
        yield from (f"what the gateway has made: {each}" for each in (OWN_SIGNATURE, OWN_REASONING) if each in sent)

    def _sign(self, prefix: str = "") -> str:
        """A new signature for the reasoning of the turn."""
        signature = prefix + base64.b64encode(f"{self.name}, turn {self.turn:03}".encode()).decode()
        self.signed[signature] = thought(self.turn)
        return signature
