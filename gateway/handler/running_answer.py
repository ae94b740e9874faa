"""A streamed answer under way, as a machine: a provider's bytes in, the caller's bytes out.

It knows no socket, no thread and no clock, so every rule of what happens after content has gone out is tested with
values. Whoever drives it (gateway.handler.response_transformer does, as an iterator) reads, waits and writes.
"""

from typing import Final

from gateway.core.chat import Usage
from gateway.core.errors import GatewayError, StreamBroken
from gateway.core.stream import ChatChunk
from gateway.wires.base import Decoder, Encoder

AFTER_FINISH: Final = 5.0
"""Seconds that usage and [DONE] may still take once every choice has its finish; some servers never send them."""


class RunningAnswer:
    """The machine.

    Args:
        decoder: for the provider's bytes.
        encoder: for the caller's.
        stall: seconds of silence that are allowed between two pieces.
    """

    def __init__(self, decoder: Decoder, encoder: Encoder, stall: float) -> None:
        self._decoder = decoder
        self._encoder = encoder
        self._stall = stall
        self.usage: Usage | None = None
        self.over = False
        self.error: GatewayError | None = None

    @property
    def patience(self) -> float:
        """Seconds of silence after which to call `silent`."""
        return AFTER_FINISH if self._decoder.complete else self._stall

    @property
    def skipped(self) -> int:
        """Events of the provider that were unreadable and passed over."""
        return self._decoder.skipped

    def begin(self, chunks: list[ChatChunk]) -> bytes:
        """The chunks that were read before the answer was committed to."""
        return self._write(chunks)

    def received(self, data: bytes) -> bytes:
        """Bytes came from the provider; b"" is the end of its body."""
        if data:
            return self._write(self._decoder.feed(data))
        said = self._write(self._decoder.close())
        return said if self.over else said + self._ended_early("ended without a finish")

    def silent(self) -> bytes:
        """Nothing came within `patience`."""
        return self._ended_early(f"sent nothing for {self.patience:.0f} s")

    def failed(self, error: GatewayError) -> bytes:
        """It cannot go on: fine after a finish, which was all that mattered; an error before."""
        if not self._decoder.complete:
            return self._fail(error)
        said = self._write(self._decoder.close())
        return said if self.over else said + self._finish()

    def _ended_early(self, how: str) -> bytes:
        """The end came without being said."""
        return self.failed(StreamBroken(f"The provider's stream {how}; the answer above is incomplete."))

    def _write(self, chunks: list[ChatChunk]) -> bytes:
        out = bytearray()
        for chunk in chunks:
            self.usage = chunk.usage or self.usage
            out += self._encoder.encode(chunk)
        if self._decoder.fault:
            fault = self._decoder.fault
            broken = StreamBroken(fault.message, evidence=fault.evidence, param=fault.param, type=fault.type)
            out += self._fail(broken if fault.held_against else fault)
        elif self._decoder.done:
            out += self._finish()
        return bytes(out)

    def _fail(self, error: GatewayError) -> bytes:
        """The caller gets the error, no finish_reason and no [DONE]: a cut answer is no answer."""
        self.over = True
        self.error = error
        return self._encoder.error(error)

    def _finish(self) -> bytes:
        self.over = True
        return self._encoder.end()
