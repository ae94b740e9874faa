"""What an authorization server's answer means: values in, values out, no socket.

Servers are read generously where they differ (a status, a type, a number in quotes) and not at all where what they say
would be harmful: a token that is no header's text, an address that is none, words with control characters.

Sources: RFC 6749 section 5, RFC 8628 sections 3.2 and 3.5; a server's habit is named where it is handled.
"""

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from gateway.auth.oauth.http import Answer
from gateway.auth.oauth.settings import OAuthRefused, OAuthUnreachable, TokenReply
from gateway.core.jsontext import JsonFault, JsonObject, JsonValue, as_object, loads
from gateway.core.secrets import Secret
from gateway.observe.masking import Masker

DEFAULT_INTERVAL: Final = 5.0
"""Seconds between two questions of a device flow where the server says nothing usable (RFC 8628 section 3.2)."""
DEFAULT_LIFETIME: Final = 900.0
"""Seconds a device code is good for where the server does not say, though it must: what most servers say."""
_LONGEST: Final = 10 * 365 * 86_400.0
"""Seconds. A lifetime beyond that is not one, and would overflow a date."""
_MAX_CODE: Final = 100  # characters of an error code that are kept
_MAX_WORDS: Final = 300  # characters of its description
_MAX_SHOWN: Final = 2048  # characters of an address or a code for people
_VISIBLE: Final = re.compile(r"[\x21-\x7e]+")  # what may stand in an Authorization header, and in an address
_FORM: Final = frozenset({"application/x-www-form-urlencoded", "text/plain"})
_OWN_FIELDS: Final = frozenset(
    {"access_token", "refresh_token", "expires_in", "token_type", "error", "accessToken", "refreshToken", "expiresAt"}
)
_SECRET_FIELDS: Final = ("access_token", "refresh_token", "id_token", "device_code")
_POLLING: Final = frozenset({"authorization_pending", "slow_down"})


@dataclass(frozen=True, slots=True)
class DeviceGrant:
    """The server's answer to the start of a device login (RFC 8628 section 3.2).

    Attributes:
        device_code: for us, to ask with.
        user_code: for the person, to compare or to enter.
        verification_uri: for the person, to open.
        verification_uri_complete: likewise, with the code in it; many servers have none.
        expires_in: seconds the code is good for.
        interval: seconds to wait before each question.
    """

    device_code: Secret
    user_code: str = field(repr=False)
    verification_uri: str
    verification_uri_complete: str | None = field(repr=False)
    expires_in: float
    interval: float


def read_answer(answer: Answer, endpoint: str, secrets: Iterable[Secret]) -> JsonObject:
    """The fields of an answer that says yes; an empty one for a yes without a word.

    Args:
        answer: what came.
        endpoint: who was asked.
        secrets: what was sent, and must not stand in a message.

    Raises:
        OAuthRefused: it says no, with whatever status: Google says `pending` with 428, GitHub and Kimi with 200.
        OAuthUnreachable: it is no answer: 5xx, 429, or not readable as one.
    """
    host = urlsplit(endpoint).hostname
    fields = _fields(answer)
    refusal = _refusal(fields, Masker((*secrets, *_told(fields)))) if fields else None
    later = answer.status >= 500 or (answer.status == 429 and (refusal is None or refusal.code not in _POLLING))
    if refusal is not None and not later:
        raise refusal
    if not 200 <= answer.status < 300:
        raise OAuthUnreachable(f"{host} answered HTTP {answer.status}")
    if fields is None:
        raise OAuthUnreachable(f"{host} answered something that is neither JSON nor a form")
    return fields


def read_tokens(fields: JsonObject) -> TokenReply:
    """The tokens.

    Raises:
        OAuthRefused: they are of a type that is not sent as a Bearer.
        OAuthUnreachable: there is no usable one.
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


def read_grant(fields: JsonObject) -> DeviceGrant:
    """The code to confirm, where it can be shown to a person.

    Raises:
        OAuthUnreachable: something of it is missing, or must not be shown.
    """
    device_code = _text(fields.get("device_code"))
    user_code = _text(fields.get("user_code"))
    # Google says verification_url
    uri = _address(fields.get("verification_uri")) or _address(fields.get("verification_url"))
    complete = _address(fields.get("verification_uri_complete")) or _address(fields.get("verification_url_complete"))
    if not (device_code and uri and user_code and user_code.isprintable() and len(user_code) <= _MAX_SHOWN):
        raise OAuthUnreachable("the device endpoint answered without a usable code and address")
    lifetime = _seconds(fields.get("expires_in")) or DEFAULT_LIFETIME
    interval = _seconds(fields.get("interval")) or DEFAULT_INTERVAL
    return DeviceGrant(Secret(device_code), user_code, uri, complete, lifetime, interval)


def _fields(answer: Answer) -> JsonObject | None:
    """The body as an object: JSON whatever its type says, or a form (GitHub's, and older servers'); None: neither."""
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
    """The no in it, if there is one."""
    error = fields.get("error")
    if isinstance(error, dict):  # not OAuth's form, but OpenAI's and Google's
        code = next((error[name] for name in ("code", "status", "type") if _text(error.get(name))), "error")
        words = error.get("message")
    else:
        code, words = error, fields.get("error_description")
    if not _text(code):
        return None
    said = _plain(code, masker, _MAX_CODE) or "error"
    return OAuthRefused(said, _plain(words, masker, _MAX_WORDS), interval=_seconds(fields.get("interval")))


def _told(fields: JsonObject) -> Iterator[Secret]:
    """What the answer itself tells and no message may repeat."""
    return (Secret(text) for name in _SECRET_FIELDS if (text := _text(fields.get(name))))


def _plain(words: JsonValue, masker: Masker, limit: int) -> str:
    """A server's words on one line, without anything that a terminal would obey; masked before anything of it is gone,
    because half a secret is not known again."""
    text = masker.mask(words) if isinstance(words, str) else ""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:limit]


def _text(value: JsonValue) -> str:
    return value.strip() if isinstance(value, str) else ""


def _seconds(value: JsonValue) -> float | None:
    """A duration, which some servers put in quotes; None where it is none, or not above zero."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        seconds = float(value)
    except ValueError:
        return None
    return min(seconds, _LONGEST) if math.isfinite(seconds) and seconds > 0 else None


def _address(value: JsonValue) -> str | None:
    """An address that may be shown to a person, and opened: http or https, and nothing in it that is not visible."""
    text = _text(value)
    if not _VISIBLE.fullmatch(text) or len(text) > _MAX_SHOWN:
        return None
    try:
        address = urlsplit(text)
        return text if address.scheme in ("http", "https") and address.hostname else None
    except ValueError:
        return None
