"""A Windows service by ctypes alone: its process under the Service Control Manager, and its installation.

pywin32 would be 7 MB with a step of its own after the installation, NSSM or WinSW a foreign program. A service has no
standard handles: sys.stdout and sys.stderr are None. Source: "Services" in Microsoft's documentation.
"""

import ctypes
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import byref, c_void_p, cast
from ctypes.wintypes import DWORD
from typing import Final

from gateway.service import win32
from gateway.service.service_status import (
    CONTROL_STOP,
    ERROR_SERVICE_SPECIFIC_ERROR,
    START_SECONDS,
    ServiceControl,
    ServiceStatus,
    State,
)

POLL_SECONDS: Final = 0.1
"""Between two looks at a service that starts or stops."""
PRESHUTDOWN_MS: Final = 60_000
"""What a shutdown of the machine waits for the drain. By default Windows gives ten seconds."""
RESTARTS: Final = 4
"""Starts after a crash; the fifth crash within RESET_SECONDS is the last."""
RESTART_MS: Final = 2_000
RESET_SECONDS: Final = 300
FAILED: Final = 1

_OWN_PROCESS: Final = 0x10
_AUTO_START: Final = 2
_ERROR_NORMAL: Final = 1
_DESCRIPTION, _FAILURE_ACTIONS, _PRESHUTDOWN_INFO = 1, 2, 7
_NO_ACTION, _RESTART = 0, 1
_MAY_CONNECT, _MAY_CREATE = 0x1, 0x2
_MAY_CHANGE, _MAY_QUERY, _MAY_START, _MAY_STOP, _MAY_DELETE = 0x2, 0x4, 0x10, 0x20, 0x10000
_STOPS_ALREADY: Final = (win32.ERROR_SERVICE_NOT_ACTIVE, win32.ERROR_SERVICE_CANNOT_ACCEPT_CTRL)
_WORDS: Final = {
    State.STOPPED: "stopped",
    State.START_PENDING: "starting",
    State.STOP_PENDING: "stopping",
    State.RUNNING: "running",
}

logger = logging.getLogger(__name__)


class NotInstalled(OSError):
    """There is no such service."""


# The process ----------------------------------------------------------------------------------------------------------


def run_dispatcher(name: str, serve: Callable[[ServiceControl], int]) -> int:
    """Be the service NAME: connect to the Service Control Manager, and serve until it has ended.

    An exit code is reported to the manager. But where a gateway has served and then ended by a fault, the process ends
    without a report: the manager takes that for a crash, and starts the service again.

    Args:
        name: of the service.
        serve: serves until the control asks it to stop; returns an exit code. Runs on a thread of the manager's.

    Returns:
        The exit code.

    Raises:
        OSError: the process was not started by the manager.
    """
    advapi32, codes, handles = win32.advapi32(), [FAILED], [0]
    control = ServiceControl(lambda status: _report(handles[0], status))
    handler = win32.callback(DWORD, DWORD, DWORD, c_void_p, c_void_p)(lambda code, *_: control.control(code))

    def main(*_: object) -> None:
        handles[0] = advapi32.RegisterServiceCtrlHandlerExW(name, cast(handler, c_void_p), None)
        control.starting()
        try:
            codes[0] = serve(control)
        except Exception:
            logger.exception("The service has ended by a fault.")
        if codes[0] == FAILED and control.has_served:
            os._exit(FAILED)
        control.stopped(codes[0])

    entry = win32.callback(None, DWORD, c_void_p)(main)
    table = (win32.TableEntry * 2)(win32.TableEntry(name, cast(entry, c_void_p)), win32.TableEntry())
    if not advapi32.StartServiceCtrlDispatcherW(table):
        raise win32.failure(f"This process cannot be the service {name}")
    return codes[0]


def _report(handle: int, status: ServiceStatus) -> None:
    told = win32.Status(
        _OWN_PROCESS,
        status.state,
        status.accepted,
        status.win32_exit_code,
        status.exit_code,
        status.checkpoint,
        status.wait_hint,
    )
    win32.advapi32().SetServiceStatus(handle, byref(told))


# The manager ----------------------------------------------------------------------------------------------------------


def install(name: str, display: str, command_line: str, account: str | None = None) -> None:
    """Create a service that starts with the machine, or change one that is there to this.

    Args:
        name: of the service.
        display: its name for people.
        command_line: of its process, quoted.
        account: whom it runs as; by default LocalSystem, or whom it runs as already. If the account has a password,
            a person gives it in services.msc, which also permits the account to log on as a service.

    Raises:
        OSError: it cannot be created or changed.
    """
    advapi32, what = win32.advapi32(), f"The service {name} cannot be installed"
    settings = (_OWN_PROCESS, _AUTO_START, _ERROR_NORMAL, command_line, None, None, None, account, None)
    access = _MAY_CHANGE | _MAY_START  # to set restarts, one must be allowed to start
    with _manager(_MAY_CREATE | _MAY_CONNECT, what) as manager:
        service = advapi32.CreateServiceW(manager, name, display, access, *settings)
        if not service and win32.last_error() == win32.ERROR_SERVICE_EXISTS:
            service = advapi32.OpenServiceW(manager, name, access)
        if not service:
            raise win32.failure(what)
        try:
            if not advapi32.ChangeServiceConfigW(service, *settings, display):
                raise win32.failure(what)
            for level, setting in _further_settings(display):
                if not advapi32.ChangeServiceConfig2W(service, level, byref(setting)):
                    raise win32.failure(what)
        finally:
            advapi32.CloseServiceHandle(service)


