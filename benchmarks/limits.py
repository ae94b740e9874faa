"""The limit on open files, which a thousand connections would reach."""

import contextlib
import sys


def raise_descriptor_limit() -> None:
    """Raise the limit of this process and its children to the highest value that needs no privilege."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - not on Windows

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
