"""Workers that ask each other, with their hubs and the parent's loop in one process: no worker's process is needed."""

import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from gateway.core.clock import SystemClock
from gateway.workers.channel import Channel
from gateway.workers.hub import Hub
from gateway.workers.messages import Message
from gateway.workers.parent_hub import ParentHub
from gateway.workers.siblings import MAX_BODY
from gateway.workers.start import Known, Prepare, Start
from tests.support.edge import until

HANG = 20.0


class Inside:
    """A worker that is a hub in this process.

    Attributes:
        told: what it knows.
        done: the kinds of messages that it got, and of what generation it was told to prepare.
    """

    def __init__(self, number: int, known: Known) -> None:
        self.number = number
        ours, theirs = socket.socketpair()
        self.channel = Channel(ours)
        self.exit_code: int | None = None
        self.told = known
        self.done: list[object] = []
        self.gone = threading.Event()
        self.fault = b""
        self.hub = Hub(theirs, number, SystemClock())
        for kind in ("go", "turn", "drop"):
            self.hub.on(kind, lambda message, kind=kind: self.done.append(kind))  # type: ignore[misc]
        self.hub.on("state", self._know)
        self.hub.on("prepare", self._prepare)
        self.hub.on("drain", lambda _: self._end())

    def begin(self) -> None:
        self.hub.wait_for_start()
        self.hub.start(self.gone.set)
        self.hub.say(Message("built", body=b"hello"))

    def kill(self) -> None:
        self.exit_code = -9
        self.hub.close()

    def _know(self, message: Message) -> None:
        self.told = msgspec.json.decode(message.body, type=Known)

    def _prepare(self, message: Message) -> None:
        self.done.append(msgspec.json.decode(message.body, type=Prepare).generation)
        self.hub.say(Message("fault", message.id, body=self.fault) if self.fault else Message("ready", message.id))

    def _end(self) -> None:
        def end() -> None:
            self.hub.say(Message("left", 1))
            self.hub.close()
            self.exit_code = 0

        threading.Thread(target=end).start()


class Family:
    """A parent's loop, and its workers."""

    def __init__(self, count: int) -> None:
        self.all: list[Inside] = []
        self.greeting: bytes | None = None
        self.has_failed = threading.Event()
        self.freed: list[int] = []
        topics: Mapping[str, Callable[[bytes], bytes]] = {"upper": bytes.upper, "fails": self._fails}
        self.count = count
        self.parent = ParentHub(count, self, topics, SystemClock())
        self.parent.start()
        until(lambda: self.greeting is not None and all("go" in each.done for each in self.all))

    def __getitem__(self, number: int) -> Hub:
        return self.latest(number).hub

    def latest(self, number: int) -> Inside:
        return next(each for each in reversed(self.all) if each.number == number)

    @staticmethod
    def _fails(_: bytes) -> bytes:
        raise OSError("made to fail")

    # The owner of the loop

    def launch(self, number: int, generation: int, known: Known) -> Inside:
        worker = Inside(number, known)
        start = Start(self.count, ((),), "", b"", b"", generation, None, None, "", "", known)
        worker.channel.send(Message("start", body=msgspec.json.encode(start)))
        self.all.append(worker)
        threading.Thread(target=worker.begin).start()
        return worker

    def ended(self, number: int) -> None:
        self.freed.append(number)
        raise OSError("made to fail")

    def opened(self, greeting: bytes) -> None:
        self.greeting = greeting

    def failed(self) -> None:
        self.has_failed.set()

    def reloads(self) -> bytes:
        return b"state"


@pytest.fixture
def family() -> Iterator[Family]:
    found = Family(3)
    yield found
    found.parent.stop(HANG)
    until(lambda: not any(each.name in ("hub", "parent-hub") for each in threading.enumerate()))


def test_the_answers_of_the_others_come_by_their_number(family: Family) -> None:
    for number in range(3):
        family[number].answer("who", lambda body, number=number: body + str(number).encode())  # type: ignore[misc]
    assert family[0].ask("who", b"I am ", within=HANG) == {1: b"I am 1", 2: b"I am 2"}
    assert family[2].ask_one(1, "who", b"", within=HANG) == b"1"
    assert family[2].ask_one(2, "who", b"", within=HANG) is None
    assert family[2].ask_one(9, "who", b"", within=HANG) is None
    assert (family[1].number, family[1].count) == (1, 3)


def test_a_body_of_the_largest_size_passes_both_ways(family: Family) -> None:
    largest = os.urandom(1 << 20) * (MAX_BODY >> 20)
    family[1].answer("echo", bytes)
    assert family[0].ask_one(1, "echo", largest, within=HANG) == largest
    with pytest.raises(ValueError, match="too long"):
        family[0].ask_one(1, "echo", largest + b"x", within=HANG)


