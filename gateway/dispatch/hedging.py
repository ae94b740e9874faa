"""The candidates of one call: asked in turn, and beside each other where one is slow. The first that speaks wins.

The caller's own thread asks one target after the other, so an answer that comes in time costs no hand-over. Only when
a target has been silent for longer than it usually is, the thread that looks after all calls starts a second run beside
the first. Whoever has the answer first ends the others, and the caller's thread, which waited for one of them, takes
it.
"""

import logging
import threading
from collections.abc import Callable, Sequence

from msgspec import Struct

from gateway.core.clock import Clock
from gateway.core.errors import GatewayError, InternalFault, Limited, LoginRequired
from gateway.core.provider_failures import ContentRefused, ProviderFailure
from gateway.core.request import ChatRequest
from gateway.dispatch.attempt import Attempt, Candidate, CoolingDown, TargetAnswer, TriesSpent
from gateway.dispatch.branch import LOST, Branch, BranchLost
from gateway.dispatch.call import Call
from gateway.routing.router import Target

logger = logging.getLogger(__name__)


class CandidateOrder(Struct, frozen=True):
    """Whom to ask. `queue`: wait in line at the first, instead of trying the next; `resting`: the soonest due first."""

    ready: Sequence[Target]
    resting: Sequence[Target]
    queue: bool


