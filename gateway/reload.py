"""Takes a changed configuration file over while the gateway serves: all of it, or nothing.

The file is read once, checked as at the start, and put together beside the configuration that is served; only then the
pointer turns. A file with a fault changes nothing and is one line in the log. A change is seen by looking at the file
once a second, which works for editors that replace it, for mounts and for network shares. The looks have a thread of
their own: a share that hangs must keep neither the deadlines of calls nor the main thread, which waits for signals.
This module knows neither sockets nor what a configuration is put together of.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Final, Protocol

from gateway.config.changes import ReloadOutcome, compare, keep_fixed, summary
from gateway.config.exposure import guarded_host
from gateway.config.faults import ConfigError, Fault, dotted
from gateway.config.loader import Loaded
from gateway.config.schema import Config
from gateway.config_file import GONE, LOOK_SECONDS, STILL_SECONDS, ConfigFile, FileWatch
from gateway.core.clock import Clock
from gateway.core.durations import plural
from gateway.core.errors import Draining
from gateway.reload_state import ReloadState

PATIENCE_SECONDS: Final = 3.0
"""What a reload that was asked for waits at most for a file that is being written."""
RELOAD_TOPIC: Final = "reload"
"""By which a worker asks its parent to reload (gateway.workers)."""
STOP_SECONDS: Final = 1.0
"""What the thread gets to end; a share that hangs may keep it for longer."""

logger = logging.getLogger(__name__)


class Server(Protocol):
    """What serves configurations (gateway.serve.Gateway)."""

    @property
    def loaded(self) -> Loaded:
        """What is served."""

    @property
    def generation(self) -> int:
        """How many configurations have been served."""

    def serve(self, loaded: Loaded) -> object:
        """Serve this from now on; where that raises, nothing has changed."""


class Reloads(Protocol):
    """What a gateway asks of its reloads: whether this process reads the file (Reloader) or another one does."""

    @property
    def state(self) -> ReloadState:
        """How the reloads have ended."""

    def start(self) -> None:
        """Watch the file, where there is one. Once."""

    def request(self) -> None:
        """Have the file read soon, whether it has changed or not. Returns at once."""

    def reload(self) -> ReloadOutcome:
        """Read the file now, whether it has changed or not. Raises Draining: the gateway stops."""

    def stop(self) -> None:
        """Reload no more. Idempotent."""

    def close(self) -> None:
        """Likewise, and end what watches. Idempotent."""


class Reloader:
    """Reloads the configuration, one reload after the other. Safe to use from many threads.

    Attributes:
        state: how the reloads have ended.

    Args:
        server: what serves it.
        file: where it is read; None where the gateway was started without a file.
        clock: the time of files, which is the real one.
        on_state: is called with each new state.
    """

    def __init__(
        self,
        server: Server,
        file: ConfigFile | None,
        clock: Clock,
        on_state: Callable[[ReloadState], None] | None = None,
    ) -> None:
        self.state = ReloadState(clock.wall())
        self._on_state = on_state
        self._server = server
        self._file = file
        self._clock = clock
        self._turn = threading.Lock()  # one reload at a time
        self._wake = threading.Condition()  # guards the two below
        self._requested = False
        self._closing = False
        self._tried = server.loaded.digest  # of the content that was tried last
        self._watch = FileWatch(file.path, clock) if file else None
        self._thread = threading.Thread(target=self._run, name="gateway-reload", daemon=True)

    def start(self) -> None:
        """Watch the file, where there is one. Once."""
        if self._file is not None:
            self._thread.start()

    def request(self) -> None:
        """Have the file read soon, whether it has changed or not. Returns at once."""
        if self._file is None:
            logger.warning("There is no configuration file to read again: the gateway was started without one.")
        with self._wake:
            self._requested = True
            self._wake.notify()

    def reload(self) -> ReloadOutcome:
        """Read the file now, whether it has changed or not; it is waited for while it is being written.

        Raises:
            Draining: the gateway stops.
        """
        with self._turn:
            self._check_open()
            if self._file is None or self._watch is None:
                message = "the gateway was started without a configuration file: start it again to use one"
                return ReloadOutcome(self._server.generation, faults=(Fault("", 0, 0, message, ""),))
            self._wait_until_still(self._watch)
            return self._take(self._file, *_content(self._file))

    def stop(self) -> None:
        """Reload no more. Idempotent."""
        with self._wake:
            self._closing = True
            self._wake.notify_all()

    def close(self) -> None:
        """Likewise, and end the thread; a reload that runs may end. Idempotent."""
        self.stop()
        if self._thread.ident is not None:
            self._thread.join(STOP_SECONDS)

    # The thread -----------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        pause = LOOK_SECONDS
        while True:
            with self._wake:
                if not (self._requested or self._closing):
                    self._clock.wait(self._wake, pause)
                if self._closing:
                    return
                requested, self._requested = self._requested, False
            try:
                pause = self._step(requested)
            except Draining:
                return
            except Exception:
                logger.exception("The configuration file could not be looked at.")
                pause = LOOK_SECONDS

    def _step(self, requested: bool) -> float:
        """One round; the seconds until the next."""
        if requested:
            self.reload()
        elif self._server.loaded.config.gateway.reload == "auto" and self._file and self._watch:
            return self._look(self._file, self._watch)
        return LOOK_SECONDS

    def _look(self, file: ConfigFile, watch: FileWatch) -> float:
        if pause := watch.look():
            return pause
        with self._turn:
            self._check_open()
            before = watch.signature()
            content = _content(file)
            if watch.signature() != before:
                return STILL_SECONDS  # it was written while it was read
            if before == GONE or not isinstance(content[1], ConfigError):
                watch.note(before)  # else it is locked or may not be read, which can change without a trace
            if content[0] != self._tried:
                self._take(file, *content)
        return LOOK_SECONDS

    # One reload, under `_turn` --------------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._closing:
            raise Draining("The gateway is shutting down.")

    def _wait_until_still(self, watch: FileWatch) -> None:
        end = self._clock.monotonic() + PATIENCE_SECONDS
        waiting = threading.Condition()
        while (pause := watch.moving()) and self._clock.monotonic() < end:
            with waiting:
                self._clock.wait(waiting, pause)

    def _take(self, file: ConfigFile, digest: bytes, text: bytes | ConfigError) -> ReloadOutcome:
        self._tried = digest
        outcome = self._outcome(file, text)
        self.state = self.state.after(outcome, self._clock.wall())
        if self._on_state is not None:
            self._on_state(self.state)
        return outcome

    def _outcome(self, file: ConfigFile, text: bytes | ConfigError) -> ReloadOutcome:
        try:
            if isinstance(text, ConfigError):
                raise text
            return self._serve(file, file.parse(text))
        except ConfigError as error:
            return self._refused(file, error.faults)
        except Draining:
            raise
        except Exception:
            logger.exception("%s: a fault of the gateway", file.path.name)
            message = "it could not be put together by a fault of the gateway; its log has the details"
            return self._refused(file, (Fault("", 0, 0, message, str(file.path)),))

    def _serve(self, file: ConfigFile, loaded: Loaded) -> ReloadOutcome:
        before = self._server.loaded.config
        changes = compare(before, loaded.config)
        if changes.applied:
            kept = keep_fixed(before, loaded.config)
            _check_guarded(kept, file)
            self._server.serve(replace(loaded, config=kept))
        outcome = ReloadOutcome(
            self._server.generation, tuple(map(str, changes.applied)), changes.needs_restart, path=str(file.path)
        )
        what = summary(changes.applied)
        done = f"generation {outcome.generation} ({what})" if what else f"no change; generation {outcome.generation}"
        restart = f"; needs a restart: {', '.join(changes.needs_restart)}" if changes.needs_restart else ""
        logger.info("%s: %s%s", file.path.name, done, restart, extra={"fields": outcome.as_json()})
        for warning in loaded.warnings:
            logger.warning("%s", warning)
        return outcome

    def _refused(self, file: ConfigFile, faults: Sequence[Fault]) -> ReloadOutcome:
        outcome = ReloadOutcome(self._server.generation, faults=tuple(faults), path=str(file.path))
        count = f"{len(faults)} {plural('fault', len(faults))}"
        logger.error(
            "%s: not reloaded, %s; still serving generation %d: %s",
            *(file.path.name, count, outcome.generation, "; ".join(map(_in_words, faults))),
            extra={"fields": outcome.as_json()},
        )
        return outcome


def _check_guarded(kept: Config, file: ConfigFile) -> None:
    """Raise ConfigError where the old address would be served with the new keys, and there are none: a file that is
    sound for its own address may not be for the one that stays until the restart."""
    faults = [Fault(dotted(each.path), 0, 0, each.message, str(file.path)) for each in guarded_host(kept)]
    if faults:
        raise ConfigError(faults)


def _content(file: ConfigFile) -> tuple[bytes, bytes | ConfigError]:
    """What the file says, or why it cannot be read, and by what that is recognized."""
    try:
        text = file.read()
    except ConfigError as error:
        return sha256(str(error).encode()).digest(), error
    return sha256(text).digest(), text


def _in_words(fault: Fault) -> str:
    """`providers.openai (line 14, column 5): unknown key ...`, for a line that begins with the file's name."""
    place = f" (line {fault.line}, column {fault.column})" if fault.line else ""
    where = f"{fault.path}{place}".strip()
    return f"{where}: {fault.message}" if where else fault.message
