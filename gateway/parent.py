"""The parent of several workers: it opens the sockets, reads the configuration, and starts, watches and stops them.

It serves nothing, and imports nothing of what serves. What happens once for a gateway happens here: the banner, the
file of the page's token, the run directory, the looks at the configuration file. The main thread waits for signals,
the hub's thread looks after the workers, and the reloader's after the file.
"""

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from itertools import chain
from socket import socket
from typing import Final

import msgspec

from gateway.config.client_rules import needs_key
from gateway.config.faults import ConfigError, Fault
from gateway.config.known_secrets import known_secrets
from gateway.config.loader import Loaded
from gateway.config.overrides import Overrides
from gateway.config.workers import worker_count
from gateway.config_file import ConfigFile
from gateway.core.client_key import new_page_token
from gateway.core.clock import SystemClock
from gateway.core.errors import Draining
from gateway.httpd.listening import bind_shared
from gateway.observe import logs
from gateway.observe.masking import Masker
from gateway.outputs import FLUSH_SECONDS, STOPPING, Outputs, stopped
from gateway.process import STOP_SECONDS, StopSignals, freeze_startup_objects, raise_descriptor_limit
from gateway.reload import RELOAD_TOPIC, Reloader
from gateway.server.page_token import PageTokenFile, token_folder
from gateway.workers.launch import Process, launch, own_door
from gateway.workers.messages import Message
from gateway.workers.parent_hub import ParentHub
from gateway.workers.run_directory import RunDirectory
from gateway.workers.start import Known, Start

SPARE_SECONDS: Final = 0.7
"""What workers get to end beyond the time in which they end by themselves."""


class Parent:
    """The configuration that the workers serve, and the workers (a gateway.reload.Server and the hub's Owner).

    Attributes:
        loaded: the configuration.
        generation: how many have been served, with this one.
        hub: looks after the workers.
        reloader: looks after the file.

    Args:
        loaded: the first one.
        file: where it is read again.
        sockets: listening, a list for each worker.
        folder: of the run directory.
        outputs: for the banner.
        signals: wakes the main thread.
    """

    def __init__(  # noqa: PLR0913 - what a parent is given, by name
        self,
        loaded: Loaded,
        file: ConfigFile,
        *,
        sockets: Sequence[Sequence[socket]],
        folder: RunDirectory,
        outputs: Outputs,
        signals: StopSignals,
    ) -> None:
        clock = SystemClock()
        self.loaded = loaded
        self.generation = 1
        self._file = file
        self._first = loaded.text
        self._texts = {1: loaded.text}  # by generation: the hub's thread starts workers while a reload is under way
        self._sockets = sockets
        self._folder = folder
        self._outputs = outputs
        self._signals = signals
        self._door = own_door()
        self._token = new_page_token()
        self._token_file = PageTokenFile(self._token, token_folder(loaded), clock)
        self.masker = Masker([self._token, *known_secrets(loaded.config)])
        self.hub = ParentHub(len(sockets), self, {RELOAD_TOPIC: self._reload}, clock)
        self.reloader = Reloader(self, file, clock, on_state=lambda _: self.hub.tell())

    def start(self) -> None:
        """Start the workers; `opened` follows."""
        self._token_file.publish()
        self.hub.start()

    def serve(self, loaded: Loaded) -> None:
        """Have all workers serve a configuration, or none.

        Raises:
            ConfigError: a worker cannot.
            Draining: the gateway stops.
        """
        number = self.generation + 1
        self._texts[number] = loaded.text
        faults = self.hub.turn_over(loaded.text, number)
        if faults is None:
            raise Draining("The gateway is shutting down.")
        if faults:
            del self._texts[number]
            said = [f"worker {worker} cannot serve it: {why}" for worker, why in sorted(faults.items())]
            raise ConfigError([Fault("", 0, 0, each, str(self._file.path)) for each in said])
        del self._texts[self.generation]
        self.loaded, self.generation = loaded, number
        for secret in known_secrets(loaded.config):
            self.masker.add(secret)
        logs.change(loaded.config.logging.level, loaded.config.logging.format)

    def stop(self) -> tuple[int, int]:
        """Have all workers end, and end. Returns how many answers were cut, and the worst exit code."""
        self.reloader.stop()
        for each in chain.from_iterable(self._sockets):
            each.close()  # first: where the workers close theirs, nobody may come any more
        drain_seconds = self.loaded.config.gateway.drain_seconds
        ended = self.hub.stop(drain_seconds + STOP_SECONDS + 2 * FLUSH_SECONDS + SPARE_SECONDS)
        self.reloader.close()
        self._token_file.close()
        return ended

    def _reload(self, _: bytes) -> bytes:
        return msgspec.json.encode(self.reloader.reload())

    # The hub's thread -------------------------------------------------------------------------------------------------

    def launch(self, number: int, generation: int, known: Known) -> Process:
        descriptors = tuple(tuple(each.fileno() for each in sockets) for sockets in self._sockets)
        overrides = self._file.overrides
        start = Start(
            count=len(self._sockets),
            sockets=descriptors,
            path=str(self._file.path),
            first=self._first,
            text=self._texts[generation],
            generation=generation,
            host=overrides.host,
            port=overrides.port,
            page_token=self._token.reveal(),
            folder=str(self._folder.path),
            known=known,
        )
        process = launch(number, [*chain.from_iterable(descriptors), self._folder.lock], self._door)
        process.channel.send(Message("start", body=msgspec.json.encode(start)))
        return process

    def ended(self, number: int) -> None:
        from gateway.clients.shared_engines import forget_worker  # noqa: PLC0415 - few gateways ever need it

        forget_worker(self._folder.path, number)

    def opened(self, greeting: bytes) -> None:
        self._outputs.say(greeting.decode())
        self.reloader.start()

    def failed(self) -> None:
        self._signals.wake()

    def reloads(self) -> bytes:
        return msgspec.json.encode(self.reloader.state)


