"""When a changed file is read: after it has stood still, once, whoever wrote it and however."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.config.loader import ConfigError
from gateway.config.overrides import Overrides
from gateway.config_file import HASH_SECONDS, LOOK_SECONDS, STILL_SECONDS, ConfigFile, FileWatch
from tests.support.fakes import FakeClock

STEP = 0.1
LONG = 60.0


class Disk:
    """A file whose times are those of the clock, and what the watch made of it: when it was read, and what it said."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = FakeClock()
        self.write(b"first")
        self.watch = FileWatch(path, self.clock)
        self.read: list[tuple[float, bytes | None]] = []
        self._next = self.clock.monotonic()

    def write(self, content: bytes) -> None:
        """In place, as some editors and every shell do."""
        self.path.write_bytes(content)
        os.utime(self.path, (self.clock.wall(), self.clock.wall()))

    def replace(self, content: bytes) -> None:
        """By another file that takes its name, as most editors do."""
        beside = self.path.with_name("beside")
        beside.write_bytes(content)
        os.utime(beside, (self.clock.wall(), self.clock.wall()))
        beside.replace(self.path)

    def passes(self, seconds: float) -> None:
        """Time goes by in small steps, and the watch looks when it said that it would."""
        end = self.clock.monotonic() + seconds
        while self.clock.monotonic() < end:
            self.clock.advance(STEP)
            if self.clock.monotonic() >= self._next:
                self._look()

    def _look(self) -> None:
        pause = self.watch.look()
        if pause:
            self._next = self.clock.monotonic() + pause
            return
        found = self.path.read_bytes() if self.path.exists() else None
        self.read.append((self.clock.monotonic(), found))
        self.watch.note(self.watch.signature())
        self._next = self.clock.monotonic() + LOOK_SECONDS

    @property
    def contents(self) -> list[bytes | None]:
        """What was read since the last time, without repetitions."""
        found = [content for _, content in self.read]
        self.read.clear()
        return [content for at, content in enumerate(found) if at == 0 or found[at - 1] != content]


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    disk = Disk(tmp_path / "config.yaml")
    disk.passes(LONG)
    assert disk.contents == [b"first"]
    return disk


WRITERS: list[Callable[[Disk, bytes], None]] = [Disk.write, Disk.replace]
IN_PLACE_OR_REPLACED = pytest.mark.parametrize("put", WRITERS, ids=["in place", "replaced"])


@IN_PLACE_OR_REPLACED
def test_a_change_is_read_within_a_look_and_the_time_to_stand_still(
    disk: Disk, put: Callable[[Disk, bytes], None]
) -> None:
    for number in range(20):
        disk.passes(7 * STEP)
        disk.read.clear()
        put(disk, b"content %d" % number)
        written = disk.clock.monotonic()
        disk.passes(5.0)
        at, content = disk.read[0]
        assert content == b"content %d" % number
        assert STILL_SECONDS <= at - written + STEP <= LOOK_SECONDS + STILL_SECONDS + 3 * STEP
        assert disk.contents == [content]


@pytest.mark.parametrize("offset", range(12))
def test_a_file_that_is_written_in_two_halves_is_read_once_and_whole(disk: Disk, offset: int) -> None:
    disk.passes(offset * STEP)
    disk.read.clear()
    disk.write(b"")
    disk.write(b"one half")
    disk.passes(0.2)
    disk.write(b"one half and the other")
    disk.passes(LONG)
    assert disk.contents == [b"one half and the other"]


def test_a_file_that_is_written_without_a_pause_is_read_when_that_ends(disk: Disk) -> None:
    for number in range(100):
        disk.write(b"x" * number)
        disk.passes(0.2)
    assert disk.contents == []
    disk.passes(5.0)
    assert disk.contents == [b"x" * 99]


def test_a_file_that_is_gone_for_a_moment_is_not_missed_and_one_that_stays_gone_is(disk: Disk) -> None:
    disk.path.unlink()
    disk.passes(0.2)
    disk.write(b"second")
    disk.passes(5.0)
    assert disk.contents == [b"second"]
    disk.path.unlink()
    disk.passes(5.0)
    assert disk.contents == [None]
    disk.passes(HASH_SECONDS / 2)
    assert disk.read == [], "it is not asked for again and again"
    disk.write(b"third")
    disk.passes(5.0)
    assert disk.contents == [b"third"]


