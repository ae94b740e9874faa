"""Reads a provider's error, and gives the failure that it means.

Servers that call themselves compatible write errors in many shapes (a bare string, `detail`, an array around the
object, HTML), and clients find the message in only one of them. So all shapes are read here.
Source: https://platform.openai.com/docs/guides/error-codes.
"""

import math
import re
from collections.abc import Mapping
from typing import Final

from gateway.core.provider_failures import (
    ContentRefused,
    ContextTooLong,
    CredentialRefused,
    Evidence,
    ProviderFailure,
    QuotaExhausted,
    RateLimited,
    TargetModelMissing,
    Unavailable,
)
from gateway.core.strict_json import JsonFault, JsonValue, dumps, loads
from gateway.wires.failure_classes import CODE_SHOWN, MESSAGE_READ, by_text_or_status, shortened
from gateway.wires.retry_after import advised_in, reset_after, retry_after

SOON: Final = 60.0
"""Seconds. A quota that is available again within a minute is a rate limit."""


def parse(status: int, headers: Mapping[str, str], body: bytes) -> ProviderFailure:
    """The failure for an answer with a status other than 2xx.

    Args:
        status: the HTTP status.
        headers: with case-insensitive or lower-case keys.
        body: the body, whose size the reader limits.
    """
    message, kind, param, code = _read(body)
    evidence = Evidence(
        status=status,
        request_id=headers.get("x-request-id"),
        retry_after=_retry_after(status, headers, message),
    )
    failure = failure_class(status, code or "", f"{kind or ''} {message}")
    if failure is QuotaExhausted and (code or "") not in _BY_CODE and (evidence.retry_after or math.inf) <= SOON:
        failure = RateLimited  # Google names plan and billing in every 429, also in those for a busy minute
    return failure(
        shortened(message) or f"The provider answered {status} without a message.",
        evidence=evidence,
        param=param,
        code=code,
        type=kind,
        status=status if 400 <= status < 600 else None,
    )


def _retry_after(status: int, headers: Mapping[str, str], message: str) -> float | None:
    """Seconds until the request can be repeated. Advice for this error precedes the general state of the limits."""
    advised = retry_after(headers)
    if advised is None:
        advised = advised_in(message)
    return reset_after(headers) if advised is None and status == 429 else advised


def parse_in_stream(error: JsonValue) -> ProviderFailure:
    """The failure for an error inside a stream or a 200. Its status is its code, or unknown."""
    message, kind, param, code = _fields(error)
    status = int(code) if code is not None and re.fullmatch(r"[45]\d\d", code) else None
    failure = failure_class(status or 0, code or "", f"{kind or ''} {message}")
    text = shortened(message) or "The provider reported an error inside its answer."
    return failure(text, evidence=Evidence(status=status), param=param, code=code, type=kind)


def holds_error(value: JsonValue) -> bool:
    """Whether an answer is an error. Google puts an array around it, vLLM marks it by `object`."""
    if isinstance(value, list):
        return bool(value) and holds_error(value[0])
    return isinstance(value, dict) and (bool(value.get("error")) or value.get("object") == "error")


def failure_class(status: int, code: str, text: str) -> type[ProviderFailure]:
    """The failure class for a status, an error code and a text. Codes are more reliable than texts, so they come
    first."""
    return _BY_CODE.get(code) or by_text_or_status(status, text)


_BY_CODE: Final[Mapping[str, type[ProviderFailure]]] = {
    "context_length_exceeded": ContextTooLong,
    "content_policy_violation": ContentRefused,
    "content_filter": ContentRefused,
    "insufficient_quota": QuotaExhausted,
    "billing_hard_limit_reached": QuotaExhausted,
    "invalid_api_key": CredentialRefused,
    "model_not_found": TargetModelMissing,
    "rate_limit_exceeded": RateLimited,
    "server_error": Unavailable,
    "overloaded_error": Unavailable,
}


def _read(body: bytes) -> tuple[str, str | None, str | None, str | None]:
    try:
        return _fields(loads(body))
    except JsonFault:
        return "", None, None, None


def _fields(value: JsonValue) -> tuple[str, str | None, str | None, str | None]:
    """message, type, param and code of an error in any of the known shapes."""
    if isinstance(value, list):
        return _fields(value[0] if value else None)
    if isinstance(value, str):
        return value[:MESSAGE_READ], None, None, None
    if not isinstance(value, dict):
        return "", None, None, None
    inner = value.get("error")
    if isinstance(inner, (dict, list, str)) and inner:
        return _fields(inner)
    message = next((v for k in ("message", "detail", "msg") if isinstance(v := value.get(k), str) and v), "")
    if not message and (detail := value.get("detail")):
        message = dumps(detail).decode()
    code = value.get("code")
    code = str(code) if type(code) is int else code
    return message[:MESSAGE_READ], _error_code(value.get("type")), _error_code(value.get("param")), _error_code(code)


def _error_code(value: JsonValue) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= CODE_SHOWN else None
