"""The limits of one target, and the waiting for them, which is the same over every engine.

Waiting belongs here and not in the handler, because the engine knows the order of the line and when there is room. The
engine decides in one step and never waits; this module sleeps between its answers, and looks after the caller while it
does. It does not know what a call is, or what is sent to the provider.
"""

from collections.abc import Callable
from typing import Any, Final, NoReturn

from gateway.core.answer import Usage
from gateway.core.errors import CallerLeft, DeadlineExceeded, Limited, LimitsUnavailable, RequestTooLargeForLimit
from gateway.limits.permit import Permit, SlotPermit
from gateway.limits.slots import Need, Refused, RowStatus, Slots, Terms, Wait

ONE_REQUEST: Final = Need()
LOOK: Final = 0.25
"""Seconds between two checks whether a waiting caller has left, and whether it has room."""
TRY: Final = Terms()
AT_ONCE: Final = Terms(oversized=False)
NOT_GRANTED: Final = (Wait, Refused)  # a union would be built anew for each question


class RateLimiter:
    """The limits of a target, or of a client. Safe to use from many threads.

    Args:
        name: whose they are, for messages.
        slots: the engine, with the rows that fit.
        counts_tokens: a row of them counts tokens.
    """

    def __init__(self, name: str, slots: Slots, *, counts_tokens: bool = False) -> None:
        self.name = name
        self.counts_tokens = counts_tokens
        self._slots = slots

    def __repr__(self) -> str:
        return f"RateLimiter({'; '.join(map(_in_words, self.status()))})"

    def status(self) -> tuple[RowStatus, ...]:
        """The rows now, for people."""
        return self._slots.status()

    @property
    def waiting(self) -> int:
        """Callers in the longest of its lines."""
        return max(row.waiting for row in self.status())

    def expected_wait(self) -> float:
        """Seconds that a caller would wait now; 0 where there is room."""
        return self._slots.expected_wait()

    def try_acquire(self, need: Need = ONE_REQUEST, learn: Callable[[Usage], None] | None = None) -> Permit | None:
        """Take what a call needs if there is room now for it and for all who wait. Never waits. The caller closes the
        permit."""
        answer = self._slots.ask(None, need, TRY)
        return None if isinstance(answer, NOT_GRANTED) else SlotPermit(self._slots, answer, 0.0, learn)

    def admit(self, need: Need, learn: Callable[[Usage], None] | None = None, *, oversized: bool = False) -> Permit:
        """Take what a call needs, now or never. Never waits. The caller closes the permit.

        Args:
            need: what it takes.
            learn: is told the true usage.
            oversized: a call that needs more than a whole limit may go when nothing else counts: a provider decides
                about it, where a limit of a client refuses it.

        Raises:
            Limited: there is no room now; `retry_after` has the seconds until there would have been.
            RequestTooLargeForLimit: a limit is smaller than what the call needs.
        """
        answer = self._slots.ask(None, need, TRY if oversized else AT_ONCE)
        if isinstance(answer, NOT_GRANTED):
            self._refuse(answer)
        return SlotPermit(self._slots, answer, 0.0, learn)

    def acquire(
        self,
        need: Need = ONE_REQUEST,
        learn: Callable[[Usage], None] | None = None,
        *,
        deadline: float,
        left: Callable[[], bool],
    ) -> Permit:
        """Take what a call needs, and wait in line for it. A call that raises takes nothing. The caller closes the
        permit.

        Args:
            need: what it takes.
            learn: is told the true usage.
            deadline: monotonic seconds; room at that time or later is of no use.
            left: whether the caller has left. It is called when the caller joins the line, every 250 ms in the line,
                and right before anything is taken; never under a lock.

        Raises:
            Limited: at once, because the line is full or the wait would be too long, or when the call has waited for
                as long as it may; `retry_after` has the seconds until there would have been room.
            CallerLeft: `left` became true in the line.
            DeadlineExceeded: the deadline has passed already, or it passed in the line because room came later than
                expected.
        """
        terms = Terms(queue=True, deadline=deadline)
        answer = self._slots.ask(None, need, terms)
        if isinstance(answer, Wait):
            answer = self._wait(answer.ticket, need, terms, left)
        if isinstance(answer, Refused):
            self._refuse(answer)
        return SlotPermit(self._slots, answer, answer.waited, learn)

    def _wait(self, ticket: Any, need: Need, terms: Terms, left: Callable[[], bool]) -> Any:  # noqa: ANN401 - the engine's own
        """Wait in line. Returns the grant or the refusal."""
        try:
            while True:
                if left():
                    raise CallerLeft(
                        f"The caller closed its side of the connection while waiting for the rate limit of {self.name}."
                    )
                answer = self._slots.ask(ticket, need, terms)
                if not isinstance(answer, Wait):
                    return answer
                self._slots.pause(ticket, min(LOOK, answer.seconds))
        except BaseException:  # also a KeyboardInterrupt or a fault in `left` must not block the line for ever
            self._slots.leave(ticket)
            raise

    def _refuse(self, refused: Refused | Wait) -> NoReturn:
        if isinstance(refused, Wait):
            raise TypeError("the engine lets a call wait that does not queue")
        if refused.kind == "late":
            raise DeadlineExceeded(f"The request's time was over before the rate limit of {self.name} had room.")
        if refused.kind == "too_large":
            raise RequestTooLargeForLimit(refused.why)
        if refused.kind == "away":
            raise LimitsUnavailable(refused.why, retry_after=refused.seconds)
        raise Limited(refused.why, retry_after=refused.seconds)


def _in_words(row: RowStatus) -> str:
    numbers = ", ".join(f"{unit.unit} {unit.used}/{unit.limit}" for unit in row.units)
    return f"{row.row}: {numbers}, {row.waiting} waiting, next slot in {row.wait:.1f} s"
