"""Clients of a gateway, with a key each that is `key-NAME-...`, and a provider whose calls have a price."""

from collections.abc import Mapping
from typing import Any

from gateway.core.client_key import key_hash
from gateway.core.secrets import Secret

ADMIN = "the-key-of-an-admin-0123456789"


def key_of(name: str) -> str:
    """The key of a client."""
    return f"key-of-{name}-0123456789"


def client(name: str, **settings: object) -> dict[str, object]:
    """A client of the configuration."""
    return {"name": name, "keyHash": key_hash(Secret(key_of(name))), **settings}


def showing(name: str) -> Mapping[str, str]:
    """The headers with a client's key."""
    return {"Authorization": f"Bearer {key_of(name)}"}


def priced(*providers: str) -> list[dict[str, Any]]:
    """Prices by which a token costs a thousandth of a dollar."""
    return [{"provider": name, "model": "*", "inputPerMillion": 1_000, "outputPerMillion": 1_000} for name in providers]
