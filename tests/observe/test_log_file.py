"""The log file: private, rotated, and never a reason to stop a call."""

import errno
import os
import stat
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.files import REPLACE_TRIES
from gateway.observe.log_file import KEPT, MAX_BYTES, LogFile
from gateway.observe.logs import queue_for
from gateway.observe.output_queue import OutputQueue
from tests.support.fakes import FakeClock

if sys.platform != "win32":
    import fcntl

HANG = 30.0
SIZE = 100
LINE = b"0123456789012345678901234567890123456789012345678\n"  # two fill a file
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file modes, and moves no open file")


class Disk:
    """A log file, and the faults that it told."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told: list[str] = []
        self.file = LogFile(path, lambda fault: self.told.append(fault.strerror or ""), FakeClock(), SIZE)

    def write(self, *lines: bytes) -> None:
        for line in lines:
            assert self.file.write(memoryview(line)) == len(line)

    def lines(self) -> dict[str, list[str]]:
        """The first letter of each line, by file."""
        return {
            each.name: [line[:1] for line in each.read_text().splitlines()]
            for each in sorted(self.path.parent.iterdir())
        }


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path / "log")


def line(letter: str) -> bytes:
    return letter.encode() + LINE[1:]


def test_it_is_ten_mebibytes_and_three_are_kept() -> None:
    assert (MAX_BYTES, KEPT) == (10 * 1024 * 1024, 3)


@posix_only
def test_only_the_user_may_read_it_and_the_rotated_ones(disk: Disk) -> None:
    disk.path.write_bytes(b"")
    disk.path.chmod(0o644)
    earlier = os.umask(0)
    try:
        disk.write(*map(line, "abcde"))
    finally:
        os.umask(earlier)
    assert {stat.S_IMODE(each.stat().st_mode) for each in disk.path.parent.iterdir()} == {0o600}


def test_a_full_file_is_rotated_and_the_oldest_goes(disk: Disk) -> None:
    disk.write(*map(line, "abcdefghijk"))
    assert disk.lines() == {"log": ["k"], "log.1": ["i", "j"], "log.2": ["g", "h"], "log.3": ["e", "f"]}


def test_it_goes_on_with_what_is_there(disk: Disk) -> None:
    disk.path.write_bytes(line("a"))
    disk.write(line("b"), line("c"))
    assert disk.lines() == {"log": ["c"], "log.1": ["a", "b"]}


def test_a_line_that_is_longer_than_a_file_is_written_whole(disk: Disk) -> None:
    disk.write(b"a" * 3 * SIZE + b"\n", line("b"))
    assert disk.lines() == {"log": ["b"], "log.1": ["a"]}


@posix_only
def test_a_file_that_was_moved_or_deleted_is_made_anew(disk: Disk) -> None:
    disk.write(line("a"))
    disk.path.rename(disk.path.with_name("moved"))
    disk.write(line("b"))
    disk.path.unlink()
    disk.write(line("c"))
    assert disk.lines() == {"log": ["c"], "moved": ["a"]}


@posix_only
def test_a_device_is_neither_renamed_nor_made_private(tmp_path: Path) -> None:
    disk = Disk(Path(os.devnull))
    before = Path(os.devnull).stat()
    disk.write(*map(line, "abcde"))
    assert Path(os.devnull).stat().st_mode == before.st_mode


class TestWhereItCannotBeRenamed:
    """On Windows, while somebody has it open."""

    @pytest.fixture
    def opened(self, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """How many tries still fail."""
        real, left = os.replace, [0]

        def replace(source: Path, target: Path) -> None:
            if left[0]:
                left[0] -= 1
                raise PermissionError(errno.EACCES, "somebody has it open")
            real(source, target)

        monkeypatch.setattr(os, "replace", replace)
        return left

    def test_it_is_tried_again(self, disk: Disk, opened: list[int]) -> None:
        opened[0] = REPLACE_TRIES - 1
        disk.write(*map(line, "abc"))
        assert disk.lines() == {"log": ["c"], "log.1": ["a", "b"]}
        assert disk.told == []

    def test_it_goes_on_up_to_twice_its_size_and_is_rotated_later(
        self, disk: Disk, opened: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gateway.observe.log_file.RETRY_BYTES", 1)
        opened[0] = 1_000_000
        disk.write(*map(line, "abcd"))
        for _ in range(2):
            with pytest.raises(OSError, match="too large"):
                disk.write(line("e"))
        opened[0] = 0
        disk.write(line("f"))
        assert disk.lines() == {"log": ["f"], "log.1": ["a", "b", "c", "d"]}
        assert disk.told == ["it cannot be renamed, and is too large"]


class TestADiskInTrouble:
    def test_is_told_once_and_used_again_when_it_is_well(self, disk: Disk, tmp_path: Path) -> None:
        away = tmp_path / "away"
        disk = Disk(away / "log")
        for _ in range(3):
            with pytest.raises(FileNotFoundError):
                disk.write(line("a"))
        away.mkdir()
        disk.write(line("b"))
        assert disk.lines() == {"log": ["b"]}
        disk.file.close()
        disk.path.unlink()
        away.rmdir()
        with pytest.raises(FileNotFoundError):
            disk.write(line("c"))
        assert disk.told == [os.strerror(errno.ENOENT)] * 2

    def test_a_line_that_was_cut_does_not_swallow_the_next(self, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
        real, full = os.write, threading.Event()
        answers: list[int | OSError] = [2, OSError(errno.ENOSPC, "No space left on device")]

        def write(handle: int, content: memoryview | bytes) -> int:
            answer = answers.pop(0) if answers else len(content)
            if isinstance(answer, OSError):
                full.set()
                raise answer
            return real(handle, content[:answer])

        output = OutputQueue(disk.file, lambda count: f"{count} dropped\n", FakeClock())
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", write)
            output.write("first\n")
            assert full.wait(HANG)
            output.write("second\n")
            assert output.close(HANG)
        assert disk.path.read_text() == "fi\n1 dropped\nsecond\n"

    def test_the_lines_that_it_cost_are_counted(self, tmp_path: Path) -> None:
        told = threading.Event()
        file = LogFile(tmp_path / "later" / "log", lambda fault: told.set())
        output = queue_for(file, "json", "the log file could not be written")
        output.write("lost\n")
        assert told.wait(HANG)
        (tmp_path / "later").mkdir()
        output.write("kept\n")
        assert output.close(HANG)
        file.close()
        dropped, kept = (tmp_path / "later" / "log").read_text().splitlines()
        assert '"1 log line dropped: the log file could not be written.","dropped_lines":1' in dropped
        assert kept == "kept"


@posix_only
class TestSeveralProcesses:
    """Each has a LogFile of its own, as the workers of a gateway have."""

    def test_only_one_of_them_rotates_and_no_line_is_lost(self, tmp_path: Path) -> None:
        one, other = Disk(tmp_path / "log"), Disk(tmp_path / "log")
        for letter in "abcdef":
            (one if letter in "ace" else other).write(line(letter))
        assert one.lines() == {"log": ["e", "f"], "log.1": ["c", "d"], "log.2": ["a", "b"]}
        assert one.told == other.told == []

    def test_one_that_finds_another_rotating_writes_on(self, tmp_path: Path) -> None:
        one, other = Disk(tmp_path / "log"), Disk(tmp_path / "log")
        one.write(line("a"), line("b"))
        with (tmp_path / "log").open() as held:
            if sys.platform != "win32":
                fcntl.flock(held, fcntl.LOCK_EX)
            other.write(line("c"))
        assert one.lines() == {"log": ["a", "b", "c"]}
        other.write(line("d"))
        assert one.lines() == {"log": ["d"], "log.1": ["a", "b", "c"]}

    def test_the_lines_of_many_writers_stay_whole(self, tmp_path: Path) -> None:
        disks = [Disk(tmp_path / "log") for _ in range(4)]
        with ThreadPoolExecutor(len(disks)) as pool:
            list(pool.map(lambda disk: [disk.write(line("x")) for _ in range(50)], disks))
        written = [each for path in tmp_path.iterdir() for each in path.read_bytes().splitlines(keepends=True)]
        assert set(written) == {line("x")}
        assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "log.1", "log.2", "log.3"]
        assert [disk.told for disk in disks] == [[]] * 4
