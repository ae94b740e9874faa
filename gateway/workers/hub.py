"""A worker's end of what connects it with its siblings: it asks, answers, and hears what the parent wants.

One thread of its own reads and writes the socket; any thread may ask. What threads share has one lock (`_changed`):
messages that are to be sent (`_outbox`; the hub's thread sends them), and the open questions by id. A question is
made by the asking thread, filled by the hub's thread, and removed by the asking thread when it is done or its time is
over; replies that come later are for nobody. Handlers and callbacks run on the hub's thread, one after the other.
"""

import logging
import select
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from gateway.core.clock import Clock
from gateway.core.no_op import no_op
from gateway.net.self_pipe import SelfPipe
from gateway.workers.channel import Channel, Ended
from gateway.workers.messages import ALL, PARENT, Broken, Kind, Message, unfolded
from gateway.workers.siblings import MAX_BODY, Fold, Handler
from gateway.workers.start import Start

GRACE_SECONDS: Final = 0.2
"""What an answer gets beyond the time of its question, which the parent measures."""
STOP_SECONDS: Final = 1.0
_START: Final = msgspec.json.Decoder(Start)

logger = logging.getLogger(__name__)


class _Question:
    """One that is open."""

    def __init__(self) -> None:
        self.replies: dict[int, bytes] = {}
        self.done = False


