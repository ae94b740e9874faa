"""A streamed answer under way, as a machine: a provider's bytes in, the caller's bytes out.

It knows no socket, no thread and no clock, so every rule of what happens after content has gone out is tested with
values. Whoever drives it (gateway.handler.response_transformer does, as an iterator) reads, waits and writes, and looks
at what it asks for: to go on, to end (`over`), or to have another candidate go on (`interrupted`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from gateway.core.answer import ChatChunk, Usage
from gateway.core.errors import GatewayError
from gateway.core.provider_failures import StreamBroken
from gateway.streaming.overlap import AnswersDiffer, OverlapFilter, Piece
from gateway.wires.base import Decoder, Encoder

AFTER_FINISH: Final = 5.0
"""Seconds that usage and [DONE] may still take once every choice has its finish; some servers never send them."""
MAX_SAID: Final = 1 << 20
"""Characters that another candidate is asked to go on after. The longest answers have a third of it, and what is kept
of a stream must not grow for as long as a provider likes."""


@dataclass(frozen=True, slots=True)
class Stall:
    """Seconds of silence that are allowed between two pieces: where another candidate could go on, and where not."""

    replaceable: float
    alone: float


class AnswerMachine:
    """The machine.

    Args:
        decoder: for the provider's bytes.
        encoder: for the caller's.
        stall: how long silence may last.
        resumable: another candidate may go on where it breaks, as long as it says nothing but text.
    """

    def __init__(self, decoder: Decoder, encoder: Encoder, stall: Stall, *, resumable: bool = False) -> None:
        self._decoder = decoder
        self._encoder = encoder
        self._passthrough = encoder.passthrough(decoder)
        self._stall = stall
        self._resumable = resumable
        self._said: list[str] = []
        self._length = 0
        self._repetition: OverlapFilter | None = None
        self._spent: Usage | None = None
        self._skipped = 0
        self.usage: Usage | None = None
        self.over = False
        self.error: GatewayError | None = None
        self.interrupted: StreamBroken | None = None

    @property
    def read_timeout(self) -> float:
        """Seconds of silence after which to call `silent`."""
        if self._decoder.complete:
            return AFTER_FINISH
        return self._stall.replaceable if self._resumable else self._stall.alone

    @property
    def skipped(self) -> int:
        """Events of the providers that were unreadable and passed over."""
        return self._skipped + self._decoder.skipped

    @property
    def said(self) -> str:
        """The text that the caller has."""
        return "".join(self._said)

    def begin(self, chunks: list[ChatChunk]) -> bytes:
        """The chunks that were read before the answer was committed to."""
        return self._write(chunks)

    def received(self, data: bytes) -> bytes:
        """Bytes came from the provider; b"" is the end of its body."""
        if data:
            return self._received(data)
        said = self._write(self._decoder.close())
        return said if self._stands() else said + self._ended_early("ended without a finish")

    def silent(self) -> bytes:
        """Nothing came within `read_timeout`."""
        return self._ended_early(f"sent nothing for {self.read_timeout:.0f} s")

    def failed(self, error: GatewayError) -> bytes:
        """It cannot go on: fine after a finish, which was all that mattered; an interruption or an error before."""
        if self._decoder.complete:
            said = self._write(self._decoder.close())
            return said if self._stands() else said + self._finish()
        if self._resumable and isinstance(error, StreamBroken):
            self.interrupted = error
            return b""
        return self._fail(error)

    def resume(self, decoder: Decoder, chunks: list[ChatChunk], by: str, *, anew: bool) -> bytes:
        """Another candidate goes on after an interruption.

        Args:
            decoder: for its bytes.
            chunks: those that were read already.
            by: who it is.
            anew: it was asked the same again, not to go on.
        """
        self._skipped += self._decoder.skipped
        self._decoder = decoder
        self._passthrough = self._encoder.passthrough(decoder)
        self._spent = self.usage
        self._repetition = OverlapFilter(self.said, anew=anew)
        self.interrupted = None
        return self._encoder.resumed(by, self._spent) + self._write(chunks)

    def give_up(self) -> bytes:
        """Nobody goes on after an interruption."""
        return self._fail(self.interrupted or StreamBroken("The provider's stream broke; the answer is incomplete."))

    def _received(self, data: bytes) -> bytes:
        if self._passthrough is None or self._repetition is not None:
            return self._write(self._decoder.feed(data))
        said, text, rest = self._passthrough.take(data)
        chunks = self._decoder.feed(rest) if rest else []
        if text and self._resumable:
            self._remember(text)
        return said + self._write(chunks) if chunks or rest else said

    def _stands(self) -> bool:
        """It is settled how it goes on."""
        return self.over or self.interrupted is not None

    def _ended_early(self, how: str) -> bytes:
        """The end came without being said."""
        return self.failed(StreamBroken(f"The provider's stream {how}; the answer above is incomplete."))

    def _write(self, chunks: list[ChatChunk]) -> bytes:
        out = bytearray()
        try:
            for chunk in chunks:
                out += self._pieces(self._repetition.take(chunk) if self._repetition else ((chunk, 0),))
                self._count(chunk.usage)
            if self._decoder.done and self._repetition:
                out += self._pieces(self._repetition.end())
            if self._repetition and self._repetition.over:
                self._repetition = None
        except AnswersDiffer:
            other = "The provider's stream broke, and another one began another answer; the answer above is incomplete."
            return bytes(out) + self._fail(StreamBroken(other))
        if self._decoder.fault:
            fault = self._decoder.fault
            broken = StreamBroken(fault.message, evidence=fault.evidence, param=fault.param, type=fault.type)
            if self._resumable and fault.counts_against_target and not self._decoder.complete:
                self.interrupted = broken
            else:
                out += self._fail(broken if fault.counts_against_target else fault)
        elif self._decoder.done:
            out += self._finish()
        return bytes(out)

    def _pieces(self, pieces: Iterable[Piece]) -> bytes:
        out = bytearray()
        for chunk, skip in pieces:
            if chunk.plain is None:
                self._resumable = False
                self._said.clear()
            elif self._resumable and chunk.plain:
                self._remember(chunk.plain[skip:])
            out += self._encoder.encode(chunk, skip)
        return bytes(out)

    def _remember(self, text: str) -> None:
        """It may have to be said to another candidate, as long as one could read it."""
        self._said.append(text)
        self._length += len(text)
        if self._length > MAX_SAID:
            self._resumable = False
            self._said.clear()

    def _count(self, usage: Usage | None) -> None:
        if usage is None:
            return
        spent = self._spent
        self.usage = usage if spent is None else spent + usage

    def _fail(self, error: GatewayError) -> bytes:
        """The caller gets the error, no finish_reason and no [DONE]: a cut answer is no answer."""
        self.over = True
        self.interrupted = None
        self.error = error
        return self._encoder.error(error)

    def _finish(self) -> bytes:
        self.over = True
        return self._encoder.end()
