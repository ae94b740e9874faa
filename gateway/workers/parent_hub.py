"""The parent's loop: it starts the workers, watches them, and carries what they say. No call passes through it.

One thread owns everything here: the machines (Fleet, Switchboard, ReloadRounds), the processes and their channels.
Other threads hand it actions (`_call`), and wait for what comes of them under `_changed`. What the parent itself is
asked (such as a reload) runs on a thread of its own, for it takes time and waits for this loop.
"""

import logging
import selectors
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from gateway.core.clock import Clock
from gateway.net.self_pipe import SelfPipe
from gateway.workers.fleet import TELL, Command, Fleet
from gateway.workers.messages import PARENT, Message
from gateway.workers.processes import HANG_SECONDS, REAP_SECONDS, Processes, ProcessLike, exit_text
from gateway.workers.reload_rounds import ReloadRounds
from gateway.workers.start import Known
from gateway.workers.switchboard import Switchboard

IDLE_SECONDS: Final = 5.0
"""For which the loop sleeps at most."""

logger = logging.getLogger(__name__)


class Owner(Protocol):
    """Whose workers they are (gateway.parent.Parent). All is called on the loop's thread."""

    def launch(self, number: int, generation: int, known: Known) -> ProcessLike:
        """Start the process of a worker, with the configuration of this generation. Raises OSError."""

    def ended(self, number: int) -> None:
        """The process of a worker has died, and none has taken its place yet: what it held of what workers share is
        free."""

    def opened(self, greeting: bytes) -> None:
        """All were built, and serve. `greeting`: what one of them would say at its start."""

    def failed(self) -> None:
        """The start has failed, or the loop by a fault: nothing is served."""

    def reloads(self) -> bytes:
        """How reloads have ended, for all to know."""


