"""A stream's machine together with its call, its target and its deadline: the rules that both drivers share.

A driver reads the provider and reports each event here: the thread of a StreamedBody, or the relay
(gateway.streaming.relay). The machine (gateway.streaming.answer_machine) knows the answer only. The session adds what
the call's deadline, the caller and the target's health make of it. It never reads or waits, with one exception:
`resume` asks another target and waits for it.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from gateway.core.errors import CallerLeft, DeadlineExceeded, Draining, GatewayError, InternalFault
from gateway.core.provider_failures import NotContinued, ProviderFailure, StreamBroken
from gateway.dispatch.call import Call
from gateway.dispatch.failover import Resumed
from gateway.dispatch.target_answer import TargetAnswer
from gateway.providers.base import OpenStream
from gateway.streaming.answer_machine import AnswerMachine
from gateway.streaming.signs_of_life import COMMENT_STALLS, SignsOfLife
from gateway.upstream.byte_stream import ByteStream

ONLY_COMMENTS: Final = "The provider's stream sent nothing but comments for too long; the answer above is incomplete."
TOO_LONG: Final = "The answer took longer than gateway.requestTimeoutSeconds."

logger = logging.getLogger(__name__)


class StreamCallbacks(Protocol):
    """What a session asks of the request's handler: another target, and to record the end."""

    def resume(self, text_so_far: str) -> Resumed:
        """Ask another target to continue after `text_so_far`.

        Raises:
            GatewayError: no target can.
        """

    def closed(self, machine: AnswerMachine, error: GatewayError | None) -> None:
        """The answer is over; `error` is what ended it, if something did. Called once."""


@dataclass(frozen=True, slots=True)
class ReadTimeout:
    """How long a provider may stay idle from now on.

    Attributes:
        seconds: until the read times out; 0 or less: it has.
        to_deadline: the call's deadline ends the wait, and not the stall time.
        only_comments: the provider has sent nothing but comments for a while.
    """

    seconds: float
    to_deadline: bool
    only_comments: bool = False


