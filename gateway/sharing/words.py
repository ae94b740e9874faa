"""A file that processes of one machine map as numbers of 64 bits, and change in steps that happen whole or not at all.

Who touches what: every word belongs to whoever holds the lock, which is a thread's lock and inside it flock on the
file (flock belongs to the open file, so it does not part threads). `with words:` is a step. In it `put` writes the old
value of a word to the journal, counts the entry, and then changes the word. Its end is one store that empties the
journal. A process that dies in a step leaves entries behind, and the next holder of the lock puts the old values back,
last first; that can be repeated, so it may die there as well. A step that raises is undone in the same way.

A file of another layout, version or boot is made anew: under another name, which takes the place of the old one when
it is whole. `replace` does the same with a file that is in use: it marks the old file as moved, and whoever takes the
lock of a moved file opens the new one. The mark comes first. A process that dies between the two leaves a marked file
that is still in its place; the next holder sees that and removes the mark.

A process that is stopped (SIGSTOP) in a step holds the others up until it goes on or dies. There is no flock on
Windows. The module knows no limits and no clients.

Sources: flock(2), mmap(2). An aligned store of 8 bytes is never seen in part, and what a process stored before it was
killed stays in the mapping. After a crash of the machine the boot is another one.
"""

import errno
import os
import struct
import sys
import threading
from collections.abc import Callable
from hashlib import blake2b
from mmap import mmap
from pathlib import Path
from types import TracebackType
from typing import Final

MAGIC: Final = 0x4C47_5F57_4F52_4453
VERSION: Final = 1
WORD: Final = 8
"""Bytes of a word."""
JOURNAL_AT: Final = 16
"""The header's words; the journal comes after them, and then the words of the file."""
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)
_MAGIC, _VERSION, _LAYOUT, _BOOT, _SIZE, _ENTRIES, _MOVED, _PENDING = range(8)
"""The fields of the header. The last one is the number of entries in the journal."""

if sys.platform != "win32":
    from fcntl import LOCK_EX, LOCK_UN, flock
else:
    LOCK_EX, LOCK_UN = 2, 8

    def flock(handle: int, operation: int) -> None:
        raise OSError(errno.ENOSYS, f"no operation {operation} on {handle}: files are not shared on Windows")


def _leave(handle: int) -> None:
    """Close a file whose lock is held. Closing alone does not free it: a mapping has a descriptor of its own."""
    flock(handle, LOCK_UN)
    os.close(handle)


