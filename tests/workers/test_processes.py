"""Processes as the parent's loop sees them: what a closed channel means, and who is killed when."""

import selectors
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from gateway.workers.channel import Channel
from gateway.workers.messages import Message
from gateway.workers.processes import HANG_SECONDS, Processes, exit_text


class FakeProcess:
    """A process whose end is in the test's hands."""

    def __init__(self) -> None:
        ours, self.theirs = socket.socketpair()
        self.channel = Channel(ours)
        self.exit_code: int | None = None
        self.killed = 0

    def kill(self) -> None:
        self.killed += 1


@pytest.fixture
def process() -> Iterator[FakeProcess]:
    made = FakeProcess()
    yield made
    made.theirs.close()
    made.channel.close()


@pytest.fixture
def processes(process: FakeProcess) -> Iterator[Processes]:
    with selectors.DefaultSelector() as selector:
        found = Processes(selector)
        found.add(3, process)
        yield found


def test_one_that_has_closed_its_channel_may_end_in_its_time(processes: Processes, process: FakeProcess) -> None:
    process.theirs.close()
    processes.send([(3, Message("state"))])
    processes.hear(3, lambda number, message: None)
    assert processes.ending
    assert list(processes.ended(10.0)) == []
    assert list(processes.ended(10.0 + HANG_SECONDS - 0.01)) == []
    assert process.killed == 0
    process.exit_code = 0
    assert list(processes.ended(11.0)) == [(3, 0)]
    assert not processes.ending
    assert len(processes) == 0


def test_what_one_has_said_last_is_heard_though_it_hears_nothing_more(
    processes: Processes, process: FakeProcess
) -> None:
    with closing(Channel(process.theirs)) as channel:
        channel.send(Message("left", 2))
    processes.send([(3, Message("state"))])
    heard: list[Message] = []
    for _ in range(2):
        processes.hear(3, lambda number, message: heard.append(message))
    assert heard == [Message("left", 2)]
    assert processes.ending


def test_one_that_does_not_is_killed(processes: Processes, process: FakeProcess) -> None:
    process.theirs.close()
    processes.hear(3, lambda number, message: None)
    assert list(processes.ended(10.0)) == []
    assert list(processes.ended(10.0 + HANG_SECONDS)) == []
    assert process.killed == 1


def test_one_that_talks_nonsense_is_killed_at_once(
    processes: Processes, process: FakeProcess, caplog: pytest.LogCaptureFixture
) -> None:
    process.theirs.sendall(b"nonsense\n")
    processes.hear(3, lambda number, message: None)
    assert process.killed == 1
    assert "Worker 3 cannot be understood: a line is no message." in caplog.text
    processes.send([(3, Message("state"))])
    processes.hear(3, lambda number, message: None)
    processes.watch()


def test_what_is_for_nobody_is_dropped(processes: Processes) -> None:
    processes.send([(0, Message("state"))])
    processes.kill(0)
    processes.hear(0, lambda number, message: None)


def test_an_end_in_words() -> None:
    assert (exit_text(-9), exit_text(1)) == ("by signal 9", "with exit code 1")
