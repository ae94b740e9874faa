"""Real processes that share limits: the window by the times at which requests left, the order of those who wait, and
kill -9 at random moments. The fast tests of the same are test_shared_engine and the model in test_engine."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from tests.support.limit_worker import rows

if sys.platform == "win32":
    pytest.skip("no flock on Windows", allow_module_level=True)

pytestmark = pytest.mark.slow

LIMIT, WINDOW, PLACES, THREADS = 20, 0.5, 1_000, 16
HANG = 30.0
ORDER = 1.0
"""Seconds to within which the order holds on a machine that does other things, too: a thread that is due may wait for a
core. On a quiet one it is less than a tenth."""


class Call(NamedTuple):
    came: float
    granted: float
    left: float


class Gang:
    """Processes that call as fast as the limits let them."""

    def __init__(self, folder: Path, count: int, *, limit: int = LIMIT, places: int = PLACES) -> None:
        self.folder, self._limit, self._places = folder, limit, places
        self.workers = [self.start(number) for number in range(count)]

    def start(self, number: int) -> "subprocess.Popen[bytes]":
        numbers = [number, self._limit, WINDOW, self._places, THREADS]
        command = [sys.executable, "-m", "tests.support.limit_worker", str(self.folder), *map(str, numbers)]
        made = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert made.stdout is not None and made.stdout.readline() == b"begun\n"
        return made

    def end(self) -> None:
        for each in self.workers:
            each.communicate(timeout=HANG)
            assert each.returncode == 0

    def calls(self) -> Sequence[Call]:
        """Those of all processes; the last line of one that was killed may be cut."""
        found = []
        for path in self.folder.glob("calls-*"):
            lines = path.read_text().split("\n")
            found += [Call(*map(float, line.split())) for line in lines[:-1]]
        return sorted(found, key=lambda call: call.left)


def keeps_the_limit(calls: Sequence[Call], limit: int) -> None:
    for first, one_too_many in zip(calls, calls[limit:], strict=False):
        assert one_too_many.left >= first.left + WINDOW


def overtaken(calls: Sequence[Call]) -> float:
    """The seconds to within which calls were granted in the order they came: of two in the wrong order, the later one
    came by no more than that after the other, or was granted by no more than that before it."""
    return max(
        min(later.came - first.came, first.granted - later.granted)
        for first in calls
        for later in calls
        if first is later or (first.came < later.came and first.granted > later.granted)
    )


@pytest.mark.parametrize("count", [2, 4])
def test_processes_keep_a_limit_in_every_window_and_their_order(tmp_path: Path, count: int) -> None:
    began = time.monotonic()
    gang = Gang(tmp_path, count)
    time.sleep(6 * WINDOW)
    gang.end()
    calls = gang.calls()
    windows = int((time.monotonic() - began) / WINDOW)
    assert LIMIT * 4 <= len(calls) <= LIMIT * (windows + 1)
    keeps_the_limit(calls, LIMIT)
    assert overtaken(calls) < ORDER
    sys.stdout.write(f"{count} processes, {len(calls)} calls, in order to within {overtaken(calls) * 1e3:.1f} ms\n")


def test_processes_that_are_killed_take_no_place_and_break_no_window(tmp_path: Path) -> None:
    limit, places, random = 400, 3, Random(7)
    gang = Gang(tmp_path, 4, limit=limit, places=places)
    watcher = rows(tmp_path, 15, limit, WINDOW, places)
    for _ in range(12):
        time.sleep(random.random() * 0.1)
        number = random.randrange(1, 4)
        gang.workers[number].kill()
        gang.workers[number].communicate(timeout=HANG)
        watcher.forget(number)
        gang.workers[number] = gang.start(number)
    before = len(gang.calls())
    time.sleep(WINDOW)
    after = gang.calls()
    assert len(after) > before, "those that live go on"
    gang.end()
    keeps_the_limit(gang.calls(), limit)
    taken = [[unit.used for unit in row.units] for row in watcher.slots(0, 1).status()]
    assert taken[1] == [0], "no place is lost"
    assert [row.waiting for row in watcher.slots(0, 1).status()] == [0, 0]
