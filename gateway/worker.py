"""One of several workers: a gateway on sockets that its parent has opened, with a configuration that it has read.

It accepts connections when the parent says so, on its own sockets and on those of siblings that do not serve now. A
new configuration is built on a thread of its own, and served when the parent says that all have built it. A worker
whose parent is gone drains and ends by itself.
"""

import logging
import os
import threading
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from socket import socket
from typing import Final

import msgspec

from gateway.assembly import Assembly
from gateway.clients.shared_engines import shared_engines
from gateway.config.changes import ReloadOutcome, keep_fixed
from gateway.config.faults import ConfigError
from gateway.config.loader import Loaded
from gateway.config.overrides import from_environment
from gateway.config_file import ConfigFile
from gateway.core.clock import SystemClock
from gateway.core.errors import Draining
from gateway.core.no_op import no_op
from gateway.core.secrets import Secret
from gateway.greeting import greeting
from gateway.knowledge import shared_knowledge
from gateway.observe import logs
from gateway.outputs import Outputs
from gateway.process import StopSignals, freeze_startup_objects, limit_malloc, raise_descriptor_limit
from gateway.reload import RELOAD_TOPIC
from gateway.reload_state import ReloadState
from gateway.run import stop
from gateway.serve import Gateway, WorkerPlace
from gateway.workers.hub import Hub
from gateway.workers.messages import PARENT, Message
from gateway.workers.start import Known, Prepare, Start

RELOAD_SECONDS: Final = 60.0
"""What a reload may take that was asked for here: longer than the parent waits for a file and for all workers."""

_KNOWN: Final = msgspec.json.Decoder(Known)
_OUTCOME: Final = msgspec.json.Decoder(ReloadOutcome)
_PREPARE: Final = msgspec.json.Decoder(Prepare)
_RELOADS: Final = msgspec.json.Decoder(ReloadState)

logger = logging.getLogger(__name__)


class NoParent(Exception):
    """This process was not started by a gateway, or its parent is gone. The text is one line for people."""


class FollowedReloads:
    """The parent's reloads, as a worker knows them (gateway.reload.Reloads).

    Attributes:
        state: how they have ended; the hub's thread sets it.
    """

    def __init__(self, hub: Hub, state: ReloadState) -> None:
        self.state = state
        self._hub = hub

    def start(self) -> None:
        """Nothing: the parent watches the file."""

    def request(self) -> None:
        self._hub.say(Message("ask", topic=RELOAD_TOPIC, worker=PARENT))

    def reload(self) -> ReloadOutcome:
        answer = self._hub.ask_parent(RELOAD_TOPIC, b"", within=RELOAD_SECONDS)
        if answer is None:
            raise Draining("The gateway is shutting down.")
        return _OUTCOME.decode(answer)

    def stop(self) -> None:
        """Nothing, likewise."""

    def close(self) -> None:
        """Nothing, likewise."""


