"""One process that serves alone: its start, what it says of itself, and its stop.

The main thread only waits for a signal; the server's loop has a thread of its own. So a signal handler never runs in
the middle of the loop's bookkeeping, and it is the same on Windows, where a blocked lock does not see signals.
"""

import logging
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import closing

from gateway.config.loader import Loaded
from gateway.config.overrides import Overrides
from gateway.config_file import ConfigFile
from gateway.greeting import greeting
from gateway.observe import logs
from gateway.outputs import FLUSH_SECONDS, STOPPING, Outputs, stopped
from gateway.process import (
    SIGNAL_SECONDS,
    STOP_SECONDS,
    StopSignals,
    Supervisor,
    freeze_startup_objects,
    limit_malloc,
    raise_descriptor_limit,
)
from gateway.serve import Gateway

logger = logging.getLogger(__name__)


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
        outputs = Outputs(loaded)
        logs.set_up(settings.level, settings.format, gateway.runtime.masker, outputs.lines.queue)
        signals.install()
        gateway.start()
        freeze_startup_objects()
        outputs.say(greeting(gateway.assembly, gateway.url, environ))
        for each in supervisors:
            each.serving(gateway.port, signals.wake)
        signals.wait(gateway.reloader.request)
        _end(gateway, outputs, supervisors)
        outputs.close()
        return 1 if gateway.died else 0


def _end(gateway: Gateway, outputs: Outputs, supervisors: Sequence[Supervisor]) -> None:
    if gateway.died:  # a service manager starts a process again that has ended, and none that serves nothing
        outputs.say("Stopped by a fault of the gateway; its log has the details.")
        return
    drain_seconds = gateway.loaded.config.gateway.drain_seconds
    for each in supervisors:
        each.stopping(drain_seconds + STOP_SECONDS + 2 * FLUSH_SECONDS)
    outputs.say(STOPPING)
    outputs.say(stopped(stop(gateway, drain_seconds), drain_seconds))


def stop(gateway: Gateway, drain_seconds: float, more: float = STOP_SECONDS) -> int:
    """Drain and close a gateway, on a thread of its own: this one has to see signals, and what hangs there (a name
    server, a disk) must not keep the process.

    Args:
        gateway: is not used any more afterwards.
        drain_seconds: of its settings.
        more: seconds that everything beyond the drain may take.

    Returns:
        How many answers were cut.
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
    return sum(cut)
