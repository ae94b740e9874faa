"""Threads start when they are needed, the last idle one goes first, and nothing is lost where none can be had."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.httpd.worker_threads import WorkerThreads
from tests.support.edge import LIMIT, until


class Job:
    """Waits inside until `let_go`, and notes who does it."""

    def __init__(self, let_go: threading.Event | None = None, *, fails: bool = False) -> None:
        self.began, self.ended, self.cancelled = threading.Event(), threading.Event(), threading.Event()
        self.thread = ""
        self._let_go = let_go
        self._fails = fails

    def service(self) -> None:
        self.thread = threading.current_thread().name
        self.began.set()
        if self._let_go is not None:
            assert self._let_go.wait(LIMIT)
        self.ended.set()
        if self._fails:
            raise RuntimeError

    def cancel(self) -> None:
        self.cancelled.set()


def end(threads: WorkerThreads) -> None:
    threads.close()
    assert threads.join(lambda: LIMIT)


def until_one_idles(threads: WorkerThreads) -> None:
    """It does a moment after it has ended its job."""
    until(lambda: threads.idle_count > 0)


def started(name: str) -> int:
    return sum(each.name.startswith(name) for each in threading.enumerate())


def test_as_many_threads_start_as_are_needed_at_once() -> None:
    threads, let_go = WorkerThreads("few"), threading.Event()
    threads.allow(10)
    assert started("few") == 1
    until_one_idles(threads)
    jobs = [Job(let_go) for _ in range(4)]
    for job in jobs:
        threads.add(job)
    assert all(job.began.wait(LIMIT) for job in jobs)
    assert started("few") == 4
    let_go.set()
    end(threads)


def test_one_after_the_other_needs_one_thread() -> None:
    threads = WorkerThreads("one")
    threads.allow(10)
    for _ in range(50):
        job = Job()
        until_one_idles(threads)
        threads.add(job)
        assert job.ended.wait(LIMIT)
        assert job.thread == "one-0"
    end(threads)


def test_what_is_more_than_the_threads_waits_in_order() -> None:
    threads, let_go = WorkerThreads("full"), threading.Event()
    threads.allow(1)
    jobs = [Job(let_go) for _ in range(5)]
    for job in jobs:
        threads.add(job)
    assert jobs[0].began.wait(LIMIT)
    assert not any(job.began.is_set() for job in jobs[1:])
    let_go.set()
    assert all(job.ended.wait(LIMIT) for job in jobs)
    assert {job.thread for job in jobs} == {"full-0"}
    end(threads)


def test_what_waits_can_be_cancelled_and_what_runs_goes_on() -> None:
    threads, let_go = WorkerThreads("cancel"), threading.Event()
    threads.allow(1)
    runs, waits = Job(let_go), Job()
    threads.add(runs)
    assert runs.began.wait(LIMIT)
    threads.add(waits)
    threads.close()
    threads.cancel_waiting()
    assert waits.cancelled.is_set() and not runs.ended.is_set()
    assert not threads.join(lambda: 0.0)
    let_go.set()
    assert threads.join(lambda: LIMIT)
    assert not waits.began.is_set()


def test_a_fault_is_logged_and_the_thread_serves_the_next(caplog: pytest.LogCaptureFixture) -> None:
    threads = WorkerThreads("fault")
    threads.allow(1)
    bad, good = Job(fails=True), Job()
    threads.add(bad)
    threads.add(good)
    assert good.ended.wait(LIMIT)
    assert (bad.thread, good.thread) == ("fault-0", "fault-0")
    end(threads)
    assert [record.message for record in caplog.records] == ["A thread met a fault of the gateway."]


def test_where_the_system_gives_no_more_threads_those_that_are_there_serve(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def none_left(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    threads, let_go = WorkerThreads("scarce"), threading.Event()
    threads.allow(10)
    until_one_idles(threads)
    held = Job(let_go)
    threads.add(held)
    assert held.began.wait(LIMIT)
    monkeypatch.setattr(threading.Thread, "start", none_left)
    job = Job()
    threads.add(job)
    assert not job.began.is_set()
    let_go.set()
    assert job.ended.wait(LIMIT)
    end(threads)
    assert "The system gives no more threads" in caplog.text


@given(counts=st.lists(st.integers(1, 5), min_size=1, max_size=8), most=st.integers(1, 4))
def test_everything_is_done_once_whatever_comes_when(counts: list[int], most: int) -> None:
    threads = WorkerThreads("any")
    threads.allow(most)
    jobs: list[Job] = []
    for count in counts:
        burst = [Job() for _ in range(count)]
        jobs += burst
        for job in burst:
            threads.add(job)
        assert burst[0].ended.wait(LIMIT)
    assert all(job.ended.wait(LIMIT) for job in jobs)
    assert started("any") <= most
    end(threads)
    assert not any(job.cancelled.is_set() for job in jobs)