class Worker:
    """The worker.

    Attributes:
        gateway: that it serves.
        failed: whether it could not turn to a configuration that it had built, so that it has to be started anew.

    Args:
        hub: its end of what connects it with its parent.
        start: what it is to serve.
        environ: the process's environment.
        signals: wakes the main thread.

    Raises:
        ConfigError: the configuration cannot be used.
    """

    def __init__(self, hub: Hub, start: Start, environ: Mapping[str, str], signals: StopSignals) -> None:
        self.failed = False
        self._hub = hub
        self._signals = signals
        overrides = from_environment(environ, start.host, start.port)
        self._file = ConfigFile(Path(start.path), environ, overrides)
        handles = {each: _listening(each) for each in set(chain.from_iterable(start.sockets))}
        self._sockets = [[handles[each] for each in sockets] for sockets in start.sockets]
        self._prepared: tuple[int, Assembly] | None = None  # the thread that builds hands it to the hub's
        first = self._file.parse(start.first)
        loaded = self._kept(first, start.text) if start.text != start.first else first
        self._reloads = FollowedReloads(hub, _RELOADS.decode(start.known.reloads))
        folder = Path(start.folder)
        place = WorkerPlace(
            sockets=list(handles.values()),
            siblings=hub,
            page_token=Secret(start.page_token),
            generation=start.generation,
            reloads=self._reloads,
            knowledge=shared_knowledge(folder, hub.number, SystemClock.wall),
            engines=partial(shared_engines, folder, hub.number),
        )
        self.gateway = Gateway(loaded, environ, on_death=signals.wake, place=place)
        self._know(start.known)
        hub.on("go", lambda _: self.gateway.start())
        hub.on("state", lambda message: self._know(_KNOWN.decode(message.body)))
        hub.on("prepare", self._prepare)
        hub.on("turn", self._turn)
        hub.on("drop", self._drop)
        hub.on("drain", lambda _: signals.wake())

    # The hub's thread -------------------------------------------------------------------------------------------------

    def _know(self, known: Known) -> None:
        """Accept the connections of siblings that do not serve."""
        numbers = {self._hub.number, *known.absent}
        self.gateway.accept_on({each for number in numbers for each in self._sockets[number]})
        self.gateway.runtime.drain_state.degraded = known.degraded
        self._reloads.state = _RELOADS.decode(known.reloads)

    def _prepare(self, message: Message) -> None:
        threading.Thread(target=self._build, args=(message,), name="reload", daemon=True).start()

    def _turn(self, message: Message) -> None:
        if self._prepared is None or self._prepared[0] != message.id:
            return
        assembly, self._prepared = self._prepared[1], None
        try:
            self.gateway.turn_to(assembly)
        except Draining:
            assembly.close()
        except Exception:
            logger.exception("The configuration was built and cannot be served: this worker is started anew.")
            self.failed = True
            self._signals.wake()

    def _drop(self, message: Message) -> None:
        if self._prepared is not None and self._prepared[0] == message.id:
            self._prepared[1].close()
            self._prepared = None

    # A thread for each reload -----------------------------------------------------------------------------------------

    def _build(self, message: Message) -> None:
        wanted = _PREPARE.decode(message.body)
        try:
            loaded = self._kept(self.gateway.loaded, wanted.text)
            self._prepared = message.id, self.gateway.prepare(loaded, wanted.generation)
        except (ConfigError, Draining) as fault:
            self._hub.say(Message("fault", message.id, body=str(fault).encode()))
        except Exception:
            logger.exception("The changed configuration cannot be put together, by a fault of the gateway.")
            self._hub.say(Message("fault", message.id, body=b"by a fault of the gateway; its log has the details"))
        else:
            self._hub.say(Message("ready", message.id))

    def _kept(self, before: Loaded, text: bytes) -> Loaded:
        """A configuration with the settings that need a restart as they are served."""
        loaded = self._file.parse(text)
        return replace(loaded, config=keep_fixed(before.config, loaded.config))


def run_worker(number: int, handle: int, environ: Mapping[str, str]) -> int:
    """Serve until the parent or a signal says stop, or the parent is gone.

    Args:
        number: of this worker.
        handle: the descriptor of its end of the socket pair.
        environ: the process's environment.

    Returns:
        The process's exit code.

    Raises:
        ConfigError: the configuration cannot be used.
        NoParent: the descriptor is no such end, or the parent is gone.
    """
    limit_malloc()
    raise_descriptor_limit()
    with closing(StopSignals(worker=True)) as signals, closing(_hub(number, handle)) as hub:
        try:
            start = hub.wait_for_start()
        except OSError as fault:
            raise NoParent(f"Only a gateway starts its workers: {fault}.") from None
        worker = Worker(hub, start, environ, signals)
        gateway = worker.gateway
        outputs = Outputs(gateway.loaded)
        settings = gateway.loaded.config.logging
        logs.set_up(settings.level, settings.format, gateway.runtime.masker, outputs.lines.queue, worker=number)
        signals.install()
        freeze_startup_objects()
        hub.start(on_gone=signals.wake)
        said = greeting(gateway.assembly, gateway.url, environ, start.count)
        hub.say(Message("built", body=said.encode()))
        signals.wait(no_op)
        if not gateway.died:
            hub.say(Message("leaving"))
            hub.say(Message("left", stop(gateway, gateway.loaded.config.gateway.drain_seconds)))
        outputs.close()
        return 1 if gateway.died or worker.failed else 0


def _hub(number: int, handle: int) -> Hub:
    try:
        os.set_inheritable(handle, False)
        return Hub(socket(fileno=handle), number, SystemClock())
    except OSError as fault:
        raise NoParent(f"Only a gateway starts its workers: {fault.strerror}.") from None


def _listening(handle: int) -> socket:
    os.set_inheritable(handle, False)
    return socket(fileno=handle)
