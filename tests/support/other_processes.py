"""Processes that a test looks at, or stops, by their numbers. POSIX's."""

import os
import signal
import subprocess
from pathlib import Path

from tests.support.edge import until


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not _state(pid).startswith("Z")


def stop(pid: int) -> None:
    """Stop a process, and wait until none of its threads does anything more; the signal is only a wish at first."""
    os.kill(pid, signal.Signals["SIGSTOP"])
    threads = Path(f"/proc/{pid}/task")

    def has_stopped() -> bool:
        if not threads.exists():
            return _state(pid).startswith("T")
        return all((each / "stat").read_text().rpartition(")")[2].split()[0] == "T" for each in threads.iterdir())

    until(has_stopped)


def _state(pid: int) -> str:
    return subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
