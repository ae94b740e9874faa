"""From a route to whoever answers: who is asked, and what the caller is told where nobody does.

It runs before anything has gone out to the caller, for whole answers and streams alike, so a true status is still
possible; and once more where a stream has broken, so that another candidate may go on.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.core.clock import Clock
from gateway.core.errors import GatewayError, Limited, ModelNotFound
from gateway.core.provider_failures import (
    ContextTooLong,
    ProviderFailure,
    RequestRejected,
    RetryRule,
    UnsupportedByTarget,
)
from gateway.core.request import ChatRequest
from gateway.dispatch.attempt import Attempt, TargetAnswer
from gateway.dispatch.call import Call
from gateway.dispatch.hedging import CandidateOrder, HedgedDispatch, NobodyAnswered
from gateway.routing.health import Health
from gateway.routing.router import Route, Target

UNFIT = (RequestRejected, ContextTooLong, UnsupportedByTarget)
"""How a candidate says that it will not take a request to go on."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """Who goes on with an answer. `restarted`: from its beginning, because nobody took the request to go on."""

    reached: TargetAnswer
    restarted: bool


class Failover:
    """Asks a route's targets.

    Args:
        attempt: how one is asked.
        health: who rests.
        clock: for pauses.
    """

    def __init__(self, attempt: Attempt, health: Health, clock: Clock) -> None:
        self._attempt = attempt
        self._health = health
        self._clock = clock

    def first_that_answers(self, route: Route, request: ChatRequest, call: Call) -> TargetAnswer:
        """The first answer; `call.target` says whose it is.

        Raises:
            GatewayError: nobody answered; the most telling failure.
        """
        ready, resting = self._health.order(route.targets)
        if ready and ready[0] is not route.targets[0]:
            before = route.targets[: route.targets.index(ready[0])]
            call.attempts.extend((target, "resting") for target in before)
        plan = CandidateOrder(ready, resting, queue=route.when_limited == "wait")
        race = HedgedDispatch(self._attempt, plan, request, call, self._clock)
        call.race = race
        try:
            reached = race.run()
        except NobodyAnswered:
            raise self._advised(most_telling(race.failures), route) from None
        finally:
            call.race = None
        call.target = reached.target
        return reached

    def resume(self, route: Route, request: ChatRequest, continued: ChatRequest, call: Call) -> Resumed:
        """Someone else to go on with an answer that broke off.

        Args:
            route: of the call.
            request: as the caller made it.
            continued: the request to go on where the answer broke off.
            call: on whose behalf; the targets whose streams broke are not asked again.

        Raises:
            GatewayError: nobody can.
        """
        others = replace(route, targets=tuple(target for target in route.targets if target not in call.broke))
        try:
            return Resumed(self.first_that_answers(others, continued, call), restarted=False)
        except UNFIT:
            return Resumed(self.first_that_answers(others, request, call), restarted=True)

    def stands_by(self, route: Route, target: Target) -> bool:
        """Whether somebody else of the route could take over now."""
        return bool(self._health.order([other for other in route.targets if other != target])[0])

    def _advised(self, failure: GatewayError, route: Route) -> GatewayError:
        """The failure, with the time from which on asking again makes sense, where waiting may mend it."""
        if (
            isinstance(failure, ProviderFailure)
            and failure.retry is not RetryRule.NEVER
            and failure.retry_after is None
        ):
            failure.retry_after = self._health.due(route.targets) or None
        return failure


def most_telling(failures: Sequence[GatewayError]) -> GatewayError:
    """What the caller is told: the last word of a provider, else the shortest wait, else whatever there is."""
    told = [failure for failure in failures if isinstance(failure, ProviderFailure)]
    if told:
        return told[-1]
    waits = [failure for failure in failures if isinstance(failure, Limited)]
    if waits:
        return min(waits, key=lambda failure: math.inf if failure.retry_after is None else failure.retry_after)
    return failures[-1] if failures else ModelNotFound("No provider is configured for this model.", param="model")
