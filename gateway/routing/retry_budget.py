"""A retry budget for each provider: retries spend it and successes refill it.

A retry helps against a chance failure and makes an overload worse. With a budget, a provider that mostly answers gets
its retries. A provider that mostly fails is asked once for each call, and the call goes on to the next candidate at
once. The idea and the prices are those of the AWS SDKs' standard retry mode. This module does not know what failed, or
when.
"""

import threading
from typing import Final

FULL: Final = 50
COST: Final = 5
"""The price of a retry. A success returns 1: in the long run that is one retry for five successes."""


class RetryBudgets:
    """The budgets of all providers, full at first. Safe to use from many threads.

    There are few of them: the configuration names the providers, and callers cannot.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spent: dict[str, int] = {}

    def take(self, provider: str) -> bool:
        """Pay for one retry. Returns False, and pays nothing, if the budget is too low."""
        with self._lock:
            spent = self._spent.get(provider, 0) + COST
            if spent > FULL:
                return False
            self._spent[provider] = spent
            return True

    def succeeded(self, provider: str) -> None:
        """A call ended well."""
        if not self._spent.get(provider):
            return  # full
        with self._lock:
            self._spent[provider] = max(self._spent.get(provider, 0) - 1, 0)