class Words:
    """The words of one file. One object a file and process; safe to use from many threads.

    Attributes:
        ints: the words as signed integers. Read them in a step only; write them with `put`.
        floats: the same words as floating-point numbers; write them with `put_float`.
        raw: the same memory as bytes. A write to it is not in the journal: write bytes that no word points to yet, and
            then `put` the word that does. What dies in between is never seen.

    Args:
        path: the file; its folder is there and private to the user.
        layout: what stands where, as a text: a file of another layout is made anew.
        size: the words that are needed. A new file is full of zeros.
        entries: words that one step changes at most, each change of a word counted.
        opened: called with the words in the step that has opened the file, and in the first step after another process
            has replaced it.

    Raises:
        OSError: the file cannot be made, locked or mapped, or its file system is full.
    """

    ints: memoryview
    floats: "memoryview[float]"
    raw: memoryview

    def __init__(
        self, path: Path, *, layout: str, size: int, entries: int, opened: "Callable[[Words], None] | None" = None
    ) -> None:
        self._path = path
        self._layout = digest(layout)
        self._boot = _boot()
        self._size, self._entries = size, entries
        self._opened = opened
        self._mutex = threading.Lock()
        self._handle = -1
        self._used = 0  # entries of the present step
        with self._mutex:
            self._open()
            flock(self._handle, LOCK_UN)

    def __enter__(self) -> None:
        """Begin a step."""
        self._mutex.acquire()
        try:
            flock(self._handle, LOCK_EX)
            if self._head[_PENDING] or self._head[_MOVED]:
                self._mend()
        except BaseException:
            self._mutex.release()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it: all of it holds now, or none where it has raised."""
        try:
            if self._used:
                if kind is None:
                    self._head[_PENDING] = 0
                else:
                    self._undo()
                self._used = 0
            flock(self._handle, LOCK_UN)
        finally:
            self._mutex.release()

    def put(self, place: int, value: int) -> None:
        """Change a word, in a step.

        Raises:
            RuntimeError: the step changes more words than it may.
        """
        used = self._used
        if used >= self._room:
            raise RuntimeError(f"a step in {self._path.name} changes more than {self._room} words")
        head, ints, entry = self._head, self.ints, JOURNAL_AT + 2 * used
        head[entry] = place
        head[entry + 1] = ints[place]
        self._used = head[_PENDING] = used + 1
        ints[place] = value

    def put_float(self, place: int, value: float) -> None:
        """As `put`, with the same words written out: a call more would be felt in every step."""
        used = self._used
        if used >= self._room:
            raise RuntimeError(f"a step in {self._path.name} changes more than {self._room} words")
        head, entry = self._head, JOURNAL_AT + 2 * used
        head[entry] = place
        head[entry + 1] = self.ints[place]
        self._used = head[_PENDING] = used + 1
        self.floats[place] = value

    def commit(self) -> None:
        """What the step has changed so far holds, whatever becomes of its rest."""
        self._head[_PENDING] = self._used = 0

    def replace(self, size: int, entries: int, fill: Callable[[memoryview, memoryview], None]) -> None:
        """Put a new file in the place of this one, in a step that has changed nothing yet.

        Args:
            size: words of the new file, at least as many as `size` above.
            entries: likewise.
            fill: is called with the words of the old file and those of the new one, all zeros, and fills these.
        """
        old, before = self._handle, self.ints
        handle = self._make(size, entries, lambda new: fill(before, new))
        self._head[_MOVED] = 1
        os.replace(self._unfinished, self._path)
        self._map(handle)
        _leave(old)

    def close(self) -> None:
        """Close the file. Idempotent; no step can begin after it."""
        with self._mutex:
            if self._handle >= 0:
                os.close(self._handle)
                self._handle = -1

    def __del__(self) -> None:
        if hasattr(self, "_handle"):
            self.close()

    def _undo(self) -> None:
        head, ints = self._head, self.ints
        for entry in range(JOURNAL_AT + 2 * head[_PENDING] - 2, JOURNAL_AT - 1, -2):
            ints[head[entry]] = head[entry + 1]
        head[_PENDING] = 0

    def _mend(self) -> None:
        """Undo the step of a process that has died, and go on in the file that has taken this one's place."""
        if self._head[_PENDING]:
            self._undo()
        if self._head[_MOVED] and self._is_in_place(self._handle):
            self._head[_MOVED] = 0
        elif self._head[_MOVED]:
            old = self._handle
            self._open()
            _leave(old)

    @property
    def _unfinished(self) -> Path:
        return self._path.with_name(f"{self._path.name}.new")

    def _open(self) -> None:
        """Open the file that is in its place, or make it; afterwards its lock is held."""
        while True:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | _NO_LINK, 0o600)
            flock(handle, LOCK_EX)
            if self._is_in_place(handle):
                break
            _leave(handle)  # it was replaced while we waited for its lock
        if not self._is_whole(handle):
            made = self._make(self._size, self._entries, lambda new: None)
            os.replace(self._unfinished, self._path)
            _leave(handle)
            handle = made
        self._map(handle)
        if self._head[_PENDING]:
            self._undo()
        self._head[_MOVED] = 0

    def _is_in_place(self, handle: int) -> bool:
        try:
            there = os.stat(self._path)
        except FileNotFoundError:
            return False
        return os.path.samestat(os.fstat(handle), there)

    def _is_whole(self, handle: int) -> bool:
        """Whether it is a file of this layout, version and boot, and large enough."""
        length = os.fstat(handle).st_size
        if length < JOURNAL_AT * WORD:
            return False
        head = memoryview(os.read(handle, JOURNAL_AT * WORD)).cast("q")
        is_ours = tuple(head[:_SIZE]) == (MAGIC, VERSION, self._layout, self._boot)
        size, entries = head[_SIZE], head[_ENTRIES]
        return is_ours and size >= self._size and entries >= self._entries and length == _length(size, entries)

    def _make(self, size: int, entries: int, fill: Callable[[memoryview], None]) -> int:
        """Make a whole file under another name. Returns its descriptor, which holds its lock."""
        handle = os.open(self._unfinished, os.O_RDWR | os.O_CREAT | os.O_TRUNC | _NO_LINK, 0o600)
        try:
            flock(handle, LOCK_EX)
            length = _length(size, entries)
            os.ftruncate(handle, length)
            if sys.platform == "linux":
                os.posix_fallocate(handle, 0, length)  # a full disk is an error here, and a SIGBUS later
            words = memoryview(mmap(handle, length)).cast("q")
            words[:_MOVED] = memoryview(_packed(MAGIC, VERSION, self._layout, self._boot, size, entries)).cast("q")
            fill(words[JOURNAL_AT + 2 * entries :])
        except BaseException:
            _leave(handle)
            raise
        return handle

    def _map(self, handle: int) -> None:
        length = os.fstat(handle).st_size
        whole = memoryview(mmap(handle, length))
        self._handle = handle
        head = whole.cast("q")
        self._room = head[_ENTRIES]
        data = JOURNAL_AT + 2 * self._room
        self._head = head[:data]
        self.ints = head[data:]
        self.raw = whole[data * WORD :]
        self.floats = self.raw.cast("d")
        if self._opened is not None:
            self._opened(self)


def _length(size: int, entries: int) -> int:
    return (JOURNAL_AT + 2 * entries + size) * WORD


def _packed(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(WORD, sys.byteorder, signed=True) for number in numbers)


def bits_of(number: float) -> int:
    """The word that is a floating-point number, as an integer."""
    return int.from_bytes(struct.pack("=d", number), sys.byteorder, signed=True)


def digest(text: str) -> int:
    """A number for a text, above 0; two texts do not meet."""
    return int.from_bytes(blake2b(text.encode(), digest_size=WORD).digest()) >> 1 or 1


def _boot() -> int:
    """A number for this start of the machine; 0 where the system tells none, and whoever made the folder cleans it."""
    try:
        return digest(Path("/proc/sys/kernel/random/boot_id").read_text())
    except OSError:
        return 0