def test_one_that_fails_has_no_answer_and_says_so(family: Family, caplog: pytest.LogCaptureFixture) -> None:
    def fails(body: bytes) -> bytes:
        raise RuntimeError("made to fail")

    family[1].answer("it", fails)
    family[2].answer("it", lambda body: b"x" * (MAX_BODY + 1))
    assert family[0].ask("it", b"", within=HANG) == {}
    assert "A sibling's question (it) could not be answered." in caplog.text
    assert "is too long" in caplog.text
    assert family[0].ask("what nobody knows", b"", within=HANG) == {}


def test_one_that_is_silent_costs_the_time_that_was_given(family: Family) -> None:
    go_on = threading.Event()
    family[1].answer("slow", lambda body: str(go_on.wait(HANG)).encode())
    family[2].answer("slow", lambda body: b"fast")
    assert family[0].ask("slow", b"", within=0.05) == {2: b"fast"}
    go_on.set()
    assert family[0].ask("slow", b"", within=HANG) == {1: b"True", 2: b"fast"}, "the late answer was for nobody"


def test_what_is_kept_outlives_its_worker(family: Family) -> None:
    for number in range(3):
        family[number].answer("sum", lambda body, number=number: str(10 * number + 1).encode())  # type: ignore[misc]
        family[number].keep("sum", lambda bodies: str(sum(map(int, bodies))).encode())
    assert family[0].ask("sum", b"", within=HANG) == {0: b"1", 1: b"11", 2: b"21"}
    family.latest(1).kill()
    until(lambda: len(family.all) == 4 and "go" in family.all[3].done)
    found = family[0].ask("sum", b"", within=HANG)
    assert {number: body for number, body in found.items() if number >= 0} == {0: b"1", 2: b"21"}
    assert [body for number, body in found.items() if number < 0] == [b"11"]


def test_a_handler_cannot_ask(family: Family) -> None:
    asked: list[str] = []

    def asks(body: bytes) -> bytes:
        try:
            family[1].ask("who", b"", within=HANG)
        except RuntimeError as fault:
            asked.append(str(fault))
        return b""

    family[1].answer("it", asks)
    family[0].ask_one(1, "it", b"", within=HANG)
    assert asked == ["the hub's thread brings the answers, so it cannot wait for them"]


def test_the_parent_answers_on_a_thread_of_its_own(family: Family, caplog: pytest.LogCaptureFixture) -> None:
    assert family[0].ask_parent("upper", b"hello", within=HANG) == b"HELLO"
    assert family[0].ask_parent("fails", b"", within=HANG) is None
    assert family[0].ask_parent("nothing of this name", b"", within=HANG) is None
    assert "What a worker has asked of the parent (fails) failed." in caplog.text


def test_all_turn_to_a_configuration_or_none(family: Family) -> None:
    assert family.parent.turn_over(b"new", 2) == {}
    until(lambda: all(each.done == ["go", 2, "turn"] for each in family.all))
    family.latest(1).fault = b"it cannot"
    assert family.parent.turn_over(b"newer", 3) == {1: "it cannot"}
    until(lambda: [each.done[3:] for each in family.all] == [[3, "drop"], [3], [3, "drop"]])


def test_a_dead_worker_is_started_with_what_is_served_and_others_know_that_it_is_away(family: Family) -> None:
    family.parent.turn_over(b"new", 2)
    assert family.latest(0).told.absent == ()
    family.latest(2).kill()
    until(lambda: len(family.all) == 4 and "go" in family.all[3].done)
    until(lambda: all(family.latest(number).told.absent == () for number in range(3)))
    assert not family.has_failed.is_set()
    assert family.freed == [2]


def test_all_know_how_reloads_have_ended(family: Family) -> None:
    family.parent.tell()
    until(lambda: all(each.told.reloads == b"state" for each in family.all))


def test_a_stop_ends_all_and_adds_up_what_was_cut() -> None:
    family = Family(2)
    assert family.parent.stop(HANG) == (2, 0)
    assert family.parent.turn_over(b"new", 2) is None
    assert family[0].ask("who", b"", within=HANG) == {}


def test_a_worker_whose_parent_is_gone_is_told(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    hub, gone = Hub(theirs, 0, SystemClock()), threading.Event()
    hub.start(gone.set)
    ours.close()
    assert gone.wait(HANG)
    assert hub.ask("who", b"", within=HANG) == {}
    hub.close()


def test_a_worker_that_is_not_told_what_to_serve_cannot_start() -> None:
    ours, theirs = socket.socketpair()
    hub = Hub(theirs, 0, SystemClock())
    ours.close()
    with pytest.raises(OSError, match="the parent does not say what to serve"):
        hub.wait_for_start()
    hub.close()
