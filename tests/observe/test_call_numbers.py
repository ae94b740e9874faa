"""The numbers of calls: one sequence, however many workers take them."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.observe.call_numbers import CallNumbers, OwnNumbers
from gateway.observe.recent import RecentCalls
from gateway.observe.shared_numbers import SharedNumbers
from tests.observe.test_metric_sums import CALL

shared = pytest.mark.skipif(sys.platform == "win32", reason="files are not shared between processes on Windows")


def test_they_begin_at_one_and_the_start_is_when_they_are_made() -> None:
    numbers: CallNumbers = OwnNumbers(lambda: 1e9)
    assert (numbers.last, numbers.take(2), numbers.take(1), numbers.last, numbers.started_at) == (0, 1, 3, 3, 1e9)


@shared
def test_workers_take_them_in_turns_and_name_one_start(tmp_path: Path) -> None:
    one, other = SharedNumbers(tmp_path / "numbers", lambda: 1e9), SharedNumbers(tmp_path / "numbers", lambda: 2e9)
    assert (one.take(2), other.take(3), one.take(1), other.last) == (1, 3, 6, 6)
    assert one.started_at == other.started_at == 1e9
    one.close()
    other.close()


@shared
def test_nobody_gets_a_number_twice(tmp_path: Path) -> None:
    workers = [SharedNumbers(tmp_path / "numbers", lambda: 1e9) for _ in range(4)]

    def take(worker: SharedNumbers) -> list[int]:
        firsts = [worker.take(3) for _ in range(50)]
        return [first + place for first in firsts for place in range(3)]

    with ThreadPoolExecutor(8) as threads:
        taken = sorted(number for found in threads.map(take, workers * 2) for number in found)
    assert taken == list(range(1, 8 * 50 * 3 + 1))
    for worker in workers:
        worker.close()


@shared
def test_calls_of_two_workers_have_the_order_in_which_they_ended(tmp_path: Path) -> None:
    workers = [RecentCalls(lambda: 1e9, SharedNumbers(tmp_path / "numbers", lambda: 1e9)) for _ in range(2)]
    for number in (0, 1, 0):
        workers[number].take([CALL])
    assert [[each.id for each in worker.calls(0, 9)] for worker in workers] == [[3, 1], [2]]
    assert [worker.last for worker in workers] == [3, 3]
