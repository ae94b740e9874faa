"""What a service manager is to the `service` verbs, and the two Windows modules that its managers work by.

Each system has a module with its manager: `systemd`, `launchd`, `task_scheduler`, `windows_system`. What it hands to
the system (a unit, a property list, a task) is a pure function of a `Service`, and gives the same bytes everywhere. All
that a manager does to the machine goes through a `Machine`, so that every manager can be tried on every system.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final, Protocol

NAME: Final = "llm-gateway"
"""Of the unit and of the Windows service, and the end of the launchd label."""
DISPLAY_NAME: Final = "LLM Gateway"
"""For people; also the name of the task."""
SECONDS_BEYOND_DRAIN: Final = 10
"""What a manager gives the gateway beyond gateway.drainSeconds before it ends the process; it needs five of them."""
NOT_INSTALLED: Final = "it is not installed: `service install` does that"
LAST_LINES: Final = 50
"""Lines that `service logs` shows."""


class ServiceFailed(Exception):
    """A service command failed. The text is for people, a line or more."""


class WrongSystem(ServiceFailed):
    """This system has no service manager of the kind that was asked for."""


@dataclass(frozen=True, slots=True)
class Service:
    """What a service runs.

    Attributes:
        program: how this gateway is started: the absolute path of Python, and what follows it up to the verb.
        config: the absolute path of the configuration file.
        folder: the working folder: that of the configuration file.
        port: gateway.port.
        drain_seconds: gateway.drainSeconds.
    """

    program: tuple[str, ...]
    config: str
    folder: str
    port: int
    drain_seconds: float

    def command(self, *options: str) -> tuple[str, ...]:
        """The whole command line.

        Args:
            options: further options of `serve`.
        """
        return (*self.program, "serve", *options, "-c", self.config)

    @property
    def stop_seconds(self) -> int:
        """Whole seconds that a stop may take before the process is ended."""
        return ceil(self.drain_seconds) + SECONDS_BEYOND_DRAIN


class ServiceManager(Protocol):
    """A service manager. What its methods return is for people; all but `document` raise ServiceFailed.

    Attributes:
        place: where `install` puts what `document` returns, for people.
        where_variables_go: how a service of this manager is given a variable, for people.
        own_log: whether it keeps what the gateway writes to standard error.
    """

    place: str
    where_variables_go: str
    own_log: bool

    def document(self, service: Service) -> bytes:
        """What `install` hands to the system."""

    def visible(self, names: Sequence[str]) -> Mapping[str, str]:
        """Those of these variables that a service would see, with their values."""

    def install(self, service: Service) -> Sequence[str]:
        """Install the service and start it. Doing it again changes only what differs."""

    def uninstall(self, service: Service) -> Sequence[str]:
        """Stop the service, and remove all that `install` has made; nothing where there is none."""

    def start(self) -> Sequence[str]:
        """Start it; nothing where it runs."""

    def stop(self, service: Service) -> Sequence[str]:
        """Stop it when the answers that run have ended; nothing where it does not run."""

    def status(self) -> str:
        """What the manager says of it, in a line."""

    def logs(self) -> Sequence[str]:
        """The last lines of its log, or where they are."""


class WindowsService(Protocol):
    """`gateway.service.windows_service`: the Service Control Manager. All raise OSError."""

    def install(self, name: str, display: str, command_line: str, account: str | None = None) -> None:
        """Create the service, or change one that is there to this."""

    def uninstall(self, name: str) -> None:
        """Delete the service; nothing where there is none."""

    def start(self, name: str) -> None:
        """Start it; nothing where it runs."""

    def stop(self, name: str, timeout: float) -> None:
        """Have it drain, and wait for it so many seconds; nothing where it does not run."""

    def state(self, name: str) -> str | None:
        """Its state in a word; None where there is no such service."""


class StopEvent(Protocol):
    """`gateway.service.stop_event`: how a gateway of the same Windows session is asked to drain."""

    def set_event(self, port: int) -> bool:
        """Ask the gateway that serves this port to drain. Whether there is one. Raises OSError."""
