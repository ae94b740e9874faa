"""What the system says of this process.

On Linux prometheus-client's own collector reads it from /proc, and finds nothing elsewhere. The names are those of
https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics (2026-11). Memory is read by ctypes, from
kernel32 on Windows and from libproc on macOS; what cannot be read is left out.
"""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final

from gateway.core.answer import MICROS
from gateway.observe.metrics.families import Family, Reading

CPU: Final = Family(
    "process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds.", parts=MICROS
)
START: Final = Family(
    "process_start_time_seconds", "gauge", "Start time of the process since unix epoch in seconds.", merge="least"
)
RESIDENT: Final = Family("process_resident_memory_bytes", "gauge", "Resident memory size in bytes.", merge="worker")
VIRTUAL: Final = Family("process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.", merge="worker")
OPEN: Final = Family(
    "process_open_fds", "gauge", "Number of open file descriptors; on Windows, of handles.", merge="worker"
)
MAX_OPEN: Final = Family("process_max_fds", "gauge", "Maximum number of open file descriptors.", merge="worker")
FAMILIES: Final = (VIRTUAL, RESIDENT, START, CPU, OPEN, MAX_OPEN)

PROC_PIDTASKINFO: Final = 4
"""Of macOS's sys/proc_info.h: a struct that begins with the virtual and the resident size, 96 bytes in all."""
TASKINFO_BYTES: Final = 96


def readings(started: float) -> Sequence[Reading]:
    """The figures now.

    Args:
        started: wall seconds when the gateway was started.
    """
    from prometheus_client.process_collector import ProcessCollector  # noqa: PLC0415 - at the first scrape only

    by_name = {family.name: family for family in FAMILIES}
    samples = (sample for metric in ProcessCollector(registry=None).collect() for sample in metric.samples)
    known = [(by_name[each.name], each.value) for each in samples if each.name in by_name]
    return [(family, {(): value}) for family, value in known or read(started)]


def read(started: float) -> Sequence[tuple[Family, float]]:
    """The figures without the library.

    Args:
        started: wall seconds when the gateway was started.
    """
    return [(CPU, time.process_time()), (START, started), *_from_the_system()]


def _from_the_system() -> Iterator[tuple[Family, float]]:
    with suppress(ImportError, OSError, AttributeError):  # no ctypes, or another system library
        resident, virtual = _memory()
        yield RESIDENT, resident
        yield VIRTUAL, virtual
    with suppress(ImportError, OSError, AttributeError):
        yield OPEN, _open()


if sys.platform == "win32":

    def _memory() -> tuple[int, int]:
        import ctypes  # noqa: PLC0415 - at the first scrape only
        from ctypes import wintypes  # noqa: PLC0415

        class Counters(ctypes.Structure):
            """PROCESS_MEMORY_COUNTERS of psapi.h."""

            _fields_ = [
                ("cb", wintypes.DWORD),
                ("PageFaultCount", wintypes.DWORD),
                *(
                    (name, ctypes.c_size_t)
                    for name in (
                        "PeakWorkingSetSize",
                        "WorkingSetSize",
                        "QuotaPeakPagedPoolUsage",
                        "QuotaPagedPoolUsage",
                        "QuotaPeakNonPagedPoolUsage",
                        "QuotaNonPagedPoolUsage",
                        "PagefileUsage",
                        "PeakPagefileUsage",
                    )
                ),
            ]

        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.GetCurrentProcess.restype = wintypes.HANDLE
        read_memory = kernel.K32GetProcessMemoryInfo
        read_memory.argtypes = (wintypes.HANDLE, ctypes.POINTER(Counters), wintypes.DWORD)
        found = Counters(cb=ctypes.sizeof(Counters))
        if not read_memory(kernel.GetCurrentProcess(), ctypes.byref(found), ctypes.sizeof(found)):
            raise ctypes.WinError(ctypes.get_last_error())
        return found.WorkingSetSize, found.PagefileUsage

    def _open() -> int:
        import ctypes  # noqa: PLC0415
        from ctypes import wintypes  # noqa: PLC0415

        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.GetCurrentProcess.restype = wintypes.HANDLE
        count_handles = kernel.GetProcessHandleCount
        count_handles.argtypes = (wintypes.HANDLE, ctypes.POINTER(wintypes.DWORD))
        found = wintypes.DWORD()
        if not count_handles(kernel.GetCurrentProcess(), ctypes.byref(found)):
            raise ctypes.WinError(ctypes.get_last_error())
        return found.value

else:

    def _memory() -> tuple[int, int]:
        import ctypes  # noqa: PLC0415 - at the first scrape only

        read_info = ctypes.CDLL(None).proc_pidinfo
        read_info.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_uint64, ctypes.c_void_p, ctypes.c_int)
        found = (ctypes.c_uint64 * (TASKINFO_BYTES // 8))()
        if read_info(os.getpid(), PROC_PIDTASKINFO, 0, found, TASKINFO_BYTES) != TASKINFO_BYTES:
            raise OSError("the system says nothing of this process")
        return found[1], found[0]

    def _open() -> int:
        return len(os.listdir("/dev/fd")) - 1  # listing it opens one
