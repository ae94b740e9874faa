"""The functions of Windows that the service needs, by ctypes: their prototypes, and their failures in words.

The module can be imported on every system; a function can be called on Windows only. Sources: winsvc.h and synchapi.h
in Microsoft's documentation.
"""

import ctypes
import sys
from ctypes import POINTER, c_void_p
from ctypes.wintypes import BOOL, DWORD, HANDLE, INT, LPCWSTR, LPVOID, LPWSTR
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _ctypes import CFuncPtr

ELSEWHERE: Final = "only Windows has services of this kind"
INFINITE: Final = 0xFFFFFFFF
EVENT_MODIFY_STATE: Final = 0x2
ERROR_ACCESS_DENIED: Final = 5
ERROR_FILE_NOT_FOUND: Final = 2
ERROR_SERVICE_ALREADY_RUNNING: Final = 1056
ERROR_SERVICE_DOES_NOT_EXIST: Final = 1060
ERROR_SERVICE_CANNOT_ACCEPT_CTRL: Final = 1061
ERROR_SERVICE_NOT_ACTIVE: Final = 1062
ERROR_SERVICE_EXISTS: Final = 1073

WHAT_TO_DO: Final = {
    ERROR_ACCESS_DENIED: "this needs an administrator: use a terminal that was started as one",
    1053: "it did not answer in time",
    1057: "there is no such account, or it needs a password",
    1058: "it is disabled in services.msc",
    ERROR_SERVICE_DOES_NOT_EXIST: "there is no such service",
    1063: "only the Service Control Manager can do this; use `service start`",
    1069: "its account cannot log on: set the password in services.msc, under Log On",
    1072: "it is being deleted: close services.msc, and try again",
}
"""By error code, where the text of Windows does not say it, or says it in one language only."""


class Status(ctypes.Structure):
    """SERVICE_STATUS."""

    _fields_ = (
        ("type", DWORD),
        ("state", DWORD),
        ("accepted", DWORD),
        ("win32_exit_code", DWORD),
        ("exit_code", DWORD),
        ("checkpoint", DWORD),
        ("wait_hint", DWORD),
    )


class Action(ctypes.Structure):
    """SC_ACTION: what the manager does after a crash, and after how many milliseconds."""

    _fields_ = (("type", INT), ("delay", DWORD))


class FailureActions(ctypes.Structure):
    """SERVICE_FAILURE_ACTIONS."""

    _fields_ = (
        ("reset_seconds", DWORD),
        ("reboot_message", LPWSTR),
        ("command", LPWSTR),
        ("count", DWORD),
        ("actions", POINTER(Action)),
    )


class TableEntry(ctypes.Structure):
    """SERVICE_TABLE_ENTRY; the main function as a plain pointer, because NULL ends the table."""

    _fields_ = (("name", LPWSTR), ("main", c_void_p))


_SERVICE: Final = HANDLE
_CREATE: Final = (DWORD, DWORD, DWORD, LPCWSTR, LPCWSTR, POINTER(DWORD), LPCWSTR, LPCWSTR, LPCWSTR)
"""From the service's type to its password: what CreateService and ChangeServiceConfig have in common."""
_PROTOTYPES: Final[dict[str, dict[str, tuple[object, tuple[object, ...]]]]] = {
    "kernel32": {
        "CreateEventW": (HANDLE, (LPVOID, BOOL, BOOL, LPCWSTR)),
        "OpenEventW": (HANDLE, (DWORD, BOOL, LPCWSTR)),
        "SetEvent": (BOOL, (HANDLE,)),
        "ResetEvent": (BOOL, (HANDLE,)),
        "WaitForSingleObject": (DWORD, (HANDLE, DWORD)),
        "CloseHandle": (BOOL, (HANDLE,)),
    },
    "advapi32": {
        "OpenSCManagerW": (HANDLE, (LPCWSTR, LPCWSTR, DWORD)),
        "OpenServiceW": (HANDLE, (HANDLE, LPCWSTR, DWORD)),
        "CreateServiceW": (HANDLE, (HANDLE, LPCWSTR, LPCWSTR, DWORD, *_CREATE)),
        "ChangeServiceConfigW": (BOOL, (HANDLE, *_CREATE, LPCWSTR)),
        "ChangeServiceConfig2W": (BOOL, (HANDLE, DWORD, LPVOID)),
        "StartServiceW": (BOOL, (HANDLE, DWORD, LPVOID)),
        "ControlService": (BOOL, (HANDLE, DWORD, POINTER(Status))),
        "QueryServiceStatus": (BOOL, (HANDLE, POINTER(Status))),
        "DeleteService": (BOOL, (HANDLE,)),
        "CloseServiceHandle": (BOOL, (HANDLE,)),
        "RegisterServiceCtrlHandlerExW": (HANDLE, (LPCWSTR, c_void_p, LPVOID)),
        "SetServiceStatus": (BOOL, (HANDLE, POINTER(Status))),
        "StartServiceCtrlDispatcherW": (BOOL, (POINTER(TableEntry),)),
    },
}


@cache
def library(name: str) -> ctypes.CDLL:
    """A library of Windows with its prototypes.

    Raises:
        OSError: this is not Windows.
    """
    if sys.platform != "win32":
        raise OSError(ELSEWHERE)
    loaded = ctypes.WinDLL(name, use_last_error=True)
    for function, (result, arguments) in _PROTOTYPES[name].items():
        prototype = getattr(loaded, function)
        prototype.restype, prototype.argtypes = result, arguments
    return loaded


def kernel32() -> ctypes.CDLL:
    """Events and handles."""
    return library("kernel32")


def advapi32() -> ctypes.CDLL:
    """The Service Control Manager."""
    return library("advapi32")


def callback(result: type[DWORD] | None, *arguments: type[DWORD | c_void_p]) -> "type[CFuncPtr]":
    """The type of a function that Windows calls. An object of it lives as long as it is referred to.

    Raises:
        OSError: this is not Windows.
    """
    if sys.platform != "win32":
        raise OSError(ELSEWHERE)
    return ctypes.WINFUNCTYPE(result, *arguments)


def last_error() -> int:
    """The error code of this thread's last call."""
    if sys.platform != "win32":
        raise OSError(ELSEWHERE)
    return ctypes.get_last_error()


def failure(what: str, code: int | None = None) -> OSError:
    """The failure of this thread's last call, or of `code`, in words.

    Args:
        what: has failed, as the beginning of a sentence.
        code: an error code of Windows.
    """
    number = last_error() if code is None else code
    return OSError(f"{what}: {WHAT_TO_DO.get(number) or _text(number)} (Windows error {number})")


def _text(code: int) -> str:
    if sys.platform != "win32":
        raise OSError(ELSEWHERE)
    return ctypes.FormatError(code).strip().rstrip(".")
