"""One configuration put together: the one place that knows all the parts.

Nothing below builds its own collaborators, so that each part can be tested with others in their place, and so that
reading this file tells what the running gateway consists of. What outlives a configuration is the runtime's; the rest
ends with it.
"""

import os
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from random import random
from typing import Final

from gateway.auth.auth_manager import AuthManager
from gateway.auth.oauth.refreshing_client import OAuthClients
from gateway.auth.oauth.settings import OAuthSettings
from gateway.auth.sources import ApiKey, StoredToken
from gateway.auth.tokens.token import Token
from gateway.auth.tokens.watch_files import WatchedFiles
from gateway.bindings import ProviderBinding, bind, logins_of, replaced
from gateway.clients.admission import ClientAdmission
from gateway.clients.client import may_ask
from gateway.config import schema
from gateway.config.known_secrets import known_secrets
from gateway.config.loader import Loaded, resolve
from gateway.config.token_files import WatchFile
from gateway.core.response_store import Limits
from gateway.core.secrets import Secret
from gateway.dispatch.attempt import Attempt, AttemptPolicy
from gateway.dispatch.explain import Explainer
from gateway.dispatch.failover import Failover
from gateway.dispatch.turns import Turns
from gateway.handler.call_handler import CallServices
from gateway.handler.passthrough_handler import PassthroughHandler
from gateway.handler.request_handler import RequestHandler
from gateway.handler.response_transformer import ResponseTransformer
from gateway.limits.refill import refill
from gateway.observe.costs import with_costs
from gateway.observe.ledger_store import Keep
from gateway.pricing import Pricing
from gateway.providers.base import Provider
from gateway.providers.factory import ProviderFactory
from gateway.routing.endpoint_routes import EndpointRoutes
from gateway.routing.router import Router
from gateway.runtime import Runtime
from gateway.server.guard import Guard
from gateway.server.metrics_route import NAME as METRICS_ROUTE
from gateway.server.unserved import unserved
from gateway.upstream.surroundings import proxies_of
from gateway.wires.base import InboundWire

MIB: Final = 1 << 20
MAX_THREADS: Final = 1024
"""An idle one takes about 30 KB; each caller that waits has a connection too, of which the server takes 1,000."""


def threads_for(config: schema.Config) -> int:
    """The threads to have: those for running calls, and one for each caller that may wait in line for a rate limit.

    Without the latter two busy limited providers would hold every thread, and calls to all others would wait as well.
    """
    return min(MAX_THREADS, config.gateway.threads + sum(limit.max_queue_size for limit in config.rate_limits))


