"""The folder in which the workers of one gateway keep what they share: private, found again by nobody else, and gone
with them.

It is `$XDG_RUNTIME_DIR/llm-gateway-PORT`, or one of that name in the temporary folder. Whoever uses it holds a lock in
it: the parent takes it, and the workers inherit it, so that workers which outlive their parent keep their folder. A
folder without a holder is left from a gateway that was killed, and is emptied. One that is held is another gateway's
(of another address, or one that drains), and the next name is tried.
"""

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

LOCK: Final = "lock"
MOST: Final = 16
"""Folders of one port: gateways that serve it on other addresses, or drain."""

if sys.platform != "win32":
    import fcntl


class NoRunDirectory(Exception):
    """None can be had; the text is one line for people."""


class RunDirectory:
    """The folder. `open` makes one.

    Attributes:
        path: of it.
        lock: the descriptor that holds it, for the workers to inherit.
    """

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self.lock = lock
        self._open = True

    @classmethod
    def open(cls, port: int, environ: Mapping[str, str]) -> "RunDirectory":
        """The first that nobody holds, emptied.

        Args:
            port: that is served.
            environ: says where folders of this kind are.

        Raises:
            NoRunDirectory: none can be made, it is another user's, or too many are in use.
        """
        place = _place(port, environ)
        for number in range(MOST):
            path = place if not number else place.with_name(f"{place.name}-{number + 1}")
            found = cls._open_one(path)
            if found is not None:
                return found
        raise NoRunDirectory(f"{place} and {MOST - 1} more are in use: other gateways run on port {port}.")

    @classmethod
    def _open_one(cls, path: Path) -> "RunDirectory | None":
        try:
            path.mkdir(mode=0o700, exist_ok=True)
            _check(path)
            lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        except OSError as fault:
            raise NoRunDirectory(f"{path} cannot be made or opened: {fault.strerror or fault}.") from None
        if not _took(lock) or not _still(path / LOCK, lock):
            os.close(lock)
            return None
        found = cls(path, lock)
        found.sweep()
        return found

    def sweep(self) -> None:
        """Remove everything in it but the lock."""
        for each in self.path.iterdir():
            if each.name != LOCK:
                shutil.rmtree(each, ignore_errors=True) if each.is_dir() and not each.is_symlink() else each.unlink()

    def remove(self) -> None:
        """Remove it, and let the lock go. Idempotent."""
        if self._open:
            self._open = False
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(self.lock)


def _check(path: Path) -> None:
    """Raise NoRunDirectory unless the folder is this user's alone."""
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != _me():
        raise NoRunDirectory(f"{path} is not a folder of this user: remove it, or set XDG_RUNTIME_DIR to one.")
    if found.st_mode & 0o077:
        path.chmod(0o700)


def _place(port: int, environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_RUNTIME_DIR", "")
    if base:
        return Path(base) / f"llm-gateway-{port}"
    return Path(tempfile.gettempdir()) / f"llm-gateway-{_me()}-{port}"  # every user has one there


def _me() -> int:
    if sys.platform != "win32":
        return os.getuid()
    return 0


def _took(lock: int) -> bool:
    """Take the lock; False where another process has it."""
    if sys.platform != "win32":
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _still(path: Path, lock: int) -> bool:
    """Whether the locked file is still the one of this name: its gateway may have removed it just now."""
    try:
        return os.path.samestat(path.stat(), os.fstat(lock))
    except OSError:
        return False
