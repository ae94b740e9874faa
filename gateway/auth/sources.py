"""The sources of a provider's credential, as values: the configuration's settings after the vendor's row is applied.

The catalog makes these values and the AuthManager decides by them. A TokenSource, which `gateway.assembly` makes from
them, reads a file, runs a command or asks Google. So neither the catalog nor the AuthManager knows how a command is run
or a file is read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from gateway.auth.oauth.settings import OAuthSettings
from gateway.auth.tokens.file_formats import FileFormat, TokenPaths
from gateway.auth.tokens.token import Token
from gateway.core.secrets import Secret

_NO_PATHS: Final = TokenPaths()


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key from the configuration or the environment."""

    secret: Secret


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A token from the gateway's own store or a watched file; the one that expires later is used.

    `oauth` has the settings to log in and renew; None where the configuration lacks some of them.
    """

    oauth: OAuthSettings | None = None


@dataclass(frozen=True, slots=True)
class TokenFileSource:
    """A token from a file that another tool keeps and renews. The gateway never writes it.

    `path` is that of the configuration: it may begin with `~`, and a relative one starts from the configuration's
    folder.
    """

    path: str
    format: FileFormat = "auto"
    paths: TokenPaths = _NO_PATHS


@dataclass(frozen=True, slots=True)
class AdcSource:
    """Google's application default credentials, which `gcloud auth application-default login` writes.

    `scopes` are for the credential types that have no scopes of their own.
    """

    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CommandSource:
    """A token that a program prints, such as `gcloud auth print-access-token`. The program is run without a shell."""

    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoCredential:
    """The provider needs no credential: mostly a server on this machine."""


FetchedSource: TypeAlias = TokenFileSource | AdcSource | CommandSource
CredentialSource: TypeAlias = ApiKey | StoredToken | FetchedSource | NoCredential

KINDS: Final[Mapping[type[CredentialSource], str]] = {
    ApiKey: "API key",
    StoredToken: "login",
    TokenFileSource: "token file",
    AdcSource: "Google application default credentials",
    CommandSource: "command",
    NoCredential: "none",
}
"""The sources for people, in `status` and in `explain`."""


class SourceFailed(Exception):
    """The source has no token now. The text is a sentence for people and contains no secret."""


class TokenSource(Protocol):
    """Fetches the token of a FetchedSource. Safe to use from many threads.

    A command takes up to 30 seconds and Google a request, so their tokens are kept until they expire. A file costs a
    stat and is read for every call: its owner may renew the token long before it expires.
    """

    def token(self) -> Token:
        """Fetch the token. It may have expired, where its owner has not renewed it.

        Raises:
            SourceFailed: the source has none.
        """
