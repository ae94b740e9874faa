"""A gateway that listens: sockets, the system behind them, and the way down.

The main thread only waits for a signal; the server's loop has a thread of its own. So a signal handler never runs in
the middle of the loop's bookkeeping, and it is the same on Windows, where a blocked lock does not see signals.
"""

import contextlib
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import FrameType
from typing import Final

from msgspec import structs

from gateway import __version__
from gateway.assembly import MIB, System
from gateway.config.loader import Loaded
from gateway.core.clock import Clock, SystemClock
from gateway.core.strict_json import dumps
from gateway.httpd.listening import bind
from gateway.httpd.server import HttpServer
from gateway.observe import logs
from gateway.streaming.relay import Relay

M_MMAP_THRESHOLD: Final = -3
M_ARENA_MAX: Final = -8
"""Of glibc's malloc.h."""
MMAP_THRESHOLD: Final = 256 * 1024
"""Bytes from which on a block is the system's own, and goes back to it when it is freed."""
DESCRIPTORS: Final = 4096
"""Two for each connection that the server takes, and plenty for the rest."""
CUT_SECONDS: Final = 2.0
"""What an answer that is cut at the end of the drain gets to say so."""


class Gateway:
    """One gateway on its sockets.

    Args:
        loaded: the configuration.
        environ: the process's environment, for keys.
        clock: the time.
        relayed: whether streams that have begun leave their threads.
        on_death: is called where the server has ended by a fault; on its thread.

    Raises:
        BindError: the address cannot be listened on.
    """

    def __init__(
        self,
        loaded: Loaded,
        environ: Mapping[str, str],
        clock: Clock | None = None,
        *,
        relayed: bool = True,
        on_death: Callable[[], None] = lambda: None,
    ) -> None:
        settings = loaded.config.gateway
        self._settings = settings
        self._sockets = bind(settings.host, settings.port)
        address, self.port = self._sockets[0].getsockname()[:2]
        self.url = f"http://[{address}]:{self.port}" if ":" in address else f"http://{address}:{self.port}"
        self._relay = Relay(SystemClock()) if relayed else None  # what it measures is a socket's silence
        self.system = System(loaded, environ, port=self.port, clock=clock, relay=self._relay)
        self._server = HttpServer(
            self.system.proxy.application,
            self._sockets,
            threads=self.system.threads,
            max_body=settings.max_body_mib * MIB,
            on_death=on_death,
        )

    def start(self) -> None:
        """Accept connections."""
        self._server.start()

    def drain(self) -> int:
        """Refuse new connections, let running answers end; how many had to be cut after gateway.drainSeconds."""
        self.system.switch.draining = True
        self._server.stop_accepting()
        self.system.calls.cancel_queued()
        if self._server.wait_idle(self._settings.drain_seconds):
            return 0
        cut = self.system.calls.end_all()
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
        return self._server.wait_idle(timeout) and not len(self.system.calls)

    def close(self) -> None:
        """End everything at once. Idempotent."""
        if self._relay is not None:
            self._relay.close()  # first: it tells the callers, and gives their connections back
        self._server.close()
        self.system.close()


class StopSignals:
    """SIGINT, SIGTERM, and CTRL_BREAK on Windows: the first asks to drain, a second one leaves at once.

    A wake-up socket carries the first to the waiting main thread (signal.set_wakeup_fd), which a lock would not on
    Windows.
    """

    def __init__(self) -> None:
        self._count = 0
        self._woken = False
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)

    def install(self) -> None:
        """Take the signals over. Main thread only."""
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        names = ["SIGINT", "SIGTERM", "SIGBREAK"]
        for number in [getattr(signal, name) for name in names if hasattr(signal, name)]:
            signal.signal(number, self._arrived)

    def wait(self) -> None:
        """Return when the first has come, or `wake` was called."""
        while not (self._count or self._woken):
            self._reader.recv(64)

    def wake(self) -> None:
        """Have `wait` return without a signal. Any thread."""
        self._woken = True
        with contextlib.suppress(OSError):  # full, so it wakes anyway
            self._writer.send(b"\0")

    def _arrived(self, number: int, frame: FrameType | None) -> None:
        self._count += 1
        if self._count > 1:
            os._exit(1)


def at(loaded: Loaded, host: str | None, port: int | None) -> Loaded:
    """The same configuration with the address that the command line names, where it names one."""
    settings = loaded.config.gateway
    settings = structs.replace(settings, host=host or settings.host, port=settings.port if port is None else port)
    return replace(loaded, config=structs.replace(loaded.config, gateway=settings))


