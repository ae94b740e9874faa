"""Reads the responses of an authorization server. Values in, values out, no socket.

The reading is generous where servers differ: a status, a content type, a number in quotes. It refuses harmful values: a
token that cannot stand in a header, an address that is none, a text with control characters.

Sources: RFC 6749 section 5, RFC 8628 sections 3.2 and 3.5. A server's deviation is named where the code handles it.
"""

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from gateway.auth.oauth.endpoint import OAuthResponse
from gateway.auth.oauth.errors import OAuthRefused, OAuthUnreachable
from gateway.auth.oauth.token_reply import TokenReply
from gateway.core.secrets import Secret
from gateway.core.strict_json import JsonFault, JsonObject, JsonValue, as_object, loads
from gateway.observe.masking import Masker

DEFAULT_INTERVAL: Final = 5.0
"""Seconds between two polls of a device flow where the server sends no usable interval (RFC 8628 section 3.2)."""
DEFAULT_LIFETIME: Final = 900.0
"""Seconds a device code is valid where the server does not send that, though it must: what most servers send."""
_LONGEST: Final = 10 * 365 * 86_400.0
"""Seconds. A longer lifetime is an error, and would overflow a date."""
_MAX_CODE: Final = 100  # characters of an error code that are kept
_MAX_DESCRIPTION: Final = 300  # characters of its description
_MAX_SHOWN: Final = 2048  # characters of an address or a code for people
_VISIBLE: Final = re.compile(r"[\x21-\x7e]+")  # the characters of an Authorization header and of an address
_FORM: Final = frozenset({"application/x-www-form-urlencoded", "text/plain"})
_OWN_FIELDS: Final = frozenset(
    {"access_token", "refresh_token", "expires_in", "token_type", "error", "accessToken", "refreshToken", "expiresAt"}
)
_SECRET_FIELDS: Final = ("access_token", "refresh_token", "id_token", "device_code")
_POLLING: Final = frozenset({"authorization_pending", "slow_down"})


@dataclass(frozen=True, slots=True)
class DeviceGrant:
    """The server's response to the start of a device login (RFC 8628 section 3.2).

    Attributes:
        device_code: the gateway polls with it.
        user_code: the person compares or enters it.
        verification_uri: the person opens it.
        verification_uri_complete: the same address with the code in it; None with many servers.
        expires_in: seconds the code is valid.
        interval: seconds to wait before each poll.
    """

    device_code: Secret
    user_code: str = field(repr=False)
    verification_uri: str
    verification_uri_complete: str | None = field(repr=False)
    expires_in: float
    interval: float


def read_fields(answer: OAuthResponse, endpoint: str, secrets: Iterable[Secret]) -> JsonObject:
    """The fields of a successful response; empty where it has no body.

    Args:
        answer: the response.
        endpoint: the address that was asked.
        secrets: the secrets that were sent, and must not appear in a message.

    Raises:
        OAuthRefused: the server refused, with any status: Google sends `pending` with 428, GitHub and Kimi with 200.
        OAuthUnreachable: the response is unusable: 5xx, 429, or neither JSON nor a form.
    """
    host = urlsplit(endpoint).hostname
    fields = _fields(answer)
    refusal = _refusal(fields, Masker((*secrets, *_secrets_in(fields)))) if fields else None
    later = answer.status >= 500 or (answer.status == 429 and (refusal is None or refusal.code not in _POLLING))
    if refusal is not None and not later:
        raise refusal
    if not 200 <= answer.status < 300:
        raise OAuthUnreachable(f"{host} answered HTTP {answer.status}")
    if fields is None:
        raise OAuthUnreachable(f"{host} answered something that is neither JSON nor a form")
    return fields


