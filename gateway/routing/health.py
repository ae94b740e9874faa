"""The health of targets: which ones may be asked now, which cool down, and how long each takes until first content.

A call enters a target (`Health.enter`) and reports the outcome on its ticket (`HealthTicket`). This module has the
clock and the lock. What each kind of failure means is in target_health.py, the arithmetic in breaker.py, cooldowns.py
and latency.py. No target is skipped for good: where all cool down, a call may force its entry into one after the other
rather than fail unasked.
"""

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from gateway.core.clock import Clock
from gateway.core.provider_failures import ProviderFailure
from gateway.routing.account_rests import AccountRest
from gateway.routing.known_rests import KnownRests, adopt
from gateway.routing.rest_board import RestBoard
from gateway.routing.router import Target
from gateway.routing.target_health import AccountEntry, Entry, TargetHealth, TargetStatus

REMEMBERED: Final = 1_000
"""Targets. Callers may name `provider/anything`, and invented names must not fill the memory."""


class HealthTicket:
    """One call's entry to a target, on which the call reports its outcome. Safe to use from any thread.

    The first verdict (`answered`, `failed`, `close`) counts; later ones are ignored. Every ticket needs a verdict:
    without one a probe would be under way for ever.

    Attributes:
        target: the target that the call asks.
        probing: whether this call is the probe of an open breaker.
    """

    def __init__(
        self, target: Target, entry: Entry, lock: threading.Lock, clock: Clock, known: KnownRests | None = None
    ) -> None:
        self.target = target
        self.probing = entry.number.probing
        self._entry = entry
        self._known = known
        self._lock = lock
        self._clock = clock
        self._has_content = False
        self._over = False

    def __repr__(self) -> str:
        return f"HealthTicket({self.target}{', probing' if self.probing else ''}{', over' if self._over else ''})"

    def first_content(self, seconds: float, *, streamed: bool) -> None:
        """The first content is there. A verdict may follow. Only the first report counts.

        Args:
            seconds: from sending the request to first content.
            streamed: whether the answer is a stream.
        """
        with self._lock:
            self._take_content(seconds, streamed=streamed)

    def answered(self, seconds: float | None = None) -> None:
        """The call ended well: the target works, and cooldowns from before this call went in are over.

        Args:
            seconds: of a whole answer, whose first content is its end, those from sending the request to it.
        """
        with self._lock:
            if seconds is not None:
                self._take_content(seconds, streamed=False)
            if self._take_verdict():
                now = self._clock.monotonic()
                if self._known is None:
                    self._entry.answered(now)
                else:
                    self._known.settle(lambda: self._entry.answered(now), now)

    def failed(self, failure: ProviderFailure) -> None:
        """The call failed. The kind of failure decides what that means for the target."""
        with self._lock:
            if self._take_verdict():
                now = self._clock.monotonic()
                self._settle(lambda: self._entry.failed(failure, now), now)

    def close(self) -> None:
        """The call ended without a verdict: the caller left, another target was faster, or the gateway is to blame."""
        with self._lock:
            if self._take_verdict():
                self._settle(self._entry.release, self._clock.monotonic())

    def _take_content(self, seconds: float, *, streamed: bool) -> None:
        if self._over or self._has_content:
            return
        self._has_content = True
        self._entry.record.first_content(streamed=streamed).add(seconds)
        self._entry.record.breaker.first_content(self._entry.number)
        if self._known is not None:
            self._known.first_content()

    def _settle(self, event: Callable[[], None], now: float) -> None:
        if self._known is None:
            event()
        else:
            self._known.settle(event, now)

    def _take_verdict(self) -> bool:
        """Whether this verdict is the first, which counts."""
        if self._over:
            return False
        self._over = True
        self._entry.record.under_way -= 1
        return True


