"""A gateway that listens: sockets, the configuration behind them, and the way down."""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from socket import socket
from typing import Final

from gateway.assembly import MIB, Assembly, threads_for
from gateway.clients.engines import Engines, local_engines
from gateway.config.client_rules import needs_key
from gateway.config.loader import Loaded
from gateway.config.schema import Config
from gateway.config_file import ConfigFile
from gateway.core.clock import Clock, SystemClock
from gateway.core.errors import Draining
from gateway.core.secrets import Secret
from gateway.core.this_machine import reachable_from_here
from gateway.httpd.listening import bind
from gateway.httpd.server import HttpServer
from gateway.knowledge import ALONE, Knowledge
from gateway.observe import logs
from gateway.own_rows import own_rows
from gateway.reload import Reloader, Reloads
from gateway.runtime import Current, Runtime, ledger_store
from gateway.server.gateway_proxy import GatewayProxy
from gateway.server.page_token import PageTokenFile, token_folder
from gateway.server.routes import ENDPOINTS, Row
from gateway.together import together
from gateway.workers.siblings import Siblings

CUT_SECONDS: Final = 2.0
"""What an answer that is cut at the end of the drain gets to say so."""


@dataclass(frozen=True, slots=True)
class WorkerPlace:
    """What a worker has of its gateway, in place of what a single process makes for itself.

    Attributes:
        sockets: listening, its own and those of its siblings.
        siblings: the other workers.
        page_token: the same for all of them; its file is the parent's.
        generation: of the configuration.
        reloads: by the parent.
        knowledge, engines: what workers know together, of targets and of limits, as the runtime takes them.
    """

    sockets: Sequence[socket]
    siblings: Siblings
    page_token: Secret
    generation: int
    reloads: Reloads
    knowledge: Knowledge = ALONE
    engines: Callable[[Clock], Engines] = local_engines


