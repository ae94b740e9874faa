"""The accounts of a configuration: each provider's login settings, and the store of its token.

All commands share it. It asks no server and prints nothing.
"""

import difflib
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import structs

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
from gateway.commands.running_gateway import asking
from gateway.config import schema
from gateway.config.loader import Loaded, resolve
from gateway.config.token_files import WatchFile
from gateway.core.clock import Clock
from gateway.core.program import command
from gateway.core.records import login_name, login_parts
from gateway.providers import catalog

FETCHED_ON_DEMAND: Final = (AdcSource, CommandSource)
"""The sources whose token only a request or a program can show."""


class CommandFailed(Exception):
    """A command failed. The text is for people; `exit_code` is 1 for a failure, 2 for wrong usage."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Accounts:
    """The login settings and the token store of a configuration.

    Attributes:
        file: the configuration file; None where there is none.
        gateway: where a gateway with this configuration would run.
        limits: the rows of `rateLimits`.
        clients: the section `clients`.

    Args:
        loaded: the configuration.
        environ: for the variables that hold keys and secrets.
        clock: for the store.
    """

    def __init__(self, loaded: Loaded, environ: Mapping[str, str], clock: Clock) -> None:
        self.providers: Mapping[str, schema.Provider] = loaded.config.providers
        self.watched = [
            WatchFile(path=each) if isinstance(each, str) else each for each in loaded.config.auth.watch_files
        ]
        self.base = loaded.path.parent if loaded.path else None
        self.store = TokenStore(resolve(loaded.config.auth.token_store_path, self.base), clock)
        self.file = loaded.path
        self.gateway: schema.Gateway = asking(loaded.config)
        self.clients = loaded.config.clients
        self.limits = loaded.config.rate_limits
        self._environ = environ

    @property
    def names(self) -> Sequence[str]:
        """Every credential's name: that of the provider, or `NAME@account` for each of its accounts."""
        found: list[str] = []
        for name, settings in self.providers.items():
            found += [login_name(name, each.name) for each in settings.accounts] or [name]
        return found

    def enabled(self, name: str) -> bool:
        """Whether a credential of `names` is used."""
        provider, account = login_parts(name)
        settings = self.providers[provider]
        return settings.enabled and all(each.enabled for each in settings.accounts if each.name == account)

    def resolved(self, name: str) -> catalog.Resolved:
        """A provider's settings, complete; of `NAME@account` with the account's credential.

        Raises:
            CannotResolve: they are incomplete.
        """
        provider, account = login_parts(name)
        settings = self.providers[provider]
        if account:
            only = next(each for each in settings.accounts if each.name == account)
            settings = structs.replace(settings, accounts=(structs.replace(only, enabled=True),))
        return catalog.resolve(provider, settings, self._environ)

    def source(self, name: str) -> CredentialSource:
        """The source of a credential. Raises CannotResolve."""
        return self.resolved(name).source

    def oauth(self, name: str) -> OAuthSettings:
        """The settings to log in at a provider.

        Raises:
            CommandFailed: there is no such provider, or it needs no login, or its settings are incomplete.
        """
        if name not in self.names:
            raise CommandFailed(self._unknown(name), 2)
        try:
            source = self.source(name)
        except catalog.CannotResolve as fault:
            raise CommandFailed(f"providers.{login_parts(name)[0]}.{fault.key} {fault.message}", 2) from None
        if not isinstance(source, StoredToken):
            raise CommandFailed(f"{name} needs no login. {_what_it_uses(source)}", 2)
        if source.oauth is None:
            raise CommandFailed(
                f"{name} cannot log in: its settings need a clientId and one of authEndpoint,"
                " deviceAuthorizationEndpoint and issuer.",
                2,
            )
        return source.oauth

    def _unknown(self, name: str) -> str:
        if self.file is None:
            return (
                "There is no configuration file, so there is no provider to log in to. Write one by"
                f" `{command('init')}`, or copy config.example.yaml to config.yaml; add {name} with its clientId, then:"
                f" {command(f'login {name}')}"
            )
        if name in self.providers:
            logins = ", ".join(each for each in self.names if login_parts(each)[0] == name)
            return f"{name} has several accounts: name one of {logins}."
        near = difflib.get_close_matches(name, self.names, n=1)
        known = ", ".join(self.names) or "none; add one under providers"
        hint = f' Did you mean "{near[0]}"?' if near else ""
        return f"{self.file.name} has no provider of this name.{hint} Its providers: {known}."


def _what_it_uses(source: CredentialSource) -> str:
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
