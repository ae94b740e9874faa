"""The token file: whole or not at all, private, and nobody else's entries lost."""

import json
import os
import random
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gateway.auth.tokens.file_lock import LockBusy
from gateway.auth.tokens.polled_file import MAX_FILE
from gateway.auth.tokens.token import Token
from gateway.auth.tokens.token_store import TokenStore
from gateway.core.clock import SystemClock
from gateway.core.secrets import Secret
from gateway.files import REPLACE_TRIES
from tests.support.examples import examples
from tests.support.fakes import FakeClock
from tests.support.wine import locks_of_files

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file modes, and no replacing of open files")
ROOT = Path(__file__).parents[1]
ALL = ["tokens.json", "tokens.json.bak", "tokens.json.lock"]
NEW_YEAR = 1_767_225_600.0  # 2026-01-01T00:00:00Z


class WaitClock(FakeClock):
    """Remembers for how long it was waited."""

    def __init__(self) -> None:
        super().__init__(NEW_YEAR)
        self.waits: list[float] = []

    def wait(self, condition: threading.Condition, timeout: float) -> bool:
        self.waits.append(timeout)
        return super().wait(condition, timeout)


@pytest.fixture
def clock() -> WaitClock:
    return WaitClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


@pytest.fixture
def store(path: Path, clock: WaitClock) -> TokenStore:
    return TokenStore(path, clock)


def token(access: str, **others: Any) -> Token:
    return Token(Secret(access), **others)


def content(path: Path) -> Any:
    return json.loads(path.read_bytes())


def write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value))
    path.chmod(0o600)


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.parent.iterdir())


def access_of(found: Token | None) -> str | None:
    return found.access_token.reveal() if found else None


# Reading -----------------------------------------------------------------------------------------------------------


def test_a_file_that_is_not_there_has_no_tokens_and_no_problem(store: TokenStore, path: Path) -> None:
    assert store.get("openai") is None
    assert store.problem is None
    assert not path.exists()


def test_what_is_put_is_got_also_by_another_store(store: TokenStore, path: Path, clock: WaitClock) -> None:
    kept = token("a", refresh_token=Secret("r"), expires_at=NEW_YEAR, extra={"scope": "chat", "account": {"id": 7}})
    store.put("gemini", kept)
    assert store.get("gemini") == TokenStore(path, clock).get("gemini") == kept
    assert content(path) == {
        "version": 1,
        "credentials": {
            "gemini": {
                "accessToken": "a",
                "refreshToken": "r",
                "expiresAt": NEW_YEAR,
                "scope": "chat",
                "account": {"id": 7},
            }
        },
    }


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (1_767_225_600, NEW_YEAR),
        (1_767_225_600.5, NEW_YEAR + 0.5),
        (1_767_225_600_500, NEW_YEAR + 0.5),
        ("2026-01-01T00:00:00Z", NEW_YEAR),
        ("2026-01-01T09:00:00.123456789+09:00", NEW_YEAR + 0.123456),
        ("2026-01-01T00:00:00", NEW_YEAR),
        (0, 0.0),
        (None, None),
        ("soon", None),
        (True, None),
        (-1, None),
        (1e300, None),
        ("0001-01-01T00:00:00Z", None),
        ([NEW_YEAR], None),
    ],
)
def test_an_expiry_is_read_in_every_usual_form(store: TokenStore, path: Path, written: Any, seconds: Any) -> None:
    write(path, {"version": 1, "credentials": {"x": {"accessToken": "a", "expiresAt": written}}})
    found = store.get("x")
    assert found is not None
    assert found.expires_at == seconds


@pytest.mark.parametrize(
    "entry", [None, "a", [], {}, {"accessToken": 7}, {"accessToken": " "}, {"accessToken": "a\r\nb"}]
)
def test_an_entry_without_a_sendable_token_is_none_and_is_told(store: TokenStore, path: Path, entry: Any) -> None:
    write(path, {"credentials": {"x": entry, "y": {"accessToken": " b\n"}}})
    assert store.get("x") is None
    assert access_of(store.get("y")) == "b"
    assert store.problem == "tokens.json has an entry without a usable accessToken"


def test_a_change_from_outside_is_seen(store: TokenStore, path: Path) -> None:
    store.put("x", token("old"))
    assert access_of(store.get("x")) == "old"
    write(path, {"version": 1, "credentials": {"x": {"accessToken": "edited"}, "y": {"accessToken": "added"}}})
    assert (access_of(store.get("x")), access_of(store.get("y"))) == ("edited", "added")
    path.unlink()
    assert store.get("x") is None


