"""The accounts of a provider, and the order in which a strategy asks them. Plain values: no clock, no lock, no secret.

`sticky` is rendezvous hashing: each account has a score for a session, and the highest is asked first. So there is no
table to keep, and an account that rests moves its own sessions and no other. The scores with weights are those of
"Weighted distributed hash tables" (Schindelhauer, Schomaker, 2005): -weight / ln(hash between 0 and 1).
"""

import math
from collections.abc import Callable, Sequence
from hashlib import blake2b
from itertools import groupby
from typing import Final, Literal

from msgspec import Struct

Strategy = Literal["priority", "round-robin", "sticky"]
BITS: Final = 53
"""Bits of a hash that a float keeps."""


class Account(Struct, frozen=True):
    """One account.

    Attributes:
        name: unique among those of its provider.
        priority: lower is asked first.
        weight: its share of calls, or of sessions, among equal priorities; 0: it is only a fallback.
    """

    name: str
    priority: int = 1
    weight: int = 1


class AccountPool(Struct, frozen=True):
    """The accounts of one provider, by priority; equals in file order.

    Attributes:
        accounts: at least one.
        strategy: what chooses among them.
    """

    accounts: tuple[Account, ...]
    strategy: Strategy = "priority"

    @classmethod
    def of(cls, accounts: Sequence[Account], strategy: Strategy) -> "AccountPool":
        return cls(tuple(sorted(accounts, key=_priority)), strategy)

    @property
    def names(self) -> tuple[str, ...]:
        """The names in that order."""
        return tuple(account.name for account in self.accounts)

    @property
    def tiers(self) -> Sequence[Sequence[Account]]:
        """The accounts of each priority."""
        return [list(found) for _, found in groupby(self.accounts, key=_priority)]

    def of_session(self, session: Callable[[], str]) -> list[Account]:
        """All accounts in the order in which a session asks them.

        Args:
            session: gives what tells sessions apart.
        """
        key = session()
        return [each for tier in self.tiers for each in sorted(tier, key=lambda account: -_score(account, key))]


def _priority(account: Account) -> int:
    return account.priority


def _score(account: Account, session: str) -> float:
    if not account.weight:
        return 0.0
    digest = blake2b(f"{account.name}\n{session}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    share = ((int.from_bytes(digest, "big") >> (64 - BITS)) + 0.5) / 2.0**BITS
    return -account.weight / math.log(share)
