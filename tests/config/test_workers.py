"""`gateway.workers`: how many processes serve, and where that is a fault."""

import os
import sys

import pytest
from msgspec import structs

from gateway.config.changes import compare
from gateway.config.schema import Config, Gateway
from gateway.config.workers import MOST_BY_ITSELF, served_by_several, worker_count


def with_workers(count: "int | str") -> Config:
    return Config(gateway=structs.replace(Gateway(), workers=count))


@pytest.mark.parametrize(("cores", "count"), [(1, 1), (4, 4), (64, MOST_BY_ITSELF)])
def test_auto_is_one_a_core_and_eight_at_most(cores: int, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.platform == "linux":
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert worker_count(with_workers("auto").gateway) == count


def test_a_number_is_that_number() -> None:
    assert [worker_count(with_workers(number).gateway) for number in (1, 16)] == [1, 16]
    assert worker_count(Gateway()) == 1


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_more_than_one_is_a_fault_on_windows_alone(platform: str) -> None:
    problems = list(served_by_several(with_workers(2), platform))
    assert [each.message for each in problems] == (
        ["above 1 it needs Linux or macOS; on Windows run one"] if platform == "win32" else []
    )
    assert list(served_by_several(with_workers(1), platform)) == []


def test_another_number_needs_a_restart() -> None:
    changes = compare(with_workers(1), with_workers(2))
    assert (changes.applied, changes.needs_restart) == ((), ("gateway.workers",))