def run(loaded: Loaded, environ: Mapping[str, str]) -> int:
    """Serve until a signal says stop.

    Returns:
        The process's exit code.

    Raises:
        BindError: the address cannot be listened on.
    """
    limit_malloc()
    raise_descriptor_limit()
    signals = StopSignals()
    gateway = Gateway(loaded, environ, on_death=signals.wake)
    settings = loaded.config.logging
    logs.set_up(settings.level, settings.format, gateway.system.masker)
    signals.install()
    gateway.start()
    freeze_startup_objects()
    _say(greeting(loaded, gateway))
    signals.wait()
    if gateway.died:  # a service manager starts a process again that has ended, and none that serves nothing
        _say("Stopped by a fault of the gateway; its log has the details.")
        return 1
    _say("Stopping: running answers may end, new connections are refused. Once more to leave at once.")
    cut = gateway.drain()
    gateway.close()
    _say(f"Stopped; {cut} answers were cut after {loaded.config.gateway.drain_seconds:g} s." if cut else "Stopped.")
    return 0


def greeting(loaded: Loaded, gateway: Gateway) -> str:
    """What is said at the start: where, with what, and a first thing to try."""
    names = [alias.alias for alias in loaded.config.model_aliases]
    others = [name for name in gateway.system.parts if name != "demo"]
    lines = [f"LLM Gateway {__version__} on {gateway.url}/v1 (Ctrl-C stops it)"]
    if loaded.path is None:
        joined = (
            f", and {', '.join(others)} (key found in the environment; model names: {others[0]}/MODEL)"
            if others
            else ""
        )
        lines.append(f"No configuration file: serving the embedded demo provider{joined}.")
    else:
        lines.append(f"Configuration: {loaded.path}")
    lines.append(f"Models: {', '.join(names) or 'no aliases; use PROVIDER/MODEL'}")
    lines.extend(f"Warning: {warning}" for warning in loaded.warnings)
    lines.extend(_credential_lines(gateway.system))
    if names:
        lines.append(f"Try: curl {gateway.url}/v1/chat/completions {_curl_data(names[0])}")
    return "\n".join(lines)


def _credential_lines(system: System) -> Iterator[str]:
    """Who cannot be called yet, and what mends it."""
    for name in system.parts:
        status = system.auth.status(name)
        if status.problem is not None:
            remedy = f" Run: {status.remedy}" if status.remedy else ""
            yield f"Warning: {status.problem}{remedy}"


def _curl_data(model: str) -> str:
    body = dumps({"model": model, "messages": [{"role": "user", "content": "Hello"}]}).decode()
    if sys.platform == "win32":
        body = body.replace('"', '\\"')
        return f'-H "Content-Type: application/json" -d "{body}"'
    return f"-H 'Content-Type: application/json' -d '{body}'"


def _say(text: str) -> None:
    """Print, if anyone reads: a closed pipe is no reason to stop serving."""
    with contextlib.suppress(OSError, ValueError):
        print(text, flush=True)


def raise_descriptor_limit() -> None:
    """Let the process have as many sockets as it serves connections: with a stream each of them has a second one, to
    the provider. Systems begin with 256 or 1024 for both, and let a process have more where it asks."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - Windows has none

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # macOS has a lower limit than it tells
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def limit_malloc() -> None:
    """Have glibc give memory back. It makes an arena for each thread and hands little of them back: after some rounds
    of 30 answers of 5 MB at once, 64 threads held 657 MB; with two arenas 284 MB (2026-11-23, Linux x86_64). And it
    raises its threshold for blocks of their own with every large one that is freed, up to 32 MiB, so that later ones
    stay in the arenas: set by us it stays where it is."""
    if sys.platform == "linux":
        with contextlib.suppress(ImportError, OSError, AttributeError):  # no ctypes, or another C library
            import ctypes  # noqa: PLC0415 - here only, and some Pythons are built without it

            libc = ctypes.CDLL(None)
            libc.mallopt(M_ARENA_MAX, 2)
            libc.mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD)


def freeze_startup_objects() -> None:
    """Have the garbage collector not look at what the start has made, which stays.

    While it looks at everything, every stream stands still: with 1,000 streams for 72 ms, without the start's objects
    for 43 ms (2026-11-25, Linux x86_64, Python 3.11). It looks as often as before: where it waited five times as long,
    failed calls, whose tracebacks hold circles, took 17 MB more.
    """
    gc.freeze()
