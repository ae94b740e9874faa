"""The file lock: one holder among all threads and processes, and no lock is left over."""

import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from gateway.auth.tokens.file_lock import POLL_SECONDS, FileLock, LockBusy
from gateway.core.clock import SystemClock
from tests.support.fakes import FakeClock
from tests.support.wine import locks_of_files

ROOT = Path(__file__).parents[2]
HANG_SECONDS = 30.0
HOLDER = """
import sys
from pathlib import Path
from gateway.auth.tokens.file_lock import FileLock
from gateway.core.clock import SystemClock
with FileLock(Path(sys.argv[1]), SystemClock()).held(30):
    print("held", flush=True)
    sys.stdin.read()
print("free", flush=True)
sys.stdin.close()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json.lock"


class Process:
    """Another process that holds the lock."""

    def __init__(self, path: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline().strip() == b"held"

    def lets_go(self) -> None:
        self.process.communicate(timeout=HANG_SECONDS)

    def is_killed(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=HANG_SECONDS)


def is_free(path: Path) -> bool:
    try:
        with FileLock(path, FakeClock()).held(0):
            return True
    except LockBusy:
        return False


@locks_of_files
def test_it_is_held_for_the_body_and_no_longer(path: Path) -> None:
    lock = FileLock(path, FakeClock())
    for _ in range(2):
        with lock.held(0):
            assert not is_free(path)
        assert is_free(path)
    assert path.exists(), "who deletes it may let two in at once"


def test_a_body_that_fails_frees_it(path: Path) -> None:
    with pytest.raises(ZeroDivisionError), FileLock(path, FakeClock()).held(0):
        raise ZeroDivisionError
    assert is_free(path)


@locks_of_files
def test_who_waits_for_another_process_gives_up_in_time_and_says_what_for(path: Path) -> None:
    clock = FakeClock()
    holder = Process(path)
    with pytest.raises(LockBusy) as busy, FileLock(path, clock).held(1.0):
        pytest.fail("it is held")
    assert clock.monotonic() == pytest.approx(1001.0, abs=POLL_SECONDS)
    assert busy.value.strerror == "tokens.json.lock is held by another process or thread"
    holder.lets_go()
    assert is_free(path)


@locks_of_files
def test_who_waits_gets_it_when_the_other_process_lets_go(path: Path) -> None:
    holder = Process(path)
    with ThreadPoolExecutor(1) as pool:
        letting_go = pool.submit(holder.lets_go)
        with FileLock(path, SystemClock()).held(HANG_SECONDS):
            letting_go.result(HANG_SECONDS)


@locks_of_files
def test_a_crash_frees_it(path: Path) -> None:
    holder = Process(path)
    assert not is_free(path)
    holder.is_killed()
    assert is_free(path)


@locks_of_files
@pytest.mark.parametrize("shared", [True, False], ids=["one lock", "a lock each"])
def test_of_many_threads_one_holds_it(path: Path, shared: bool) -> None:
    one = FileLock(path, SystemClock())
    inside = [0]

    def work(_: int) -> None:
        lock = one if shared else FileLock(path, SystemClock())
        for _turn in range(5):
            with lock.held(HANG_SECONDS):
                inside[0] += 1
                assert inside[0] == 1
                inside[0] -= 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4), timeout=HANG_SECONDS))


def test_a_thread_gives_up_in_time_where_another_thread_holds_it(path: Path) -> None:
    lock, held, over = FileLock(path, FakeClock()), threading.Event(), threading.Event()

    def hold() -> None:
        with lock.held(0):
            held.set()
            over.wait(HANG_SECONDS)

    with ThreadPoolExecutor(1) as pool, ExitStack() as stack:
        stack.callback(over.set)
        pool.submit(hold)
        assert held.wait(HANG_SECONDS)
        for timeout in (0.0, 5.0):
            with pytest.raises(LockBusy), lock.held(timeout):
                pytest.fail("it is held")


def test_where_no_file_can_be_there_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"), FileLock(tmp_path / "file" / "lock", FakeClock()).held(0):
        pytest.fail("there is no such folder")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file modes")
def test_file_and_folder_are_private(tmp_path: Path) -> None:
    path = tmp_path / "new" / "lock"
    with FileLock(path, FakeClock()).held(0):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
