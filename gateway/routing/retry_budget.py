"""How many retries a provider is worth: a bucket that retries empty and successes fill.

A retry helps against a chance failure and makes an overload worse. With a budget, a provider that mostly answers has
its retries, and one that mostly fails is asked once a call, which goes on to the next candidate at once. The idea and
the prices are those of the AWS SDKs' standard retry mode. Nothing here knows what failed, or when.
"""

import threading
from typing import Final

FULL: Final = 50
COST: Final = 5
"""A retry costs this much, and a success returns 1: in the long run one retry for five successes."""


class RetryBudgets:
    """The budgets of all providers, full at first. Providers are named by the configuration and never by a caller, so
    there are few of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spent: dict[str, int] = {}

    def take(self, provider: str) -> bool:
        """Pay for one retry; False, and nothing is paid, where there is not enough."""
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
