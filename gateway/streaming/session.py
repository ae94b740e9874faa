"""What happens to a streamed answer, told by whoever reads the provider: the rules that every driver shares.

The machine (gateway.streaming.answer_machine) knows the answer; here is what a call's time, its caller and its targets
make of it. Nothing here reads or waits, except where another candidate is asked to go on: a thread that reads
(gateway.handler.response_transformer) and one that carries many streams (gateway.streaming.relay) call the same.
"""

import logging
from dataclasses import dataclass
from typing import Final, Protocol

from gateway.core.errors import CallerLeft, DeadlineExceeded, Draining, GatewayError, InternalFault
from gateway.core.provider_failures import ProviderFailure, StreamBroken
from gateway.dispatch.attempt import TargetAnswer
from gateway.dispatch.call import Call
from gateway.dispatch.failover import Resumed
from gateway.providers.base import OpenStream
from gateway.streaming.answer_machine import AnswerMachine
from gateway.upstream.byte_stream import ByteStream

TOO_LONG: Final = "The answer took longer than gateway.requestTimeoutSeconds."

logger = logging.getLogger(__name__)


class StreamCallbacks(Protocol):
    """What is beyond a driver's knowledge: who else could answer, and what to write down."""

    def resume(self, said: str) -> Resumed:
        """Another candidate's stream, to go on after `said`. Raises GatewayError where there is none."""

    def closed(self, machine: AnswerMachine, error: GatewayError | None) -> None:
        """It is over; `error` is what ended it, if something did. Called once."""


@dataclass(frozen=True, slots=True)
class ReadTimeout:
    """How many seconds of silence are borne from now on, and whether the deadline is what ends them."""

    seconds: float
    to_deadline: bool


class StreamSession:
    """A running answer with its call. One thread at a time; what its methods return is for the caller.

    Args:
        machine: the answer.
        reached: where its bytes come from; closed with it.
        call: for its deadline, and for whether it was ended from outside.
        ends: what is to be done where it breaks, and at its end.
    """

    def __init__(self, machine: AnswerMachine, reached: TargetAnswer, call: Call, ends: StreamCallbacks) -> None:
        self._machine = machine
        self._reached = reached
        self._stream = _stream_of(reached)
        self._call = call
        self._ends = ends
        self._judged = False
        self._closed = False

    @property
    def body(self) -> ByteStream:
        """What to read from."""
        return self._stream.body

    @property
    def over(self) -> bool:
        """Nothing more is said."""
        return self._machine.over

    @property
    def whole(self) -> bool:
        """Its end has come and it is not closed: the provider's connection serves again once its framing is read."""
        return self._machine.over and self._machine.error is None and not self._closed

    @property
    def interrupted(self) -> bool:
        """`go_on` is to be called."""
        return self._machine.interrupted is not None

    @property
    def goes_on(self) -> bool:
        """What comes next is read."""
        return not self._machine.over and self._machine.interrupted is None

    @property
    def ended(self) -> bool:
        """The call was ended from outside. What is read next fails, and makes it known to the caller."""
        return self._call.ended is not None

    def begin(self) -> bytes:
        """What was read before the answer was committed to. Once, before anything else."""
        return self._machine.begin(self._stream.first)

    def read_timeout(self, silence: float = 0.0) -> ReadTimeout:
        """How long to wait for what comes next, after so many seconds of silence."""
        stall, left = self._machine.read_timeout - silence, self._call.remaining()
        return ReadTimeout(min(stall, left), to_deadline=left < stall)

    def silent(self, read_timeout: ReadTimeout) -> bytes:
        """Nothing came within `read_timeout`."""
        return self._machine.failed(DeadlineExceeded(TOO_LONG)) if read_timeout.to_deadline else self._machine.silent()

    def received(self, data: bytes) -> bytes:
        """Bytes of the body came; b"" is its end. Raises ProviderFailure, which is to be told to `broke`."""
        if not data and self._call.ended:
            return self._machine.failed(self._call.ended)  # a connection that was cut can look like its end
        return self._machine.received(data)

    def broke(self, failure: ProviderFailure) -> bytes:
        """Reading the body failed."""
        broken = StreamBroken(f"{failure.message} The answer above is incomplete.")
        return self._machine.failed(self._call.ended or broken)

    def stopped(self) -> bytes:
        """Nobody will drive it any more."""
        return self._machine.failed(
            self._call.ended or Draining("The gateway was stopped before the answer was complete.")
        )

    def crashed(self, error: Exception) -> bytes:
        """Driving it raised what it should not."""
        if self._machine.over:
            logger.error("request %s could not be ended", self._call.request_id, exc_info=error)
            return b""
        logger.error("request %s failed on a fault of the gateway", self._call.request_id, exc_info=error)
        return self._machine.failed(InternalFault("The gateway failed on a fault of its own."))

    def go_on(self) -> bytes:
        """Another candidate's stream in the place of the one that broke, else the error. Waits for the candidate."""
        broken = self._machine.interrupted
        if broken is None:
            return b""
        self._judge(broken)
        try:
            resumed = self._ends.resume(self._machine.said)
        except CallerLeft as left:
            return self._machine.failed(left)
        except GatewayError:
            return self._machine.give_up()
        self._judged = False
        self._reached = resumed.answer
        self._stream = _stream_of(resumed.answer)
        target = str(resumed.answer.target)
        return self._machine.resume(self._stream.decoder, self._stream.first, target, anew=resumed.restarted)

    def close(self) -> None:
        """Give everything back and write down how it went. Idempotent."""
        if self._closed:
            return
        self._closed = True
        error = self._machine.error or self._unread()
        try:
            self._judge(error)
        finally:
            self._ends.closed(self._machine, error)

    def _judge(self, error: GatewayError | None) -> None:
        """Close the stream and say how its target did. Its begin says little: some break every stream in the middle."""
        if self._judged:
            return
        self._judged = True
        self._stream.body.close()
        self._reached.permit.close()
        if error is None:
            self._reached.ticket.answered()
        elif isinstance(error, ProviderFailure):
            self._reached.ticket.failed(error)
        else:
            self._reached.ticket.close()

    def _unread(self) -> GatewayError | None:
        """Why it was closed before its end, if it was."""
        if self._machine.over:
            return None
        return self._call.ended or CallerLeft(
            "The caller closed its side of the connection in the middle of the answer."
        )


def _stream_of(reached: TargetAnswer) -> OpenStream:
    if isinstance(reached.answer, OpenStream):
        return reached.answer
    raise TypeError("a whole answer is no stream")
