"""What a service manager is to the `service` verbs, and what a manager is given to do its work.

Each system has a module with its manager: `systemd`, `launchd`, `task_scheduler`, `windows_system`. A manager's texts
(a unit, a property list, a task) are pure functions of a `Service`, the same on every system; all that it asks of the
machine goes through a `Machine`, so that every manager can be tried on every system.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from gateway.core.clock import Clock

NAME: Final = "llm-gateway"
"""Of the unit, of the Windows service, and at the end of the launchd label."""
DISPLAY_NAME: Final = "LLM Gateway"
"""For people; also the name of the task."""
SECONDS_BEYOND_DRAIN: Final = 10
"""What a manager gives the gateway beyond gateway.drainSeconds before it ends the process; it needs five of them."""
LAST_LINES: Final = 50
"""Lines that `service logs` shows."""


class ServiceFailed(Exception):
    """A service command failed. The text is for people, a line or more."""


@dataclass(frozen=True, slots=True)
class Service:
    """What a service runs.

    Attributes:
        program: how this gateway is started: the absolute path of Python, and what follows it up to the verb.
        config: the absolute path of the configuration file.
        folder: the working folder, which is the configuration's.
        port: gateway.port.
        drain_seconds: gateway.drainSeconds.
    """

    program: tuple[str, ...]
    config: str
    folder: str
    port: int
    drain_seconds: float

    def command(self, *options: str) -> tuple[str, ...]:
        """The whole command line, with further options of `serve`."""
        return (*self.program, "serve", *options, "-c", self.config)

    @property
    def stop_seconds(self) -> int:
        """Whole seconds that a stop may take before the process is ended."""
        return int(-(-self.drain_seconds // 1)) + SECONDS_BEYOND_DRAIN


@dataclass(frozen=True, slots=True)
class Ran:
    """A command of the system that has ended.

    Attributes:
        code: its exit code.
        output: what it wrote, on both outputs.
    """

    code: int
    output: str


class Runner(Protocol):
    """Runs commands of the system."""

    def __call__(self, *arguments: str, seconds: float) -> Ran:
        """Run a program to its end, without a shell.

        Args:
            arguments: the program and its arguments.
            seconds: after which it is given up.

        Raises:
            ServiceFailed: there is no such program, or it took too long.
        """


@dataclass(frozen=True, slots=True)
class Machine:
    """What managers ask of the machine.

    Attributes:
        run: runs commands.
        home: the user's home folder.
        environ: the environment of the command line.
        clock: for the waits until a manager has done its work.
        user: POSIX's user id.
    """

    run: Runner
    home: Path
    environ: Mapping[str, str]
    clock: Clock
    user: int = 0


class ServiceManager(Protocol):
    """A service manager of a system. What a method returns is for people, a line each.

    Attributes:
        where_variables_go: how a variable is given to a service of this manager, for people.
    """

    where_variables_go: str

    def document(self, service: Service) -> str:
        """What `install` would hand to the system: the file's text."""

    def visible(self, names: Sequence[str]) -> Mapping[str, str]:
        """The variables of these names that a service would see, with their values."""

    def install(self, service: Service) -> Sequence[str]:
        """Install the service and start it. Once more changes nothing but what differs. Raises ServiceFailed."""

    def uninstall(self, service: Service) -> Sequence[str]:
        """Stop the service and remove what `install` has made. Raises ServiceFailed."""

    def start(self, service: Service) -> Sequence[str]:
        """Start it, if it does not run. Raises ServiceFailed."""

    def stop(self, service: Service) -> Sequence[str]:
        """Stop it, after the answers that run. Raises ServiceFailed."""

    def status(self) -> str:
        """What the manager says of it, in a few words. Raises ServiceFailed."""

    def logs(self) -> Sequence[str]:
        """The last lines of its log, or where they are. Raises ServiceFailed."""


class WindowsService(Protocol):
    """`gateway.service.windows_service`, by which the Windows manager of `--system` works. All raise OSError."""

    def install(self, name: str, display: str, command_line: str, account: str | None = None) -> None:
        """Create the service, or change one that is there to this."""

    def uninstall(self, name: str) -> None:
        """Delete the service; nothing where there is none."""

    def start(self, name: str) -> None:
        """Start it; nothing where it runs."""

    def stop(self, name: str, timeout: float) -> None:
        """Ask it to stop, and wait for it so many seconds; nothing where it does not run."""

    def state(self, name: str) -> str | None:
        """Its state in a word; None where there is no such service."""


class StopEvent(Protocol):
    """`gateway.service.stop_event`, by which a gateway of the same Windows session is asked to drain."""

    def set_event(self, port: int) -> bool:
        """Ask the gateway that serves this port to drain. Whether there is one."""
