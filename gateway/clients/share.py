"""What a call holds of the limits and the budget of its client, from its admission until its last byte."""

from typing import Final, Protocol

from gateway.clients.budget import Reservation
from gateway.clients.budgets import Budgets
from gateway.core.answer import Usage
from gateway.core.records import ANSWERED, CallRecord
from gateway.limits.permit import Permit
from gateway.limits.token_reserves import RequestSize, TokenReserves
from gateway.observe.costs import CostOf, with_costs


class Share(Protocol):
    """It is closed with its call. Safe to use from any thread."""

    def sent(self) -> None:
        """A request of the call has left for a provider: the call counts. Only the first report matters."""

    def settle(self, record: CallRecord) -> None:
        """The call is over: what it has used and cost takes the place of the estimates."""

    def close(self) -> None:
        """Give its place back, and all of it where nothing was sent or cost. Idempotent."""


class _NoShare:
    def sent(self) -> None:
        pass

    def settle(self, record: CallRecord) -> None:
        pass

    def close(self) -> None:
        pass


NO_SHARE: Final[Share] = _NoShare()
"""Of a client without limits and without a budget."""


class LimitShare:
    """What a call holds of its client's limits.

    Args:
        permit: of the limits.
        reserved: the tokens that it took.
        reserves: learn from what it has used.
        size: of the call; None where nothing counts tokens.
    """

    def __init__(self, permit: Permit, reserved: int, reserves: TokenReserves, size: RequestSize | None) -> None:
        self._permit = permit
        self._reserved = reserved
        self._reserves = reserves
        self._size = size

    def sent(self) -> None:
        self._permit.sent()

    def settle(self, record: CallRecord) -> None:
        """What broke off has told a part of what it has used, so that its estimate stands where it is more."""
        if self._size is None:
            return
        prompt = completion = 0
        for each in record.tries:
            if each.usage is not None:
                prompt, completion = prompt + each.usage.prompt, completion + each.usage.completion
                if not broke_off(record):
                    self._reserves.learn(f"{each.provider}/{each.model}", self._size, each.usage)
        if not broke_off(record) or prompt + completion > self._reserved:
            self._permit.settle(Usage(prompt, completion))

    def close(self) -> None:
        self._permit.close()


class BudgetShare:
    """What a call holds of its client's budget.

    Args:
        client: the name.
        reservation: of the budget.
        budgets: whose reservation it is.
        cost_of: what a try costs.
    """

    def __init__(self, client: str, reservation: Reservation, budgets: Budgets, cost_of: CostOf) -> None:
        self._client = client
        self._reservation = reservation
        self._budgets = budgets
        self._cost_of = cost_of

    def sent(self) -> None:
        """What it costs is known at its end."""

    def settle(self, record: CallRecord) -> None:
        """As the ledger counts it. What has no price counts as 0. Of an answer that broke off, or whose usage nobody
        has told, the estimate stands."""
        priced = with_costs(record, self._cost_of)
        micros = sum(each.cost or 0 for each in priced.tries) if priced.cost is None else priced.cost
        untold = priced.cost is None and any(each.outcome == ANSWERED and each.usage is None for each in priced.tries)
        if untold or broke_off(record):
            micros = max(micros, self._reservation.micros)
        self._budgets.settle(self._client, self._reservation, micros)

    def close(self) -> None:
        self._budgets.settle(self._client, self._reservation, 0)


class WholeShare:
    """Several shares as one.

    Args:
        parts: the shares.
    """

    def __init__(self, *parts: Share) -> None:
        self._parts = parts

    def sent(self) -> None:
        for each in self._parts:
            each.sent()

    def settle(self, record: CallRecord) -> None:
        for each in self._parts:
            each.settle(record)

    def close(self) -> None:
        for each in self._parts:
            each.close()


def broke_off(record: CallRecord) -> bool:
    """Whether a provider's answer had begun and did not come to its end."""
    return record.answered and record.error is not None
