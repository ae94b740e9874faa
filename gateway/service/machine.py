"""What managers do to the machine: commands of the system, files, and waits until something has come about.

A `DryMachine` asks all that a real one asks, changes nothing, and keeps what would be done.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TypeVar

from gateway.core.clock import Clock
from gateway.files import replace_file
from gateway.service.manager import ServiceFailed

ASK_SECONDS: Final = 15.0
"""For a command that only tells something."""
DO_SECONDS: Final = 60.0
"""For a command that changes something, and waits for no gateway."""
LOOK_SECONDS: Final = 0.2
"""Between two looks at whether something has come about."""
MAX_TOLD: Final = 2_000
"""Characters of a failed command's output that are shown."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that has ended.

    Attributes:
        code: its exit code.
        output: what it wrote, on both outputs.
    """

    code: int
    output: str


class Runner(Protocol):
    """Runs a program of the system to its end."""

    def __call__(self, *command: str, seconds: float) -> Ran:
        """Run it without a shell.

        Args:
            command: the program and its arguments.
            seconds: after which it is given up.

        Raises:
            ServiceFailed: there is no such program, or it took too long.
        """


def run(*command: str, seconds: float) -> Ran:
    """The Runner of this machine."""
    encoding = "oem" if sys.platform == "win32" else "utf-8"
    try:
        done = subprocess.run(  # noqa: S603 - fixed programs of the system, without a shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding=encoding,
            errors="backslashreplace",
            timeout=seconds,
            check=False,
        )
    except OSError as fault:
        raise ServiceFailed(f"{command[0]} cannot be run: {fault.strerror}") from None
    except subprocess.TimeoutExpired:
        raise ServiceFailed(f"`{' '.join(command)}` has not ended within {seconds:g} s") from None
    return Ran(done.returncode, done.stdout)


class Machine:
    """This machine.

    Args:
        runner: runs commands.
        home: the user's home folder.
        environ: the environment of the command line.
        clock: for waits.
        user: POSIX's user id.
    """

    def __init__(self, runner: Runner, home: Path, environ: Mapping[str, str], clock: Clock, user: int = 0) -> None:
        self._runner = runner
        self.home = home
        self.environ = environ
        self.user = user
        self._clock = clock

    def ask(self, *command: str) -> Ran:
        """Run a command that changes nothing. Raises ServiceFailed: there is no such program."""
        return self._runner(*command, seconds=ASK_SECONDS)

    def attempt(self, *command: str, seconds: float = DO_SECONDS) -> Ran:
        """Run a command that changes something, and may fail. Raises ServiceFailed: there is no such program."""
        return self.perform(f"run: {' '.join(command)}", lambda: self._runner(*command, seconds=seconds), Ran(0, ""))

    def do(self, *command: str, seconds: float = DO_SECONDS) -> None:
        """Likewise, and it must not fail. Raises ServiceFailed."""
        done = self.attempt(*command, seconds=seconds)
        if done.code:
            told = done.output.strip()[-MAX_TOLD:]
            raise ServiceFailed(f"`{' '.join(command)}` failed (exit code {done.code}){f': {told}' if told else ''}")

    def write(self, path: Path, content: bytes) -> bool:
        """Have a file with this content, whole or not at all; its folder is made. Whether that changed anything.

        Raises:
            ServiceFailed: it cannot be written.
        """
        with suppress(OSError):
            if path.read_bytes() == content:
                return False
        self.perform(f"write {path}", lambda: self._write(path, content), None)
        return True

    def remove(self, path: Path) -> bool:
        """Have no such file. Whether there was one. Raises ServiceFailed: it cannot be removed."""
        if not os.path.lexists(path):
            return False
        self.perform(f"remove {path}", lambda: _in_words(f"{path} cannot be removed", path.unlink), None)
        return True

    def until(self, true: Callable[[], bool], seconds: float) -> bool:
        """Wait until something has come about that was asked for. Whether it has, in time."""
        pause, end = threading.Condition(), self._clock.monotonic() + seconds
        while not true():
            if self._clock.monotonic() >= end:
                return False
            with pause:
                self._clock.wait(pause, LOOK_SECONDS)
        return True

    def perform(self, what: str, act: Callable[[], T], otherwise: T) -> T:
        """Change something.

        Args:
            what: in words that follow "would".
            act: does it.
            otherwise: the result where nothing is done.
        """
        return act()

    def _write(self, path: Path, content: bytes) -> None:
        def write() -> None:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".{path.name}.new")
            try:
                temporary.write_bytes(content)
                temporary.chmod(0o644)  # systemd complains of a unit that not everybody may read; it holds no secret
                replace_file(temporary, path, self._clock)
            finally:
                temporary.unlink(missing_ok=True)

        _in_words(f"{path} cannot be written", write)


class DryMachine(Machine):
    """Does nothing but ask.

    Attributes:
        would: what would be done.
    """

    def __init__(self, runner: Runner, home: Path, environ: Mapping[str, str], clock: Clock, user: int = 0) -> None:
        super().__init__(runner, home, environ, clock, user)
        self.would: list[str] = []

    def until(self, true: Callable[[], bool], seconds: float) -> bool:
        return True

    def perform(self, what: str, act: Callable[[], T], otherwise: T) -> T:
        self.would.append(f"would {what}")
        return otherwise


def _in_words(what: str, act: Callable[[], None]) -> None:
    try:
        act()
    except OSError as fault:
        raise ServiceFailed(f"{what}: {fault.strerror}") from None
