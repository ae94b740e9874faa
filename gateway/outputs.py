"""What a process of the gateway writes: what it says to people, on standard output, and its log lines.

Neither a closed pipe nor a reader that pauses is a reason to stop serving: both are queues. It knows nothing of what is
served, so that a process that serves nothing can write too.
"""

import sys
from typing import Final

from gateway.config.loader import Loaded, resolve
from gateway.observe import logs
from gateway.observe.output_queue import OutputQueue

FLUSH_SECONDS: Final = 0.4
"""What the last lines of an output get whose reader pauses."""
STOPPING: Final = "Stopping: running answers may end, new connections are refused. Once more to leave at once."


class Outputs:
    """Standard output and the log of one process.

    Attributes:
        lines: where log lines go: to standard error, or to the file that is configured. Trouble with the file is said.

    Args:
        loaded: the configuration that it starts with.
    """

    def __init__(self, loaded: Loaded) -> None:
        settings = loaded.config.logging
        path = resolve(settings.file, loaded.path.parent if loaded.path else None) if settings.file else None
        self._said = OutputQueue(sys.stdout, lambda count: f"({count} lines were not shown.)\n")
        self.lines = logs.LogLines(
            path or sys.stderr,
            settings.format,
            lambda fault: self.say(f"Log lines are lost: {path}: {fault.strerror}."),
        )

    def say(self, text: str) -> None:
        """Print, if anyone reads."""
        self._said.write(f"{text}\n")

    def close(self) -> None:
        """Write what is there, and end."""
        self.lines.close(FLUSH_SECONDS)
        self._said.close(FLUSH_SECONDS)


def stopped(cut: int, drain_seconds: float) -> str:
    """How a stop went, for people.

    Args:
        cut: how many answers were.
        drain_seconds: that they had.
    """
    return f"Stopped; {cut} answers were cut after {drain_seconds:g} s." if cut else "Stopped."