def run_parent(loaded: Loaded, environ: Mapping[str, str], overrides: Overrides) -> int:
    """Serve by several workers until a signal says stop.

    Args:
        loaded: the configuration, from a file.
        environ: the process's environment.
        overrides: what the command line and the environment say over the file, at every reload too.

    Returns:
        The process's exit code.

    Raises:
        BindError: the address cannot be listened on.
        NoRunDirectory: there is no folder for what the workers share.
    """
    if loaded.path is None:
        raise TypeError("workers are a setting of a file")
    raise_descriptor_limit()
    gateway = loaded.config.gateway
    exposed = gateway.exposed and needs_key(loaded.config)
    sockets = bind_shared(gateway.host, gateway.port, worker_count(gateway), exposed=exposed)
    with ExitStack() as closing_all:
        for each in chain.from_iterable(sockets):
            closing_all.enter_context(each)
        folder = RunDirectory.open(sockets[0][0].getsockname()[1], environ)
        closing_all.callback(folder.remove)
        file = ConfigFile(loaded.path, environ, overrides)
        return _serve(loaded, file, sockets, folder)


def _serve(loaded: Loaded, file: ConfigFile, sockets: Sequence[Sequence[socket]], folder: RunDirectory) -> int:
    """Returns the exit code."""
    log = loaded.config.logging
    parent: Parent | None = None

    def at_once() -> None:
        if parent is not None:
            parent.hub.kill_all()
        folder.remove()

    terminal = sys.stdin is not None and sys.stdin.isatty()
    with closing(StopSignals(terminal=terminal, at_once=at_once)) as signals:
        outputs = Outputs(loaded)
        parent = Parent(loaded, file, sockets=sockets, folder=folder, outputs=outputs, signals=signals)
        logs.set_up(log.level, log.format, parent.masker, outputs.lines.queue)
        signals.install()
        parent.start()
        freeze_startup_objects()
        signals.wait(parent.reloader.request)
        code = _end(parent, outputs)
        outputs.close()
        return code


def _end(parent: Parent, outputs: Outputs) -> int:
    """Returns the exit code."""
    if parent.hub.died:
        parent.stop()
        outputs.say("Stopped: a worker could not start, or the gateway has a fault; its log has the details.")
        return 1
    drain_seconds = parent.loaded.config.gateway.drain_seconds
    outputs.say(STOPPING)
    cut, worst = parent.stop()
    outputs.say(stopped(cut, drain_seconds))
    return worst