class StreamSession:
    """One stream with its call. One thread drives it at a time. Where a method returns bytes, they are for the caller.

    Heartbeats come from the encoder too, which has no lock of its own. On the relay its thread makes them like any
    other bytes. A stream that another thread drives gets them from the watchdog, so its driver holds the stream
    (`hold`) from making bytes until they are written, and a heartbeat is made only while it is not held.

    Args:
        machine: the answer.
        answer: the target's stream, and the ticket of its health; closed with the session.
        call: for its deadline, and for whether it was ended from outside.
        callbacks: where the stream breaks, and at its end.
    """

    def __init__(self, machine: AnswerMachine, answer: TargetAnswer, call: Call, callbacks: StreamCallbacks) -> None:
        self._machine = machine
        self._answer = answer
        self._stream = stream_of(answer)
        self._call = call
        self._callbacks = callbacks
        self._signs = SignsOfLife()
        self._released = False
        self._closed = False
        self._lock = threading.Lock()
        self._held = False
        self._relayed = False
        self._beating: int | None = None

    @property
    def body(self) -> ByteStream:
        """The provider's body, from which the driver reads."""
        return self._stream.body

    @property
    def over(self) -> bool:
        """The answer has ended."""
        return self._machine.over

    @property
    def reusable(self) -> bool:
        """The answer ended without an error and is not closed: once the rest of its framing is read, the provider's
        connection can serve again."""
        return self._machine.over and self._machine.error is None and not self._closed

    @property
    def interrupted(self) -> bool:
        """The stream broke, and `resume` has to be called."""
        return self._machine.interrupted is not None

    @property
    def expects_data(self) -> bool:
        """The driver has to read on: the stream is neither over nor interrupted."""
        return not self._machine.over and self._machine.interrupted is None

    @property
    def call_ended(self) -> bool:
        """The call was ended from outside. The next read fails, which tells the caller."""
        return self._call.ended is not None

    def hold(self) -> None:
        """The driver makes bytes now and writes them: no heartbeat until `let_go`. Not needed on the relay."""
        if not self._held:
            self._lock.acquire()
            self._held = True

    def let_go(self) -> None:
        """The driver's bytes are written. Idempotent."""
        if self._held:
            self._held = False
            self._lock.release()

    def move_to_relay(self) -> None:
        """From now on only the relay's thread makes heartbeats."""
        self.hold()
        self._relayed = True
        self.let_go()

    def heartbeat(self) -> bytes:
        """A heartbeat inside `send_heartbeat`; elsewhere b"", because another thread may be using the encoder."""
        return self._machine.heartbeat() if self._beating == threading.get_ident() else b""

    def send_heartbeat(self, send: Callable[[], object], *, relayed: bool = False) -> None:
        """Have a heartbeat made and sent, if no event is being made or written now. Never waits.

        Args:
            send: asks for `heartbeat` and sends it.
            relayed: this is the relay's thread.
        """
        if not self._lock.acquire(blocking=False):
            return
        try:
            if relayed == self._relayed:
                self._beating = threading.get_ident()
                send()
        finally:
            self._beating = None
            self._lock.release()

    def begin(self) -> bytes:
        """Write what was read before the answer was committed to. Called once, before anything else."""
        return self._machine.begin(self._stream.first)

    def read_timeout(self, idle: float = 0.0) -> ReadTimeout:
        """How long the driver may wait for the next piece.

        Args:
            idle: seconds that the provider has sent nothing already, not even comments.
        """
        left = self._call.remaining()
        silence = self._signs.silence(left, idle)
        stall = self._machine.read_timeout
        seconds = min(stall - idle, COMMENT_STALLS * stall - silence)
        return ReadTimeout(min(seconds, left), to_deadline=left < seconds, only_comments=self._signs.comments_only)

    def read_again(self) -> None:
        """The driver reads again after a pause, in which the provider could not say anything."""
        self._signs.event()

    def timed_out(self, read_timeout: ReadTimeout) -> bytes:
        """The provider sent nothing within `read_timeout`, or nothing but comments for too long."""
        if read_timeout.to_deadline:
            return self._machine.failed(DeadlineExceeded(TOO_LONG))
        if read_timeout.only_comments:
            return self._machine.failed(StreamBroken(ONLY_COMMENTS))
        return self._machine.timed_out()

    def received(self, data: bytes) -> bytes:
        """The provider sent bytes of its body; b"" is the body's end.

        Raises:
            ProviderFailure: the bytes cannot be read; report it to `failed`.
        """
        if not data and self._call.ended:
            return self._machine.failed(self._call.ended)  # a connection that was cut can look like its end
        out = self._machine.received(data)
        if not out:
            self._signs.seen(data)
        elif self._signs.comments_only:
            self._signs.event()
        return out

    def failed(self, failure: ProviderFailure) -> bytes:
        """Reading the body failed."""
        broken = StreamBroken(f"{failure.message} The answer above is incomplete.")
        return self._machine.failed(self._call.ended or broken)

    def stopped(self) -> bytes:
        """The driver stops before the answer is complete."""
        return self._machine.failed(
            self._call.ended or Draining("The gateway was stopped before the answer was complete.")
        )

    def crashed(self, error: Exception) -> bytes:
        """The driver caught an exception that no method should raise."""
        if self._machine.over:
            logger.error("request %s could not be ended", self._call.request_id, exc_info=error)
            return b""
        logger.error("request %s failed on a fault of the gateway", self._call.request_id, exc_info=error)
        return self._machine.failed(InternalFault("The gateway failed on a fault of its own."))

    def resume(self) -> bytes:
        """Replace the stream that broke by another target's, or end the answer with the error. Waits for the target,
        and then holds the stream, as its driver does."""
        broken = self._machine.interrupted
        if broken is None:
            return b""
        self._release_target(broken)
        self._call.not_continued = isinstance(broken, NotContinued)
        try:
            resumed = self._callbacks.resume(self._machine.text_so_far)
        except CallerLeft as left:
            self.hold()
            return self._machine.failed(left)
        except GatewayError:
            self.hold()
            return self._machine.give_up()
        self.hold()
        self._released = False
        self._signs = SignsOfLife()
        self._answer = resumed.answer
        self._stream = stream_of(resumed.answer)
        target = str(resumed.answer.target)
        return self._machine.resume(self._stream.decoder, self._stream.first, target, restarted=resumed.restarted)

    def close(self) -> None:
        """Close the stream, report how its target did, and record the end. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self.let_go()
        error = self._machine.error or self._unread()
        try:
            self._release_target(error)
        finally:
            self._callbacks.closed(self._machine, error)

    def _release_target(self, error: GatewayError | None) -> None:
        """Close the stream and report the target's outcome to its health. A good begin is not enough for that: some
        targets break every stream in the middle."""
        if self._released:
            return
        self._released = True
        try:
            self._stream.body.close()
            if error is None and self._machine.target_usage is not None:  # what broke off has not told all of it
                self._answer.permit.settle(self._machine.target_usage)
        finally:
            self._answer.permit.close()
        self._call.stream_ended(self._answer.sent, self._machine.target_usage)
        if error is None:
            self._answer.ticket.answered()
        elif isinstance(error, ProviderFailure):
            self._answer.ticket.failed(error)
        else:
            self._answer.ticket.close()

    def _unread(self) -> GatewayError | None:
        """Why the session was closed before the answer's end, if it was."""
        if self._machine.over:
            return None
        return self._call.ended or CallerLeft(
            "The caller closed its side of the connection in the middle of the answer."
        )


def stream_of(answer: TargetAnswer) -> OpenStream:
    """The stream of a target's answer, which is one."""
    if isinstance(answer.answer, OpenStream):
        return answer.answer
    raise TypeError("a whole answer is no stream")
