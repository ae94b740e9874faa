"""Everything put together from a configuration: the one place that knows all the parts.

Nothing below builds its own collaborators, so that each part can be tested with others in their place, and so that
reading this file tells what the running gateway consists of.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import random

from gateway.auth.adc import AdcTokens
from gateway.auth.auth_manager import AuthManager
from gateway.auth.command import CommandTokens
from gateway.auth.oauth.refreshing_client import OAuthClients, RefreshingClient
from gateway.auth.sources import (
    AdcSource,
    ApiKey,
    CommandSource,
    CredentialSource,
    StoredToken,
    TokenFileSource,
    TokenSource,
)
from gateway.auth.token_file_reader import TokenFileReader
from gateway.auth.tokens.token import Token
from gateway.auth.tokens.token_store import TokenStore
from gateway.auth.tokens.watch_files import WatchedFiles
from gateway.config import schema
from gateway.config.loader import Loaded, resolve
from gateway.core.clock import Clock, SystemClock
from gateway.core.secrets import Secret
from gateway.demo import DemoProvider
from gateway.dispatch.attempt import Attempt, AttemptPolicy
from gateway.dispatch.explain import Explainer
from gateway.dispatch.failover import Failover
from gateway.dispatch.watchdog import CallWatchdog
from gateway.handler.request_handler import RequestHandler
from gateway.handler.response_transformer import ResponseTransformer
from gateway.limits.rate_limiter import RateLimiters
from gateway.observe.logs import CallLog
from gateway.observe.masking import Masker
from gateway.providers import catalog
from gateway.providers.base import Provider
from gateway.providers.factory import ProviderFactory
from gateway.routing.health import Health
from gateway.routing.retry_budget import RetryBudgets
from gateway.routing.router import Router
from gateway.server.gateway_proxy import DrainState, GatewayProxy
from gateway.server.guard import Guard
from gateway.streaming.body import StreamRelay
from gateway.wires.gemini.memory import CallMemory
from gateway.wires.openai_chat.inbound import OpenAIChatInbound

MIB = 1 << 20
MOST_THREADS = 1024
"""An idle one takes about 30 KB; each caller that waits has a connection too, of which the server takes 1,000."""


@dataclass(frozen=True, slots=True)
class Part:
    """A provider, what it authenticates with, and who fetches that where it has to be fetched."""

    provider: Provider
    source: CredentialSource
    tokens: TokenSource | None


def without_file(environ: Mapping[str, str]) -> Loaded:
    """What is served where no configuration file is: the demo, and every vendor whose key stands in the environment."""
    providers = {"demo": schema.Provider(), **catalog.from_environment(environ)}
    failing = schema.Target(provider="demo", model="demo-unavailable", priority=1)
    answering = schema.Target(provider="demo", model="demo", priority=2)
    aliases = (
        schema.Alias(alias="demo", providers=(answering,)),
        schema.Alias(alias="demo-failover", providers=(failing, answering)),
    )
    return Loaded(config=schema.Config(model_aliases=aliases, providers=providers), path=None, warnings=())


def threads_for(config: schema.Config) -> int:
    """The threads to have: those for running calls, and one for each caller that may wait in line for a rate limit.

    Without the latter two busy limited providers would hold every thread, and calls to all others would wait as well.
    """
    return min(MOST_THREADS, config.gateway.threads + sum(limit.max_queue_size for limit in config.rate_limits))


class System:
    """The running parts. Close it, and nothing of them stays.

    Attributes:
        auth: the credentials.
        explainer: how a model would be routed now.
        threads: for the server.
        masker: takes secrets out of texts.

    Args:
        loaded: the configuration and where it was.
        environ: for keys that stand there.
        port: the one that is served, for the guard.
        clock: the time.
        relay: takes streams that have begun from their threads; without one each keeps its thread.
    """

    def __init__(
        self,
        loaded: Loaded,
        environ: Mapping[str, str],
        *,
        port: int,
        clock: Clock | None = None,
        relay: StreamRelay | None = None,
    ) -> None:
        config = loaded.config
        self._relay = relay
        self._clock = clock or SystemClock()
        self._environ = environ
        self._base = loaded.path.parent if loaded.path else None
        self.threads = threads_for(config)
        self._factory = ProviderFactory(pool_size=self.threads, environ=environ, clock=self._clock, memory=CallMemory())
        self._demo: DemoProvider | None = None
        self.masker = Masker(_configured(config))
        self.switch = DrainState()
        self.parts = {name: self._part(name, each) for name, each in config.providers.items() if each.enabled}
        self._store = TokenStore(resolve(config.auth.token_store_path, self._base), self._clock)
        self._watched = self._watch(config.auth)
        logins = {name: part.source.oauth for name, part in self.parts.items() if isinstance(part.source, StoredToken)}
        self._clients = OAuthClients(
            {name: oauth for name, oauth in logins.items() if oauth}, environ, self._clock, self.masker.add
        )
        for secret in self.secrets():
            self.masker.add(secret)
        self.auth = self._auth()
        self._inbound = OpenAIChatInbound(self.masker.mask)
        self.limiters = RateLimiters(config.rate_limits, self._clock)
        self.calls = CallWatchdog(self._clock, config.gateway.threads)
        self._health = Health(self._clock, random)
        self._timeouts = {name: settings.timeouts for name, settings in config.providers.items()}
        router = Router(config.model_aliases, config.providers)
        self.explainer = Explainer(
            router=router,
            health=self._health,
            limiters=self.limiters,
            auth=self.auth,
            timeouts=self._timeouts,
            configuration=str(loaded.path) if loaded.path else None,
        )
        self.proxy = GatewayProxy(
            handler=self._handler(config.gateway, router),
            router=router,
            explainer=self.explainer,
            guard=Guard.of(config.gateway, port),
            wire=self._inbound,
            clock=self._clock,
            switch=self.switch,
            timeout=config.gateway.request_timeout_seconds,
            max_body=config.gateway.max_body_mib * MIB,
        )

    def secrets(self) -> tuple[Secret, ...]:
        """The secrets known by value now, for masking; `masker` knows them, and learns those that come later."""
        found: list[Secret | None] = []
        for name, part in self.parts.items():
            if isinstance(part.source, ApiKey):
                found.append(part.source.secret)
            if isinstance(part.source, StoredToken):
                found.append(part.source.oauth.client_secret if part.source.oauth else None)
                for token in self._known_tokens(name):
                    found += (token.access_token, token.refresh_token)
        return tuple(secret for secret in found if secret)

    def close(self) -> None:
        """Close every connection and thread. Idempotent."""
        for part in self.parts.values():
            part.provider.close()
        self._clients.close()
        self.calls.close()
        if self._demo is not None:
            self._demo.close()

    def _handler(self, settings: schema.Gateway, router: Router) -> RequestHandler:
        log = CallLog()
        attempt = Attempt(
            providers={name: part.provider for name, part in self.parts.items()},
            policy=AttemptPolicy(self.limiters, self._health, RetryBudgets(), self._timeouts),
            auth=self.auth,
            log=log,
            random=random,
        )
        return RequestHandler(
            wire=self._inbound,
            router=router,
            failover=Failover(attempt, self._health, self._clock),
            transformer=ResponseTransformer(self._inbound, settings.response_model),
            timeouts=self._timeouts,
            calls=self.calls,
            log=log,
            relay=self._relay,
        )

    def _auth(self) -> AuthManager:
        return AuthManager(
            {name: part.source for name, part in self.parts.items()},
            self._store,
            self._watched,
            self._clock,
            clients=self._clients,
            token_sources={name: part.tokens for name, part in self.parts.items() if part.tokens is not None},
            on_secret=self.masker.add,
        )

    def _watch(self, settings: schema.Auth) -> WatchedFiles:
        """The files of other tools; our own store among them would only be read twice."""
        entries = [schema.WatchFile(path=each) if isinstance(each, str) else each for each in settings.watch_files]
        files = [(resolve(each.path, self._base), each) for each in entries]
        own = os.path.realpath(self._store.path)
        return WatchedFiles([(path, each) for path, each in files if os.path.realpath(path) != own], self._clock)

    def _known_tokens(self, provider: str) -> list[Token]:
        own = self._store.get(provider)
        return [*([own] if own else ()), *self._watched.tokens(provider)]

    def _token_source(self, name: str, source: CredentialSource) -> TokenSource | None:
        """Who fetches that; None where nothing has to be fetched."""
        match source:
            case TokenFileSource():
                return TokenFileReader(name, resolve(source.path, self._base), source, self._clock)
            case CommandSource():
                return CommandTokens(name, source, self._environ, self._clock, mask=self.masker.mask)
            case AdcSource():
                return AdcTokens(
                    source,
                    self._environ,
                    self._clock,
                    client=lambda settings: RefreshingClient(settings, self._environ, self._clock, self.masker.add),
                )
        return None

    def _part(self, name: str, settings: schema.Provider) -> Part:
        found = catalog.resolve(name, settings, self._environ)
        endpoint, source = found.endpoint, found.source
        if found.type == "demo":
            demo = self._start_demo()
            endpoint, source = demo.base_url, ApiKey(Secret(demo.key))
        if endpoint is None:
            raise ValueError(f"the vendor {found.type} has no address")
        tokens = self._token_source(name, source)
        provider = self._factory.build(found, endpoint, _quota_project(settings, tokens))
        return Part(provider, source, tokens)

    def _start_demo(self) -> DemoProvider:
        if self._demo is None:
            self._demo = DemoProvider()
            self._demo.start()
        return self._demo


def _quota_project(settings: schema.Provider, tokens: TokenSource | None) -> Callable[[], str | None]:
    """The configured one, else that of Google's default credentials, which is known once a token was fetched."""
    if settings.quota_project is None and isinstance(tokens, AdcTokens):
        return lambda: tokens.quota_project
    return lambda: settings.quota_project


def _configured(config: schema.Config) -> tuple[Secret, ...]:
    """Every secret that the configuration holds."""
    own = [secret for each in config.providers.values() for secret in (each.api_key, each.client_secret) if secret]
    return (*config.gateway.api_keys, *own)
