"""Google's application default credentials, the file that `gcloud auth application-default login` writes.

The file of a person's login has a refresh token and no access token. A token costs one POST, sent by the same client as
every other renewal. A service account or a federated identity needs a signature, which Google's own library makes
where it is installed. The file is read at each renewal and never written.

Sources: https://google.aip.dev/auth/4110 (where the file is), https://google.aip.dev/auth/4113 (authorized_user).
"""

import hashlib
import importlib
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from gateway.auth.oauth.endpoint import trusted_address
from gateway.auth.oauth.errors import OAuthError, OAuthRefused
from gateway.auth.oauth.settings import OAuthSettings
from gateway.auth.oauth.token_reply import TokenReply, token_from
from gateway.auth.sources import AdcSource, SourceFailed
from gateway.auth.tokens.file_formats import GOOGLE_TYPES
from gateway.auth.tokens.polled_file import MAX_FILE
from gateway.auth.tokens.token import Token
from gateway.core.clock import Clock
from gateway.core.secrets import Secret
from gateway.core.strict_json import JsonFault, JsonObject, as_object, loads

TOKEN_ENDPOINT: Final = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
CLOUD_PLATFORM: Final = "https://www.googleapis.com/auth/cloud-platform"
FILE: Final = "application_default_credentials.json"
LOG_IN: Final = "run `gcloud auth application-default login`"
_PROJECT: Final = re.compile(r"[\x21-\x7e]{1,256}")


class Refresher(Protocol):
    """The part of an OAuth client that is needed here."""

    def refresh(self, refresh_token: Secret) -> TokenReply: ...

    def close(self) -> None: ...


Library: TypeAlias = Callable[[Path, Sequence[str]], Token]


def adc_path(environ: Mapping[str, str], *, windows: bool = sys.platform == "win32") -> Path:
    """The path of the file, which may not exist: AIP-4110 without the metadata server of Google's own machines."""
    if file := environ.get("GOOGLE_APPLICATION_CREDENTIALS", "").strip():
        return Path(os.path.expanduser(file))
    if folder := environ.get("CLOUDSDK_CONFIG", "").strip():
        return Path(os.path.expanduser(folder), FILE)
    if windows and (roaming := environ.get("APPDATA")):
        return Path(roaming, "gcloud", FILE)
    return Path(environ.get("HOME") or os.path.expanduser("~"), ".config", "gcloud", FILE)


class AdcTokens:
    """The TokenSource of a provider with `authType: adc`. Safe to use from many threads.

    Args:
        source: the configuration's settings.
        environ: for the file's path.
        clock: for expiry.
        client: makes an OAuth client of settings; it is closed after each use.
        library: gets a token for the credential types that need a signature; by default Google's own.
    """

    def __init__(
        self,
        source: AdcSource,
        environ: Mapping[str, str],
        clock: Clock,
        *,
        client: Callable[[OAuthSettings], Refresher],
        library: Library | None = None,
    ) -> None:
        self._source = source
        self._environ = environ
        self._clock = clock
        self._client = client
        self._library = library or google_auth
        self._refused = b""
        self._quota_project: str | None = None

    @property
    def quota_project(self) -> str | None:
        """The project that calls are billed to, from the file at the last `token`."""
        return self._quota_project

    def token(self) -> Token:
        """Request a new access token.

        Raises:
            SourceFailed: there is no file, it cannot be used, or Google gives no token for it.
        """
        path = adc_path(self._environ)
        content = _content(path)
        document = _document(path, content)
        kind = document.get("type")
        self._quota_project = _project(
            self._environ.get("GOOGLE_CLOUD_QUOTA_PROJECT") or document.get("quota_project_id")
        )
        if kind == "authorized_user":
            return self._renewed(path, document, hashlib.sha256(content).digest())
        if kind in GOOGLE_TYPES:
            return self._library(path, self._source.scopes or (CLOUD_PLATFORM,))
        raise SourceFailed(f"{path.name} is not a file of Google's application default credentials: {LOG_IN}.")

    def _renewed(self, path: Path, document: JsonObject, digest: bytes) -> Token:
        if digest == self._refused:  # the same refresh token will be refused again; gcloud writes a new file
            raise SourceFailed(f"Google refuses the login in {path.name}: {LOG_IN}.")
        client = self._client(_settings(path, document))
        try:
            reply = client.refresh(Secret(_text(path, document, "refresh_token")))
        except OAuthRefused as fault:
            if fault.code == "invalid_grant":
                self._refused = digest
            raise SourceFailed(f"Google refuses the login in {path.name} ({fault.code}): {LOG_IN}.") from None
        except OAuthError as fault:
            raise SourceFailed(f"Google gives no token for {path.name} now: {fault}") from None
        finally:
            client.close()
        token = token_from(reply, self._clock.wall())
        return Token(token.access_token, None, token.expires_at)


def google_auth(path: Path, scopes: Sequence[str]) -> Token:
    """Get a token through Google's own library, which the gateway does not need otherwise.

    Raises:
        SourceFailed: the library is not installed, or fails.
    """
    try:
        auth = importlib.import_module("google.auth")
        transport = importlib.import_module("google.auth.transport.requests")
    except ImportError:
        raise SourceFailed(
            f"The credentials in {path.name} are signed with, which takes Google's own library: run "
            "`pip install google-auth`, or use `command: [gcloud, auth, print-access-token]`."
        ) from None
    try:
        credentials, _ = auth.load_credentials_from_file(str(path), scopes=list(scopes))
        credentials.refresh(transport.Request())
        expiry = credentials.expiry
        seconds = None if expiry is None else expiry.replace(tzinfo=UTC).timestamp()
        return Token(Secret(str(credentials.token)), None, seconds)
    except Exception as fault:  # noqa: BLE001 - a foreign library may raise anything, with any text
        raise SourceFailed(f"Google's library gives no token for {path.name} ({type(fault).__name__}).") from None


def _content(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise SourceFailed(f"{path.name} cannot be used: it is not a regular file.")
        with path.open("rb") as file:
            return file.read(MAX_FILE)
    except FileNotFoundError:
        raise SourceFailed(f"There is no {path.name} of Google's application default credentials: {LOG_IN}.") from None
    except (OSError, ValueError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) else "not a file name"
        raise SourceFailed(f"{path.name} cannot be read: {reason}.") from None


def _document(path: Path, content: bytes) -> JsonObject:
    try:
        return as_object(loads(content))
    except JsonFault as fault:
        raise SourceFailed(f"{path.name} cannot be used: {fault}.") from None


def _settings(path: Path, document: JsonObject) -> OAuthSettings:
    endpoint = document.get("token_uri")
    return OAuthSettings(
        provider="google",
        client_id=_text(path, document, "client_id"),
        client_secret=Secret(_text(path, document, "client_secret")),
        token_endpoint=endpoint if isinstance(endpoint, str) and trusted_address(endpoint) else TOKEN_ENDPOINT,
        auth_method="client_secret_post",
    )


def _text(path: Path, document: JsonObject, name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise SourceFailed(f"{path.name} cannot be used: it has no {name}; {LOG_IN}.")
    return value


def _project(value: object) -> str | None:
    """The project, if it can be sent in a header."""
    return value if isinstance(value, str) and _PROJECT.fullmatch(value) else None
