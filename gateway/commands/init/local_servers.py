"""Asks the addresses on this machine where servers of models usually listen for the list of their models.

All are asked at once and together have a fraction of a second: what listens there may be any program, and one that
answers slowly or without an end must not hold the command up.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Final
from urllib.parse import urlsplit

from gateway.core.clock import Clock
from gateway.core.strict_json import JsonFault, JsonValue, loads
from gateway.server.model_list import OWNER

ASK_SECONDS: Final = 0.3
"""What they usually get. A server on this machine answers within milliseconds."""
MAX_ANSWER: Final = 1 << 20
"""Bytes."""
MAX_NAME: Final = 256
"""Characters of a model's name, as in the configuration."""


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A server that answered.

    Attributes:
        provider: the vendor's name.
        address: the base address.
        models: the names that the configuration can hold, in the server's order.
    """

    provider: str
    address: str
    models: tuple[str, ...]


def answering(addresses: Mapping[str, str], seconds: float, clock: Clock) -> list[LocalServer]:
    """The servers that answer with a list of models, in the order given; never this gateway itself.

    Args:
        addresses: the base address of each, by the vendor's name.
        seconds: for all of them together.
        clock: for the deadline.
    """
    lists: dict[str, tuple[str, ...]] = {}

    def ask(provider: str, address: str) -> None:
        models = _models(address, seconds)
        if models is not None:
            lists[provider] = models

    deadline = clock.monotonic() + seconds
    threads = [threading.Thread(target=ask, args=each, name="init", daemon=True) for each in addresses.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - clock.monotonic()))
    known = dict(lists)  # what comes after the deadline is not waited for
    return [LocalServer(name, address, known[name]) for name, address in addresses.items() if name in known]


def _models(address: str, seconds: float) -> tuple[str, ...] | None:
    parts = urlsplit(address)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=seconds)
    try:
        connection.request("GET", f"{parts.path}/models")
        response = connection.getresponse()
        body = response.read(MAX_ANSWER + 1)
        return _names(loads(body)) if response.status == 200 and len(body) <= MAX_ANSWER else None
    except (OSError, HTTPException, JsonFault):
        return None
    finally:
        connection.close()


def _names(answer: JsonValue) -> tuple[str, ...] | None:
    """The models in a list of OpenAI's form; None where it is none, or this gateway's."""
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, list):
        return None
    models = [each for each in data if isinstance(each, dict)]
    if any(each.get("owned_by") == OWNER for each in models):
        return None
    return tuple(name for each in models if isinstance(name := each.get("id"), str) and _can_be_held(name))


def _can_be_held(name: str) -> bool:
    """Whether the configuration can hold a name as it is: `$` and `*` mean something there, and some names are paths
    in other alphabets, which not every console shows."""
    plain = name.isascii() and name.isprintable() and name == name.strip()
    return plain and 0 < len(name) <= MAX_NAME and not set(name) & set("$*")
