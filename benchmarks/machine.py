"""The machine: its description, which process runs on which core, and what a process has used.

A value that the system does not provide is None or absent. This module never guesses.
"""

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")
BUSY: Final = 0.5
"""A load average over one minute: the number of programs that want to run."""
MB: Final = 1_000_000
AFTER_NAME: Final = 2
"""Fields of /proc/PID/stat that come before those counted here: the number and the name (proc(5))."""


def describe() -> str:
    """Processor, cores, Python and system, on one line."""
    cores = os.cpu_count() or 0
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return f"{_processor()}, {cores} cores; Python {platform.python_version()}; {system}"


def others_load() -> str:
    """How busy the machine is with other programs. Call it before the run starts any."""
    if sys.platform == "win32":
        return "How busy the machine was is not known."
    load = os.getloadavg()[0]
    doubt = " Other programs ran: compare processor times rather than rates." if load > BUSY else ""
    return f"Load average before the run: {load:.1f}.{doubt}"


def _processor() -> str:
    try:
        lines = (PROC / "cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


class Cores:
    """Assigns cores: the first one to the contenders, the second one to the upstream and the load.

    Attributes:
        warning: why they share cores; None if they do not.
    """

    def __init__(self) -> None:
        self._own = _allowed()
        self.warning: str | None = None
        if not self._own:
            self.warning = "this system cannot pin processes to cores: they move, and figures scatter more"
        elif len(self._own) < 2:
            self.warning = "one core only: the load takes time from the contenders, and all figures are worse for it"

    @contextmanager
    def first(self) -> Iterator[None]:
        """Processes started within this context stay on the contenders' core."""
        with self._on(0):
            yield

    @contextmanager
    def second(self) -> Iterator[None]:
        """This process, and those it starts within this context, stay on the load's core."""
        with self._on(1):
            yield

    @contextmanager
    def _on(self, place: int) -> Iterator[None]:
        if sys.platform != "linux" or self.warning is not None:
            yield
            return
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {self._own[place]})
        try:
            yield
        finally:
            os.sched_setaffinity(0, before)


def spread(pid: int) -> None:
    """Let a process that was pinned use every core, and with it the processes that it starts from now on."""
    if sys.platform == "linux":
        os.sched_setaffinity(pid, range(os.cpu_count() or 1))


def _allowed() -> list[int]:
    if sys.platform != "linux":
        return []
    return sorted(os.sched_getaffinity(0))


def cpu_seconds(pid: int) -> float | None:
    """The processor seconds, user and system, that a process and its descendants have used."""
    if sys.platform == "win32":
        return None
    fields = [_stat(each) for each in family(pid)]
    ticks = [(int(each[11]) + int(each[12])) for each in fields if each]
    return sum(ticks) / os.sysconf("SC_CLK_TCK") if ticks else None


def resident(pid: int) -> float | None:
    """The megabytes of memory that a process and its descendants hold. Shared memory counts once for each of them."""
    if sys.platform == "win32":
        return None
    fields = [_stat(each) for each in family(pid)]
    pages = [int(each[21]) for each in fields if each]
    return sum(pages) * os.sysconf("SC_PAGE_SIZE") / MB if pages else None


def family(pid: int) -> list[int]:
    """A process and its descendants; only the process if the system does not list them."""
    parents = {int(each.name): _stat(int(each.name)) for each in PROC.glob("[0-9]*")}
    found = [pid]
    for member in found:
        found += [child for child, fields in parents.items() if fields and int(fields[1]) == member]
    return found


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; empty if there is no such file."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return []
    return text[text.rfind(")") + AFTER_NAME :].split()
