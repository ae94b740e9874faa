"""The limit on open files, which a thousand connections would hit."""

import contextlib
import sys


def raise_descriptor_limit() -> None:
    """Let this process and its children have as many descriptors as the system allows without asking anyone."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - not on Windows

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
