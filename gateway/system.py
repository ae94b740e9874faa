"""Everything put together from a configuration: the one place that knows all the parts.

Nothing below builds its own collaborators, so that each part can be tested with others in their place, and so that
reading this file tells what the running gateway consists of.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.auth.auth_manager import ApiKey, AuthManager, CredentialSource
from gateway.auth.token_store import TokenStore
from gateway.auth.watch_files import WatchedFiles
from gateway.config import schema
from gateway.config.loader import Loaded, resolve
from gateway.core.clock import Clock, SystemClock
from gateway.core.secrets import Secret
from gateway.demo import DemoProvider
from gateway.handler.attempt import Attempt
from gateway.handler.call import Calls
from gateway.handler.failover import Failover
from gateway.handler.request_handler import RequestHandler
from gateway.handler.response_transformer import ResponseTransformer
from gateway.limits.rate_limiter import RateLimiters
from gateway.observe.logs import CallLog, Masker
from gateway.providers import catalog
from gateway.providers.base import Provider
from gateway.providers.openai import OpenAIProvider
from gateway.routing.health import Health
from gateway.routing.router import Router
from gateway.server.gateway_proxy import GatewayProxy, Switch
from gateway.server.guard import Guard
from gateway.upstream.session import UpstreamSession
from gateway.upstream.user_agents import UserAgentPool
from gateway.wires.openai_chat import OpenAIChat

MIB = 1 << 20
MOST_THREADS = 1024
"""An idle one takes about 30 KB; each caller that waits has a connection too, of which the server takes 1,000."""


@dataclass(frozen=True, slots=True)
class Part:
    """A provider, where it is and what it authenticates with."""

    provider: Provider
    source: CredentialSource

    @property
    def key(self) -> Secret | None:
        """Its API key, if it has one."""
        return self.source.secret if isinstance(self.source, ApiKey) else None


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
        threads: for the server.
        secrets: those known by value, for masking.

    Args:
        loaded: the configuration and where it was.
        environ: for keys that stand there.
        port: the one that is served, for the guard.
        clock: the time.
    """

    def __init__(self, loaded: Loaded, environ: Mapping[str, str], *, port: int, clock: Clock | None = None) -> None:
        config = loaded.config
        self._clock = clock or SystemClock()
        self._environ = environ
        self.threads = threads_for(config)
        self._outbound = OpenAIChat()
        self._demo: DemoProvider | None = None
        self.switch = Switch()
        self.parts = {name: self._part(name, each) for name, each in config.providers.items() if each.enabled}
        self.secrets = (*_configured(config), *(part.key for part in self.parts.values() if part.key))
        self._inbound = OpenAIChat(Masker(self.secrets).mask)
        self.limiters = RateLimiters(config.rate_limits, self._clock)
        self.calls = Calls()
        router = Router(config.model_aliases, config.providers)
        self.proxy = GatewayProxy(
            handler=self._handler(loaded, router),
            router=router,
            guard=Guard.of(config.gateway, port),
            wire=self._inbound,
            clock=self._clock,
            switch=self.switch,
            timeout=config.gateway.request_timeout_seconds,
            max_body=config.gateway.max_body_mib * MIB,
        )

    def close(self) -> None:
        """Close every connection and thread. Idempotent."""
        for part in self.parts.values():
            part.provider.close()
        self.calls.close()
        if self._demo is not None:
            self._demo.close()

    def _handler(self, loaded: Loaded, router: Router) -> RequestHandler:
        config = loaded.config
        timeouts = {name: settings.timeouts for name, settings in config.providers.items()}
        attempt = Attempt(
            providers={name: part.provider for name, part in self.parts.items()},
            timeouts=timeouts,
            limiters=self.limiters,
            auth=self._auth(loaded),
        )
        return RequestHandler(
            wire=self._inbound,
            router=router,
            failover=Failover(attempt, Health(self._clock)),
            transformer=ResponseTransformer(self._inbound, config.gateway.response_model),
            timeouts=timeouts,
            calls=self.calls,
            log=CallLog(),
        )

    def _auth(self, loaded: Loaded) -> AuthManager:
        settings = loaded.config.auth
        base = loaded.path.parent if loaded.path else None
        entries = [schema.WatchFile(path=each) if isinstance(each, str) else each for each in settings.watch_files]
        return AuthManager(
            {name: part.source for name, part in self.parts.items()},
            TokenStore(resolve(settings.token_store_path, base), self._clock),
            WatchedFiles([(resolve(each.path, base), each) for each in entries], self._clock),
            self._clock,
        )

    def _part(self, name: str, settings: schema.Provider) -> Part:
        found = catalog.resolve(name, settings, self._environ)
        endpoint, source = found.endpoint, found.source
        if found.type == "demo":
            demo = self._start_demo()
            endpoint, source = demo.base_url, ApiKey(Secret(demo.key))
        if endpoint is None:
            raise ValueError(f"the vendor {found.type} has no address")
        session = UpstreamSession(
            name,
            endpoint,
            pool_size=self.threads,
            connect_seconds=settings.timeouts.connect_seconds,
            environ=self._environ,
        )
        provider = OpenAIProvider(
            name,
            endpoint,
            session=session,
            user_agents=UserAgentPool(settings.user_agents, sticky=settings.user_agent_rotation == "credential"),
            wire=self._outbound,
            stream_usage=found.stream_usage,
            clock=self._clock,
        )
        return Part(provider, source)

    def _start_demo(self) -> DemoProvider:
        if self._demo is None:
            self._demo = DemoProvider()
            self._demo.start()
        return self._demo


def _configured(config: schema.Config) -> tuple[Secret, ...]:
    """Every secret that the configuration holds."""
    own = [secret for each in config.providers.values() for secret in (each.api_key, each.client_secret) if secret]
    return (*config.gateway.api_keys, *own)
