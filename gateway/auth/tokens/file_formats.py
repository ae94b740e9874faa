"""The token formats of other tools: makes tokens of the JSON in their files, or of what a program prints.

Every tool has its own names for the token and its expiry, so this is mostly a list of names. It reads no file and no
clock, so that each format is one line in a test. Refresh tokens are not read: only their owner may use them, and many
servers end the whole login when one is used twice (RFC 9700 section 4.14).
"""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from gateway.auth.tokens.token import Token, read_token
from gateway.core.strict_json import JsonFault, JsonObject, JsonValue, as_object, loads

FileFormat: TypeAlias = Literal["auto", "plain", "gemini-cli", "codex", "gcloud"]

_ACCESS: Final = ("accessToken", "access_token", "token", "apiKey", "api_key")
_EXPIRY: Final = ("expiresAt", "expires_at", "expiry_date", "expiry", "expires_on", "expired", "expirationTimestamp")
_LIFETIME: Final = ("expiresIn", "expires_in")
GOOGLE_TYPES: Final = (
    "authorized_user",
    "service_account",
    "external_account",
    "external_account_authorized_user",
    "impersonated_service_account",
    "gdch_service_account",
)
_NUMBER: Final = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")
_JWT_PARTS: Final = 3
MAX_JWT: Final = 32 << 10
"""Characters. Real ones have one or two thousand."""


@dataclass(frozen=True, slots=True)
class TokenPaths:
    """Where a file has the token and its expiry, as keys joined by dots; None where the format defines it."""

    access_token: str | None = None
    expiry: str | None = None


def read_tokens(
    value: JsonValue,
    provider: str | None,
    form: FileFormat = "auto",
    paths: TokenPaths | None = None,
    written: float | None = None,
) -> dict[str, Token]:
    """Read the tokens in another tool's file, by provider.

    Args:
        value: the file's JSON.
        provider: the token's provider, for a file with one token that does not name it.
        form: plain is `{provider: {accessToken, expiresAt}}` or one such entry; auto detects the format.
        paths: where the token and its expiry are, instead of the format's places.
        written: wall seconds at which the file was written, for a file that only has the token's lifetime.

    Raises:
        JsonFault: the file has no token, or its provider is unknown. The message quotes no content.
    """
    document = as_object(value)
    if paths is not None and (paths.access_token or paths.expiry):
        return _single(provider, _at_paths(document, paths, written))
    form = _detected(document) if form == "auto" else form
    if form == "codex":
        return _single(provider, _codex(document))
    if form == "gcloud":
        return _single(provider, _gcloud(document, written))
    if (token := read_entry(document, written)) is not None:
        return _single(provider, token)
    if form == "gemini-cli":
        raise JsonFault("it has no access_token")
    return _by_provider(document, written)


def read_entry(value: JsonValue, written: float | None = None) -> Token | None:
    """Read the token in one object, under any of the usual names; None where it has none that can be sent."""
    if not isinstance(value, dict):
        return None
    expiry = _expiry(value, written)
    return next((token for access in _values(value, _ACCESS) if (token := token_of(access, expiry))), None)


def token_of(access: JsonValue, expiry: JsonValue = None) -> Token | None:
    """A token with the given expiry, else with the expiry inside a JWT; None where `access` is no token."""
    expires_at = _number(expiry) if isinstance(expiry, str) and _NUMBER.fullmatch(expiry) else expiry
    token = read_token({"accessToken": access, "expiresAt": expires_at})
    if token is None or token.expires_at is not None:
        return token
    return read_token({"accessToken": access, "expiresAt": _jwt_expiry(token.access_token.reveal())})


def _single(provider: str | None, token: Token | None) -> dict[str, Token]:
    if token is None:
        raise JsonFault("it holds no token in the place or format named")
    if provider is None:
        raise JsonFault("it does not say whose token it holds: give its entry a provider")
    return {provider: token}


def _detected(document: JsonObject) -> FileFormat:
    if isinstance(document.get("tokens"), dict) or "OPENAI_API_KEY" in document:
        return "codex"
    if document.get("type") in GOOGLE_TYPES:
        return "gcloud"
    return "plain"


def _codex(document: JsonObject) -> Token | None:
    """The login's token, a JWT with its expiry inside; the API key where there is no login."""
    tokens = document.get("tokens")
    login = token_of(tokens.get("access_token")) if isinstance(tokens, dict) else None
    return login or token_of(document.get("OPENAI_API_KEY"))


def _gcloud(document: JsonObject, written: float | None) -> Token:
    """The access token that Google's libraries may keep in such a file. gcloud keeps none."""
    token = read_entry(document, written)
    if token is None:
        raise JsonFault("it holds no access token, only what to get one with: give the provider authType: adc")
    return token


def _by_provider(document: JsonObject, written: float | None) -> dict[str, Token]:
    """Entries by provider. In a gateway's own file, which may be watched as well, they are one level deeper."""
    inner = document.get("credentials")
    entries = inner if isinstance(inner, dict) else document
    tokens = {name: token for name, entry in entries.items() if (token := read_entry(entry, written))}
    if not tokens:
        raise JsonFault("it holds no token in a format known here")
    return tokens


def _at_paths(document: JsonObject, paths: TokenPaths, written: float | None) -> Token | None:
    """The token at the configured path. A part without a path is searched beside it, under the usual names."""
    folder, _, _ = (paths.access_token or "").rpartition(".")
    beside = _walk(document, folder) if folder else document
    if not isinstance(beside, dict):
        return None
    expiry = _walk(document, paths.expiry) if paths.expiry else _expiry(beside, written)
    places = (_walk(document, paths.access_token),) if paths.access_token else _values(beside, _ACCESS)
    return next((token for access in places if (token := token_of(access, expiry))), None)


def _expiry(entry: JsonObject, written: float | None) -> JsonValue:
    """The token's expiry in the file's own form; None where the entry has none."""
    expiry = next(_values(entry, _EXPIRY), None)
    if expiry is not None or written is None:
        return expiry
    lifetime = _number(next(_values(entry, _LIFETIME), None))
    return None if lifetime is None else written + lifetime


def _walk(value: JsonValue, path: str) -> JsonValue:
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _values(entry: JsonObject, names: tuple[str, ...]) -> Iterator[JsonValue]:
    return (entry[name] for name in names if entry.get(name) not in (None, ""))


def _number(value: JsonValue) -> float | None:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _jwt_expiry(text: str) -> JsonValue:
    """`exp` of a JWT (RFC 7519 section 4.1.4). It is not verified: it only decides when to look for another token."""
    parts = text.split(".")
    if len(parts) != _JWT_PARTS or len(text) > MAX_JWT:
        return None
    try:
        claims = as_object(loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))))
    except (JsonFault, binascii.Error, ValueError):
        return None
    return _number(claims.get("exp"))
