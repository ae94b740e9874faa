"""The last lines of a log file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

MAX_BYTES: Final = 1 << 18
"""Of a file's end that are read."""


def last_lines(path: Path, count: int) -> Sequence[str]:
    """So many lines of the end of a file at most, or one that says why there are none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            start = file.seek(max(0, size - MAX_BYTES))
            lines = file.read(MAX_BYTES).decode(errors="backslashreplace").splitlines()
    except OSError as fault:
        return (f"({fault.strerror})",)
    return lines[1:][-count:] if start else lines[-count:]
