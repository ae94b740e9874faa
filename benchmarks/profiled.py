"""The gateway with a profiler in each of its threads.

    python -m benchmarks.profiled FOLDER -c FILE --port N

serves as `app.py` does. At its end it writes a profile for each kind of thread into FOLDER, for `pstats`.
"""

import cProfile
import profile
import pstats
import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from benchmarks.thread_profiler import thread_profiler
from gateway import cli


class Profiles:
    """The profiles of the threads that have ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended: dict[str, list[cProfile.Profile | profile.Profile]] = {}

    def around(self, run: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
        """A thread's `run` with a profiler around it."""

        def profiled(thread: threading.Thread) -> None:
            own = thread_profiler()
            try:
                own.runcall(run, thread)
            finally:
                kind = re.sub(r"[-\d]+$", "", thread.name)
                with self._lock:
                    self._ended.setdefault(kind, []).append(own)

        return profiled

    def write(self, folder: Path) -> None:
        """Write a file for each kind of thread."""
        with self._lock:
            for kind, ended in self._ended.items():
                for each in ended:
                    each.create_stats()
                pstats.Stats(*ended).dump_stats(folder / f"{kind}.profile")


def main() -> None:
    """Serve, then write the profiles."""
    folder = Path(sys.argv.pop(1))
    profiles = Profiles()
    threading.Thread.run = profiles.around(threading.Thread.run)  # type: ignore[method-assign, assignment]
    try:
        cli.main()
    finally:
        profiles.write(folder)


if __name__ == "__main__":
    main()
