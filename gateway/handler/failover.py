"""The loop over candidates: the first that answers, or the failure that tells most.

It runs before anything has gone out to the caller, for whole answers and streams alike, so a true status is still
possible whatever happens here.
"""

import math
from collections.abc import Iterator, Sequence

from gateway.core.chat import ChatRequest
from gateway.core.errors import GatewayError, Limited, LoginRequired, ModelNotFound, ProviderFailure
from gateway.handler.attempt import Attempt
from gateway.handler.call import Call
from gateway.providers.base import Answer, OpenStream
from gateway.routing.health import Health
from gateway.routing.router import Route, Target


class Failover:
    """Asks a route's targets in turn.

    Args:
        attempt: how one is asked.
        health: who rests.
    """

    def __init__(self, attempt: Attempt, health: Health) -> None:
        self._attempt = attempt
        self._health = health

    def first_that_answers(self, route: Route, request: ChatRequest, call: Call) -> Answer | OpenStream:
        """The first answer; `call.target` says whose it is.

        Raises:
            GatewayError: nobody answered; the most telling failure.
        """
        failures: list[GatewayError] = []
        crowded: list[Target] = []
        plan = self._plan(route, call)
        for target, wait, last in self._turns(plan, crowded, queue=route.when_limited == "wait"):
            call.check()
            try:
                answer = self._attempt.make(target, request, call, wait=wait, last=last)
            except Limited as full:
                failures.append(full)
                if not wait:
                    crowded.append(target)
                if wait or len(plan) > 1:
                    call.attempts.append((target, "limited"))
            except (ProviderFailure, LoginRequired) as failure:
                failures.append(failure)
                if not self._goes_on(target, failure):
                    break
            else:
                if isinstance(answer, Answer):
                    self._health.answered(target)
                call.target = target
                return answer
        raise most_telling(failures)

    def ended(self, target: Target) -> None:
        """A stream has ended well. Its begin says little: some targets break every stream in the middle."""
        self._health.answered(target)

    def broke(self, target: Target, failure: ProviderFailure) -> None:
        """A stream that had begun to answer broke."""
        self._health.failed(target, failure)

    def _plan(self, route: Route, call: Call) -> Sequence[Target]:
        """The ready ones in their order, then those that rest; who is passed over for resting is on the record."""
        ready, resting = self._health.order(route.targets)
        if ready:
            before = route.targets[: route.targets.index(ready[0])]
            call.attempts.extend((target, "resting") for target in before)
        return [*ready, *resting]

    def _turns(
        self, plan: Sequence[Target], crowded: list[Target], *, queue: bool
    ) -> Iterator[tuple[Target, bool, bool]]:
        """Whom to ask, whether to queue there, and whether nobody else is left. Those without room come again at the
        end, the soonest first."""
        for left, target in enumerate(plan, start=1 - len(plan)):
            yield target, queue, left == 0 and not crowded
        again = sorted(crowded, key=self._attempt.expected_wait)
        for left, target in enumerate(again, start=1 - len(again)):
            yield target, True, left == 0

    def _goes_on(self, target: Target, failure: GatewayError) -> bool:
        if not isinstance(failure, ProviderFailure):
            return True
        self._health.failed(target, failure)
        return failure.next_candidate


def most_telling(failures: Sequence[GatewayError]) -> GatewayError:
    """What the caller is told: the last word of a provider, else the shortest wait, else whatever there is."""
    told = [failure for failure in failures if isinstance(failure, ProviderFailure)]
    if told:
        return told[-1]
    waits = [failure for failure in failures if isinstance(failure, Limited)]
    if waits:
        return min(waits, key=lambda failure: math.inf if failure.retry_after is None else failure.retry_after)
    return failures[-1] if failures else ModelNotFound("No provider is configured for this model.", param="model")