def read_token_reply(fields: JsonObject) -> TokenReply:
    """Read the tokens.

    Raises:
        OAuthRefused: the tokens are not Bearer tokens.
        OAuthUnreachable: there is no usable access token.
    """
    kind = fields.get("token_type")
    if kind and not (isinstance(kind, str) and kind.strip().lower() == "bearer"):
        raise OAuthRefused("unsupported_token_type", "the server gives tokens that are not Bearer tokens")
    access = _text(fields.get("access_token"))
    if not _VISIBLE.fullmatch(access):
        raise OAuthUnreachable("the token endpoint answered without a usable access token")
    refresh = _text(fields.get("refresh_token"))
    extra = {name: value for name, value in fields.items() if name not in _OWN_FIELDS}
    return TokenReply(Secret(access), Secret(refresh) if refresh else None, _seconds(fields.get("expires_in")), extra)


def read_device_grant(fields: JsonObject) -> DeviceGrant:
    """Read the code that a person is to confirm.

    Raises:
        OAuthUnreachable: a field is missing, or must not be shown.
    """
    device_code = _text(fields.get("device_code"))
    user_code = _text(fields.get("user_code"))
    # Google's name is verification_url
    uri = _address(fields.get("verification_uri")) or _address(fields.get("verification_url"))
    complete = _address(fields.get("verification_uri_complete")) or _address(fields.get("verification_url_complete"))
    if not (device_code and uri and user_code and user_code.isprintable() and len(user_code) <= _MAX_SHOWN):
        raise OAuthUnreachable("the device endpoint answered without a usable code and address")
    lifetime = _seconds(fields.get("expires_in")) or DEFAULT_LIFETIME
    interval = _seconds(fields.get("interval")) or DEFAULT_INTERVAL
    return DeviceGrant(Secret(device_code), user_code, uri, complete, lifetime, interval)


def _fields(answer: OAuthResponse) -> JsonObject | None:
    """The body as an object: JSON with any content type, or a form (GitHub, and older servers); else None."""
    if not answer.body.strip():
        return {}
    try:
        return as_object(loads(answer.body))
    except JsonFault:
        pass
    if answer.content_type.partition(";")[0].strip().lower() not in _FORM:
        return None
    try:
        pairs = parse_qsl(answer.body.decode().strip(), strict_parsing=True, max_num_fields=100, errors="strict")
    except ValueError:
        return None
    fields: JsonObject = {}
    fields.update(pairs)
    return fields


def _refusal(fields: JsonObject, masker: Masker) -> OAuthRefused | None:
    """The refusal in the response, if there is one."""
    error = fields.get("error")
    if isinstance(error, dict):  # not OAuth's form, but OpenAI's and Google's
        code = next((error[name] for name in ("code", "status", "type") if _text(error.get(name))), "error")
        description = error.get("message")
    else:
        code, description = error, fields.get("error_description")
    if not _text(code):
        return None
    return OAuthRefused(
        _one_line(code, masker, _MAX_CODE) or "error",
        _one_line(description, masker, _MAX_DESCRIPTION),
        interval=_seconds(fields.get("interval")),
    )


def _secrets_in(fields: JsonObject) -> Iterator[Secret]:
    """The secrets in the response itself, which no message may repeat."""
    return (Secret(text) for name in _SECRET_FIELDS if (text := _text(fields.get(name))))


def _one_line(value: JsonValue, masker: Masker, limit: int) -> str:
    """A server's text on one line and without control characters. It is masked before it is cut, because half a secret
    would not be recognized."""
    text = masker.mask(value) if isinstance(value, str) else ""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:limit]


def _text(value: JsonValue) -> str:
    return value.strip() if isinstance(value, str) else ""


def _seconds(value: JsonValue) -> float | None:
    """A duration in seconds, which some servers put in quotes; None where it is no number above zero."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        seconds = float(value)
    except ValueError:
        return None
    return min(seconds, _LONGEST) if math.isfinite(seconds) and seconds > 0 else None


def _address(value: JsonValue) -> str | None:
    """An address that may be shown to a person and opened: http or https, visible characters only."""
    text = _text(value)
    if not _VISIBLE.fullmatch(text) or len(text) > _MAX_SHOWN:
        return None
    try:
        address = urlsplit(text)
        return text if address.scheme in ("http", "https") and address.hostname else None
    except ValueError:
        return None
