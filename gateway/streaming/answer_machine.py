"""A streamed answer as a machine: the provider's bytes in, the caller's bytes out.

It holds the rules for what happens after content has gone out. It knows no socket, no thread and no clock, so tests
check every rule with values. Its driver reads, waits and writes (gateway.streaming.session, for a thread or the relay).
After each step the driver looks at `over` and `interrupted`: the answer has ended, or another target has to resume it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from gateway.core.answer import ChatChunk, Usage
from gateway.core.errors import GatewayError
from gateway.core.provider_failures import InvalidAnswer, NotContinued, StreamBroken
from gateway.streaming.overlap import AnswersDiffer, OverlapFilter, Piece
from gateway.wires.base import Decoder, Encoder

AFTER_FINISH: Final = 5.0
"""Seconds that usage and [DONE] may still take once every choice has its finish; some servers never send them."""
HOLD_SECONDS: Final = 3.0
"""Idle seconds after which text is not held back any longer."""
MAX_RESUMABLE_CHARS: Final = 1 << 20
"""Characters of an answer that another target can resume. The longest answers have a third of that. The limit bounds
the memory of a stream, whatever its provider sends."""


@dataclass(frozen=True, slots=True)
class Stall:
    """How long a provider may be idle between two pieces.

    Attributes:
        replaceable: seconds, where another target could resume the stream.
        alone: seconds, where none could.
    """

    replaceable: float
    alone: float


class AnswerMachine:
    """One answer. Each method takes an event and returns the bytes for the caller.

    Attributes:
        usage: the tokens of all targets so far; None until one reports them.
        own_usage: those of the target that answers now.
        over: the answer has ended.
        error: what ended it, if something did.
        interrupted: why the stream broke, while another target has to resume it (`resume`, `give_up`).

    Args:
        decoder: for the provider's bytes.
        encoder: for the caller's.
        stall: how long the provider may be idle.
        resumable: another target may resume the stream if it breaks, as long as it carries text only.
    """

    def __init__(self, decoder: Decoder, encoder: Encoder, stall: Stall, *, resumable: bool = False) -> None:
        self._decoder = decoder
        self._encoder = encoder
        self._passthrough = encoder.passthrough(decoder)
        self._stall = stall
        self._resumable = resumable
        self._texts: list[str] = []
        self._length = 0
        self._overlap: OverlapFilter | None = None
        self._earlier_usage: Usage | None = None
        self._skipped = 0
        self._mended = 0
        self.usage: Usage | None = None
        self.own_usage: Usage | None = None
        self.over = False
        self.error: GatewayError | None = None
        self.interrupted: StreamBroken | None = None

    @property
    def read_timeout(self) -> float:
        """Idle seconds after which to call `timed_out`."""
        if self._decoder.complete:
            return AFTER_FINISH
        stall = self._stall.replaceable if self._resumable else self._stall.alone
        return stall if self._overlap is None or not self._overlap.holds else min(stall, HOLD_SECONDS)

    @property
    def skipped(self) -> int:
        """How many events of the providers were unreadable and skipped."""
        return self._skipped + self._decoder.skipped

    @property
    def mended(self) -> int:
        """How many things in the providers' answers had to be mended."""
        return self._mended + self._decoder.mended

    @property
    def text_so_far(self) -> str:
        """The text that the caller has; empty once the stream cannot be resumed."""
        return "".join(self._texts)

    def heartbeat(self) -> bytes:
        """Bytes between two events that every reader of the stream ignores."""
        return b"" if self.over else self._encoder.heartbeat()

    def begin(self, chunks: list[ChatChunk]) -> bytes:
        """Write the chunks that were read before the answer was committed to."""
        return self._write(chunks)

    def received(self, data: bytes) -> bytes:
        """The provider sent bytes of its body; b"" is the body's end."""
        if data:
            return self._received(data)
        out = self._write(self._decoder.close())
        return out if self._has_stopped() else out + self._ended_early("ended without a finish")

    def timed_out(self) -> bytes:
        """The provider sent nothing for `read_timeout`."""
        seconds = self.read_timeout
        if self._overlap is not None and self._overlap.holds and seconds == HOLD_SECONDS:
            try:
                return self._encode(self._overlap.silent())
            except AnswersDiffer:
                return self._not_continued()
        return self._ended_early(f"sent nothing for {seconds:.0f} s")

    def failed(self, error: GatewayError) -> bytes:
        """The stream cannot continue.

        After a finish the answer is complete, and ends as such. Before it, the stream is interrupted if another target
        may resume it, and otherwise ends with `error`.
        """
        if self._decoder.complete:
            out = self._write(self._decoder.close())
            return out if self._has_stopped() else out + self._finish()
        if self._resumable and isinstance(error, StreamBroken):
            self.interrupted = error
            return b""
        return self._end_with(error)

    def resume(self, decoder: Decoder, chunks: list[ChatChunk], target: str, *, restarted: bool) -> bytes:
        """Continue an interrupted answer with another target's stream.

        Args:
            decoder: for its bytes.
            chunks: those that were read already.
            target: its name.
            restarted: the target got the original request, not a request to continue.
        """
        self._skipped += self._decoder.skipped
        self._mended += self._decoder.mended
        self._decoder = decoder
        self._passthrough = self._encoder.passthrough(decoder)
        self._earlier_usage, self.own_usage = self.usage, None
        self._overlap = OverlapFilter(self.text_so_far, restarted=restarted)
        self.interrupted = None
        return self._encoder.answered_by(target, self._earlier_usage) + self._write(chunks)

    def give_up(self) -> bytes:
        """No other target can resume the stream: end it with an error."""
        return self._end_with(
            self.interrupted or StreamBroken("The provider's stream broke; the answer is incomplete.")
        )

    def _received(self, data: bytes) -> bytes:
        if self._passthrough is None or self._overlap is not None:
            return self._write(self._decoder.feed(data))
        out, text, rest = self._passthrough.take(data)
        chunks = self._decoder.feed(rest) if rest else []
        if text and self._resumable:
            self._remember(text)
        return out + self._write(chunks) if chunks or rest else out

    def _has_stopped(self) -> bool:
        """The stream has ended or waits for another target."""
        return self.over or self.interrupted is not None

    def _ended_early(self, how: str) -> bytes:
        """The stream ended without [DONE] or an error event."""
        return self.failed(StreamBroken(f"The provider's stream {how}; the answer above is incomplete."))

    def _write(self, chunks: list[ChatChunk]) -> bytes:
        out = bytearray()
        try:
            for chunk in chunks:
                out += self._encode(self._overlap.take(chunk) if self._overlap else ((chunk, 0),))
                self._count(chunk.usage)
        except AnswersDiffer:
            return bytes(out) + self._not_continued()
        except InvalidAnswer as lost:  # though the provider may have finished, the caller has not got all of it
            broken = StreamBroken(f"{lost.message} The answer above is incomplete.", evidence=lost.evidence)
            return bytes(out) + self._end_with(broken)
        if self._overlap and self._overlap.over:
            self._overlap = None
        if self._decoder.fault:
            fault = self._decoder.fault
            broken = StreamBroken(fault.message, evidence=fault.evidence, param=fault.param, type=fault.type)
            broke_off = fault.counts_against_target or isinstance(fault, InvalidAnswer)
            if self._resumable and broke_off and not self._decoder.complete:
                self.interrupted = broken
            else:
                out += self._end_with(broken if broke_off else fault)
        elif self._decoder.done:
            out += self._finish()
        return bytes(out)

    def _encode(self, pieces: Iterable[Piece]) -> bytes:
        out = bytearray()
        for chunk, skip in pieces:
            if chunk.plain is None:
                self._resumable = False
                self._texts.clear()
            elif self._resumable and chunk.plain:
                self._remember(chunk.plain[skip:])
            out += self._encoder.encode(chunk, skip)
        return bytes(out)

    def _remember(self, text: str) -> None:
        """Keep the text, which another target needs to resume, as long as it is short enough for that."""
        self._texts.append(text)
        self._length += len(text)
        if self._length > MAX_RESUMABLE_CHARS:
            self._resumable = False
            self._texts.clear()

    def _count(self, usage: Usage | None) -> None:
        if usage is None:
            return
        self.own_usage, earlier = usage, self._earlier_usage
        self.usage = usage if earlier is None else earlier + usage

    def _end_with(self, error: GatewayError) -> bytes:
        """End with the error, and with neither finish_reason nor [DONE]: the caller must see that the answer is cut."""
        self.over = True
        self.interrupted = None
        self.error = error
        return self._encoder.error(error)

    def _not_continued(self) -> bytes:
        """The second stream does not continue the first. If it was asked to, a whole answer may still do so; if it gave
        a whole answer, that is another one."""
        overlap, self._overlap = self._overlap, None
        error = NotContinued(
            "The provider's stream broke, and another one began another answer; the answer above is incomplete."
        )
        if overlap is None or overlap.restarted:
            return self._end_with(error)
        self.interrupted = error
        return b""

    def _finish(self) -> bytes:
        """The stream is complete, unless it should have continued another one and did not."""
        out = b""
        try:
            if self._overlap is not None:
                out = self._encode(self._overlap.end())
        except AnswersDiffer:
            return self._not_continued()
        self.over = True
        return out + self._encoder.end()
