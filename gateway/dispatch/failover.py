"""From a route to an answer: which targets are asked, and which error the caller gets where none answers.

It runs before anything was sent to the caller, for whole answers and streams alike, so that the reply can still have
the true status; and again where a stream has broken, so that another target can continue it. It does not know how a
target is asked, and nothing of the caller's wire.
"""

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from gateway.core.clock import Clock
from gateway.core.errors import GatewayError, Limited, ModelNotFound
from gateway.core.provider_failures import (
    ContextTooLong,
    ProviderFailure,
    RequestRejected,
    RetryRule,
    UnsupportedByTarget,
)
from gateway.core.text_end import anchor
from gateway.dispatch.attempt import Attempt
from gateway.dispatch.call import Call
from gateway.dispatch.candidate_order import CandidateOrder
from gateway.dispatch.hedging import AllFailed, HedgedDispatch
from gateway.dispatch.operation import Operation
from gateway.dispatch.target_answer import TargetAnswer
from gateway.dispatch.turns import Turns
from gateway.routing.health import Health
from gateway.routing.router import Route, Target

REFUSALS_TO_CONTINUE: Final = (RequestRejected, ContextTooLong, UnsupportedByTarget)
"""The failures by which a target refuses to continue an answer that it may well give from the beginning."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """The stream that takes the place of one that broke. `restarted`: it is a new answer from the beginning, because no
    target continued the old one."""

    answer: TargetAnswer
    restarted: bool


class Failover:
    """Asks a route's targets.

    Args:
        attempt: asks a target.
        health: which targets may be asked.
        clock: for pauses.
        turns: the order of targets, where a strategy decides it.
    """

    def __init__(self, attempt: Attempt, health: Health, clock: Clock, turns: Turns) -> None:
        self._attempt = attempt
        self._health = health
        self._clock = clock
        self._turns = turns

    def first_that_answers(self, route: Route, operation: Operation, call: Call) -> TargetAnswer:
        """Return the first answer of a route's targets, and set `call.target` to the target that gave it.

        Raises:
            GatewayError: no target answered; the most informative failure.
        """
        if not self._turns.decide(route):
            return self._answer(route, route.targets, operation, call)
        turn = call.turn = self._turns.take(route, call.session)
        try:
            return self._answer(route, turn.targets, operation, call)
        finally:
            turn.close()

    def _answer(self, route: Route, targets: Sequence[Target], operation: Operation, call: Call) -> TargetAnswer:
        ready, cooling_down = self._health.order(targets)
        if ready and ready[0] is not targets[0]:
            skipped = targets[: targets.index(ready[0])]
            for target in skipped:
                call.tried(target, "resting")
        order = CandidateOrder(ready, cooling_down, queue=route.when_limited == "wait", due=self._due)
        dispatch = HedgedDispatch(self._attempt, order, operation, call, self._clock)
        call.hedging = dispatch
        try:
            answer = dispatch.run()
        except AllFailed:
            raise self._with_advice(most_informative(dispatch.failures), route) from None
        finally:
            call.hedging = None
        call.target = answer.target
        return answer

    def resume(self, route: Route, operation: Operation, text_so_far: str, call: Call) -> Resumed:
        """Return another target's stream in the place of that of `call.target`, which broke off.

        A target whose stream broke is not asked again. If no other target continues the answer, one of them is asked
        for a new one: where a continuation could not prove its place in the text, where all refuse to continue, and
        where `call.target` continued with something else.

        Args:
            route: of the call.
            operation: as the caller asked for it.
            text_so_far: what the caller has of the answer.
            call: the call.

        Raises:
            GatewayError: no target can.
        """
        if call.target is not None and not call.not_continued:
            call.broken_targets.append(call.target.shared)  # another account of it has the same server
        others = replace(route, targets=tuple(target for target in route.targets if target not in call.broken_targets))
        if not text_so_far or (anchor(text_so_far) and not call.not_continued):
            with contextlib.suppress(*REFUSALS_TO_CONTINUE):
                continued = operation.continued(text_so_far)
                return Resumed(self.first_that_answers(others, continued, call), restarted=False)
        return Resumed(self.first_that_answers(others, operation, call), restarted=True)

    def has_alternative(self, route: Route, target: Target) -> bool:
        """Whether another target of the route could take over now."""
        others = [other for other in route.targets if other != target.shared]
        return bool(self._health.order(self._turns.expanded(others))[0])

    def _due(self, target: Target) -> float:
        return self._health.due([target]) or 0.0

    def _with_advice(self, failure: GatewayError, route: Route) -> GatewayError:
        """The failure with the seconds until a target may be asked again, where waiting may help."""
        if (
            not isinstance(failure, ProviderFailure)
            or failure.retry is RetryRule.NEVER
            or failure.retry_after is not None
        ):
            return failure
        due = self._health.due(self._turns.expanded(route.targets))
        return failure.with_retry_after(due) if due else failure


def most_informative(failures: Sequence[GatewayError]) -> GatewayError:
    """The failure to show to the caller: a provider's last one, otherwise the shortest wait, otherwise any."""
    by_providers = [failure for failure in failures if isinstance(failure, ProviderFailure)]
    if by_providers:
        return by_providers[-1]
    limited = [failure for failure in failures if isinstance(failure, Limited)]
    if limited:
        return min(limited, key=lambda failure: math.inf if failure.retry_after is None else failure.retry_after)
    return failures[-1] if failures else ModelNotFound("No provider is configured for this model.", param="model")
