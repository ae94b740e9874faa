"""A gateway that listens: sockets, the configuration behind them, and the way down.

The main thread only waits for a signal; the server's loop has a thread of its own. So a signal handler never runs in
the middle of the loop's bookkeeping, and it is the same on Windows, where a blocked lock does not see signals.
"""

import logging
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from gateway.assembly import MIB, Assembly, threads_for
from gateway.config.client_rules import needs_key
from gateway.config.loader import Loaded, resolve
from gateway.config.overrides import Overrides
from gateway.config_file import ConfigFile
from gateway.core.clock import Clock, SystemClock
from gateway.core.errors import Draining
from gateway.core.this_machine import reachable_from_here
from gateway.greeting import greeting
from gateway.httpd.listening import bind
from gateway.httpd.server import HttpServer
from gateway.observe import logs
from gateway.observe.output_queue import OutputQueue
from gateway.own_rows import own_rows
from gateway.process import StopSignals, Supervisor, freeze_startup_objects, limit_malloc, raise_descriptor_limit
from gateway.reload import Reloader
from gateway.runtime import Current
from gateway.server.gateway_proxy import GatewayProxy
from gateway.server.page_token import PageTokenFile
from gateway.server.routes import ENDPOINTS, Row
from gateway.together import runtime_of, together

CUT_SECONDS: Final = 2.0
"""What an answer that is cut at the end of the drain gets to say so."""
STOP_SECONDS: Final = 3.5
"""What the whole stop gets beyond the drain. With FLUSH_SECONDS for each output it stays below five."""
FLUSH_SECONDS: Final = 0.4
"""What the last lines of an output get whose reader pauses."""
SIGNAL_SECONDS: Final = 0.05
"""Between two looks for a second signal: on Windows a thread that waits for another one does not see signals."""

logger = logging.getLogger(__name__)


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
    ) -> None:
        settings = loaded.config.gateway
        self._together = together(loaded)
        self._sockets = bind(settings.host, settings.port, exposed=settings.exposed and needs_key(loaded.config))
        address, self.port = self._sockets[0].getsockname()[:2]
        address = reachable_from_here(address)
        self.url = f"http://[{address}]:{self.port}" if ":" in address else f"http://{address}:{self.port}"
        self.threads = threads_for(loaded.config)
        self.runtime = runtime_of(loaded, environ, self._together, clock, relayed=relayed)
        self.current: Current[Assembly] = Current()
        self._serving = threading.Lock()
        self._closed = False
        self.assembly = self._assemble(loaded, None)
        self._turn_to(self.assembly)
        self.reloader = Reloader(self, file, SystemClock())
        self.proxy = GatewayProxy(
            self.current,
            self.runtime.drain_state,
            self.runtime.clock,
            self.runtime.masker.mask,
            (*endpoints, *own_rows(self.runtime, lambda: self.assembly, self.reloader, self.url)),
            observers=self.runtime.observers,
        )
        self._page_token = PageTokenFile(self.runtime.page_token, _token_folder(loaded), SystemClock())
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
        with self._serving:
            if self._closed:
                raise Draining("The gateway is shutting down.")
            assembly = self._assemble(loaded, self.assembly)
            self._turn_to(assembly)
            self._server.set_thread_count(threads_for(loaded.config))
        logs.change(loaded.config.logging.level, loaded.config.logging.format)
        return assembly

    def _assemble(self, loaded: Loaded, earlier: Assembly | None) -> Assembly:
        """A configuration put together beside the one that is served."""
        number = 1 if earlier is None else self.generation + 1
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


def _token_folder(loaded: Loaded) -> Path | None:
    """Where the page's token is kept. Without a configuration file there is no login, and no file is left behind."""
    store = resolve(loaded.config.auth.token_store_path, loaded.path.parent) if loaded.path else None
    return store.parent if store and loaded.config.gateway.page else None


def run(
    loaded: Loaded, environ: Mapping[str, str], overrides: Overrides, supervisors: Sequence[Supervisor] = ()
) -> int:
    """Serve until a signal or a supervisor says stop.

    Args:
        loaded: the configuration.
        environ: the process's environment.
        overrides: what the command line and the environment say over the file, at every reload too.
        supervisors: may ask it to stop too.

    Returns:
        The process's exit code.

    Raises:
        BindError: the address cannot be listened on.
    """
    limit_malloc()
    raise_descriptor_limit()
    file = ConfigFile(loaded.path, environ, overrides) if loaded.path else None
    settings = loaded.config.logging
    with closing(StopSignals(terminal=sys.stdin is not None and sys.stdin.isatty())) as signals:
        gateway = Gateway(loaded, environ, on_death=signals.wake, file=file)
        said = OutputQueue(sys.stdout, lambda count: f"({count} lines were not shown.)\n")
        lines = _log_lines(loaded, said)
        logs.set_up(settings.level, settings.format, gateway.runtime.masker, lines.queue)
        signals.install()
        gateway.start()
        freeze_startup_objects()
        _say(said, greeting(gateway.assembly, gateway.url, environ))
        for each in supervisors:
            each.serving(gateway.port, signals.wake)
        signals.wait(gateway.reloader.request)
        _end(gateway, said, supervisors)
        lines.close(FLUSH_SECONDS)
        said.close(FLUSH_SECONDS)
        return 1 if gateway.died else 0


def _end(gateway: Gateway, said: OutputQueue, supervisors: Sequence[Supervisor]) -> None:
    if gateway.died:  # a service manager starts a process again that has ended, and none that serves nothing
        _say(said, "Stopped by a fault of the gateway; its log has the details.")
        return
    drain_seconds = gateway.loaded.config.gateway.drain_seconds
    for each in supervisors:
        each.stopping(drain_seconds + STOP_SECONDS + 2 * FLUSH_SECONDS)
    _say(said, "Stopping: running answers may end, new connections are refused. Once more to leave at once.")
    _say(said, stop(gateway, drain_seconds))


def _log_lines(loaded: Loaded, said: OutputQueue) -> logs.LogLines:
    """Where log lines go: to standard error, or to the file that is configured. Trouble with the file is said."""
    settings = loaded.config.logging
    path = resolve(settings.file, loaded.path.parent if loaded.path else None) if settings.file else None
    return logs.LogLines(
        path or sys.stderr, settings.format, lambda fault: _say(said, f"Log lines are lost: {path}: {fault.strerror}.")
    )


def stop(gateway: Gateway, drain_seconds: float, more: float = STOP_SECONDS) -> str:
    """Drain and close a gateway, on a thread of its own: this one has to see signals, and what hangs there (a name
    server, a disk) must not keep the process.

    Args:
        gateway: is not used any more afterwards.
        drain_seconds: of its settings.
        more: seconds that everything beyond the drain may take.

    Returns:
        How it went, for people.
    """
    cut: list[int] = []

    def end() -> None:
        cut.append(gateway.drain())
        gateway.close()

    stopping = threading.Thread(target=end, name="stopping", daemon=True)
    stopping.start()
    deadline = time.monotonic() + drain_seconds + more
    while stopping.is_alive() and time.monotonic() < deadline:
        stopping.join(SIGNAL_SECONDS)
    if stopping.is_alive():
        logger.warning("Something did not end within %g s after the drain: it ends with the process.", more)
    return f"Stopped; {cut[0]} answers were cut after {drain_seconds:g} s." if any(cut) else "Stopped."


def _say(said: OutputQueue, text: str) -> None:
    """Print, if anyone reads: neither a closed pipe nor a reader that pauses is a reason to stop serving."""
    said.write(f"{text}\n")