class Gateway:
    """One gateway on its sockets.

    Args:
        loaded: the configuration.
        environ: the process's environment, for keys.
        clock: the time.
        relayed: whether streams that have begun leave their threads.
        on_death: is called where the server has ended by a fault; on its thread.
        endpoints: the routes.
        file: where the configuration is read again; None where it is not.
        place: of a worker among others; None where this process serves alone.

    Raises:
        BindError: the address cannot be listened on.
        UnusableServer: the server that gateways share refuses this one.
    """

    def __init__(  # noqa: PLR0913 - what a gateway is given, by name
        self,
        loaded: Loaded,
        environ: Mapping[str, str],
        clock: Clock | None = None,
        *,
        relayed: bool = True,
        on_death: Callable[[], None] = lambda: None,
        endpoints: Sequence[Row] = ENDPOINTS,
        file: ConfigFile | None = None,
        place: WorkerPlace | None = None,
    ) -> None:
        settings = loaded.config.gateway
        knowledge, engines = (place.knowledge, place.engines) if place else (ALONE, local_engines)
        parts = self._together = together(loaded, knowledge, engines)
        self._sockets = place.sockets if place else listening_sockets(loaded.config)
        address, self.port = self._sockets[0].getsockname()[:2]
        address = reachable_from_here(address)
        self.url = f"http://[{address}]:{self.port}" if ":" in address else f"http://{address}:{self.port}"
        self.threads = threads_for(loaded.config)
        self.runtime = Runtime(
            environ,
            threads=settings.threads,
            clock=clock,
            relayed=relayed,
            store=ledger_store(loaded, clock),
            siblings=place.siblings if place else None,
            page_token=place.page_token if place else None,
            knowledge=parts.knowledge,
            engines=parts.engines,
            sharing=parts.server,
        )
        self.current: Current[Assembly] = Current()
        self._serving = threading.Lock()
        self._closed = False
        self.assembly = self._assemble(loaded, None, place.generation if place else 1)
        self._turn_to(self.assembly)
        self.reloader: Reloads = place.reloads if place else Reloader(self, file, SystemClock())
        self.proxy = GatewayProxy(
            self.current,
            self.runtime.drain_state,
            self.runtime.clock,
            self.runtime.masker.mask,
            (*endpoints, *own_rows(self.runtime, lambda: self.assembly, self.reloader, self.url)),
            observers=self.runtime.observers,
            started=self.runtime.recent.numbers.started_at,
        )
        folder = None if place else token_folder(loaded)
        self._page_token = PageTokenFile(self.runtime.page_token, folder, SystemClock())
        self._server = HttpServer(
            self.proxy.application,
            self._sockets,
            threads=self.threads,
            max_body=settings.max_body_mib * MIB,
            on_death=on_death,
        )

    def serve(self, loaded: Loaded) -> Assembly:
        """Serve a configuration from now on; calls that run end with the one they began with. Where that raises,
        nothing has changed.

        Args:
            loaded: the configuration; its settings that need a restart have the values that are served.
        """
        assembly = self.prepare(loaded, self.generation + 1)
        self.turn_to(assembly)
        return assembly

    def prepare(self, loaded: Loaded, generation: int) -> Assembly:
        """Put a configuration together beside the one that is served. It is served by `turn_to`, or closed.

        Args:
            loaded: as for `serve`.
            generation: its number.
        """
        with self._serving:
            if self._closed:
                raise Draining("The gateway is shutting down.")
            return self._assemble(loaded, self.assembly, generation)

    def turn_to(self, assembly: Assembly) -> None:
        """Serve what `prepare` has made from now on. Where that raises, nothing has changed."""
        config = assembly.loaded.config
        with self._serving:
            if self._closed:
                raise Draining("The gateway is shutting down.")
            self._turn_to(assembly)
            self._server.set_thread_count(threads_for(config))
        logs.change(config.logging.level, config.logging.format)

    def accept_on(self, sockets: Collection[socket]) -> None:
        """Of the sockets that workers share, accept on these."""
        self._server.accept_on(sockets)

    def _assemble(self, loaded: Loaded, earlier: Assembly | None, number: int) -> Assembly:
        """A configuration put together beside the one that is served."""
        assembly = Assembly(loaded, self.runtime, port=self.port, generation=number, earlier=earlier)
        try:
            assembly.failover  # noqa: B018 - built before the first call comes
        except BaseException:
            assembly.close()
            raise
        return assembly

    def _turn_to(self, assembly: Assembly) -> None:
        assembly.apply()
        self.current.swap(assembly)
        self.assembly = assembly

    @property
    def loaded(self) -> Loaded:
        """The configuration that is served."""
        return self.assembly.loaded

    @property
    def generation(self) -> int:
        """How many configurations have been served, with this one."""
        return self.assembly.generation or 1

    def start(self) -> None:
        """Accept connections, and watch the configuration file."""
        self._page_token.publish()
        self._together.start()
        self._server.start()
        self.reloader.start()

    def drain(self) -> int:
        """Refuse new connections, let running answers end, those of earlier configurations too; how many had to be cut
        after gateway.drainSeconds."""
        self.reloader.stop()
        self.runtime.drain_state.draining = True
        self._server.stop_accepting()
        self.runtime.watchdog.cancel_queued()
        if self._server.wait_idle(self.loaded.config.gateway.drain_seconds):
            return 0
        cut = self.runtime.watchdog.end_all()
        self._server.wait_idle(CUT_SECONDS)
        return cut

    @property
    def server(self) -> HttpServer:
        """The engine that serves it."""
        return self._server

    @property
    def died(self) -> bool:
        """Whether the server has ended by a fault: nothing is served any more."""
        return self._server.died

    def idle(self, timeout: float) -> bool:
        """Whether no call is under way, now or within `timeout` seconds."""
        return self._server.wait_idle(timeout) and not len(self.runtime.watchdog)

    def close(self) -> None:
        """End everything at once. Idempotent."""
        self.reloader.stop()
        self.runtime.unsaved_tokens.close()  # first: what hangs later must not cost a login
        if self.runtime.relay is not None:
            self.runtime.relay.close()  # before the server: it tells the callers, and gives their connections back
        self._server.close()
        with self._serving:
            self._closed = True
            self.current.swap(None)
            self.assembly.close()
        self.reloader.close()
        self._page_token.close()
        self.runtime.close()
        self._together.close()


def listening_sockets(config: Config) -> list[socket]:
    """Where a single process serves a configuration. Raises BindError."""
    settings = config.gateway
    return bind(settings.host, settings.port, exposed=settings.exposed and needs_key(config))
