"""Whether these tests run under Wine, and the mark for those that Wine cannot show. Windows itself runs them all."""

import sys

import pytest


def is_wine() -> bool:
    """Whether this Windows is Wine, whose ntdll.dll has one function more."""
    if sys.platform != "win32":
        return False
    import ctypes  # noqa: PLC0415 - of Windows

    return hasattr(ctypes.WinDLL("ntdll"), "wine_get_version")


def not_under_wine(reason: str) -> pytest.MarkDecorator:
    """Skip a test under Wine.

    Args:
        reason: what Wine does otherwise than Windows.
    """
    return pytest.mark.skipif(is_wine(), reason=f"Wine: {reason}")


no_wake_up = pytest.mark.skipif(
    sys.platform == "win32",
    reason="Windows: shutdown() does not wake a thread that waits on the socket; it waits until its own time limit",
)
"""See python/cpython issue 91913; Wine does as Windows."""
locks_of_files = not_under_wine("msvcrt.locking reports a lock that is taken as errno 0, Windows as EACCES")