class Hub:
    """The siblings of a worker (gateway.workers.siblings.Siblings), and the parent.

    Attributes:
        number, count: as there; the count is known with `wait_for_start`.

    Args:
        end: the worker's of the socket pair. It is closed with this.
        number: as above.
        clock: the time.
    """

    def __init__(self, end: socket.socket, number: int, clock: Clock) -> None:
        self.number = number
        self.count = number + 1
        self._early: list[Message] = []  # what has come before the thread was there
        self._channel = Channel(end)
        self._clock = clock
        self._handlers: dict[str, Handler] = {}
        self._folds: dict[str, Fold] = {}
        self._callbacks: dict[Kind, Callable[[Message], None]] = {}
        self._on_gone: Callable[[], None] = no_op
        self._wakeup = SelfPipe()
        self._thread = threading.Thread(target=self._run, name="hub", daemon=True)
        self._changed = threading.Condition()  # guards all below
        self._outbox: deque[Message] = deque()
        self._open: dict[int, _Question] = {}
        self._last_id = 0
        self._closed = False

    def on(self, kind: Kind, callback: Callable[[Message], None]) -> None:
        """Call this for the parent's messages of a kind. Before `start`."""
        self._callbacks[kind] = callback

    def wait_for_start(self) -> Start:
        """What this worker is to serve. Before `start`. Raises OSError: the parent is gone."""
        while not self._early:
            select.select([self._channel], [], [])
            try:
                self._early += self._channel.receive()
            except (Ended, Broken) as fault:
                raise OSError(f"the parent does not say what to serve: {fault}") from None
        start = _START.decode(self._early.pop(0).body)
        self.count = start.count
        return start

    def start(self, on_gone: Callable[[], None]) -> None:
        """Read and write from now on.

        Args:
            on_gone: is called when the parent is gone, on the hub's thread. Once, and not after `close`.
        """
        self._on_gone = on_gone
        self._thread.start()

    def say(self, message: Message) -> None:
        """Tell the parent something. Any thread, the hub's own too."""
        with self._changed:
            self._outbox.append(message)
        self._wakeup.wake()

    def close(self) -> None:
        """Say what is still to be said, and end. Idempotent; not from the hub's thread."""
        with self._changed:
            self._closed = True
        if self._thread.ident is None:
            self._release()
            return
        self._wakeup.wake()
        self._thread.join(STOP_SECONDS)

    # The siblings -----------------------------------------------------------------------------------------------------

    def answer(self, topic: str, handler: Handler) -> None:
        self._handlers[topic] = handler

    def keep(self, topic: str, fold: Fold) -> None:
        self._folds[topic] = fold
        self.say(Message("keep", topic=topic))

    def ask(self, topic: str, body: bytes, *, within: float) -> Mapping[int, bytes]:
        own: dict[int, bytes] = {}
        if topic in self._folds:
            mine = self._handlers[topic](body)
            own[self.number] = mine
            self.say(Message("own", topic=topic, body=mine))
        return {**own, **self._ask(topic, body, ALL, within)}

    def ask_one(self, number: int, topic: str, body: bytes, *, within: float) -> bytes | None:
        return self._ask(topic, body, number, within).get(number)

    def ask_parent(self, topic: str, body: bytes, *, within: float) -> bytes | None:
        """Ask the parent itself; None where it does not answer within so many seconds."""
        return self._ask(topic, body, PARENT, within).get(PARENT)

    def _ask(self, topic: str, body: bytes, worker: int, within: float) -> Mapping[int, bytes]:
        if threading.current_thread() is self._thread:
            raise RuntimeError("the hub's thread brings the answers, so it cannot wait for them")
        if len(body) > MAX_BODY:
            raise ValueError(f"a question of {len(body)} bytes is too long")
        question = _Question()
        with self._changed:
            self._last_id += 1
            id = self._last_id
            if self._closed:
                return {}
            self._open[id] = question
            self._outbox.append(Message("ask", id, topic, worker, within, body))
        self._wakeup.wake()
        deadline = self._clock.monotonic() + within + GRACE_SECONDS
        with self._changed:
            while not (question.done or self._closed) and (left := deadline - self._clock.monotonic()) > 0:
                self._clock.wait(self._changed, left)
            del self._open[id]
            return question.replies

    # The thread -------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        selector = selectors.DefaultSelector()
        selector.register(self._wakeup.reader, selectors.EVENT_READ)
        selector.register(self._channel, selectors.EVENT_READ)
        try:
            for message in self._early:
                self._take(message)
            while self._turn(selector):
                pass
        except (Ended, Broken) as fault:
            if isinstance(fault, Broken):
                logger.error("The parent cannot be understood: %s.", fault)  # noqa: TRY400 - our own words say it
            self._gone()
        finally:
            with self._changed:
                self._closed = True
                self._changed.notify_all()
            selector.close()
            self._release()

    def _turn(self, selector: selectors.BaseSelector) -> bool:
        """One round; whether there is to be another."""
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._channel.unsent else 0)
        selector.modify(self._channel, events)
        ready = {key.fileobj for key, _ in selector.select()}
        if self._wakeup.reader in ready:
            self._wakeup.hear()
        self._channel.flush()
        if self._channel in ready:
            for message in self._channel.receive():
                self._take(message)
        with self._changed:
            said, closed = list(self._outbox), self._closed
            self._outbox.clear()
        for message in said:
            self._channel.send(message)
        return not (closed and not self._channel.unsent)

    def _release(self) -> None:
        self._channel.close()
        self._wakeup.close()

    def _gone(self) -> None:
        with self._changed:
            closed = self._closed
        if not closed:
            self._on_gone()

    def _take(self, message: Message) -> None:
        if message.kind in ("reply", "done"):
            self._settle(message)
        elif message.kind == "question" and (handler := self._handlers.get(message.topic)) is not None:
            self.say(self._answered(message, lambda: handler(message.body)))
        elif message.kind == "question":
            self.say(Message("unanswered", message.id))
        elif message.kind == "fold":
            self.say(self._answered(message, lambda: self._folds[message.topic](unfolded(message.body))))
        else:
            self._called(message)

    def _called(self, message: Message) -> None:
        try:
            self._callbacks.get(message.kind, _ignore)(message)
        except Exception:
            logger.exception("What the parent has asked for (%s) failed.", message.kind)

    def _settle(self, message: Message) -> None:
        with self._changed:
            question = self._open.get(message.id)
            if question is None:
                return
            if message.kind == "reply":
                question.replies[message.worker] = message.body
            else:
                question.done = True
                self._changed.notify_all()

    def _answered(self, question: Message, work: Callable[[], bytes]) -> Message:
        try:
            body = work()
        except Exception:
            logger.exception("A sibling's question (%s) could not be answered.", question.topic)
            return Message("unanswered", question.id)
        if len(body) > MAX_BODY:
            logger.error("The answer to a sibling's question (%s) is too long: %d bytes.", question.topic, len(body))
            return Message("unanswered", question.id)
        return Message("answer", question.id, body=body)


def _ignore(message: Message) -> None:
    """Nothing is to be done."""