def test_a_write_that_keeps_time_and_size_is_found_while_the_time_is_young_and_by_a_look_in_half_a_minute(
    disk: Disk,
) -> None:
    disk.write(b"same size a")
    stamp = disk.clock.wall()
    disk.passes(1.5)
    assert disk.contents == [b"same size a"]
    disk.path.write_bytes(b"same size b")
    os.utime(disk.path, (stamp, stamp))
    disk.passes(3.0)
    assert disk.contents == [b"same size b"]
    disk.passes(LONG)
    disk.read.clear()
    disk.path.write_bytes(b"same size c")
    os.utime(disk.path, (stamp, stamp))
    disk.passes(HASH_SECONDS + LOOK_SECONDS + STILL_SECONDS + STEP)
    assert disk.contents == [b"same size c"]


def test_an_idle_file_is_hardly_read(disk: Disk) -> None:
    disk.passes(10 * HASH_SECONDS)
    assert len(disk.read) <= 10


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_a_link_that_is_turned_to_another_file_is_a_change(tmp_path: Path) -> None:
    one, two, link = tmp_path / "one", tmp_path / "two", tmp_path / "config.yaml"
    for each in (one, two):
        each.write_bytes(each.name.encode())
        os.utime(each, (0, 0))
    link.symlink_to(one)
    clock = FakeClock()
    watch = FileWatch(link, clock)
    watch.note(watch.signature())
    assert watch.look() == LOOK_SECONDS
    beside = tmp_path / "beside"
    beside.symlink_to(two)
    beside.replace(link)
    assert watch.look() == pytest.approx(STILL_SECONDS)
    clock.advance(STILL_SECONDS)
    assert watch.look() == pytest.approx(0.0)


class TestMoving:
    """A reload that is asked for waits for a file that was written a moment ago."""

    def test_a_change_of_this_moment(self, disk: Disk) -> None:
        disk.write(b"now")
        assert disk.watch.moving() == pytest.approx(STILL_SECONDS)
        disk.clock.advance(STILL_SECONDS)
        assert disk.watch.moving() == pytest.approx(0.0)

    @pytest.mark.parametrize("skew", [5.0, 3600.0, -5.0])
    def test_a_disk_with_another_clock_makes_nobody_wait(self, disk: Disk, skew: float) -> None:
        disk.write(b"now")
        os.utime(disk.path, (disk.clock.wall() + skew,) * 2)
        assert disk.watch.moving() == 0.0

    def test_a_file_that_is_gone(self, disk: Disk) -> None:
        disk.path.unlink()
        assert disk.watch.moving() == 0.0


class TestReading:
    @pytest.mark.parametrize("content", [b"", b"\n \n", b"# a comment\n", b"\r\n# one\n  # two\n"])
    def test_a_file_that_says_nothing_is_a_fault(self, tmp_path: Path, content: bytes) -> None:
        """At the start it means the defaults; of one that is served already it is probably the beginning of a write."""
        path = tmp_path / "config.yaml"
        path.write_bytes(content)
        with pytest.raises(ConfigError, match="is empty"):
            ConfigFile(path, {}).read()

    def test_a_file_that_is_gone_is_a_fault(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="cannot be read: No such file"):
            ConfigFile(tmp_path / "config.yaml", {}).read()

    def test_it_is_checked_as_at_the_start(self, tmp_path: Path) -> None:
        file = ConfigFile(tmp_path / "config.yaml", {"KEY": "sk-1"})
        config = file.parse(b"providers: {acme: {type: openai, apiKey: '${KEY}'}}").config
        assert config.providers["acme"].api_key is not None
        with pytest.raises(ConfigError, match='did you mean "groq"'):
            file.parse(b"providers: {groc: {}}")
        with pytest.raises(ConfigError, match="GONE is not set"):
            file.parse(b"providers: {openai: {apiKey: '${GONE}'}}")
        own = b"providers: {acme: {type: openai, apiEndpoint: 'http://127.0.0.1:9999/v1'}}"
        file.parse(own)
        with pytest.raises(ConfigError, match="own address"):
            ConfigFile(file.path, {}, Overrides(port=9999)).parse(own)
