"""A client: who shows a key, and what that key may do. Values; nothing here changes."""

import datetime
import time
from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from gateway.config.clients import Client as Settings
from gateway.core.client_key import digest_in, digest_of
from gateway.core.patterns import matches
from gateway.core.secrets import Secret


class Client(Struct, frozen=True):
    """Who asks.

    Attributes:
        name: in the ledger, the log and the metrics; "" where keys have none, and where none is needed.
        admin: it may also see and do what concerns everybody.
        models: patterns of the names that it may ask for; None for all.
        ends: wall seconds from which its key is refused; None where it does not end.
        settings: its limits and its budget; None where it has none.
    """

    name: str = ""
    admin: bool = False
    models: tuple[str, ...] | None = None
    ends: float | None = None
    settings: Settings | None = None

    @classmethod
    def of(cls, settings: Settings) -> "Client":
        """The client that the configuration describes."""
        return cls(
            settings.name,
            settings.admin,
            settings.models,
            None if settings.expires is None else _end_of(settings.expires),
            settings if has_limits(settings) or settings.budget else None,
        )

    def may_use(self, model: str) -> bool:
        """Whether it may ask for a name, as it writes it."""
        return self.models is None or any(matches(pattern, model) for pattern in self.models)


def may_ask(clients: Iterable[Settings], model: str) -> tuple[str, ...]:
    """The names of those that may ask for a model, in the order of the configuration."""
    return tuple(each.name for each in clients if Client.of(each).may_use(model))


ANYONE: Final = Client(admin=True)
"""Who asks where no key is needed, and who shows one of gateway.apiKeys."""
NOBODY: Final = Client()
"""Who asks for what needs no key, where others do."""


def has_limits(settings: Settings) -> bool:
    """Whether a client has a limit that counts."""
    numbers = (
        settings.requests_per_minute,
        settings.requests_per_day,
        settings.tokens_per_minute,
        settings.max_concurrent,
    )
    return any(number is not None for number in numbers)


def clients_by_digest(api_keys: Iterable[Secret], clients: Iterable[Settings]) -> Mapping[bytes, Client]:
    """Every client by the SHA-256 of its key. To look a digest up tells nothing of the others: who tries keys does not
    choose their digests."""
    found = {digest_of(key): ANYONE for key in api_keys}
    for each in clients:
        if each.key_hash is not None:
            found[digest_in(each.key_hash)] = Client.of(each)
        elif each.key:
            found[digest_of(each.key)] = Client.of(each)
    return found


def _end_of(day: str) -> float:
    """The wall seconds at which a local day is over."""
    after = datetime.date.fromisoformat(day) + datetime.timedelta(days=1)
    return time.mktime((after.year, after.month, after.day, 0, 0, 0, 0, 0, -1))