def _further_settings(display: str) -> Iterator[tuple[int, ctypes.Structure | DWORD | ctypes.c_wchar_p]]:
    restart = win32.Action(_RESTART, RESTART_MS)
    actions = (win32.Action * (RESTARTS + 1))(*[restart] * RESTARTS, win32.Action(_NO_ACTION))
    yield _DESCRIPTION, ctypes.c_wchar_p(f"{display}: one local server between LLM clients and providers.")
    yield _FAILURE_ACTIONS, win32.FailureActions(RESET_SECONDS, None, None, len(actions), actions)
    yield _PRESHUTDOWN_INFO, DWORD(PRESHUTDOWN_MS)


def uninstall(name: str) -> None:
    """Delete the service; nothing where there is none. One that runs is deleted when it has stopped.

    Raises:
        OSError: it cannot be deleted.
    """
    what = f"The service {name} cannot be uninstalled"
    try:
        with _service(name, _MAY_DELETE, what) as service:
            if not win32.advapi32().DeleteService(service):
                raise win32.failure(what)
    except NotInstalled:
        return


def start(name: str) -> None:
    """Start the service, and wait until it runs; nothing where it does.

    Raises:
        OSError: it has not started.
    """
    what = f"The service {name} has not started"
    with _service(name, _MAY_START | _MAY_QUERY, what) as service:
        started = win32.advapi32().StartServiceW(service, 0, None)
        if not started and win32.last_error() != win32.ERROR_SERVICE_ALREADY_RUNNING:
            raise win32.failure(what)
        found = _settled(service, what, START_SECONDS)
    if found.win32_exit_code == ERROR_SERVICE_SPECIFIC_ERROR:
        raise OSError(f"{what}: exit code {found.exit_code}")
    if found.state != State.RUNNING:
        raise win32.failure(what, found.win32_exit_code)


def stop(name: str, timeout: float) -> None:
    """Have the service drain, and wait until it has ended; nothing where it does not run.

    Args:
        name: of the service.
        timeout: seconds.

    Raises:
        OSError: it has not stopped.
    """
    what = f"The service {name} has not stopped"
    with _service(name, _MAY_STOP | _MAY_QUERY, what) as service:
        if _settled(service, what, timeout).state == State.RUNNING:
            asked = win32.advapi32().ControlService(service, CONTROL_STOP, byref(win32.Status()))
            if not asked and win32.last_error() not in _STOPS_ALREADY:
                raise win32.failure(what)
        if _settled(service, what, timeout).state != State.STOPPED:
            raise OSError(f"{what} in {timeout:g} s")


def state(name: str) -> str | None:
    """Whether the service is stopped, starting, running or stopping; None where there is no such service.

    Raises:
        OSError: the manager does not tell.
    """
    what = f"The state of the service {name} is unknown"
    try:
        with _service(name, _MAY_QUERY, what) as service:
            found = _status(service, what).state
    except NotInstalled:
        return None
    return _WORDS.get(found, f"in the state {found}")


@contextmanager
def _manager(access: int, what: str) -> Iterator[int]:
    advapi32 = win32.advapi32()
    manager = advapi32.OpenSCManagerW(None, None, access)
    if not manager:
        raise win32.failure(what)
    try:
        yield manager
    finally:
        advapi32.CloseServiceHandle(manager)


@contextmanager
def _service(name: str, access: int, what: str) -> Iterator[int]:
    advapi32 = win32.advapi32()
    with _manager(_MAY_CONNECT, what) as manager:
        service = advapi32.OpenServiceW(manager, name, access)
        if not service:
            fault = win32.failure(what)
            raise NotInstalled(*fault.args) if win32.last_error() == win32.ERROR_SERVICE_DOES_NOT_EXIST else fault
        try:
            yield service
        finally:
            advapi32.CloseServiceHandle(service)


def _status(service: int, what: str) -> win32.Status:
    status = win32.Status()
    if not win32.advapi32().QueryServiceStatus(service, byref(status)):
        raise win32.failure(what)
    return status


def _settled(service: int, what: str, seconds: float) -> win32.Status:
    """The status, once it is no pending one or the time is over."""
    deadline = time.monotonic() + seconds
    while (status := _status(service, what)).state in (State.START_PENDING, State.STOP_PENDING):
        if time.monotonic() > deadline:
            break
        time.sleep(POLL_SECONDS)
    return status
