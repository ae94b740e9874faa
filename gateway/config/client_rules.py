"""The rules of `clients` that the schema cannot say, and whether callers need a key."""

import datetime
from collections.abc import Iterator
from typing import Final

from gateway.config.clients import Client
from gateway.config.faults import KeyPath, Problem
from gateway.config.schema import Config
from gateway.core.client_key import key_hash
from gateway.core.program import command

FIRST_YEAR, LAST_YEAR = 2000, 2999
SHORTEST_KEY: Final = 20
"""Characters of a key that is written out, below which it may be guessed."""


def needs_key(config: Config) -> bool:
    """Whether callers need a key."""
    return any(config.gateway.api_keys) or bool(config.clients)


def unique_clients(config: Config) -> Iterator[Problem]:
    """Each client has a name and a key of its own."""
    names: dict[str, KeyPath] = {}
    keys: dict[str, KeyPath] = {}
    for index, key in enumerate(config.gateway.api_keys):
        keys.setdefault(key_hash(key), ("gateway", "apiKeys", index))
    for index, client in enumerate(config.clients):
        path: KeyPath = ("clients", index)
        if names.setdefault(client.name, path) != path:
            first = names[client.name]
            yield Problem((*path, "name"), f'the client "{client.name}" is given twice', fatal=True, first=first)
        own = hash_of(client)
        if own is not None and keys.setdefault(own, path) != path:
            yield Problem(path, "has a key that is given already", fatal=True, first=keys[own])


def hash_of(client: Client) -> str | None:
    """`sha256:...` of its key; None where it has none."""
    return client.key_hash if client.key_hash is not None or not client.key else key_hash(client.key)


def one_key(config: Config) -> Iterator[Problem]:
    """Each client has one key, which nobody guesses."""
    for index, client in enumerate(config.clients):
        path: KeyPath = ("clients", index)
        if client.key and client.key_hash is not None:
            yield Problem((*path, "key"), "key and keyHash are both given: take one out", fatal=True)
        elif not client.key and client.key_hash is None:
            how = f"{command('key NAME')} makes one and says which"
            yield Problem(path, f"has no key: give it a keyHash ({how}) or a key", fatal=True)
        if client.key and len(client.key.reveal()) < SHORTEST_KEY:
            message = f"has less than {SHORTEST_KEY} characters and may be guessed: {command('key NAME')} makes one"
            yield Problem((*path, "key"), message, fatal=False)


def sound_clients(config: Config) -> Iterator[Problem]:
    """Patterns have one star at most, days exist, and a budget has somewhere to keep what was spent."""
    for index, client in enumerate(config.clients):
        path: KeyPath = ("clients", index)
        for place, model in enumerate(client.models or ()):
            if model.count("*") > 1:
                message = "has more than one *: a pattern has one, such as gpt-4o*"
                yield Problem((*path, "models", place), message, fatal=True)
        if client.expires is not None and not _is_day(client.expires):
            yield Problem((*path, "expires"), "is no day of this millennium: write one as 2027-01-31", fatal=True)
        if client.budget is not None and not config.ledger.enabled:
            message = "needs the ledger, which keeps what was spent: take `enabled: false` out of the section ledger"
            yield Problem((*path, "budget"), message, fatal=True)


def _is_day(text: str) -> bool:
    """Whether it is a day that every system's calendar has; Windows knows none past the year 3000."""
    try:
        return FIRST_YEAR <= datetime.date.fromisoformat(text).year <= LAST_YEAR
    except ValueError:
        return False


CLIENT_RULES: Final = (unique_clients, one_key, sound_clients)
