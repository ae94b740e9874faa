"""A Windows service (`--system`): the gateway runs from boot on, without a logon, and is stopped by draining.

It needs an administrator, and runs as LocalSystem, whose home folder and logins are not the user's, unless an account
is named.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

from gateway.service.command_line import windows_quoted
from gateway.service.log_tail import last_lines
from gateway.service.machine import Machine
from gateway.service.manager import (
    DISPLAY_NAME,
    LAST_LINES,
    NAME,
    NOT_INSTALLED,
    Service,
    ServiceFailed,
    WindowsService,
)
from gateway.service.windows_variables import SYSTEM, registered

OPTION: Final = "--windows-service"
"""Of `serve`: be the service of this name."""
LOCAL_SYSTEM: Final = "LocalSystem"

T = TypeVar("T")


class WindowsSystemManager:
    """The Service Control Manager.

    Args:
        machine: where.
        windows: the manager's functions.
        account: whom the service runs as; None for LocalSystem.
        log: the file with the gateway's log lines, or with why it has not started.
    """

    place = f"Service {NAME}"
    where_variables_go = "by `setx /M NAME value`, which every user can read, or in the configuration itself"
    own_log = False

    def __init__(self, machine: Machine, windows: WindowsService, account: str | None, log: Path) -> None:
        self._machine = machine
        self._windows = windows
        self._account = account
        self._log = log

    def document(self, service: Service) -> bytes:
        lines = (f"name: {NAME}", f"display name: {DISPLAY_NAME}", f"account: {self._account or LOCAL_SYSTEM}")
        return "".join(f"{line}\r\n" for line in (*lines, f"command line: {_command_line(service)}")).encode()

    def visible(self, names: Sequence[str]) -> Mapping[str, str]:
        return registered(self._machine, names, SYSTEM)

    def install(self, service: Service) -> Sequence[str]:
        line = _command_line(service)
        self._do(
            f"install the service {NAME}: {line}",
            lambda: self._windows.install(NAME, DISPLAY_NAME, line, self._account),
        )
        self._do("start it", lambda: self._windows.start(NAME))
        runs = f"{self.place}: installed; it runs now, and from boot on."
        if self._account:
            return (runs,)
        home = "It runs as LocalSystem: its home folder is not yours, and neither are its logins."
        return (runs, home)

    def uninstall(self, service: Service) -> Sequence[str]:
        if self._state() is None:
            return ("It was not installed.",)
        self._do("stop it", lambda: self._windows.stop(NAME, service.stop_seconds))
        self._do(f"delete the service {NAME}", lambda: self._windows.uninstall(NAME))
        return (f"{self.place}: stopped and removed.",)

    def start(self) -> Sequence[str]:
        self._check_installed()
        self._do("start it", lambda: self._windows.start(NAME))
        return ("Started.",)

    def stop(self, service: Service) -> Sequence[str]:
        self._check_installed()
        self._do("stop it", lambda: self._windows.stop(NAME, service.stop_seconds))
        return ("Stopped.",)

    def status(self) -> str:
        return f"Windows service: {self._state() or 'not installed'}"

    def logs(self) -> Sequence[str]:
        return (f"{self._log}:", *last_lines(self._log, LAST_LINES))

    def _state(self) -> str | None:
        return _in_words(lambda: self._windows.state(NAME))

    def _check_installed(self) -> None:
        if self._state() is None:
            raise ServiceFailed(NOT_INSTALLED)

    def _do(self, what: str, act: Callable[[], None]) -> None:
        self._machine.perform(what, lambda: _in_words(act), None)


def _command_line(service: Service) -> str:
    return windows_quoted(service.command(OPTION, NAME))


def _in_words(act: Callable[[], T]) -> T:
    try:
        return act()
    except OSError as fault:
        raise ServiceFailed(f"{fault}") from None
