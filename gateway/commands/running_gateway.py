"""Asks the gateway that runs on the configured address what only it knows: cooldowns, limits, refused tokens.

`explain` and `status` share it. It prints nothing, and it asks nobody else.
"""

from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Final
from urllib.parse import quote, urlencode

import msgspec

from gateway.commands.console import one_line
from gateway.config import schema
from gateway.core.errors import ModelNotFound
from gateway.dispatch.explain import CHAT, Explanation
from gateway.server.paths import EXPLAIN

ASK_SECONDS: Final = 2.0
"""Seconds for a running gateway's answer, which takes milliseconds."""
MAX_ANSWER: Final = 1 << 20
"""Bytes of that answer."""


@dataclass(frozen=True, slots=True)
class _Error:
    """The fields of an OpenAI error object that are read."""

    message: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class _ErrorBody:
    error: _Error


def address(settings: schema.Gateway) -> str:
    """The address of a gateway with these settings."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"


def ask(model: str, settings: schema.Gateway, endpoint: str = CHAT) -> Explanation | str | None:
    """The running gateway's explanation, or the fault of another answer, or None where there was no answer.

    Args:
        model: whose routing is asked for.
        settings: where the gateway would run, and its keys.
        endpoint: at which it is asked for.

    Raises:
        ModelNotFound: the gateway does not know the model.
    """
    headers = {"Authorization": f"Bearer {settings.api_keys[0].reveal()}"} if settings.api_keys else {}
    query = urlencode({"model": model} if endpoint == CHAT else {"model": model, "endpoint": endpoint}, quote_via=quote)
    connection = HTTPConnection(settings.host, settings.port, timeout=ASK_SECONDS)
    try:
        connection.request("GET", f"{EXPLAIN}?{query}", headers=headers)
        response = connection.getresponse()
        body = response.read(MAX_ANSWER)
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
    if response.status == 200:
        return _read(body) or "what answers there is no gateway of this version"
    error = _error(body)
    if error is not None and error.code == ModelNotFound.code:
        raise ModelNotFound(f"The gateway at {address(settings)} says: {one_line(error.message)}", param="model")
    return f"what answers there said {response.status}" + (f": {one_line(error.message)}" if error else "")


def _read(body: bytes) -> Explanation | None:
    try:
        return msgspec.json.decode(body, type=Explanation)
    except msgspec.DecodeError:
        return None


def _error(body: bytes) -> _Error | None:
    try:
        return msgspec.json.decode(body, type=_ErrorBody).error
    except msgspec.DecodeError:
        return None
