"""Starts the process of a worker: the same program again, by the same door, with its end of a socket pair.

`fork` would not do: the parent has threads, and on macOS a fork of them may hang. The listening sockets and the lock of
the run directory are inherited; everything else is closed in the new process.
"""

import socket
import subprocess
import sys
from collections.abc import Sequence

from gateway.workers.channel import Channel


class Process:
    """The process of a worker.

    Attributes:
        channel: the parent's end.
    """

    def __init__(self, running: "subprocess.Popen[bytes]", channel: Channel) -> None:
        self.channel = channel
        self._running = running

    @property
    def exit_code(self) -> int | None:
        """How it has ended; negative by a signal. None while it runs."""
        return self._running.poll()

    def kill(self) -> None:
        """End it at once. Idempotent."""
        self._running.kill()


def launch(number: int, inherited: Sequence[int], door: Sequence[str]) -> Process:
    """Start a worker.

    Args:
        number: of it.
        inherited: descriptors that it is to have, under the same numbers.
        door: the command up to the verb.

    Raises:
        OSError: the system starts no process.
    """
    ours, theirs = socket.socketpair()
    try:
        running = subprocess.Popen(  # noqa: S603 - the command that has started this process
            [*door, "serve", "--worker", str(number), "--hub", str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno(), *inherited],
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return Process(running, Channel(ours))


def door(original: Sequence[str], arguments: Sequence[str], executable: str) -> list[str]:
    """The command that has started this process, up to the verb: `python app.py`, `python -m gateway` or the script
    that was installed, each with Python's own options.

    Args:
        original: sys.orig_argv.
        arguments: sys.argv from its second on, which are the last of them.
        executable: sys.executable.
    """
    return [executable, *original[1 : len(original) - len(arguments)]]


def own_door() -> list[str]:
    """The door of this process."""
    return door(sys.orig_argv, sys.argv[1:], sys.executable)
