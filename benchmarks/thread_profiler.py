"""A profiler for one thread."""

import cProfile
import profile
import sys
import time


def thread_profiler() -> cProfile.Profile | profile.Profile:
    """A profiler that sees only its own thread and counts processor time, so that waiting costs nothing.

    Since Python 3.12 cProfile sees all threads at once and mixes them up. There the slower `profile` takes its place.
    """
    if sys.version_info < (3, 12):
        return cProfile.Profile(time.thread_time)
    return profile.Profile(time.thread_time)