def test_a_change_within_the_resolution_of_file_times_is_seen(store: TokenStore, path: Path, clock: WaitClock) -> None:
    for access in ("one", "two"):  # same size, same time, same inode
        write(path, {"credentials": {"x": {"accessToken": access}}})
        os.utime(path, (clock.wall(), clock.wall()))
        assert access_of(store.get("x")) == access


def test_a_file_that_is_as_it_was_is_not_read_again(
    store: TokenStore, path: Path, clock: WaitClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("x", token("a"))
    os.utime(path, (clock.wall() - 60, clock.wall() - 60))
    assert access_of(store.get("x")) == "a"
    monkeypatch.setattr("builtins.open", None)
    assert access_of(store.get("x")) == "a"


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b'{"version": 1, "credentials": {"x": {"accessT',
        b"[]",
        b'{"credentials": []}',
        b'{"version": 2, "credentials": {}}',
        b"\xff",
        b"[" * 200_000,
        b" " * (MAX_FILE + 1),
    ],
    ids=lambda broken: ascii(broken[:40]),
)
def test_a_broken_file_keeps_what_was_known_and_is_kept_aside_by_the_next_write(
    store: TokenStore, path: Path, broken: bytes
) -> None:
    store.put("x", token("known"))
    path.write_bytes(broken)
    assert access_of(store.get("x")) == "known"
    assert (store.problem or "").startswith("tokens.json cannot be used: ")
    assert names(path) == ALL
    store.put("y", token("new"))
    assert names(path) == sorted([*ALL, "tokens.json.corrupt-20260101T000000Z"])
    assert path.with_name("tokens.json.corrupt-20260101T000000Z").read_bytes() == broken
    assert set(content(path)["credentials"]) == {"x", "y"}
    assert store.problem is None


def test_what_is_not_a_file_is_a_problem_and_stays_where_it_is(store: TokenStore, path: Path) -> None:
    path.mkdir()
    assert store.get("x") is None
    assert store.problem == "tokens.json cannot be used: it is not a regular file"
    with pytest.raises(OSError, match="not a regular file"):
        store.put("x", token("a"))
    assert names(path) == ["tokens.json", "tokens.json.lock"]
    assert path.is_dir()


@pytest.mark.parametrize("broken", [b"", b'{"version": 1, "cred'])
def test_who_starts_with_a_broken_file_has_the_last_good_state(path: Path, clock: WaitClock, broken: bytes) -> None:
    before = TokenStore(path, clock)
    before.put("x", token("old"))
    before.put("x", token("new", refresh_token=Secret("r"), extra={"scope": "chat"}))
    path.write_bytes(broken)
    store = TokenStore(path, clock)
    assert store.get("x") == token("new", refresh_token=Secret("r"), extra={"scope": "chat"})
    assert (store.problem or "").endswith("; tokens.json.bak is used")
    store.put("y", token("b"))
    assert store.problem is None
    assert set(content(path)["credentials"]) == {"x", "y"}
    assert path.with_name("tokens.json.corrupt-20260101T000000Z").read_bytes() == broken


def test_who_starts_with_a_broken_file_and_no_copy_has_nothing_and_says_so(path: Path, store: TokenStore) -> None:
    path.write_bytes(b"{")
    assert store.get("x") is None
    assert (store.problem or "").startswith("tokens.json cannot be used: ")
    assert not (store.problem or "").endswith("is used")


def test_what_was_deleted_does_not_come_back_from_the_copy(path: Path, clock: WaitClock, store: TokenStore) -> None:
    store.put("x", token("a"))
    path.unlink()
    assert TokenStore(path, clock).get("x") is None
    assert store.get("x") is None
    store.put("y", token("b"))
    assert set(content(path)["credentials"]) == {"y"}


def test_what_is_removed_is_not_in_the_copy_either(path: Path, store: TokenStore) -> None:
    store.put("x", token("sk-SECRET"))
    store.remove("x")
    assert [each for each in path.parent.iterdir() if b"SECRET" in each.read_bytes()] == []


# Writing -----------------------------------------------------------------------------------------------------------


def test_a_write_keeps_all_that_is_not_ours(store: TokenStore, path: Path) -> None:
    write(path, {"note": "mine", "credentials": {"a": {"accessToken": "1", "label": [None]}, "odd": 7}})
    store.put("b", token("2"))
    assert content(path) == {
        "note": "mine",
        "version": 1,
        "credentials": {"a": {"accessToken": "1", "label": [None]}, "odd": 7, "b": {"accessToken": "2"}},
    }


def test_a_write_takes_in_what_another_process_wrote_before(path: Path, clock: WaitClock) -> None:
    mine, theirs = TokenStore(path, clock), TokenStore(path, clock)
    mine.put("a", token("1"))
    theirs.put("b", token("2"))
    mine.put("c", token("3"))
    assert set(content(path)["credentials"]) == {"a", "b", "c"}


