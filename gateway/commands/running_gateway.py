"""Asks the gateway that runs on the configured address what only it knows: cooldowns, limits, refused tokens; and asks
it to read its configuration again.

`explain`, `status`, `reload`, `health` and `service` share it. It prints nothing, and it asks nobody else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Final, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from msgspec import structs

from gateway.commands.console import one_line
from gateway.config import schema
from gateway.core.errors import InvalidConfiguration, ModelNotFound
from gateway.core.this_machine import reachable_from_here
from gateway.dispatch.explanation import CHAT, Explanation
from gateway.server.paths import CLIENTS, EXPLAIN, HEALTH, RELOAD, STATUS
from gateway.server.status_json import Status

ASK_SECONDS: Final = 2.0
"""Seconds for a running gateway's answer, which takes milliseconds."""
RELOAD_SECONDS: Final = 30.0
"""The same, for a reload: a file of the largest size takes seconds to read."""
HEALTH_SECONDS: Final = 1.0
"""The same, for /health, which never waits behind anything."""
MAX_ANSWER: Final = 1 << 20
"""Bytes of that answer."""
OTHER_VERSION: Final = "what answers there is no gateway of this version"

SERVING, DEGRADED, DRAINING = "ok", "degraded", "draining"
"""What a gateway says of its health."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Health:
    """What /health says."""

    status: str


@dataclass(frozen=True, slots=True)
class _Error:
    """The fields of an OpenAI error object that are read."""

    message: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class _ErrorBody:
    error: _Error


@dataclass(frozen=True, slots=True)
class FaultOfFile:
    """A fault that kept the gateway from reloading.

    Attributes:
        setting: in dotted form; empty for the file as a whole.
        line, column: both 0 where it has no place.
    """

    setting: str
    line: int
    column: int
    message: str


class UnitUsed(msgspec.Struct, frozen=True):
    """One number of a client's limits."""

    unit: str
    limit: int
    used: int


class BudgetUsed(msgspec.Struct, frozen=True, rename="camel"):
    """A client's budget, in US dollars; `ends_at` in wall seconds."""

    per: str
    usd: float
    spent_usd: float
    reserved_usd: float
    ends_at: float | None = None


class ClientUsed(msgspec.Struct, frozen=True):
    """What a client has used (gateway.server.clients_route)."""

    name: str
    limits: tuple[UnitUsed, ...] = ()
    budget: BudgetUsed | None = None


class _Clients(msgspec.Struct, frozen=True):
    clients: tuple[ClientUsed, ...]


class Reloaded(msgspec.Struct, frozen=True, rename="camel"):
    """What a gateway says about a reload (gateway.config.changes.ReloadOutcome)."""

    generation: int
    configuration: str | None = None
    changed: tuple[str, ...] = ()
    needs_restart: tuple[str, ...] = ()
    faults: tuple[FaultOfFile, ...] = ()


def address(settings: schema.Gateway) -> str:
    """The address of a gateway with these settings."""
    host = reachable_from_here(settings.host)
    host = f"[{host}]" if ":" in host else host
    return f"http://{host}:{settings.port}"


def asking(config: schema.Config) -> schema.Gateway:
    """Where a gateway with this configuration would run, with a key that may ask it everything, where the file has one:
    of gateway.apiKeys, or of a client that is an admin. Of a key's hash nobody knows the key."""
    settings = config.gateway
    if any(settings.api_keys):
        return settings
    keys = [client.key for client in config.clients if client.admin and client.key]
    return structs.replace(settings, api_keys=tuple(keys))


def ask_clients(settings: schema.Gateway) -> Sequence[ClientUsed]:
    """What clients have used, as the running gateway says; nothing where none answers.

    Args:
        settings: where the gateway would run, and its keys.
    """
    answer = _ask(settings, "GET", CLIENTS, ASK_SECONDS)
    found = _read(answer[1], _Clients) if answer is not None and answer[0] == 200 else None
    return found.clients if found else ()


def ask(model: str, settings: schema.Gateway, endpoint: str = CHAT) -> Explanation | str | None:
    """The running gateway's explanation, or the fault of another answer, or None where there was no answer.

    Args:
        model: whose routing is asked for.
        settings: where the gateway would run, and its keys.
        endpoint: at which it is asked for.

    Raises:
        ModelNotFound: the gateway does not know the model.
    """
    query = urlencode({"model": model} if endpoint == CHAT else {"model": model, "endpoint": endpoint}, quote_via=quote)
    answer = _ask(settings, "GET", f"{EXPLAIN}?{query}", ASK_SECONDS)
    if answer is None:
        return None
    status, body = answer
    if status == 200:
        return _read(body, Explanation) or OTHER_VERSION
    error = _error(body)
    if error is not None and error.code == ModelNotFound.code:
        raise ModelNotFound(f"The gateway at {address(settings)} says: {one_line(error.message)}", param="model")
    return _said(status, error)


def ask_health(settings: schema.Gateway) -> str | None:
    """What the running gateway says of itself (SERVING, DEGRADED, DRAINING), or the fault of another answer, or None
    where there was no answer. No key is sent: none is needed.

    Args:
        settings: where the gateway would run.
    """
    answer = _ask(structs.replace(settings, api_keys=()), "GET", HEALTH, HEALTH_SECONDS)
    if answer is None:
        return None
    said = _read(answer[1], _Health)
    return said.status if said else OTHER_VERSION


def ask_to_reload(settings: schema.Gateway) -> Reloaded | str | None:
    """What the running gateway has reloaded, or the fault of another answer, or None where there was no answer.

    Args:
        settings: where the gateway would run, and its keys.
    """
    answer = _ask(settings, "POST", RELOAD, RELOAD_SECONDS)
    if answer is None:
        return None
    status, body = answer
    error = _error(body)
    if status == 200 or (error is not None and error.code == InvalidConfiguration.code):
        return _read(body, Reloaded) or OTHER_VERSION
    return _said(status, error)


def ask_status(settings: schema.Gateway) -> Status | None:
    """What the running gateway says of itself; None where none of this version answers.

    Args:
        settings: where the gateway would run, and its keys.
    """
    answer = _ask(settings, "GET", STATUS, ASK_SECONDS)
    return _read(answer[1], Status) if answer is not None and answer[0] == 200 else None


def _ask(settings: schema.Gateway, method: str, target: str, seconds: float) -> tuple[int, bytes] | None:
    """The status and body of an answer; None where there is none within so many seconds."""
    headers = {"Authorization": f"Bearer {settings.api_keys[0].reveal()}"} if settings.api_keys else {}
    body = None
    if method == "POST":
        headers["Content-Type"], body = "application/json", b"{}"
    connection = HTTPConnection(reachable_from_here(settings.host), settings.port, timeout=seconds)
    try:
        connection.request(method, target, body, headers)
        response = connection.getresponse()
        return response.status, response.read(MAX_ANSWER)
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()


def _said(status: int, error: _Error | None) -> str:
    return f"what answers there said {status}" + (f": {one_line(error.message)}" if error else "")


def _read(body: bytes, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError:
        return None


def _error(body: bytes) -> _Error | None:
    try:
        return msgspec.json.decode(body, type=_ErrorBody).error
    except msgspec.DecodeError:
        return None
