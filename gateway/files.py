"""Renames files where others may look at them at the same moment. It knows nothing of what they hold."""

import os
import threading
from pathlib import Path
from typing import Final

from gateway.core.clock import Clock

REPLACE_TRIES: Final = 10
"""On Windows a file cannot be replaced while a virus scanner or a reader has it open, mostly for milliseconds."""
REPLACE_WAIT: Final = 0.02
"""Seconds after the first failed try. Each further wait is longer by as much; together they take 0.9 seconds."""


def replace_file(source: Path, target: Path, clock: Clock) -> None:
    """Give a file another name in one step; a file of that name goes.

    Args:
        source: the file.
        target: its new path, on the same file system.
        clock: for the waits between two tries.

    Raises:
        PermissionError: somebody has one of the two open, or it may not be written.
        OSError: it cannot be renamed.
    """
    pause = threading.Condition()
    for tried in range(1, REPLACE_TRIES + 1):
        try:
            return os.replace(source, target)
        except PermissionError:
            if tried == REPLACE_TRIES:
                raise
        with pause:
            clock.wait(pause, REPLACE_WAIT * tried)
    return None
