"""Files that other tools write meanwhile: good tokens stay, new ones are used, a fault is reported late."""

import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.auth.sources import SourceFailed, TokenFileSource
from gateway.auth.token_file_reader import TokenFileReader
from gateway.auth.tokens.file_formats import TokenPaths
from gateway.auth.tokens.polled_file import MAX_FILE
from gateway.auth.tokens.watch_files import HASH_EVERY, LOOK_AGAIN, LOOK_EVERY, WatchedFiles
from gateway.config.token_files import WatchFile
from tests.support.fakes import FakeClock

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file modes, pipes, or free symbolic links")
NEW_YEAR = 1_767_225_600.0  # 2026-01-01T00:00:00Z
HALF = b'{"x": {"accessToken": "ne'


class Foreign:
    """A file of another tool, and the gateway's view of it."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock(NEW_YEAR)
        self.path = folder / "foreign.json"
        self.watched = watch(self.clock, self.path)

    def write(self, access: str | bytes, *, written: float | None = None) -> None:
        """In place, as most tools do."""
        text = access if isinstance(access, bytes) else json.dumps({"x": {"accessToken": access}}).encode()
        self.path.write_bytes(text)
        if written is not None:
            os.utime(self.path, (written, written))

    def replace(self, access: str) -> None:
        beside = self.path.with_name("beside.json")
        beside.write_text(json.dumps({"x": {"accessToken": access}}))
        os.replace(beside, self.path)

    @property
    def offered(self) -> list[str]:
        return accesses(self.watched, "x")

    def later(self, seconds: float = LOOK_EVERY) -> list[str]:
        self.clock.advance(seconds)
        return self.offered


@pytest.fixture
def foreign(tmp_path: Path) -> Foreign:
    return Foreign(tmp_path)


def watch(clock: FakeClock, *paths: Path, provider: str | None = None) -> WatchedFiles:
    return WatchedFiles([(path, WatchFile(path=path.name, provider=provider)) for path in paths], clock)


def accesses(watched: WatchedFiles, provider: str) -> list[str]:
    return [token.access_token.reveal() for token in watched.tokens(provider)]


# What is read ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "entry",
    [
        {"accessToken": "a", "refreshToken": "r", "expiresAt": "2026-01-01T00:00:00Z"},
        {"access_token": "a", "refresh_token": "r", "expires_at": 1_767_225_600},
        {"access_token": "a", "refresh_token": "r", "expiry_date": 1_767_225_600_000},
    ],
)
def test_a_token_is_read_by_provider_or_flat(foreign: Foreign, entry: dict[str, object]) -> None:
    foreign.write(json.dumps({"updated": 7, "gemini": entry}).encode())
    for claimed in (None, "openai"):
        (token,) = watch(foreign.clock, foreign.path, provider=claimed).tokens("gemini")
        assert (token.access_token.reveal(), token.expires_at) == ("a", NEW_YEAR)
        assert token.refresh_token is None, "it is its owner's to spend"
    foreign.write(json.dumps(entry).encode())
    assert accesses(watch(foreign.clock, foreign.path, provider="gemini"), "gemini") == ["a"]
    nobodys = watch(foreign.clock, foreign.path)
    assert nobodys.tokens("gemini") == []
    assert "whose token" in nobodys.problems()[0]


def test_several_files_are_asked_in_their_order(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / name).write_text(json.dumps({"x": {"accessToken": name}}))
    watched = watch(FakeClock(), tmp_path / "b", tmp_path / "none", tmp_path / "a")
    assert accesses(watched, "x") == ["b", "a"]
    assert watched.names == ("b", "none", "a")
    assert watched.problems() == []


def test_a_lifetime_counts_from_when_the_file_was_written(foreign: Foreign) -> None:
    foreign.write(b'{"x": {"access_token": "a", "expires_in": 60}}', written=NEW_YEAR - 20)
    assert [token.expires_at for token in foreign.watched.tokens("x")] == [NEW_YEAR + 40]


@posix
def test_a_file_is_never_written(foreign: Foreign) -> None:
    foreign.write("a")
    foreign.path.chmod(0o644)
    before = foreign.path.stat()
    assert foreign.offered == ["a"]
    after = foreign.path.stat()
    assert (before.st_mode, before.st_mtime_ns, before.st_ino) == (after.st_mode, after.st_mtime_ns, after.st_ino)


# What changes ------------------------------------------------------------------------------------------------------


def test_a_file_is_looked_at_once_a_second_or_on_demand(foreign: Foreign) -> None:
    assert foreign.offered == []
    before: list[str] = []
    for access in ("1", "22", "333"):
        foreign.write(access)
        assert foreign.later(LOOK_EVERY / 2) == before
        assert foreign.later(LOOK_EVERY / 2) == [access]
        before = [access]
    foreign.write("4444")
    foreign.watched.refresh()
    assert foreign.offered == ["4444"]


@pytest.mark.parametrize("way", [Foreign.write, Foreign.replace])
def test_a_newer_token_is_used_within_two_seconds(foreign: Foreign, way: Callable[[Foreign, str], None]) -> None:
    for access in ("one", "two", "two", "six"):
        way(foreign, access)
        assert foreign.later(2.0) == [access]


@posix
def test_a_link_that_turns_to_another_file_is_followed(foreign: Foreign, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text(json.dumps({"x": {"accessToken": name}}))
        foreign.path.unlink(missing_ok=True)
        foreign.path.symlink_to(tmp_path / name)
        assert foreign.later() == [name]


def test_a_write_that_leaves_time_and_size_as_they_were_is_found_in_half_a_minute(foreign: Foreign) -> None:
    long_ago = NEW_YEAR - 1000
    foreign.write("one", written=long_ago)
    assert foreign.offered == ["one"]
    foreign.write("two", written=long_ago)
    assert foreign.later(HASH_EVERY - 1) == ["one"]
    assert foreign.later() == ["two"]


def test_a_write_within_the_grain_of_the_files_time_is_not_missed(foreign: Foreign) -> None:
    foreign.write("one", written=NEW_YEAR)
    assert foreign.offered == ["one"]
    foreign.write("two", written=NEW_YEAR)
    assert foreign.later() == ["two"]


def test_a_deleted_file_leaves_its_token_and_can_come_back(foreign: Foreign) -> None:
    foreign.write("old")
    assert foreign.offered == ["old"]
    foreign.path.unlink()
    assert foreign.later() == ["old"]
    assert foreign.later(60) == ["old"]
    assert foreign.watched.problems() == []
    foreign.write("new")
    assert foreign.later() == ["new"]


# What is wrong -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("broken", [b"", HALF, b"\x00" * 9, b"\xff", b" " * (MAX_FILE + 1)])
def test_a_file_in_the_middle_of_a_write_is_looked_at_again_before_anything_is_told(
    foreign: Foreign, broken: bytes
) -> None:
    foreign.write("old")
    assert foreign.offered == ["old"]
    foreign.write(broken)
    assert foreign.later() == ["old"]
    before = 0.0
    for after in LOOK_AGAIN:
        assert foreign.watched.problems() == []
        assert foreign.later(after - before) == ["old"]
        before = after
    (problem,) = foreign.watched.problems()
    assert problem.startswith("foreign.json cannot be used: ")
    foreign.write("new")
    assert foreign.later() == ["new"]
    assert foreign.watched.problems() == []


@pytest.mark.parametrize("after", LOOK_AGAIN)
def test_a_write_that_ends_is_read_at_the_next_look(foreign: Foreign, after: float) -> None:
    foreign.write(HALF)
    assert foreign.offered == []
    foreign.write("whole")
    assert foreign.later(after) == ["whole"]
    assert foreign.watched.problems() == []


def test_asking_often_does_not_use_up_the_patience(foreign: Foreign) -> None:
    foreign.write(HALF)
    for _ in range(20):
        foreign.watched.refresh()
    assert foreign.watched.problems() == []


@pytest.mark.parametrize("useless", [b"{}", b"[]", b'{"x": {"accessToken": ""}}', b"1"])
def test_a_whole_file_without_a_token_is_told_at_once_and_keeps_the_old_one(foreign: Foreign, useless: bytes) -> None:
    foreign.write("old")
    assert foreign.offered == ["old"]
    foreign.write(useless)
    assert foreign.later() == ["old"]
    assert len(foreign.watched.problems()) == 1
    foreign.path.unlink()
    assert foreign.later() == ["old"]
    assert foreign.watched.problems() == []
    foreign.write(useless)
    assert foreign.later() == ["old"]
    assert len(foreign.watched.problems()) == 1


@posix
def test_a_pipe_in_place_of_a_file_holds_nobody_up(foreign: Foreign) -> None:
    if sys.platform != "win32":
        os.mkfifo(foreign.path)
    assert foreign.offered == []
    assert foreign.later() == []
    assert foreign.watched.problems() == ["foreign.json cannot be used: it is not a regular file"]


def test_a_folder_in_place_of_a_file_is_told(foreign: Foreign) -> None:
    foreign.path.mkdir()
    assert foreign.offered == []
    foreign.later()
    assert foreign.watched.problems() == ["foreign.json cannot be used: it is not a regular file"]


def test_no_problem_and_no_repr_shows_the_content(foreign: Foreign) -> None:
    foreign.write(b'{"sk-SECRET": "sk-SECRET" sk-SECRET')
    foreign.later()
    foreign.later()
    (problem,) = foreign.watched.problems()
    foreign.write("sk-SECRET")
    assert foreign.later() == ["sk-SECRET"]
    (file,) = foreign.watched._files
    assert "SECRET" not in f"{problem} {foreign.watched!r} {vars(file)!r} {foreign.watched.tokens('x')!r}"


def test_threads_may_look_while_the_file_is_written(foreign: Foreign) -> None:
    def work(number: int) -> None:
        if number % 3:
            foreign.watched.refresh()
            assert len(foreign.offered) <= 1
        else:
            foreign.write(str(number))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(300), timeout=30))
    foreign.write("end")
    assert foreign.later() == ["end"]


# One file of a provider --------------------------------------------------------------------------------------------


def test_a_token_file_is_read_where_its_settings_say(foreign: Foreign) -> None:
    source = TokenFileSource("~/f", paths=TokenPaths("a.b", "a.c"))
    foreign.write(b'{"a": {"b": "t", "c": 1767225660}}')
    token = TokenFileReader("x", foreign.path, source, foreign.clock).token()
    assert (token.access_token.reveal(), token.expires_at) == ("t", NEW_YEAR + 60)


def test_a_token_file_may_have_entries_by_provider(foreign: Foreign) -> None:
    foreign.write("t")
    tokens = TokenFileReader("x", foreign.path, TokenFileSource("~/f"), foreign.clock)
    assert tokens.token().access_token.reveal() == "t"
    with pytest.raises(SourceFailed, match=r"^There is no token in foreign\.json\.$"):
        TokenFileReader("y", foreign.path, TokenFileSource("~/f"), foreign.clock).token()


def test_a_token_file_that_is_not_there_yet_is_seen_as_soon_as_it_is(foreign: Foreign) -> None:
    tokens = TokenFileReader("x", foreign.path, TokenFileSource("~/f"), foreign.clock)
    with pytest.raises(SourceFailed, match=r"^foreign\.json cannot be used: there is no such file\.$"):
        tokens.token()
    foreign.write("t")
    assert tokens.token().access_token.reveal() == "t", "no second has passed"


def test_a_token_file_is_looked_at_each_time_and_read_when_it_has_changed(foreign: Foreign) -> None:
    tokens = TokenFileReader("x", foreign.path, TokenFileSource("~/f"), foreign.clock)
    for access in ("one", "two", "two", "three"):
        foreign.write(access)
        assert tokens.token().access_token.reveal() == access
    foreign.write(HALF)
    assert tokens.token().access_token.reveal() == "three"
    foreign.path.unlink()
    assert tokens.token().access_token.reveal() == "three"


def test_an_unusable_token_file_is_told_without_its_content(foreign: Foreign) -> None:
    foreign.write(b'["sk-SECRET"]')
    with pytest.raises(SourceFailed) as caught:
        TokenFileReader("x", foreign.path, TokenFileSource("~/f"), foreign.clock).token()
    assert str(caught.value) == "foreign.json cannot be used: a JSON object was expected."
