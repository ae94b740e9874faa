"""The profiler of one thread."""

import cProfile
import profile
import sys
import time


def thread_profiler() -> cProfile.Profile | profile.Profile:
    """One that sees its own thread only, and counts processor time: waiting is free.

    Since Python 3.12 cProfile sees all threads at once and mixes them up; there the slower `profile` takes its place.
    """
    if sys.version_info < (3, 12):
        return cProfile.Profile(time.thread_time)
    return profile.Profile(time.thread_time)
