"""Asks the candidates of one call: one after the other, and in parallel where one is slow. The first answer wins.

The caller's own thread asks the candidates in order, so an answer in time costs no change of threads. When a target has
been silent for longer than its usual time, the watchdog's thread starts a second branch that asks the next candidate in
parallel (a hedged request). The first branch with an answer cancels the others, and the caller's thread returns its
answer. Why a target failed does not matter here beyond whether others may be asked.
"""

import logging
import threading
from collections.abc import Callable

from gateway.core.clock import Clock
from gateway.core.errors import GatewayError, InternalFault, Limited, LoginRequired
from gateway.core.provider_failures import ContentRefused, ProviderFailure
from gateway.core.records import ANSWERED
from gateway.dispatch.admission import Candidate, CoolingDown
from gateway.dispatch.attempt import Attempt, TriesSpent
from gateway.dispatch.branch import LOST, Branch, BranchLost
from gateway.dispatch.call import Call
from gateway.dispatch.candidate_order import CandidateOrder, SizeOnce
from gateway.dispatch.operation import Operation
from gateway.dispatch.target_answer import TargetAnswer
from gateway.routing.account_rests import rests_account
from gateway.routing.router import Target

logger = logging.getLogger(__name__)


class AllFailed(Exception):
    """Every candidate failed."""