class ParentHub:
    """The loop.

    Attributes:
        died: whether it has ended by a fault, or the start has failed.

    Args:
        count: of workers.
        owner: see there.
        topics: what the parent itself answers; each on a thread of its own.
        clock: the time.
    """

    def __init__(self, count: int, owner: Owner, topics: Mapping[str, Callable[[bytes], bytes]], clock: Clock) -> None:
        self.died = False
        self._owner = owner
        self._topics = topics
        self._clock = clock
        self._fleet = Fleet(count)
        self._switchboard = Switchboard()
        self._greeting: bytes | None = None
        self._greeted = False
        self._worst = self._cut = 0
        self._wakeup = SelfPipe()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wakeup.reader, selectors.EVENT_READ)
        self._processes = Processes(self._selector)
        self._rounds = ReloadRounds(1, self._fleet, self._processes, clock)
        self._thread = threading.Thread(target=self._run, name="parent-hub", daemon=True)
        self._changed = threading.Condition()  # guards all below
        self._actions: deque[Callable[[], None]] = deque()
        self._ended = False

    # Other threads ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the workers. Once."""
        self._thread.start()

    def turn_over(self, text: bytes, generation: int) -> Mapping[int, str] | None:
        """Have all workers serve a configuration, or none; one at a time.

        Args:
            text: of the file.
            generation: its number.

        Returns:
            Who cannot, and why; empty where all serve it now. None where the gateway stops.
        """
        self._rounds.expect()
        self._call(lambda: self._rounds.begin(text, generation))
        return self._rounds.wait()

    def tell(self) -> None:
        """All are to know how reloads have ended."""
        self._call(lambda: self._do([TELL]))

    def stop(self, seconds: float) -> tuple[int, int]:
        """Have all workers drain and end.

        Args:
            seconds: until those are killed that have not ended.

        Returns:
            How many answers were cut, and the worst exit code.
        """
        self._call(self._drain)
        deadline = self._clock.monotonic() + seconds
        with self._changed:
            while not self._ended and (left := deadline - self._clock.monotonic()) > 0:
                self._clock.wait(self._changed, left)
        self.kill_all()
        self._thread.join(HANG_SECONDS)
        return self._cut, self._worst

    def kill_all(self) -> None:
        """End every process at once. Any thread, a signal handler too."""
        self._processes.kill_all()

    def _call(self, action: Callable[[], None]) -> None:
        with self._changed:
            self._actions.append(action)
        self._wakeup.wake()

    # The loop's thread ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._do(self._fleet.tick(self._clock.monotonic()))
            while self._processes or not self._fleet.stopping:
                self._round()
        except BaseException:
            logger.critical("The parent's loop has ended by a fault: the workers end.", exc_info=True)
            self._fail()
        finally:
            self._processes.close()
            self._selector.close()
            self._wakeup.close()
            self._rounds.close()
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _round(self) -> None:
        for key, _ in self._selector.select(self._sleep()):
            if key.data is None:
                self._wakeup.hear()
            else:
                self._processes.hear(key.data, self._take)
        with self._changed:
            actions = list(self._actions)
            self._actions.clear()
        for action in actions:
            action()
        now = self._clock.monotonic()
        for number, code in self._processes.ended(now):
            self._is_over(number, code, now)
        self._processes.send(self._switchboard.expire(now))
        self._rounds.expire(now)
        if self._rounds.over():
            self._do(self._fleet.release(self._rounds.generation, now))
        self._do(self._fleet.tick(now))
        self._processes.watch()

    def _sleep(self) -> float:
        """Seconds until something is due."""
        if self._processes.ending:
            return REAP_SECONDS
        dues = (self._fleet.next_due, self._switchboard.next_deadline, self._rounds.deadline)
        due = min((each for each in dues if each is not None), default=None)
        return IDLE_SECONDS if due is None else min(IDLE_SECONDS, max(0.0, due - self._clock.monotonic()))

    def _is_over(self, number: int, code: int, now: float) -> None:
        """Its process has ended."""
        fleet, worker = self._fleet, self._fleet.workers[number]
        unasked = not (worker.condemned or fleet.stopping)
        if fleet.stopping and worker.state in ("serving", "leaving"):
            self._worst = max(self._worst, code if code >= 0 else 128 - code)
        was_degraded = fleet.degraded
        commands = fleet.ended(number, now)
        if not fleet.stopping:
            self._free(number)
        if unasked:
            logger.error("Worker %d has ended %s.", number, exit_text(code), extra={"fields": {"died": number}})
        if fleet.degraded and not was_degraded:
            logger.error("Five workers have died within a minute. The others serve, and dead ones are tried again.")
        self._processes.send(self._switchboard.gone(number, fleet.serving))
        self._rounds.gone(number)
        self._do(commands)
        if unasked and not fleet.opened:
            self._fail()

    def _free(self, number: int) -> None:
        try:
            self._owner.ended(number)
        except Exception:  # the next process of its number tries again
            logger.exception("What worker %d has held could not be freed.", number)

    def _fail(self) -> None:
        self.died = self._fleet.stopping = True
        self.kill_all()
        self._owner.failed()

    # Messages ---------------------------------------------------------------------------------------------------------

    def _take(self, number: int, message: Message) -> None:
        now, serving = self._clock.monotonic(), self._fleet.serving
        if message.kind == "ask" and message.worker == PARENT:
            self._answer(number, message)
        elif message.kind == "ask":
            self._processes.send(self._switchboard.ask(number, message, serving, now))
        elif message.kind in ("answer", "unanswered"):
            self._processes.send(self._switchboard.answer(number, message, serving))
        elif message.kind == "keep":
            self._switchboard.keep(message.topic)
        elif message.kind == "own":
            self._switchboard.own(number, message.topic, message.body)
        else:
            self._take_state(number, message, now)

    def _take_state(self, number: int, message: Message, now: float) -> None:
        """What a worker says of itself."""
        if message.kind == "built":
            self._greeting = self._greeting or message.body
            self._do(self._fleet.built(number, self._rounds.generation, now))
        elif message.kind == "leaving":
            self._do(self._fleet.leaving(number, now))
            self._rounds.gone(number)
        elif message.kind == "left":
            self._cut += message.id
        elif message.kind in ("ready", "fault"):
            self._rounds.take(number, message)

    def _answer(self, number: int, message: Message) -> None:
        """Answer what the parent itself is asked, on a thread of its own."""
        process = self._processes.get(number)

        def work() -> None:
            try:
                reply = [Message("reply", message.id, worker=PARENT, body=self._topics[message.topic](message.body))]
            except Exception:
                logger.exception("What a worker has asked of the parent (%s) failed.", message.topic)
                reply = []
            self._call(lambda: answered(reply))

        def answered(reply: Sequence[Message]) -> None:
            if self._processes.get(number) is process:
                self._processes.send((number, each) for each in (*reply, Message("done", message.id)))

        threading.Thread(target=work, name=f"parent-{message.topic}", daemon=True).start()

    # Commands ---------------------------------------------------------------------------------------------------------

    def _do(self, commands: Sequence[Command]) -> None:
        for each in commands:
            if each.do == "start":
                self._start(each.number)
            elif each.do == "go":
                self._processes.send([(each.number, Message("go"))])
            elif each.do == "kill":
                self._processes.kill(each.number)
            else:
                self._processes.send_all(Message("state", body=msgspec.json.encode(self._known())))
        if self._fleet.opened and not self._greeted:
            self._greeted = True
            self._owner.opened(self._greeting or b"")

    def _known(self) -> Known:
        return Known(self._fleet.absent, self._fleet.degraded, self._owner.reloads())

    def _start(self, number: int) -> None:
        try:
            process = self._owner.launch(number, self._rounds.generation, self._known())
        except OSError as fault:
            logger.error("Worker %d could not be started: %s.", number, fault.strerror)  # noqa: TRY400 - it says all
            self._do(self._fleet.ended(number, self._clock.monotonic()))
            if not self._fleet.opened:
                self._fail()
            return
        self._processes.add(number, process)
        self._fleet.started(number, self._rounds.generation)

    def _drain(self) -> None:
        """Accept no more, and end."""
        self._fleet.stopping = True
        for number in self._fleet.among("starting", "built"):
            self._processes.kill(number)
        self._processes.send_all(Message("drain"))
