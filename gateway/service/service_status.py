"""What a Windows service reports to the Service Control Manager, and what it does with the manager's controls.

This is a machine without Windows: reports are values, and one function takes them. `windows_service` gives them to the
manager. Source: "Service State Transitions" and SERVICE_STATUS in Microsoft's documentation of services.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

START_SECONDS: Final = 60
"""Until the gateway serves: a cold disk and a virus scanner in front of it take their time."""
STOP_BEGINS_SECONDS: Final = 10
"""From the manager's control until the gateway drains."""
SECONDS_BEYOND_STOP: Final = 5
"""What the manager waits beyond what the gateway's own stop takes at most."""
ACCEPT_STOP: Final = 0x1
ACCEPT_PRESHUTDOWN: Final = 0x100
CONTROL_STOP: Final = 1
CONTROL_INTERROGATE: Final = 4
CONTROL_PRESHUTDOWN: Final = 0xF
"""The machine shuts down. Unlike SERVICE_CONTROL_SHUTDOWN, it leaves time to drain."""
NO_ERROR: Final = 0
ERROR_CALL_NOT_IMPLEMENTED: Final = 120
ERROR_SERVICE_SPECIFIC_ERROR: Final = 1066


class State(IntEnum):
    """Of a service, as in winsvc.h."""

    STOPPED = 1
    START_PENDING = 2
    STOP_PENDING = 3
    RUNNING = 4


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One report: SERVICE_STATUS without the type, which is always SERVICE_WIN32_OWN_PROCESS.

    Attributes:
        state: of the service.
        accepted: the controls that it takes now.
        exit_code: of the service's own, where it is not 0.
        checkpoint: goes up with each report of one pending state.
        wait_hint: milliseconds until the next report, at most.
    """

    state: State
    accepted: int = 0
    exit_code: int = 0
    checkpoint: int = 0
    wait_hint: int = 0

    @property
    def win32_exit_code(self) -> int:
        """dwWin32ExitCode: says whether there is an exit code of the service's own."""
        return ERROR_SERVICE_SPECIFIC_ERROR if self.exit_code else NO_ERROR


class ServiceControl:
    """One start of a service, from START_PENDING to STOPPED; a Supervisor of the gateway.

    Args:
        report: takes each status; one at a time, in their order.
    """

    def __init__(self, report: Callable[[ServiceStatus], None]) -> None:
        self._report = report
        self._lock = threading.Lock()  # held while a report is made: a late one would undo its successor
        self._status = ServiceStatus(State.STOPPED)
        self._stop: Callable[[], None] | None = None
        self._served = False

    @property
    def has_served(self) -> bool:
        """Whether it was RUNNING."""
        return self._served

    def starting(self) -> None:
        """Report that it starts."""
        with self._lock:
            self._pending(State.START_PENDING, START_SECONDS)

    def serving(self, port: int, stop: Callable[[], None]) -> None:
        """Report that it runs, and take controls from now on.

        Args:
            port: where it serves.
            stop: asks it to drain.
        """
        with self._lock:
            self._stop = stop
            self._served = True
            self._tell(ServiceStatus(State.RUNNING, accepted=ACCEPT_STOP | ACCEPT_PRESHUTDOWN))

    def control(self, code: int) -> int:
        """Take a control of the manager's, on the manager's thread, which must not wait here.

        Args:
            code: SERVICE_CONTROL_*.

        Returns:
            What the manager is answered: NO_ERROR, or ERROR_CALL_NOT_IMPLEMENTED.
        """
        if code == CONTROL_INTERROGATE:
            return NO_ERROR
        if code not in (CONTROL_STOP, CONTROL_PRESHUTDOWN):
            return ERROR_CALL_NOT_IMPLEMENTED
        with self._lock:
            stop, self._stop = self._stop, None
            if stop is not None:
                self._pending(State.STOP_PENDING, STOP_BEGINS_SECONDS)
        if stop is not None:
            stop()
        return NO_ERROR

    def stopping(self, seconds: float) -> None:
        """Report that it drains.

        Args:
            seconds: that this takes at most.
        """
        with self._lock:
            self._stop = None
            self._pending(State.STOP_PENDING, seconds + SECONDS_BEYOND_STOP)

    def stopped(self, exit_code: int) -> None:
        """Report that it has ended."""
        with self._lock:
            self._stop = None
            self._tell(ServiceStatus(State.STOPPED, exit_code=exit_code))

    def _pending(self, state: State, seconds: float) -> None:
        checkpoint = self._status.checkpoint + 1 if self._status.state == state else 1
        self._tell(ServiceStatus(state, checkpoint=checkpoint, wait_hint=round(seconds * 1000)))

    def _tell(self, status: ServiceStatus) -> None:
        self._status = status
        self._report(status)
