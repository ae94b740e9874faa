"""The machine that writes deltas as blocks, of which one is open at a time.

A delta goes to the open block, or closes it and opens the next. While a call is open, other calls and whatever is said
wait for its end; then the calls go out in the order of their indexes, and behind them what was said.
"""

from collections.abc import Iterator
from typing import Final, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from gateway.core.answer import ChoiceDelta, ToolCallDelta
from gateway.core.provider_failures import InvalidAnswer

Kind: TypeAlias = Literal["thought", "words", "refusal", "errand"]
ERRAND: Final = "errand"


class Open(Struct, frozen=True):
    """A block begins. `call`: of an errand, the first piece."""

    block: int
    kind: Kind
    call: ToolCallDelta | None = None


class Add(Struct, frozen=True):
    """Text, or a piece of an errand's input, of the open block."""

    block: int
    text: str


class Close(Struct, frozen=True):
    """The open block ends."""

    block: int


BlockEvent: TypeAlias = Open | Add | Close


class BlockWriter:
    """Turns the deltas of the first choice into block events. What its methods return has to be consumed.

    Args:
        thoughts: whether the caller gets thoughts.
        most_held: characters that may wait for the end of the open call.
    """

    def __init__(self, *, thoughts: bool, most_held: int) -> None:
        self._thoughts = thoughts
        self._most_held = most_held
        self._blocks = 0
        self._kind: Kind | None = None
        self._call: int | None = None
        self._waiting: dict[int, list[ToolCallDelta]] = {}
        self._said: list[tuple[Kind, str]] = []
        self._held = 0
        self._has_words = False
        self._resumed = False
        self.called = False

    def resume(self) -> None:
        """Another model goes on. Its second thoughts are left out once the text has begun."""
        self._resumed = True

    def write(self, delta: ChoiceDelta) -> Iterator[BlockEvent]:
        """The events of one delta. Raises InvalidAnswer: too much waits."""
        if delta.index:
            return
        said: tuple[tuple[Kind, str], ...] = (
            ("thought", delta.reasoning),
            ("words", delta.text),
            ("refusal", delta.refusal),
        )
        for kind, text in said:
            if text and not (kind == "thought" and self._leaves_thoughts_out()):
                yield from self._say(kind, text)
        for piece in delta.calls:
            yield from self._piece(piece)
            yield from self._release()

    def close(self) -> Iterator[BlockEvent]:
        """End the open block."""
        if self._kind is not None:
            yield Close(self._blocks - 1)
        self._kind = self._call = None

    def _leaves_thoughts_out(self) -> bool:
        return not self._thoughts or (self._resumed and self._has_words)

    def _say(self, kind: Kind, text: str) -> Iterator[BlockEvent]:
        if self._call is not None:
            self._hold(text)
            self._said.append((kind, text))
            return
        if kind != self._kind:
            yield from self._open(kind)
        self._has_words |= kind == "words"
        yield Add(self._blocks - 1, text)

    def _piece(self, piece: ToolCallDelta) -> Iterator[BlockEvent]:
        if self._call is None:
            yield from self._open(ERRAND, piece)
        if piece.index != self._call:
            self._hold(piece.id + piece.name + piece.arguments)
            self._waiting.setdefault(piece.index, []).append(piece)
            return
        if piece.arguments:
            yield Add(self._blocks - 1, piece.arguments)
        if piece.ended:
            yield from self.close()

    def _release(self) -> Iterator[BlockEvent]:
        """What waited, as soon as no call is open."""
        while self._call is None and self._waiting:
            for piece in self._waiting.pop(min(self._waiting)):
                self._held -= len(piece.id + piece.name + piece.arguments)
                yield from self._piece(piece)
        if self._call is None:
            said, self._said = self._said, []
            for kind, text in said:
                self._held -= len(text)
                yield from self._say(kind, text)

    def _open(self, kind: Kind, call: ToolCallDelta | None = None) -> Iterator[BlockEvent]:
        yield from self.close()
        self._kind, self._call = kind, None if call is None else call.index
        self.called |= call is not None
        self._blocks += 1
        yield Open(self._blocks - 1, kind, call)

    def _hold(self, text: str) -> None:
        self._held += len(text)
        if self._held > self._most_held:
            raise InvalidAnswer("The provider's stream says too much before it ends a call.")


def without_text(deltas: tuple[ChoiceDelta, ...], length: int) -> tuple[ChoiceDelta, ...]:
    """The deltas without the first `length` characters of their text."""
    if not length:
        return deltas
    rest: list[ChoiceDelta] = []
    for delta in deltas:
        rest.append(replace(delta, text=delta.text[length:]))
        length = max(0, length - len(delta.text))
    return tuple(rest)
