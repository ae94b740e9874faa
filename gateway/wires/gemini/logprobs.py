"""Reads the probabilities of an answer's tokens.

Source: https://ai.google.dev/api/generate-content#LogprobsResult: `topCandidates` has one entry for each of
`chosenCandidates`, in the same order.
"""

from gateway.core.answer import TokenLogprob
from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.untrusted_fields import an_object, number, objects, text


def read_logprobs(result: JsonValue) -> tuple[TokenLogprob, ...]:
    """The chosen tokens, each with its alternatives."""
    found = an_object(result)
    tops, chosen = found.get("topCandidates"), found.get("chosenCandidates")
    beside = tops if isinstance(tops, list) else []
    read: list[TokenLogprob] = []
    for place, token in enumerate(chosen if isinstance(chosen, list) else []):
        if isinstance(token, dict):
            top = an_object(beside[place]) if place < len(beside) else {}
            read.append(_token(token, tuple(_token(one) for one in objects(top.get("candidates")))))
    return tuple(read)


def _token(candidate: JsonObject, top: tuple[TokenLogprob, ...] = ()) -> TokenLogprob:
    return TokenLogprob(text(candidate.get("token")), number(candidate.get("logProbability")), top)
