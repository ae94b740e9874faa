"""Anthropic's error object for a caller, and the statuses that its clients expect.

Clients of this wire choose by the status whether they ask again, and by the type which exception they raise. Where the
status of an error in general would make them do the wrong thing, there is another one here.
Source: https://platform.claude.com/docs/en/api/errors.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from gateway.core.errors import GatewayError, LoginRequired
from gateway.core.provider_failures import (
    ContentRefused,
    ContextTooLong,
    CredentialRefused,
    ProviderFailure,
    QuotaExhausted,
)
from gateway.core.strict_json import JsonObject, dumps

OVERLOADED: Final = 529
THREAD_REFUSED: Final = "thread_unsupported_request"
"""The code by which Anthropic's tool runner learns to send whole conversations (anthropic-python 2.14)."""

_TYPES: Final[Mapping[int, str]] = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    OVERLOADED: "overloaded_error",
}
_STATUSES: Final[Mapping[type[GatewayError], int]] = {
    ContextTooLong: 400,
    ContentRefused: 400,
    QuotaExhausted: 429,
    CredentialRefused: 403,
    LoginRequired: 403,
}
"""Statuses that do not depend on the provider's. Claude Code takes 401 for its own key and asks again and again
(2.1.332), so 401 is the caller's key alone, and what is wrong with a provider's credential is 403."""
_STATUSES_OF_OVERLOAD: Final = (429, 503, OVERLOADED)

_TOKENS: Final = r"(\d[\d,]*)"
_TOO_LONG: Final = (
    # OpenAI's two forms, Google's, llama.cpp's (2026-11)
    (rf"maximum context length is {_TOKENS} tokens\D+{_TOKENS} tokens", True),
    (rf"limit of {_TOKENS} tokens\D+{_TOKENS} tokens", True),
    (rf"token count \({_TOKENS}\) exceeds the maximum number of tokens allowed \(?{_TOKENS}", False),
    (rf"prompt is too long: {_TOKENS} tokens > {_TOKENS} maximum", False),
    (rf"request \({_TOKENS} tokens\) exceeds the available context size \({_TOKENS} tokens", False),
)
"""How providers say that a conversation is too long, and whether the limit comes first."""
_PROMPT_IS_TOO_LONG: Final = "prompt is too long"


def unmasked(text: str) -> str:
    """The unchanged text, where it cannot hold a secret."""
    return text


def status(error: GatewayError) -> int:
    """The HTTP status of an error."""
    if error.status == 503 and isinstance(error, ProviderFailure) and error.evidence.status == OVERLOADED:
        return OVERLOADED
    return _STATUSES.get(type(error), error.status)


def render_error(error: GatewayError, mask: Callable[[str], str] = unmasked, *, in_stream: bool = False) -> bytes:
    """The error as the JSON body that every client of this wire reads.

    Args:
        error: its texts may come from a provider, which may repeat the key of the request.
        mask: removes secrets from a text.
        in_stream: the status is out already, so the type alone says what happened.
    """
    fields: JsonObject = {"type": _type(error, in_stream=in_stream), "message": mask(_message(error))}
    if error.code == THREAD_REFUSED:
        fields["details"] = {"error_code": error.code, "unsupported": [error.param]}
    return dumps({"type": "error", "error": fields})


def _type(error: GatewayError, *, in_stream: bool) -> str:
    of_error = status(error)
    if in_stream and isinstance(error, ProviderFailure) and error.evidence.status in _STATUSES_OF_OVERLOAD:
        return _TYPES[OVERLOADED]
    return _TYPES.get(of_error) or ("invalid_request_error" if 400 <= of_error < 500 else "api_error")


def _message(error: GatewayError) -> str:
    """The error's message, as clients look for it: with the field in front, or in the words for a conversation that is
    too long, by which Claude Code knows that it has to shorten it."""
    if isinstance(error, ContextTooLong):
        return _too_long(error.message)
    if error.param and error.status == 400 and not error.message.startswith(error.param):
        return f"{error.param}: {error.message}"
    return error.message


def _too_long(message: str) -> str:
    for pattern, limit_first in _TOO_LONG:
        if found := re.search(pattern, message):
            one, other = (text.replace(",", "") for text in found.groups())
            tokens, limit = (other, one) if limit_first else (one, other)
            return f"{_PROMPT_IS_TOO_LONG}: {tokens} tokens > {limit} maximum"
    return message if _PROMPT_IS_TOO_LONG in message.lower() else f"{_PROMPT_IS_TOO_LONG}: {message}"
