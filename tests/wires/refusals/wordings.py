"""Refusals of providers and what each means, and ordinary faults of a request. One more is one more line of a file."""

import json
from pathlib import Path
from typing import Final, NamedTuple

from gateway.core import provider_failures
from gateway.core.provider_failures import ProviderFailure
from gateway.core.strict_json import JsonObject, JsonValue

_FOLDER: Final = Path(__file__).parent


class Wording(NamedTuple):
    """A refusal as a provider sends it. `seen`: a public issue, or a page of the vendor's documentation."""

    means: type[ProviderFailure]
    status: int
    body: JsonValue
    seen: str

    def __str__(self) -> str:
        return f"{self.means.__name__} {self.seen}"


def openai(message: str) -> JsonObject:
    """An error in OpenAI's shape, which says nothing but its words."""
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}


def _lines(name: str) -> list[str]:
    return (_FOLDER / name).read_text(encoding="utf-8").splitlines()


def _meaning(name: str) -> type[ProviderFailure]:
    found = getattr(provider_failures, name)
    assert isinstance(found, type) and issubclass(found, ProviderFailure)
    return found


WORDINGS: Final = tuple(
    Wording(_meaning(row["means"]), row["status"], row["body"], row["seen"])
    for row in map(json.loads, _lines("wordings.jsonl"))
)
SAYINGS: Final = tuple((_meaning(row["means"]), row["words"]) for row in map(json.loads, _lines("sayings.jsonl")))
"""Words that are common to many servers, without a body and a code."""
ORDINARY: Final = tuple(_lines("ordinary_faults.txt"))
"""Faults that every provider refuses."""
