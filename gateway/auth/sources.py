"""Where a provider's credential comes from, as values: what the configuration says, after the vendor's row is applied.

These types do nothing. The catalog makes them, the AuthManager decides by them, and what has to be fetched (a file, a
command, Google's application default credentials) is fetched by a TokenSource that is made from them where everything
is put together. So neither the catalog nor the manager knows how a command is run or a file is read.
"""

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from gateway.auth.oauth.settings import OAuthSettings
from gateway.auth.tokens.token import Token
from gateway.core.secrets import Secret

FileFormat: TypeAlias = Literal["auto", "plain", "gemini-cli", "codex", "gcloud"]


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key from the configuration or the environment."""

    secret: Secret


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A token from the gateway's own store or a watched file, whichever is good for longer.

    `oauth` says how to log in and renew; None where the settings are not enough for that.
    """

    oauth: OAuthSettings | None = None


@dataclass(frozen=True, slots=True)
class TokenPaths:
    """Where token and expiry stand in a file of another tool, as keys joined by dots; None: where the format says."""

    access_token: str | None = None
    expiry: str | None = None


@dataclass(frozen=True, slots=True)
class TokenFileSource:
    """A token from a file that another tool keeps and renews; read, never written.

    `path` is as in the configuration: it may begin with `~`, and a relative one starts from the configuration's folder.
    """

    path: str
    format: FileFormat = "auto"
    paths: TokenPaths = TokenPaths()


@dataclass(frozen=True, slots=True)
class AdcSource:
    """Google's application default credentials: what `gcloud auth application-default login` leaves.

    `scopes` are for the types of credentials that have none of their own.
    """

    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CommandSource:
    """A token that a program prints, such as `gcloud auth print-access-token`. It is run without a shell."""

    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoCredential:
    """The provider wants none: a server on this machine, mostly."""


FetchedSource: TypeAlias = TokenFileSource | AdcSource | CommandSource
CredentialSource: TypeAlias = ApiKey | StoredToken | FetchedSource | NoCredential


class SourceFailed(Exception):
    """There is no token from this source now. The text is a sentence for people, and holds no secret."""


class TokenSource(Protocol):
    """The working side of a FetchedSource. Safe to use from many threads.

    A command takes up to 30 seconds and Google a request, so whoever asks these keeps the token until it expires. A
    file costs a stat and is asked anew each time: its owner may renew it long before it expires.
    """

    def token(self) -> Token:
        """The token as it is now, fetched anew. It may have expired, where its owner has not renewed it.

        Raises:
            SourceFailed: there is none.
        """