def test_remove_forgets_one_and_says_whether_it_was_there(store: TokenStore, path: Path) -> None:
    store.put("a", token("1"))
    store.put("b", token("2"))
    assert store.remove("a") is True
    assert store.get("a") is None
    before = path.stat().st_mtime_ns
    assert store.remove("a") is False
    assert path.stat().st_mtime_ns == before
    assert set(content(path)["credentials"]) == {"b"}


def test_concurrent_puts_keep_all_credentials(path: Path) -> None:
    store = TokenStore(path, SystemClock())

    def put(worker: int) -> None:
        for turn in range(10):
            store.put(f"{worker}-{turn}", token(f"t{worker}"))
            assert access_of(store.get(f"{worker}-{turn}")) == f"t{worker}"

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, range(8), timeout=60))
    assert len(content(path)["credentials"]) == 80
    assert names(path) == ALL


@posix
def test_readers_see_a_whole_file_while_it_is_written(store: TokenStore, path: Path) -> None:
    store.put("x", token("0" * 5_000))
    done = threading.Event()

    def write_on() -> None:
        for turn in range(200):
            store.put("x", token(str(turn % 10) * 5_000))
        done.set()

    writer = threading.Thread(target=write_on)
    writer.start()
    while not done.wait(0.0005):  # one who never pauses keeps the writer from writing
        assert len(set(content(path)["credentials"]["x"]["accessToken"])) == 1
    writer.join(60)


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["disk", "kill"])
def test_a_write_that_fails_midway_leaves_the_old_file(
    store: TokenStore, path: Path, step: str, fault: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("x", token("old"))
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise fault

    with monkeypatch.context() as patch:
        patch.setattr(os, step, fail)
        with pytest.raises(type(fault)):
            store.put("x", token("new"))
    assert path.read_bytes() == before
    assert names(path) == ALL
    assert access_of(store.get("x")) == "old"
    store.put("x", token("new"))
    assert access_of(store.get("x")) == "new"


@pytest.mark.parametrize("failures", [1, REPLACE_TRIES - 1])
def test_a_file_that_another_program_has_open_is_replaced_when_it_lets_go(
    store: TokenStore, clock: WaitClock, failures: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, left = os.replace, [failures]

    def replace(source: Path, target: Path) -> None:
        if left[0]:
            left[0] -= 1
            raise PermissionError(13, "Access is denied")
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    store.put("x", token("a"))
    assert access_of(store.get("x")) == "a"
    assert len(clock.waits) == failures
    assert clock.waits == sorted(set(clock.waits))


def test_a_file_that_stays_open_is_told_within_a_second(
    store: TokenStore, path: Path, clock: WaitClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Access is denied")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(PermissionError):
        store.put("x", token("a"))
    assert names(path) == ["tokens.json.lock"]
    assert sum(clock.waits) < 1


@posix
def test_file_and_folder_are_private_from_the_start(tmp_path: Path, clock: WaitClock) -> None:
    path = tmp_path / "new" / "tokens.json"
    old = os.umask(0)
    try:
        TokenStore(path, clock).put("x", token("a"))
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@posix
def test_a_file_that_others_can_read_is_told_and_tightened_by_the_next_write(store: TokenStore, path: Path) -> None:
    store.put("x", token("a"))
    path.chmod(0o640)
    assert access_of(store.get("x")) == "a"
    assert "can be read by other users" in (store.problem or "")
    store.put("y", token("b"))
    assert store.problem is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@posix
def test_a_link_stays_a_link(tmp_path: Path, clock: WaitClock) -> None:
    real, link = tmp_path / "real.json", tmp_path / "tokens.json"
    link.symlink_to(real)
    store = TokenStore(link, clock)
    store.put("x", token("a"))
    assert link.is_symlink()
    assert access_of(store.get("x")) == content(real)["credentials"]["x"]["accessToken"] == "a"


def test_no_repr_and_no_problem_shows_a_secret(store: TokenStore, path: Path) -> None:
    kept = token("sk-SECRET", refresh_token=Secret("sk-SECRET"), extra={"id_token": "sk-SECRET"})
    store.put("x", kept)
    shown = [kept, store.get("x"), store, vars(store), store.problem]
    path.write_text('{"sk-SECRET": "sk-SECRET" sk-SECRET')
    assert "sk-SECRET" not in " ".join(f"{each} {each!r}" for each in [*shown, store.problem, vars(store)])


def test_a_copy_that_cannot_be_written_goes_rather_than_be_an_old_one(
    store: TokenStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("x", token("old"))
    real = os.replace

    def replace(source: Path, target: Path) -> None:
        if target.suffix == ".bak":
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    store.put("x", token("new"))
    assert access_of(store.get("x")) == "new"
    assert names(path) == ["tokens.json", "tokens.json.lock"]


# One at a time -----------------------------------------------------------------------------------------------------


def test_who_has_the_store_for_himself_sees_and_makes_changes(path: Path, clock: WaitClock, store: TokenStore) -> None:
    TokenStore(path, clock).put("x", token("a"))
    with store.exclusive() as held:
        assert access_of(held.get("x")) == "a"
        write(path, {"version": 1, "credentials": {"x": {"accessToken": "b"}}})  # of someone who knows no lock
        assert access_of(held.get("x")) == "b"
        held.put("y", token("c"))
        assert held.remove("x") is True
        assert held.remove("x") is False
    assert set(content(path)["credentials"]) == {"y"}


@locks_of_files
def test_nobody_else_changes_it_meanwhile_and_everybody_reads_it(path: Path, clock: WaitClock) -> None:
    mine, theirs = TokenStore(path, clock), TokenStore(path, clock)
    mine.put("x", token("a"))
    with mine.exclusive():
        with pytest.raises(LockBusy), theirs.exclusive(0):
            pytest.fail("it is held")
        with pytest.raises(OSError, match=r"tokens\.json\.lock is held"):
            theirs.put("x", token("b"))
        assert access_of(theirs.get("x")) == "a"
    theirs.put("x", token("b"))
    assert access_of(mine.get("x")) == "b"


@posix
def test_a_link_and_its_file_have_one_lock(tmp_path: Path, clock: WaitClock) -> None:
    real, link = tmp_path / "real.json", tmp_path / "tokens.json"
    link.symlink_to(real)
    with TokenStore(link, clock).exclusive(), pytest.raises(LockBusy), TokenStore(real, clock).exclusive(0):
        pytest.fail("it is held")


def test_what_a_killed_writer_left_is_gone_with_the_next_write(store: TokenStore, path: Path) -> None:
    path.with_name("tokens.json.tmp").write_text("half")
    store.put("x", token("a"))
    assert names(path) == ALL


WRITER = """
import sys
from pathlib import Path
from gateway.auth.tokens.token import Token
from gateway.auth.tokens.token_store import TokenStore
from gateway.core.clock import SystemClock
from gateway.core.secrets import Secret

store, turn = TokenStore(Path(sys.argv[1]), SystemClock()), int(sys.argv[2])
while True:
    turn += 1
    store.put("x", Token(Secret(f"{turn}-" * 2_000), Secret(f"r{turn}")))
    print(turn, flush=True)
"""


def writer(path: Path, turn: int) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-S", "-c", WRITER, str(path), str(turn)]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, bufsize=0)


def written(process: "subprocess.Popen[bytes]") -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


def turn_of(path: Path) -> int:
    """Which of the writer's states is in the file; it has to be a whole one."""
    found = TokenStore(path, SystemClock()).get("x")
    assert found is not None
    assert found.refresh_token is not None
    turn = int(found.refresh_token.reveal()[1:])
    assert found.access_token.reveal() == f"{turn}-" * 2_000
    return turn


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("kills", [examples(60), pytest.param(200, marks=pytest.mark.slow)])
def test_a_writer_killed_at_any_point_leaves_its_last_good_state(path: Path, kills: int) -> None:
    """What it had said to be written is there, and at most one write more."""
    seed = random.randrange(1_000)
    chance, stores = random.Random(seed), [path.with_name(f"{n}.json") for n in range(2)]  # one starts, one writes
    turns = dict.fromkeys(stores, 0)
    processes = {each: writer(each, 0) for each in stores}
    try:
        for kill in range(kills):
            each = stores[kill % 2]
            for _ in range(chance.randrange(1, 6)):
                told = written(processes[each])
            for _ in range(chance.randrange(40_000)):  # a moment more, of a length that nobody knows
                pass
            processes[each].kill()
            rest, _ = processes[each].communicate()
            told = int(rest.split()[-1]) if rest else told
            assert told <= turn_of(each) <= told + 1, f"kill {kill}, seed {seed}"
            turns[each] = turn_of(each)
            processes[each] = writer(each, turns[each])
    finally:
        for process in processes.values():
            process.kill()
            process.communicate()
    for each in stores:
        TokenStore(each, SystemClock()).remove("x")  # takes away what the killed ones left half done
    assert names(path) == sorted(f"{each.name}{suffix}" for each in stores for suffix in ("", ".bak", ".lock"))
