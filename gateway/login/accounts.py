"""The providers of a configuration as accounts: who can log in, how, and where the token is kept."""

import difflib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from gateway.auth.oauth.settings import OAuthSettings
from gateway.auth.sources import (
    AdcSource,
    ApiKey,
    CommandSource,
    CredentialSource,
    NoCredential,
    StoredToken,
    TokenFileSource,
)
from gateway.auth.tokens.token_store import TokenStore
from gateway.config import schema
from gateway.config.loader import Loaded, resolve
from gateway.core.clock import Clock
from gateway.providers import catalog

PROGRAM: Final = "python app.py"
KINDS: Final[Mapping[type[CredentialSource], str]] = {
    ApiKey: "API key",
    StoredToken: "login",
    TokenFileSource: "token file",
    AdcSource: "Google application default credentials",
    CommandSource: "command",
    NoCredential: "none",
}
ASKED_WHEN_NEEDED: Final = (AdcSource, CommandSource)
"""The sources whose token only a request or a program can show."""


class LoginFault(Exception):
    """A command that did not come about. The text is for people; `exit_code` is 1 for failed, 2 for usage."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Accounts:
    """What a configuration says about logging in.

    Args:
        loaded: the configuration.
        environ: for keys and secrets that stand there.
        clock: for the store.
    """

    def __init__(self, loaded: Loaded, environ: Mapping[str, str], clock: Clock) -> None:
        self.providers: Mapping[str, schema.Provider] = loaded.config.providers
        self.watched = [
            schema.WatchFile(path=each) if isinstance(each, str) else each for each in loaded.config.auth.watch_files
        ]
        self.base = loaded.path.parent if loaded.path else None
        self.store = TokenStore(resolve(loaded.config.auth.token_store_path, self.base), clock)
        self._file = loaded.path
        self._environ = environ

    def source(self, name: str) -> CredentialSource:
        """Where that provider's credential comes from.

        Raises:
            CannotResolve: its settings do not say.
        """
        return catalog.resolve(name, self.providers[name], self._environ).source

    def oauth(self, name: str) -> OAuthSettings:
        """How to log in there.

        Raises:
            LoginFault: there is no such provider, or it needs no login, or its settings are not enough for one.
        """
        if name not in self.providers:
            raise LoginFault(self._unknown(name), 2)
        try:
            source = self.source(name)
        except catalog.CannotResolve as fault:
            raise LoginFault(f"providers.{name}.{fault.key} {fault.message}", 2) from None
        if not isinstance(source, StoredToken):
            raise LoginFault(f"{name} needs no login. {_instead(source)}", 2)
        if source.oauth is None:
            raise LoginFault(
                f"{name} cannot log in: its settings need a clientId and one of authEndpoint,"
                " deviceAuthorizationEndpoint and issuer.",
                2,
            )
        return source.oauth

    def _unknown(self, name: str) -> str:
        if self._file is None:
            return "There is no configuration file, so there is no provider to log in to."
        near = difflib.get_close_matches(name, self.providers, n=1)
        known = ", ".join(self.providers) or "none"
        hint = f' Did you mean "{near[0]}"?' if near else ""
        return f"{self._file.name} has no provider of this name.{hint} Its providers: {known}."


def _instead(source: CredentialSource) -> str:
    match source:
        case ApiKey():
            return "It uses an API key."
        case NoCredential():
            return "It wants no credential."
        case TokenFileSource():
            return "Its token is in a file of another tool; log in with that tool."
        case AdcSource():
            return "It uses Google's application default credentials: gcloud auth application-default login"
    return "Its token comes from a command."


def moment(seconds: float) -> str:
    """Wall seconds for people: `2026-05-01 14:30 UTC`."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