class HedgedDispatch:
    """One call's candidates.

    Args:
        attempt: how one is asked.
        plan: whom to ask.
        request: what to ask.
        call: on whose behalf.
        clock: for pauses.
    """

    def __init__(self, attempt: Attempt, plan: CandidateOrder, request: ChatRequest, call: Call, clock: Clock) -> None:
        self._attempt = attempt
        self._request = request
        self._call = call
        self._clock = clock
        self._several = len(plan.ready) + len(plan.resting) > 1
        self._lock = threading.Lock()  # over the lists, the winner and the verdict
        self._waiting: threading.Condition | None = None  # the caller's thread, for other runs; made when it waits
        self._ready = [Candidate(target, wait=plan.queue) for target in plan.ready]
        self._rate_limited: list[Target] = []
        self._resting = list(plan.resting)
        self._runs: list[Branch] = []
        self._winner: TargetAnswer | None = None
        self._verdict: GatewayError | None = None
        self.failures: list[GatewayError] = []

    def run(self) -> TargetAnswer:
        """The first answer.

        Raises:
            GatewayError: nobody answered, and `failures` says why; or nobody is to be asked any more.
            NobodyAnswered: every candidate failed.
        """
        while self._has_turns() and (own := self._enter()) is not None:
            self._work(own)
            if self._is_decided():
                break
            self._wait_for_others()
        if (over := self._call.over()) is not None:
            if self._winner is not None:
                self._winner.close()
            raise over
        if self._verdict is not None:
            raise self._verdict
        if self._winner is None:
            raise NobodyAnswered
        self._call.attempts.append((self._winner.target, "200"))
        return self._winner

    def hedge(self, spawn: Callable[[Callable[[], None]], bool]) -> None:
        """If a run is overdue and another target is ready, ask that one beside it.

        Args:
            spawn: runs something in a thread of its own, or says that there is none.
        """
        with self._lock:
            if not self._ready or self._is_decided() or not self._call.has_tries:
                return
            late = next((run for run in self._runs if run.falls_behind()), None)
        if late is None or (beside := self._enter()) is None:
            return
        if not spawn(lambda: self._work(beside)):
            late.slow = False
            self._leave(beside)

    def _enter(self) -> Branch | None:
        if self._call.over() is not None:
            return None
        run = Branch(self._call, self._clock)
        with self._lock:
            if self._is_decided():
                return None
            self._runs.append(run)
        return run

    def _leave(self, run: Branch) -> None:
        with self._lock:
            self._runs.remove(run)
            self._wake()

    def _wait_for_others(self) -> None:
        """Until someone has the answer or nobody is trying any more. Whatever ends the call ends their tries."""
        with self._lock:
            while self._runs and not self._is_decided():
                self._waiting = self._waiting or threading.Condition(self._lock)
                self._waiting.wait()

    def _wake(self) -> None:
        """Under the lock."""
        if self._waiting is not None:
            self._waiting.notify_all()

    def _is_decided(self) -> bool:
        return self._winner is not None or self._verdict is not None

    def _work(self, run: Branch) -> None:
        """Ask one target after the other until one answers or none is left."""
        try:
            while not run.gone() and (turn := self._next(run)) is not None:
                if not self._take(turn, run):
                    return
        finally:
            self._leave(run)

    def _take(self, turn: Candidate, run: Branch) -> bool:
        """Give a target its turn; whether this run goes on."""
        try:
            reached = self._attempt.make(turn, self._request, run)
        except CoolingDown:
            self._passed_over(turn.target)
        except Limited as full:
            self._had_no_room(turn, full)
        except (ProviderFailure, LoginRequired) as failure:
            return self._failed(failure)
        except (BranchLost, TriesSpent):
            return False
        except GatewayError as why:
            self._decide(why)
            return False
        except Exception:
            logger.exception("request %s failed on a fault of the gateway", self._call.request_id)
            self._decide(InternalFault("The gateway failed on a fault of its own; its log has the details."))
            return False
        else:
            self._won(reached, run)
            return False
        return True

    def _next(self, run: Branch) -> Candidate | None:
        """Whom this run asks next: those who are ready, in their order; then, where nobody else is still trying, those
        that had no room, in line now, the soonest first; and of those that rest the one due soonest, rather than
        failing without having asked."""
        with self._lock:
            if self._is_decided() or not self._call.has_tries:
                return None
            if self._ready:
                return self._ready.pop(0)
            if self._runs != [run]:
                return None
            if self._rate_limited:
                soonest = min(self._rate_limited, key=self._attempt.expected_wait)
                self._rate_limited.remove(soonest)
                return Candidate(soonest, wait=True)
            if self._resting:
                soonest, self._resting = self._resting[0], []
                return Candidate(soonest, wait=True, forced=True)
            return None

    def _has_turns(self) -> bool:
        with self._lock:
            turns = self._ready or self._rate_limited or self._resting
            return bool(turns) and self._call.has_tries and not self._is_decided()

    def _passed_over(self, target: Target) -> None:
        """It has come to rest since the plan was made, or another call is its probe."""
        self._call.attempts.append((target, "resting"))
        with self._lock:
            self._resting.append(target)

    def _had_no_room(self, turn: Candidate, full: Limited) -> None:
        self.failures.append(full)
        if turn.wait or self._several:
            self._call.attempts.append((turn.target, "limited"))
        if not turn.wait:
            with self._lock:
                self._rate_limited.append(turn.target)

    def _failed(self, failure: ProviderFailure | LoginRequired) -> bool:
        """Whether the run goes on to the next."""
        self.failures.append(failure)
        if not isinstance(failure, ProviderFailure) or failure.next_candidate:
            return True
        if isinstance(failure, ContentRefused):
            self._decide(failure)  # not even one who is asked already may answer what was refused
            return False
        with self._lock:
            self._ready, self._rate_limited, self._resting = [], [], []
        return False

    def _decide(self, why: GatewayError) -> None:
        """Nobody is to answer."""
        with self._lock:
            if self._is_decided():
                return  # whoever decided has beaten the others; from here the winner would be beaten too
            self._verdict = why
            others = list(self._runs)
            self._wake()
        for other in others:
            other.beat(answered=False)

    def _won(self, reached: TargetAnswer, run: Branch) -> None:
        with self._lock:
            first = not self._is_decided()
            if first:
                self._winner = reached
            others = [other for other in self._runs if other is not run]
        if not first:
            self._call.attempts.append((reached.target, LOST))
            reached.close()
            return
        for other in others:
            other.beat(answered=True)


class NobodyAnswered(Exception):
    """Every candidate failed."""
