"""The named event by which a gateway is asked to drain on Windows, where no signal reaches a process without a console.

Its name tells the port. It belongs to one Windows session, and to the user who has started the gateway there: programs
of other users cannot set it. Source: CreateEventW and "Kernel object namespaces" in Microsoft's documentation.
"""

import logging
import sys
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)


def event_name(port: int) -> str:
    """The name of the event of the gateway that serves `port`."""
    return f"Local\\llm-gateway-{port}"


def set_event(port: int) -> bool:
    """Ask the gateway of this session that serves `port` to drain.

    Returns:
        Whether there is one. On other systems than Windows there is none.

    Raises:
        OSError: there is one, and it cannot be asked: it is another user's.
    """
    if sys.platform != "win32":
        return False
    from gateway.service import win32  # noqa: PLC0415 - ctypes is for Windows

    kernel32 = win32.kernel32()
    handle = kernel32.OpenEventW(win32.EVENT_MODIFY_STATE, False, event_name(port))
    if not handle:
        if win32.last_error() == win32.ERROR_FILE_NOT_FOUND:
            return False
        raise win32.failure(f"The gateway on port {port} cannot be asked to stop")
    try:
        if not kernel32.SetEvent(handle):
            raise win32.failure(f"The gateway on port {port} cannot be asked to stop")
    finally:
        kernel32.CloseHandle(handle)
    return True


class StopEvent:
    """The event of this process's gateway, and the thread that waits for it: a Supervisor. For Windows."""

    def __init__(self) -> None:
        self._handle: int | None = None
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()

    def serving(self, port: int, stop: Callable[[], None]) -> None:
        """Create the event, and call `stop` when somebody sets it."""
        from gateway.service import win32  # noqa: PLC0415 - ctypes is for Windows

        kernel32 = win32.kernel32()
        handle = kernel32.CreateEventW(None, True, False, event_name(port))
        if not handle:
            logger.warning("%s", win32.failure("`service stop` cannot ask this gateway to drain"))
            return
        kernel32.ResetEvent(handle)  # it may be one that is set: of a gateway that drains, and has left the port

        def wait() -> None:
            kernel32.WaitForSingleObject(handle, win32.INFINITE)
            if not self._closing.is_set():
                stop()

        self._handle = handle
        self._thread = threading.Thread(target=wait, name="stop-event", daemon=True)
        self._thread.start()

    def stopping(self, seconds: float) -> None:
        """Tell nobody: who has set the event waits for the end of the process."""

    def close(self) -> None:
        """End the thread, and close the event. Idempotent."""
        handle, self._handle = self._handle, None
        if handle is not None and self._thread is not None:
            from gateway.service import win32  # noqa: PLC0415 - ctypes is for Windows

            self._closing.set()
            win32.kernel32().SetEvent(handle)
            self._thread.join()
            win32.kernel32().CloseHandle(handle)
