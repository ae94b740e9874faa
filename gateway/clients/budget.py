"""One client's budget: what was spent in its period, and what calls under way have reserved of the rest.

It is plain arithmetic in millionths of a US dollar: no lock, no clock, no file. A call reserves what it will cost about
before it begins, so that calls that come together do not all see the same rest, and settles what it has cost when it is
over. A call belongs to the period in which it came, as in the ledger; its end in a later one changes nothing there.
"""

import math

from msgspec import Struct

from gateway.clients.periods import Per, Period, period
from gateway.core.answer import MICROS


class Reservation:
    """What a call has reserved. It belongs to its budget.

    Attributes:
        at: wall seconds at which the call came.
        micros: the estimate.
        is_open: the call is not over. It never opens again.
    """

    __slots__ = ("at", "is_open", "micros")

    def __init__(self, at: float, micros: int) -> None:
        self.at = at
        self.micros = micros
        self.is_open = True


class BudgetView(Struct, frozen=True):
    """A budget now. Amounts are in millionths of a US dollar.

    Attributes:
        limit: of a period.
        spent: in this one.
        reserved: by calls under way.
        ends: wall seconds at which it begins anew; infinity where it does not.
    """

    per: Per
    limit: int
    spent: int
    reserved: int
    ends: float

    @property
    def limit_usd(self) -> float:
        return self.limit / MICROS

    @property
    def spent_usd(self) -> float:
        return self.spent / MICROS

    @property
    def reserved_usd(self) -> float:
        return self.reserved / MICROS

    @property
    def ends_at(self) -> float | None:
        """As `ends`; None where it does not begin anew."""
        return None if math.isinf(self.ends) else self.ends


class Budget:
    """A budget.

    Args:
        per: what its period is.
        limit: millionths of a US dollar in a period.
        spent: likewise, in the present one already.
        now: wall seconds.
    """

    def __init__(self, per: Per, limit: int, spent: int, now: float) -> None:
        self.per = per
        self.limit = limit
        self._open: set[Reservation] = set()
        self._begin(period(per, now), spent)

    def configure(self, limit: int) -> None:
        """Have another limit; what was spent stays."""
        self.limit = limit

    def change(self, per: Per, spent: int, now: float) -> None:
        """Have another period, of which so much is spent already. Calls under way go on."""
        self.per = per
        self._begin(period(per, now), spent)

    def reserve(self, at: float, micros: int, *, is_free: bool = False) -> Reservation | None:
        """Reserve what a call will cost about; None where not that much is left.

        Args:
            at: wall seconds at which it came.
            micros: the estimate.
            is_free: it costs nothing for certain, so it needs nothing that is left.
        """
        self._turn(at)
        left = self.limit - self._spent - self._reserved
        if not is_free and (micros > left or left <= 0):
            return None
        reservation = Reservation(at, micros)
        self._open.add(reservation)
        self._reserved += micros
        return reservation

    def settle(self, reservation: Reservation, micros: int) -> None:
        """A call has cost so much; 0: it was refused after all. Only the first report counts."""
        if not reservation.is_open:
            return
        reservation.is_open = False
        self._open.discard(reservation)
        self._give_back(reservation)
        if reservation.at >= self._period.begins:
            self._spent += micros

    def view(self, now: float) -> BudgetView:
        """The budget now."""
        self._turn(now)
        return BudgetView(self.per, self.limit, self._spent, self._reserved, self._period.ends)

    def _give_back(self, reservation: Reservation) -> None:
        """What was reserved in this period is not any more."""
        if reservation.at >= self._period.begins:
            self._reserved -= reservation.micros

    def _turn(self, now: float) -> None:
        """Begin the next period if it is time. A clock that is set back begins none."""
        if now >= self._period.ends:
            self._begin(period(self.per, now), 0)

    def _begin(self, present: Period, spent: int) -> None:
        self._period = present
        self._spent = spent
        self._reserved = sum(each.micros for each in self._open if each.at >= present.begins)