class Health:
    """The health of all targets. Safe to use from many threads.

    It remembers the REMEMBERED targets that were asked last, and besides them only targets with a call under way.

    Args:
        clock: the time.
        random: returns a value from 0 to 1, so that gateways that saw the same failure do not come back in step.
        board: what other processes know; None where there are none.
    """

    def __init__(self, clock: Clock, random: Callable[[], float], board: RestBoard | None = None) -> None:
        self._clock = clock
        self._random = random
        self._board = board
        self._lock = threading.Lock()
        self._records: dict[Target, TargetHealth] = {}  # of all accounts; the least recently asked first
        self._rests: dict[Target, AccountRest] = {}  # of an account and a model, "" for all its models; likewise

    def order(self, targets: Sequence[Target]) -> tuple[list[Target], list[Target]]:
        """The targets that may be asked now, in the order given; and the others, the one due soonest first."""
        with self._lock:
            now = self._clock.monotonic()
            due = [(self._due(target, now), target) for target in targets]
        ready = [target for seconds, target in due if seconds <= 0]
        if len(ready) == len(due):
            return ready, []
        others = sorted(((seconds, target) for seconds, target in due if seconds > 0), key=_seconds)
        return ready, [target for _, target in others]

    def due(self, targets: Sequence[Target]) -> float | None:
        """Seconds until the first of these targets may be asked: 0 if one may be asked now, None without targets.

        While another call probes a target, the time is unknown and counts as one second.
        """
        with self._lock:
            now = self._clock.monotonic()
            return min((self._due(target, now) for target in targets), default=None)

    def enter(self, target: Target, *, forced: bool = False) -> HealthTicket | None:
        """Enter a target, in order to ask it.

        Args:
            target: the one to ask.
            forced: enter it although it cools down or its breaker is open. The call is a probe only where one is due.

        Returns:
            A ticket, which needs a verdict; None if the target is skipped now or another call probes it.
        """
        with self._lock:
            now = self._clock.monotonic()
            if not forced and self._due(target, now) > 0:
                return None
            record = self._latest(target.shared if target.account else target)
            rests = (self._rest(target), self._rest(_whole_account(target))) if target.account else ()
            known = None
            if self._board is not None:
                known = KnownRests(self._board, tuple(zip(_keys(target), (record, *rests), strict=True)))
                if not known.enter(now, forced=forced):
                    return None
            entry = record.enter(now)
            if rests:
                entry = AccountEntry(entry, *rests, now)
            return HealthTicket(target, entry, self._lock, self._clock, known)

    def forget(self, providers: Collection[str]) -> None:
        """Forget the targets of providers that are asked elsewhere, or by another credential, from now on. Calls under
        way report to what is forgotten."""
        with self._lock:
            self._records = {each: known for each, known in self._records.items() if each.provider not in providers}
            self._rests = {each: known for each, known in self._rests.items() if each.provider not in providers}
            if self._board is not None:
                self._board.forget(providers)

    def limit(self, target: Target, *, streamed: bool) -> float:
        """Seconds that the target gets for its first content, from its own past."""
        with self._lock:
            return self._known(target).first_content(streamed=streamed).limit()

    def first_content(self, target: Target) -> tuple[float, float, int] | None:
        """How long the target's latest streams took until their first content: the seconds that half of them did not
        exceed, and 95 % of them, and how many they were. None where there was none."""
        with self._lock:
            streams = self._known(target).streams
            found = streams.percentiles()
            return (*found, streams.samples) if found else None

    def describe(self, target: Target) -> TargetStatus:
        """The target's status now, for people."""
        with self._lock:
            now = self._clock.monotonic()
            status = self._known(target).status(now)
            for rest in self._rests_of(target):
                if (due := rest.due(now)) > status.due:
                    status = replace(status, state="resting", due=due, why=rest.cooldowns.reason(now) or "failures")
            return status

    def _due(self, target: Target, now: float) -> float:
        if self._board is not None:
            own = self._due_of_all(target.shared, now, self._board)
            if not target.account:
                return own
            return max(own, *(self._due_of_all(key, now, self._board) for key in (target, _whole_account(target))))
        if not target.account:
            record = self._records.get(target)
            return record.due(now) if record else 0.0
        return max(self._due(target.shared, now), *(rest.due(now) for rest in self._rests_of(target)), 0.0)

    def _due_of_all(self, key: Target, now: float, board: RestBoard) -> float:
        """What stands on the board wins: what this process knows itself may be over, or lifted by another."""
        rest = board.find(key)
        if rest is not None:
            return rest.due(now)
        record = self._rests.get(key) if key.account else self._records.get(key)
        return record.due(now) if record else 0.0

    def _known(self, target: Target) -> TargetHealth:
        """A record to read only: looking at a target does not make it remembered."""
        key = target.shared if target.account else target
        record = self._records.get(key) or TargetHealth(self._random)
        if self._board is not None:
            adopt(self._board, key, record)
        return record

    def _rests_of(self, target: Target) -> Iterator[AccountRest]:
        if not target.account:
            return
        for key in (target, _whole_account(target)):
            rest = self._rests.get(key)
            if self._board is not None:
                rest = rest or AccountRest(probed=not key.model)
                adopt(self._board, key, rest)
            if rest is not None:
                yield rest

    def _rest(self, target: Target) -> AccountRest:
        """The rests of an account for a model, or for all where that is "", now the latest of those remembered."""
        rest = self._rests.pop(target, None) or AccountRest(probed=not target.model)
        if len(self._rests) >= REMEMBERED and (oldest := next((each for each in self._rests if each.model), None)):
            del self._rests[oldest]  # of the accounts there are no more than configured
        self._rests[target] = rest
        return rest

    def _latest(self, target: Target) -> TargetHealth:
        """The target's record, now the latest of those remembered."""
        record = self._records.pop(target, None) or TargetHealth(self._random)
        spare = len(self._records) + 1 - REMEMBERED
        if spare > 0:
            idle = (each for each, known in self._records.items() if not known.under_way)
            for each in list(islice(idle, spare)):
                del self._records[each]
        self._records[target] = record
        return record


def _keys(target: Target) -> tuple[Target, ...]:
    """Of the entries that a call to a target asks through: the server's, and with an account the account's own."""
    return (target.shared, target, _whole_account(target)) if target.account else (target,)


def _whole_account(target: Target) -> Target:
    return Target(target.provider, "", target.account)


def _seconds(due: tuple[float, Target]) -> float:
    return due[0]
