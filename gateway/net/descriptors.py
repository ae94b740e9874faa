"""How many descriptors the process may have, and how the system says that it gives no more."""

import errno
import os
import socket
import sys
from typing import Final

KEPT_DESCRIPTORS: Final = 32
"""For files and everything else that is no connection."""
EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""What the system has none left of is no fault of the other side."""


def connection_limit(most: int) -> int:
    """How many connections there may be: each may have a second one to its provider, and the process may have only so
    many descriptors.

    Args:
        most: how many are wanted.
    """
    if sys.platform == "win32":
        return most
    import resource  # noqa: PLC0415 - Windows has none

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return most
    return min(most, max(1, (soft - _open_descriptors() - KEPT_DESCRIPTORS) // 2))


def _open_descriptors() -> int:
    for folder in ("/proc/self/fd", "/dev/fd"):
        try:
            return len(os.listdir(folder))
        except OSError:
            continue
    return 0


def is_exhausted(fault: BaseException) -> bool:
    """Whether a call failed because the system, or the process, has none left.

    Args:
        fault: what was raised. Looking a name up opens files and does not say why that failed, so it is tried here.
    """
    if isinstance(fault, socket.gaierror):
        try:
            os.close(os.open(os.devnull, os.O_RDONLY))
        except OSError as error:
            return error.errno in EXHAUSTED
        return False
    return isinstance(fault, OSError) and fault.errno in EXHAUSTED
