"""A stream that the relay carries, and its way to the caller."""

from dataclasses import dataclass
from typing import Protocol

from gateway.handler.stream_drive import Patience, StreamDrive
from gateway.upstream.byte_stream import Detached


class Outlet(Protocol):
    """The way to one caller, whose head and first piece are out."""

    @property
    def untaken(self) -> int:
        """Bytes that the caller has not taken yet."""

    @property
    def left(self) -> bool:
        """Nobody takes anything any more."""

    def write(self, piece: bytes) -> bool:
        """Send it, without waiting as long as little is untaken; False where the caller has left."""

    def close(self) -> None:
        """Close the drive and end the answer. Once."""


@dataclass(eq=False, slots=True)
class RelayedStream:
    """One stream; of the relay's thread, but while another one asks a candidate to go on with it.

    Attributes:
        drive: the rules.
        outlet: the way to the caller.
        source: what is read; None where it is over or a candidate is asked.
        patience: with its provider, as of the last piece.
        due: monotonic seconds when that ends.
        watched: whether the selector has its socket.
        paused: whether its caller has to take something first.
        framing_reads: reads that are left to find the end of the framing; None while it answers.
    """

    drive: StreamDrive
    outlet: Outlet
    source: Detached | None
    patience: Patience = Patience(0.0, to_deadline=False)  # noqa: RUF009 - frozen
    due: float = 0.0
    watched: bool = False
    paused: bool = False
    framing_reads: int | None = None