class Assembly:
    """One configuration. What answers calls is built when it is first asked for: to explain needs no provider, no
    thread and no socket.

    Attributes:
        auth: the credentials.
        router: knows the model names.
        explainer: how a model would be routed now.
        pricing: knows what a call costs.
        guard: decides who may ask.
        pools: the accounts of the providers that have several.
        turns: the order of targets, where a strategy decides it; `sticky`: whether any tells sessions apart.
        timeout: seconds a call may take.
        max_body: bytes a request's body may have.
        unserved: the names of routes that are unknown paths.
        bindings: by provider, what it is called with.
        token_store: keeps the tokens of logins.
        foreign_files: the files of other tools that hold tokens.
        watched: reads them.
        loaded, generation: as given.

    Args:
        loaded: the configuration and where it was.
        runtime: what outlives it. It takes the settings of this one by `apply`.
        port: the one that is served, for the guard.
        generation: its number; None where nothing is served.
        earlier: the one that is served until now. What both have alike goes on: tokens, their renewals, files.
    """

    def __init__(
        self,
        loaded: Loaded,
        runtime: Runtime,
        *,
        port: int,
        generation: int | None = None,
        earlier: "Assembly | None" = None,
    ) -> None:
        config = self._config = loaded.config
        self.loaded = loaded
        self.generation = generation
        self._runtime = runtime
        self._base: Path | None = loaded.path.parent if loaded.path else None
        self._providers: dict[str, Provider] = {}
        self._handlers: dict[str, RequestHandler] = {}
        self.timeout = config.gateway.request_timeout_seconds
        self.max_body = config.gateway.max_body_mib * MIB
        self.unserved: Collection[str] = unserved(config.gateway)
        before: Mapping[str, ProviderBinding] = earlier.bindings if earlier else {}
        self.bindings: Mapping[str, ProviderBinding] = bind(config.providers, runtime, self._base, before)
        self._replaced = replaced(before, self.bindings)
        self.token_store = runtime.token_store(resolve(config.auth.token_store_path, self._base))
        self.foreign_files = self._foreign_files(config.auth)
        kept = earlier.watched if earlier and earlier.foreign_files == self.foreign_files else None
        self.watched: WatchedFiles = kept or WatchedFiles(self.foreign_files, runtime.clock)
        self._logins = logins_of(self.bindings)
        self._sources = {name: login.source for name, login in self._logins.items()}
        stored = {name: each for name, each in self._sources.items() if isinstance(each, StoredToken)}
        logins = {name: each.oauth for name, each in stored.items() if each.oauth}
        self._clients = OAuthClients(logins, runtime.environ, runtime.clock, runtime.masker.add)
        self._secrets = self.secrets()
        for secret in self._secrets:
            runtime.masker.add(secret)
        self.auth: AuthManager = self._auth(earlier.auth if earlier else None)
        self._timeouts = {name: settings.timeouts for name, settings in config.providers.items()}
        self.router = Router(config.model_aliases, config.providers)
        self.endpoint_routes = EndpointRoutes({name: each.resolved.paths for name, each in self.bindings.items()})
        self.pricing = Pricing(config, self.bindings, runtime.price_table)
        self.guard = Guard.of(config.gateway, port, config.clients, runtime.page_token, runtime.clock.wall)
        self._admission = ClientAdmission(runtime.clients, self.pricing.cost)
        self.pools = {name: pool for name, each in self.bindings.items() if (pool := each.resolved.pool) is not None}
        self.turns = Turns(runtime.health, runtime.limiters, self.auth, self.pools)
        self.sticky = self.turns.sticky
        self.explainer = Explainer(
            router=self.router,
            health=runtime.health,
            limiters=runtime.limiters,
            lessons=runtime.lessons,
            auth=self.auth,
            timeouts=self._timeouts,
            configuration=str(loaded.path) if loaded.path else None,
            generation=generation,
            proxies=proxies_of(self.endpoints),
            endpoints=self.endpoint_routes,
            wires={name: each.resolved.wire for name, each in self.bindings.items()},
            turns=self.turns,
            clients=partial(may_ask, config.clients),
            sharing=runtime.shared,
        )

    def apply(self) -> None:
        """Have what outlives it take its settings over. To be called when it is served from now on: nothing before has
        changed anything for the calls of the one before."""
        runtime = self._runtime
        runtime.masker.keep(self._secrets)
        accounts = {name: pool.names for name, pool in self.pools.items()}
        runtime.limiters.configure(self._config.rate_limits, self.bindings, accounts)
        refill(runtime.limiters, runtime.ledger, runtime.clock.wall())
        runtime.clients.configure(self._config.clients, runtime.ledger)
        kept = self._config.gateway.response_store
        runtime.responses.configure(Limits(kept.max_mib * MIB, kept.hours * 3600))
        vendors = {name: binding.vendor for name, binding in self.bindings.items()}
        runtime.sums.configure(self.router.targets, vendors, counting=METRICS_ROUTE not in self.unserved)
        runtime.ledger.set_pricing(partial(with_costs, cost_of=self.pricing.cost))
        ledger = self._config.ledger
        if runtime.ledger.store is not None:
            runtime.ledger.store.configure(Keep(ledger.keep_days, ledger.keep_summary_days, ledger.max_mib * MIB))
        runtime.health.forget(self._replaced)
        runtime.lessons.forget(self._replaced)
        runtime.quotas.forget(self._replaced)

    @property
    def endpoints(self) -> Mapping[str, str]:
        """The addresses of the providers, by name; the embedded one has none before it runs."""
        found = {name: binding.resolved.endpoint for name, binding in self.bindings.items()}
        return {name: endpoint for name, endpoint in found.items() if endpoint is not None}

    @cached_property
    def failover(self) -> Failover:
        """Asks the targets. To be asked for before calls come: it builds every provider."""
        runtime = self._runtime
        attempt = Attempt(
            providers=self.providers(),
            policy=AttemptPolicy(
                runtime.limiters, runtime.health, runtime.retry_budgets, self._timeouts, runtime.lessons
            ),
            auth=self.auth,
            observers=runtime.observers,
            random=random,
            on_head=runtime.heard,
        )
        return Failover(attempt, runtime.health, runtime.clock, self.turns)

    def login_settings(self, name: str) -> OAuthSettings | None:
        """How to log in with a credential, `NAME` or `NAME@account`; None where its settings do not say. Raises
        KeyError: there is none of this name, or it needs no login."""
        source = self._sources[name]
        if not isinstance(source, StoredToken):
            raise KeyError(name)
        return source.oauth

    def handler(self, wire: InboundWire) -> RequestHandler:
        """Answers the chats of callers of a wire: one for each wire, which share everything but the wire."""
        found = self._handlers.get(wire.name)
        if found is None:  # two threads may make two, which are alike
            transformer = ResponseTransformer(wire, self._config.gateway.response_model)
            found = self._handlers[wire.name] = RequestHandler(wire, self._services, transformer)
        return found

    def passthrough(self, wire: InboundWire) -> PassthroughHandler:
        """Answers requests beside chat, whose errors have this wire's form."""
        return PassthroughHandler(wire, self._services, self.endpoint_routes, self._config.gateway.response_model)

    @cached_property
    def _services(self) -> CallServices:
        runtime = self._runtime
        return CallServices(
            self.router,
            self.failover,
            self._timeouts,
            runtime.watchdog,
            runtime.observers,
            self._admission,
            runtime.relay,
            runtime.session_key,
        )

    def providers(self) -> Mapping[str, Provider]:
        """Who answers, by name."""
        if not self._providers:
            factory = ProviderFactory(
                pool_size=threads_for(self._config),
                environ=self._runtime.environ,
                clock=self._runtime.clock,
                memory=self._runtime.memory,
                shared=self._runtime.transports,
                aliases=self._config.model_aliases,
            )
            for name, each in self.bindings.items():
                endpoint = self._runtime.demo.base_url if each.resolved.type == "demo" else each.resolved.endpoint
                if endpoint is None:
                    raise ValueError(f"the vendor {each.resolved.type} has no address")
                self._providers[name] = factory.build(each.resolved, endpoint, each.quota_project)
        return self._providers

    def secrets(self) -> tuple[Secret, ...]:
        """The secrets known by value now, for masking; those that come later are added as they come."""
        found: list[Secret | None] = [self._runtime.page_token, *known_secrets(self._config)]
        for name, source in self._sources.items():
            if isinstance(source, ApiKey):
                found.append(source.secret)
            if isinstance(source, StoredToken):
                found.append(source.oauth.client_secret if source.oauth else None)
                for token in self._known_tokens(name):
                    found += (token.access_token, token.refresh_token)
        return tuple(secret for secret in found if secret)

    def close(self) -> None:
        """Close every connection of it. Idempotent."""
        for provider in self._providers.values():
            provider.close()
        self._clients.close()

    def _auth(self, earlier: AuthManager | None) -> AuthManager:
        return AuthManager(
            self._sources,
            self.token_store,
            self.watched,
            self._runtime.clock,
            clients=self._clients,
            token_sources={name: each.tokens for name, each in self._logins.items() if each.tokens is not None},
            on_secret=self._runtime.masker.add,
            on_unsaved=self._runtime.unsaved_tokens.add,
            earlier=earlier,
        )

    def _foreign_files(self, settings: schema.Auth) -> Sequence[tuple[Path, WatchFile]]:
        """The files of other tools; our own store among them would only be read twice."""
        entries = [WatchFile(path=each) if isinstance(each, str) else each for each in settings.watch_files]
        files = [(resolve(each.path, self._base), each) for each in entries]
        own = os.path.realpath(self.token_store.path)
        return [(path, each) for path, each in files if os.path.realpath(path) != own]

    def _known_tokens(self, provider: str) -> list[Token]:
        own = self.token_store.get(provider)
        return [*([own] if own else ()), *self.watched.tokens(provider)]
