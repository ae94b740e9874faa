"""What each provider of a configuration is called with, before anything of it is built.

A configuration that takes another one's place keeps the token sources of providers that authenticate as before: a
command was run for their tokens. This module knows no connection and no route.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from gateway.auth.adc import AdcTokens
from gateway.auth.command import CommandTokens
from gateway.auth.oauth.refreshing_client import RefreshingClient
from gateway.auth.sources import AdcSource, ApiKey, CommandSource, CredentialSource, TokenFileSource, TokenSource
from gateway.auth.token_file_reader import TokenFileReader
from gateway.config import schema
from gateway.config.loader import resolve
from gateway.providers import catalog
from gateway.providers.vendors import VENDORS
from gateway.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Login:
    """One credential of a provider.

    Attributes:
        source: what it is.
        tokens: fetches it, where it has to be fetched.
    """

    source: CredentialSource
    tokens: TokenSource | None


@dataclass(frozen=True, slots=True)
class ProviderBinding:
    """What a provider is called with.

    Attributes:
        resolved: its settings and what the catalog adds.
        logins: its credentials, by `NAME`, or by `NAME@account` where it has accounts.
    """

    resolved: catalog.Resolved
    logins: Mapping[str, Login]

    @property
    def vendor(self) -> str:
        """The vendor whose server it is; the provider's own name where another server is at its address."""
        own, asked = VENDORS[self.resolved.type].endpoint, self.resolved.endpoint
        is_own = urlsplit(own or "").hostname == urlsplit(asked or "").hostname
        return self.resolved.type if is_own else self.resolved.name

    @property
    def quota_project(self) -> Callable[[], str | None]:
        """The configured one, else that of Google's default credentials, which is known once a token was fetched."""
        configured = self.resolved.settings.quota_project
        found = [each.tokens for each in self.logins.values() if isinstance(each.tokens, AdcTokens)]
        if configured is None and found:
            return lambda: found[0].quota_project
        return lambda: configured


def bind(
    providers: Mapping[str, schema.Provider],
    runtime: Runtime,
    base: Path | None,
    earlier: Mapping[str, ProviderBinding],
) -> Mapping[str, ProviderBinding]:
    """The bindings of the enabled providers, by name.

    Args:
        providers: as configured.
        runtime: what outlives the configuration.
        base: the folder of the configuration file.
        earlier: those of the configuration before.
    """
    found = {}
    for name, settings in providers.items():
        if settings.enabled:
            resolved = catalog.resolve(name, settings, runtime.environ)
            sources = {name: ApiKey(runtime.demo_key)} if resolved.type == "demo" else resolved.logins
            before = earlier[name].logins if name in earlier else {}
            logins = {
                login: _login(login, source, before.get(login), runtime, base) for login, source in sources.items()
            }
            found[name] = ProviderBinding(resolved, logins)
    return found


def _login(name: str, source: CredentialSource, before: Login | None, runtime: Runtime, base: Path | None) -> Login:
    """A credential, with the tokens that it had where it is the same."""
    if before is not None and before.source == source:
        return before
    return Login(source, _token_source(name, source, runtime, base))


def logins_of(bindings: Mapping[str, ProviderBinding]) -> Mapping[str, Login]:
    """The credentials of all providers, by `NAME` or `NAME@account`."""
    return {name: login for each in bindings.values() for name, login in each.logins.items()}


def replaced(before: Mapping[str, ProviderBinding], now: Mapping[str, ProviderBinding]) -> frozenset[str]:
    """The providers of which nothing is known any more: they have gone, or they are asked elsewhere or by another
    credential."""
    return frozenset(name for name in before if _identity(before.get(name)) != _identity(now.get(name)))


def _identity(binding: ProviderBinding | None) -> object:
    if binding is None:
        return None
    sources = {name: each.source for name, each in binding.logins.items()}
    return binding.resolved.endpoint, binding.resolved.wire, sources


def _token_source(name: str, source: CredentialSource, runtime: Runtime, base: Path | None) -> TokenSource | None:
    """Who fetches that; None where nothing has to be fetched."""
    match source:
        case TokenFileSource():
            return TokenFileReader(name, resolve(source.path, base), source, runtime.clock)
        case CommandSource():
            return CommandTokens(name, source, runtime.environ, runtime.clock, mask=runtime.masker.mask)
        case AdcSource():
            return AdcTokens(
                source,
                runtime.environ,
                runtime.clock,
                client=lambda settings: RefreshingClient(settings, runtime.environ, runtime.clock, runtime.masker.add),
            )
    return None
