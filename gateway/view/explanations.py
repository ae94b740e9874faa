"""How a model would be routed now, with what every worker has seen of its targets.

What all workers know anyway (rests, limits, credentials, the configuration) is in each one's explanation. Their own are
the failures in a row, the times until the first content, and what targets have refused by name: of the first the most,
of the second those of the worker with the most samples, of the last all of it is shown.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

import msgspec

from gateway.assembly import Assembly
from gateway.core.errors import GatewayError
from gateway.dispatch.explanation import CandidateView, Explanation
from gateway.routing.target_health import TargetStatus
from gateway.workers.siblings import ANSWER_SECONDS, Siblings

TOPIC: Final = "explain"
_EXPLANATION: Final = msgspec.json.Decoder(Explanation)
_QUESTION: Final = msgspec.json.Decoder(tuple[str, str])


class Explanations:
    """Explains routes for all workers. Safe to use from many threads.

    Args:
        siblings: the other workers.
        assembly: gives the configuration that is served.
    """

    def __init__(self, siblings: Siblings, assembly: Callable[[], Assembly]) -> None:
        self._siblings = siblings
        self._assembly = assembly
        siblings.answer(TOPIC, self._answer)

    def explain(self, model: str, endpoint: str) -> Explanation:
        """How `model` would be routed now at an endpoint.

        Raises:
            ModelNotFound: no alias and no provider has this name.
            InvalidRequest: there is no such endpoint.
        """
        own = self._assembly().explainer.explain(model, endpoint)
        answers = self._siblings.ask(TOPIC, msgspec.json.encode((model, endpoint)), within=ANSWER_SECONDS)
        return merged(own, [_EXPLANATION.decode(each) for each in answers.values() if each])

    def _answer(self, question: bytes) -> bytes:
        model, endpoint = _QUESTION.decode(question)
        try:
            return msgspec.json.encode(self._assembly().explainer.explain(model, endpoint))
        except GatewayError:
            return b""  # it serves another configuration for a moment


def merged(own: Explanation, others: Sequence[Explanation]) -> Explanation:
    """One worker's explanation with what others have seen."""
    candidates = tuple(
        _seen(each, [other for explanation in others for other in explanation.candidates if _same(each, other)])
        for each in own.candidates
    )
    return replace(own, candidates=candidates)


def _same(one: CandidateView, other: CandidateView) -> bool:
    return (one.provider, one.model, one.account) == (other.provider, other.model, other.account)


def _seen(own: CandidateView, others: Sequence[CandidateView]) -> CandidateView:
    left_out = {each for candidate in (own, *others) for each in candidate.left_out}
    health = _health(own.health, [each.health for each in others])
    return replace(own, health=health, left_out=tuple(sorted(left_out)))


def _health(own: TargetStatus, others: Iterable[TargetStatus]) -> TargetStatus:
    every = [own, *others]
    streams = max(every, key=lambda each: each.stream_samples)
    wholes = max(every, key=lambda each: each.whole_samples)
    return replace(
        own,
        failures=max(each.failures for each in every),
        stream_limit=streams.stream_limit,
        stream_samples=streams.stream_samples,
        whole_limit=wholes.whole_limit,
        whole_samples=wholes.whole_samples,
        cannot=sum(each.cannot for each in every),
    )