class HedgedDispatch:
    """Asks the candidates of one call.

    Args:
        attempt: asks a candidate.
        order: the candidates.
        operation: what to ask for.
        call: the call to answer.
        clock: for pauses.
    """

    def __init__(self, attempt: Attempt, order: CandidateOrder, operation: Operation, call: Call, clock: Clock) -> None:
        self._attempt = attempt
        self._operation = operation
        self._call = call
        self._clock = clock
        self._has_several = len(order.ready) + len(order.cooling_down) > 1
        self._lock = threading.Lock()  # guards the lists, the winner and the final error
        self._waiting: threading.Condition | None = None  # the caller's thread, for other branches; made when it waits
        self._size = SizeOnce(operation)
        self._ready = [self._candidate(target, wait=order.queue) for target in order.ready]
        self._rate_limited: list[Target] = []
        self._cooling_down = list(order.cooling_down)
        self._due = order.due
        self._branches: list[Branch] = []
        self._asked: dict[Branch, Target] = {}  # by whom each target was asked last
        self._decided = False  # by a winner or a final error
        self._winner: TargetAnswer | None = None
        self._final_error: GatewayError | None = None
        self.failures: list[GatewayError] = []

    def run(self) -> TargetAnswer:
        """Return the first answer.

        Raises:
            AllFailed: every candidate failed; `failures` has the reasons.
            GatewayError: a failure that ends the call, or the answer is not wanted any more.
        """
        while (own := self._new_branch()) is not None:
            self._work(own)
            if self._decided:
                break
            self._wait_for_others()
        if (reason := self._call.reason_to_stop()) is not None:
            if self._winner is not None:
                self._winner.close()
            raise reason
        if self._final_error is not None:
            raise self._final_error
        if self._winner is None:
            raise AllFailed
        self._call.attempts.append(self._winner.as_try(ANSWERED))
        return self._winner

    def hedge(self, spawn: Callable[[Callable[[], None]], bool]) -> None:
        """If a branch has turned slow and another target is ready, ask that one in parallel.

        Args:
            spawn: runs a function in a thread of its own and returns whether it found one.
        """
        with self._lock:
            if not self._ready or self._decided or not self._call.has_tries:
                return
            slow = next((branch for branch in self._branches if branch.turned_slow()), None)
        if slow is None or (hedge := self._new_branch()) is None:
            return
        if not spawn(lambda: self._work(hedge)):
            slow.slow = False
            self._remove(hedge)

    def _new_branch(self) -> Branch | None:
        """A new branch of the call; None where the call needs none any more, or has no candidate for it."""
        if self._call.reason_to_stop() is not None:
            return None
        with self._lock:
            if self._decided or not self._has_candidates():
                return None
            branch = Branch(self._call, self._clock)
            self._branches.append(branch)
        return branch

    def _remove(self, branch: Branch) -> None:
        with self._lock:
            self._branches.remove(branch)
            self._asked.pop(branch, None)
            self._wake()

    def _wait_for_others(self) -> None:
        """Wait until a branch has decided the call or none works any more. The end of the call ends all branches."""
        with self._lock:
            while self._branches and not self._decided:
                self._waiting = self._waiting or threading.Condition(self._lock)
                self._waiting.wait()

    def _wake(self) -> None:
        """Wake the caller's thread if it waits. Under the lock."""
        if self._waiting is not None:
            self._waiting.notify_all()

    def _work(self, branch: Branch) -> None:
        """Ask one candidate after the other until one answers or none is left."""
        try:
            while (candidate := self._next(branch)) is not None:
                if not self._try(candidate, branch) or branch.is_over():
                    return
        finally:
            self._remove(branch)

    def _try(self, candidate: Candidate, branch: Branch) -> bool:
        """Try one target. Returns whether this branch should try the next one."""
        try:
            answer = self._attempt.make(candidate, self._operation, branch)
        except CoolingDown:
            self._add_cooling_down(candidate.target)
        except Limited as failure:
            self._add_rate_limited(candidate, failure)
        except (ProviderFailure, LoginRequired) as failure:
            return self._add_failure(candidate.target, failure)
        except (BranchLost, TriesSpent):
            return False
        except GatewayError as error:
            self._fail(error)
            return False
        except Exception:
            logger.exception("request %s failed on a fault of the gateway", self._call.request_id)
            self._fail(InternalFault("The gateway failed on a fault of its own; its log has the details."))
            return False
        else:
            self._win(answer, branch)
            return False
        return True

    def _candidate(self, target: Target, *, wait: bool, forced: bool = False) -> Candidate:
        if not target.account:
            return Candidate(target, wait, forced, self._size)
        return Candidate(target, wait, forced, self._size, self._other_account)

    def _other_account(self, target: Target) -> Candidate | None:
        """Take the next ready account of a target out of the order."""
        with self._lock:
            for place, each in enumerate(self._ready):
                if each.target.shared == target.shared:
                    return self._ready.pop(place)
        return None

    def _next(self, branch: Branch) -> Candidate | None:
        """The next candidate of a branch; None if there is none for it.

        First the ready ones, in their order. Only a branch that works alone gets the others: those without room in
        their rate limit, now in the queue and the shortest wait first; and at last those that cool down, the one due
        soonest first, rather than failing without having asked.
        """
        with self._lock:
            if self._decided or not self._call.has_tries:
                return None
            if (place := self._next_ready(branch)) is not None:
                candidate = self._ready.pop(place)
                if candidate.target.account or self._asked:
                    self._asked[branch] = candidate.target.shared
                return candidate
            if self._branches != [branch]:
                return None
            if self._rate_limited:
                soonest = min(self._rate_limited, key=self._attempt.expected_wait)
                self._rate_limited.remove(soonest)
                return self._candidate(soonest, wait=True)
            if self._cooling_down:
                soonest = min(self._cooling_down, key=self._due)
                self._cooling_down.remove(soonest)
                return self._candidate(soonest, wait=True, forced=True)
            return None

    def _next_ready(self, branch: Branch) -> int | None:
        """The place of the first ready candidate of a branch. A slow target is not asked by another account beside
        itself: that would be the same server. Under the lock."""
        if not self._ready or len(self._branches) == 1:
            return 0 if self._ready else None
        others = [target for other, target in self._asked.items() if other is not branch]
        places = enumerate(self._ready)
        return next((at for at, each in places if not each.target.account or each.target.shared not in others), None)

    def _has_candidates(self) -> bool:
        """Under the lock."""
        return bool(self._ready or self._rate_limited or self._cooling_down) and self._call.has_tries

    def _add_cooling_down(self, target: Target) -> None:
        """The target has started to cool down since the order was made, or another call probes it."""
        self._call.tried(target, "resting")
        with self._lock:
            self._cooling_down.append(target)

    def _add_rate_limited(self, candidate: Candidate, failure: Limited) -> None:
        self.failures.append(failure)
        if candidate.wait or self._has_several:
            self._call.tried(candidate.target, "limited")
        if not candidate.wait:
            with self._lock:
                self._rate_limited.append(candidate.target)

    def _add_failure(self, target: Target, failure: ProviderFailure | LoginRequired) -> bool:
        """Note a failure. Returns whether the branch should try the next candidate."""
        self.failures.append(failure)
        if not isinstance(failure, ProviderFailure) or failure.next_candidate:
            if target.account and isinstance(failure, ProviderFailure) and not rests_account(failure):
                self._drop_accounts(target.shared)
            return True
        if isinstance(failure, ContentRefused):
            self._fail(failure)  # not even a target that is being asked already may answer what was refused
            return False
        with self._lock:
            self._ready, self._rate_limited, self._cooling_down = [], [], []
        return False

    def _drop_accounts(self, shared: Target) -> None:
        """Ask no other account of a target: another key mends neither its server nor what it cannot do."""
        with self._lock:
            self._ready = [each for each in self._ready if each.target.shared != shared]
            self._rate_limited = [each for each in self._rate_limited if each.shared != shared]
            self._cooling_down = [each for each in self._cooling_down if each.shared != shared]

    def _fail(self, error: GatewayError) -> None:
        """End the call with an error, unless it is decided already."""
        with self._lock:
            if self._decided:
                return  # the other branches were cancelled by that decision; a second time would cancel the winner
            self._decided, self._final_error = True, error
            others = list(self._branches)
            self._wake()
        for other in others:
            other.lose(answered=False)

    def _win(self, answer: TargetAnswer, branch: Branch) -> None:
        """End the call with an answer, unless it is decided already: then discard the answer."""
        with self._lock:
            is_first = not self._decided
            if is_first:
                self._decided, self._winner = True, answer
            others = [other for other in self._branches if other is not branch]
        if not is_first:
            self._call.attempts.append(answer.as_try(LOST))
            answer.close()
            return
        for other in others:
            other.lose(answered=True)
