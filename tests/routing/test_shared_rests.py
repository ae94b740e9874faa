"""The board of rests in a file: what processes see of each other, what a dead one leaves, and how much there may be."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.routing.rest_board import MemoryBoard, Rest
from gateway.routing.router import Target
from gateway.routing.shared_rests import SharedRests

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="files are not shared between processes on Windows")
ROOT = Path(__file__).parents[2]
A, B, C = Target("a", "m"), Target("b", "m"), Target("a", "m", "work")
PROBERS = """
import sys, threading, time
from pathlib import Path
from gateway.core.clock import SystemClock
from gateway.routing.health import Health
from gateway.routing.router import Target
from gateway.routing.shared_rests import SharedRests

health = Health(SystemClock(), lambda: 0.0, SharedRests(Path(sys.argv[1]), int(sys.argv[2])))
print("ready", flush=True)
sys.stdin.readline()
found, threads = [], []
for _ in range(8):
    thread = threading.Thread(target=lambda: found.append(health.enter(Target("a", "m"))))
    threads.append(thread)
    thread.start()
for thread in threads: thread.join()
print(sum(ticket is not None for ticket in found), flush=True)
sys.stdin.readline()
"""


def a_rest(until: float) -> Rest:
    return Rest(until, "rate_limited", 1)


@pytest.fixture
def board(tmp_path: Path) -> Iterator[SharedRests]:
    board = SharedRests(tmp_path / "rests", 0, size=4)
    yield board
    board.close()


def test_a_change_is_seen_by_the_next_look_of_another(board: SharedRests, tmp_path: Path) -> None:
    other = SharedRests(tmp_path / "rests", 1, size=4)
    assert other.find(A) is None
    board.rest(A, a_rest(1234.5), now=1000)
    found = other.find(A)
    assert found is not None
    assert (found.until, found.why, found.times, found.due(1000)) == (1234.5, "rate_limited", 1, 234.5)
    other.lift(A)
    assert board.find(A) is not None
    assert board.find(A) == other.find(A)
    other.close()


def test_a_worker_that_is_started_again_ends_the_probes_of_the_one_before(board: SharedRests, tmp_path: Path) -> None:
    board.rest(A, a_rest(30), now=0)
    dead, other = (SharedRests(tmp_path / "rests", number, size=4) for number in (1, 2))
    assert dead.probe(A, 31)
    dead.close()
    assert not other.probe(A, 32)
    again = SharedRests(tmp_path / "rests", 1, size=4)
    assert other.probe(A, 32)
    again.close()
    SharedRests(tmp_path / "rests", 1, size=4).close()
    assert not board.probe(A, 33), "only its own are over"
    other.close()


def test_nobody_ends_the_probe_of_another(board: SharedRests, tmp_path: Path) -> None:
    other = SharedRests(tmp_path / "rests", 1, size=4)
    board.rest(A, a_rest(30), now=0)
    assert board.probe(A, 30)
    other.release(A)
    assert not other.probe(A, 31)
    board.release(A)
    assert other.probe(A, 31)
    other.close()


def test_providers_go_with_their_accounts_and_make_room(board: SharedRests) -> None:
    for target in (A, B, C):
        board.rest(target, a_rest(30), now=0)
    board.forget({"a"})
    assert [board.find(each) is not None for each in (A, B, C)] == [False, True, False]
    for number in range(3):
        board.rest(Target("c", str(number)), a_rest(30), now=0)
    assert board.find(B) is not None


def test_more_names_than_are_remembered_have_still_their_own_rows(board: SharedRests) -> None:
    board.rest(A, a_rest(30), now=0)
    for number in range(5_000):
        assert board.find(Target("a", f"invented-{number}")) is None
    assert board.find(A) is not None


def times(rest: Rest | None) -> tuple[float, float] | None:
    return (rest.until, rest.probed_until) if rest is not None else None


targets = st.sampled_from([Target("a", model) for model in "abcdef"])
steps = st.tuples(st.sampled_from(["rest", "lift", "probe", "release", "forget"]), targets, st.integers(0, 9))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(steps, max_size=40))
def test_it_is_the_board_in_memory(tmp_path: Path, changes: list[tuple[str, Target, int]]) -> None:
    """Two processes in turns, against the board of one: the same entries, the same answers."""
    (tmp_path / "rests").unlink(missing_ok=True)
    shared = [SharedRests(tmp_path / "rests", number, size=4) for number in range(2)]
    model, owner = MemoryBoard(size=4), dict[Target, int]()
    for now, (step, target, number) in enumerate(changes, start=1):
        mine = number % 2
        board = shared[mine]
        if step == "rest":
            board.rest(target, a_rest(now + number), now)
            model.rest(target, a_rest(now + number), now)
        elif step == "lift":
            assert (board.lift(target) is None) == (model.lift(target) is None)
        elif step == "probe":
            taken = board.probe(target, now)
            assert taken == model.probe(target, now)
            owner |= {target: mine} if taken else {}
        elif step == "release" and owner.get(target) == mine:
            board.release(target)
            model.release(target)
        elif step == "forget" and number == 0:
            board.forget({"a"})
            model.forget({"a"})
        for each in (Target("a", name) for name in "abcdef"):
            assert times(shared[1 - mine].find(each)) == times(model.find(each))
    for board in shared:
        board.close()


def test_of_four_processes_with_eight_threads_one_call_probes(tmp_path: Path) -> None:
    """The target has rested for all; then 32 calls come at once."""
    board = SharedRests(tmp_path / "rests", 9)
    board.rest(A, a_rest(1.0), now=0.5)  # monotonic seconds that are over
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROBERS, str(tmp_path / "rests"), str(number)],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    try:
        assert [_line(each) for each in processes] == ["ready"] * 4
        for process in processes:
            _go(process)
        assert sum(int(_line(each)) for each in processes) == 1
    finally:
        for process in processes:
            process.kill()
            process.communicate()
        board.close()


def _line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _go(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
