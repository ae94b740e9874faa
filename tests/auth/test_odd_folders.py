"""The token store where files are odd: mounts, network folders without locks, folders that take no file."""

import errno
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.auth.tokens import file_lock
from gateway.auth.tokens.file_lock import LockBusy
from gateway.auth.tokens.token import Token
from gateway.auth.tokens.token_store import TokenStore, cannot_write
from gateway.core.secrets import Secret
from tests.auth.test_file_lock import Process
from tests.support.fakes import FakeClock
from tests.support.other_processes import stop
from tests.support.served import posix_only

ALL = ["tokens.json", "tokens.json.bak", "tokens.json.lock"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


@pytest.fixture
def store(path: Path) -> TokenStore:
    return TokenStore(path, FakeClock())


def token(access: str) -> Token:
    return Token(Secret(access), Secret(f"r-{access}"))


def access_in(path: Path) -> str:
    return str(json.loads(path.read_bytes())["credentials"]["x"]["accessToken"])


def failing(number: int) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


class MountPoint:
    """os.replace where one file is mounted by itself, as docker does with a file that is named as a volume."""

    def __init__(self, path: Path, number: int) -> None:
        self._path = path
        self._number = number
        self._replace = os.replace

    def __call__(self, source: Path, target: Path) -> None:
        if Path(target) == self._path:
            raise OSError(self._number, os.strerror(self._number))
        self._replace(source, target)


# Mounted by itself -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EXDEV])
def test_a_file_that_is_mounted_by_itself_is_written_in_place(
    store: TokenStore, path: Path, number: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store.put("x", token("a-long-token-that-came-before"))
    inode = path.stat().st_ino
    monkeypatch.setattr(os, "replace", MountPoint(path, number))
    for access in ("b", "c"):
        store.put("x", token(access))
        assert access_in(path) == access
        assert path.with_name("tokens.json.bak").read_bytes() == path.read_bytes()
    assert path.stat().st_ino == inode
    assert sorted(each.name for each in path.parent.iterdir()) == ALL
    [warning] = warnings(caplog)
    assert f"{path} cannot be replaced" in warning
    assert warning.endswith("mount its folder instead of the file.")


def test_who_is_killed_while_it_writes_in_place_leaves_the_new_state_in_the_copy(
    store: TokenStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("x", token("old"))
    monkeypatch.setattr(os, "replace", MountPoint(path, errno.EBUSY))
    real, calls = os.fsync, []

    def killed_at_the_file_itself(handle: int) -> None:
        calls.append(handle)
        if os.fstat(handle).st_ino == path.stat().st_ino:
            os.ftruncate(handle, 20)
            raise KeyboardInterrupt
        real(handle)

    monkeypatch.setattr(os, "fsync", killed_at_the_file_itself)
    with pytest.raises(KeyboardInterrupt):
        store.put("x", token("new"))
    assert path.stat().st_size == 20
    found = TokenStore(path, FakeClock()).get("x")
    assert found is not None and found.access_token.reveal() == "new"


def test_a_mount_that_takes_nothing_is_found_out_before_a_login(
    store: TokenStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("x", token("old"))
    monkeypatch.setattr(os, "replace", MountPoint(path, errno.EBUSY))
    store.check_writable(1.0)
    assert access_in(path) == "old"
    real = Path.open

    def read_only(self: Path, mode: str = "r") -> object:
        if self == path and "+" in mode:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return real(self, mode)

    monkeypatch.setattr(Path, "open", read_only)
    with pytest.raises(OSError, match="Read-only"):
        store.check_writable(1.0)


def test_a_file_that_is_mounted_read_only_is_known_without_a_login(
    store: TokenStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("x", token("a"))
    real = os.open

    def read_only(opened: Path, flags: int, mode: int = 0o777) -> int:
        if opened == path and flags & os.O_WRONLY:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return real(opened, flags, mode)

    monkeypatch.setattr(os, "open", read_only)
    fault = store.write_fault()
    assert fault is not None and fault.errno == errno.EROFS


# Without locks, without flushing -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ENOLCK", "EOPNOTSUPP", "ENOSYS", "EBADF", "EINVAL"])
def test_a_folder_without_locks_is_used_and_told_once(
    store: TokenStore, path: Path, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(file_lock, "_try_lock", failing(getattr(errno, name)))
    for access in ("a", "b"):
        store.put("x", token(access))
        assert access_in(path) == access
    with store.exclusive(0.0), pytest.raises(LockBusy), store.exclusive(0.0):
        pytest.fail("the threads of one process are kept apart all the same")
    [warning] = warnings(caplog)
    assert f"{path.parent} has no file locks" in warning
    assert "only one gateway at a time" in warning


def test_a_lock_that_fails_for_another_reason_is_a_failure(store: TokenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_lock, "_try_lock", failing(errno.EIO))
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        store.put("x", token("a"))


@pytest.mark.parametrize("name", ["EINVAL", "ENOSYS", "ENOTSUP"])
def test_a_folder_that_cannot_flush_is_used_and_told_once(
    store: TokenStore, path: Path, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(os, "fsync", failing(getattr(errno, name)))
    for access in ("a", "b"):
        store.put("x", token(access))
        assert access_in(path) == access
    [warning] = warnings(caplog)
    assert f"{path.parent} cannot flush files" in warning


@pytest.mark.parametrize("name", ["EIO", "ENOSPC"])
def test_a_disk_that_fails_or_is_full_is_a_failure(
    store: TokenStore, path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", failing(getattr(errno, name)))
    with pytest.raises(OSError, match=os.strerror(getattr(errno, name))):
        store.put("x", token("a"))
    assert not path.exists()


# What can be written -----------------------------------------------------------------------------------------------


def test_a_proof_leaves_nothing_where_no_file_is_yet(store: TokenStore, path: Path) -> None:
    store.check_writable(1.0)
    assert store.write_fault() is None
    assert [each.name for each in path.parent.iterdir()] == ["tokens.json.lock"]


def test_a_proof_leaves_a_file_as_it_is(store: TokenStore, path: Path) -> None:
    path.write_text('{"note": "mine", "credentials": {"x": {"accessToken": "a"}}}')
    before = path.read_bytes()
    store.check_writable(1.0)
    assert path.read_bytes() == before


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_folder_that_takes_no_file_is_known_without_a_login(
    store: TokenStore, path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("x", token("a"))
    real = os.open

    def read_only(path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_CREAT:
            raise OSError(number, os.strerror(number))
        return real(path, flags, mode)

    monkeypatch.setattr(os, "open", read_only)
    fault = store.write_fault()
    assert fault is not None and fault.errno == number
    text = cannot_write(store.path, fault)
    assert text.startswith(f"{path} cannot be written: {os.strerror(number)}.")
    assert text.endswith("set auth.tokenStorePath to another place.")


def test_who_is_writing_now_is_no_fault(store: TokenStore) -> None:
    with store.exclusive(0.0):
        assert store.write_fault() is None


@posix_only
def test_a_stopped_process_that_holds_the_lock_is_told(store: TokenStore, path: Path) -> None:
    holder = Process(path.with_name("tokens.json.lock"))
    stop(holder.process.pid)
    with pytest.raises(LockBusy) as busy:
        store.check_writable(10.0)
    assert cannot_write("tokens.json", busy.value).endswith("End that process, or wait for it.")
    holder.is_killed()
    store.check_writable(10.0)
