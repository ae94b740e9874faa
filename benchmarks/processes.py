"""Starts processes and ends them again, each by its own handle, whatever happens in between."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.faults import Unmeasurable

ROOT: Final = Path(__file__).resolve().parent.parent
if sys.platform == "win32":
    NEW_GROUP: Final = subprocess.CREATE_NEW_PROCESS_GROUP  # so that CTRL_BREAK reaches the child alone
else:
    NEW_GROUP: Final = 0
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 0.002
ANSWER_SECONDS: Final = 5.0
LAST_BYTES: Final = 600
"""Bytes of a log in the message about a process that has failed."""


class Child:
    """A process in its own session, so that the processes it starts end with it.

    Args:
        command: the program and its arguments.
        log: the file for its output.
        more: variables to add to the environment; see `clean` for what is left out of ours.
        piped: whether `line` reads its standard output; otherwise that goes to the log.
    """

    def __init__(
        self, command: Sequence[str], log: Path, more: Mapping[str, str] | None = None, *, piped: bool = False
    ) -> None:
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if piped else output,
                stderr=output,
                env=clean(os.environ) | dict(more or {}),
                start_new_session=sys.platform != "win32",
                creationflags=NEW_GROUP,
            )
        self.pid = self._process.pid

    def line(self) -> str:
        """The next line of its piped output. Raises Unmeasurable: the process has ended."""
        line: bytes = self._process.stdout.readline() if self._process.stdout else b""
        if not line:
            raise Unmeasurable(f"it has ended: {self.last_words()}")
        return line.decode().strip()

    def wait_until(self, up: Callable[[], bool], seconds: float = START_SECONDS) -> float:
        """Wait until the process is up. Returns the seconds that this took.

        Args:
            up: whether it is; called every LOOK_SECONDS.
            seconds: the limit.

        Raises:
            Unmeasurable: the process has ended, or was not up in time.
        """
        began = time.perf_counter()
        while not up():
            if self._process.poll() is not None:
                raise Unmeasurable(f"it has ended with {self._process.returncode}: {self.last_words()}")
            if time.perf_counter() - began > seconds:
                raise Unmeasurable(f"no answer within {seconds:g} s: {self.last_words()}")
            time.sleep(LOOK_SECONDS)
        return time.perf_counter() - began

    def last_words(self) -> str:
        """The end of its log, on one line."""
        return " ".join(self._log.read_text(errors="replace")[-LAST_BYTES:].split())

    def stop(self) -> None:
        """Ask the process to end, and kill it if it does not. Idempotent."""
        if self._process.poll() is None:
            self._ask()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._end_family()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def _ask(self) -> None:
        if sys.platform == "win32":
            self._process.send_signal(signal.CTRL_BREAK_EVENT)
        else:
            self._process.terminate()

    def _end_family(self) -> None:
        """Kill the processes that it left behind. The number of its session stays in use while one of them runs."""
        if sys.platform != "win32":
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                return


def clean(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without keys, proxies and settings of a gateway, so that runs are equal on every machine."""
    ends = ("_API_KEY", "_PROXY", "_proxy")
    return {
        name: value
        for name, value in environ.items()
        if not name.endswith(ends) and name not in ("LLM_GATEWAY_CONFIG", "PYTHONPATH", "GATEWAY_KEY")
    }


def free_port() -> int:
    """A free port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def healthy(port: int, path: str) -> bool:
    """Whether a GET gets 200, or any answer if the contender has no health path."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", path or "/")
        return connection.getresponse().status == 200 or not path
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
