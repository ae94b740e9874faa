"""Joins a resumed stream to the text that the caller has, and lets only a stream through whose place is proved.

A stream proves its place by the text that it repeats first. A target that was asked to go on was asked to begin with
the end of the text (gateway.core.text_end); it may repeat more, up to all of it. A target that got the original request
has to repeat all. What follows the repetition is new, with its blanks and line ends as they are. A stream that proves
nothing is refused: a caller must not get a text with a gap, or with a part twice. This compares values, and knows
nothing of targets or of the wire.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final

from gateway.core.answer import ChatChunk
from gateway.core.text_end import anchor, ends_whole

HOLD_CHARACTERS: Final = 400
"""Characters that are held back, at most. What repeats the text is not held: the caller has it already."""
MAX_EMPTY_CHUNKS: Final = 16
"""Chunks without text that are kept while no text has come. An empty rest ends with a finish and usage."""
MAX_PLACES: Final = 64
"""Places of the text that a stream may repeat from. It bounds the work for a text that says one thing very often."""
MAX_RUN: Final = 8
"""Characters by which a repetition may go on in front of it or behind. From there on the text is one that repeats
itself, and the stream may just as well have continued without a repetition."""
Piece = tuple[ChatChunk, int]
"""A chunk to write, and how many characters of its text the caller has already."""


class AnswersDiffer(Exception):
    """The stream does not continue the text."""


class OverlapFilter:
    """The filter of one resumed stream.

    Attributes:
        over: the place is proved and new text has come: every further chunk is written.
        restarted: the target got the original request, so its stream must repeat all of the text first.

    Args:
        text: what the caller has.
        restarted: as above.
    """

    def __init__(self, text: str, *, restarted: bool) -> None:
        self.restarted = restarted
        self.over = not text
        self._text = text
        self._repetition = _Restart(text) if restarted else _Repetition(text, len(anchor(text)))
        self._empty: deque[Piece] = deque(maxlen=MAX_EMPTY_CHUNKS)
        self._held: list[Piece] = []
        self._rest = ""

    @property
    def holds(self) -> bool:
        """Whether text is held back that may turn out to be new."""
        return not self.over and (self._repetition.is_undecided or bool(self._held and self._rest))

    def take(self, chunk: ChatChunk) -> list[Piece]:
        """Take the next chunk of the stream, and return what to write now.

        Raises:
            AnswersDiffer: the stream does not continue the text.
        """
        if self.over:
            return [(chunk, 0)]
        if self._repetition.ended:
            return self._take_rest(chunk, 0)
        if not chunk.plain:
            return self._take_empty(chunk)
        self._empty.clear()
        repeated = self._repetition.feed(chunk.plain)
        if repeated is None:
            return []
        if self.restarted:
            self.over = True
            return [(chunk, repeated)]
        return self._take_rest(chunk, repeated)

    def silent(self) -> list[Piece]:
        """The stream has sent nothing for a while, and text is held back. Return it if the place is proved.

        Raises:
            AnswersDiffer: it is not.
        """
        if not self._repetition.ended:
            raise AnswersDiffer
        held, self._held = self._held, []
        return held

    def end(self) -> list[Piece]:
        """The stream has ended. Return what was held back.

        Raises:
            AnswersDiffer: its place is not proved, or it adds nothing although no whole text ends here.
        """
        if self.over:
            return []
        if not self._repetition.ended and (self.restarted or self._repetition.length):
            raise AnswersDiffer
        if not self._rest.strip() and not ends_whole(self._text + self._rest):
            raise AnswersDiffer
        self.over = True
        return [*self._empty, *self._held]

    def _take_empty(self, chunk: ChatChunk) -> list[Piece]:
        """A chunk without text, before the repetition has ended. What it thinks before it repeats is not written."""
        if chunk.plain is None:
            raise AnswersDiffer
        if not self._repetition.length:
            self._empty.append((chunk, 0))
        return []

    def _take_rest(self, chunk: ChatChunk, skip: int) -> list[Piece]:
        """A chunk of the rest, which is held back until it shows something new."""
        self._held.append((chunk, skip))
        self._rest += (chunk.plain or "")[skip:]
        run = self._repetition.run(self._rest)
        if run >= MAX_RUN:
            raise AnswersDiffer
        may_repeat = self._repetition.goes_on(self._rest) or not self._rest.strip()
        if may_repeat and chunk.plain is not None and len(self._rest) < HOLD_CHARACTERS:
            return []
        self.over = True
        return self._held


class _Repetition:
    """Follows a stream through the part of a text that it repeats, to the text's end.

    Attributes:
        ended: the stream has repeated the text up to its end.
        length: characters that the stream has repeated.

    Args:
        text: the text.
        least: characters that must be repeated.
    """

    def __init__(self, text: str, least: int) -> None:
        self.ended = False
        self.length = 0
        self._text = text
        self._least = least
        self._begun = ""
        self._places: list[int] = []  # where the text goes on, for each place that the stream may repeat from

    @property
    def is_undecided(self) -> bool:
        """The stream has begun like a part of the text, and not yet repeated enough to prove anything."""
        return 0 < self.length < self._least

    def feed(self, piece: str) -> int | None:
        """Take the next piece. Returns how many of its characters are repeated; None if it repeats all the way.

        Raises:
            AnswersDiffer: the stream repeats no end of the text.
        """
        if self._places:
            return self._follow(piece)
        before, self._begun = len(self._begun), self._begun + piece
        self.length = min(len(self._begun), self._least)
        self._places = [place + self.length for place in self._starts(self._begun[: self._least])]
        if not self._places:
            raise AnswersDiffer
        if len(self._begun) < self._least:
            self._places.clear()
            return None
        used = self._least - before
        further = self._follow(piece[used:])
        return None if further is None else used + further

    def run(self, rest: str) -> int:
        """By how many characters the text, with `rest` behind it, repeats itself beyond the repetition. If the stream
        continued the text without a repetition, the text would say the repeated part twice in a row, in a run that is
        longer by so many characters."""
        start = len(self._text) - self.length
        before = 0
        while before < min(start, MAX_RUN) and self._text[start - 1 - before] == self._text[-1 - before]:
            before += 1
        behind = 0
        while behind < min(len(rest), MAX_RUN) and self._text.startswith(rest[: behind + 1], start):
            behind += 1
        return before + behind

    def goes_on(self, rest: str) -> bool:
        """Whether `rest` repeats the repetition so far."""
        return self._text.startswith(rest, len(self._text) - self.length)

    def _starts(self, begun: str) -> Iterator[int]:
        """Where the text says `begun`, with enough behind it."""
        last = len(self._text) - self._least + len(begun)
        place = -1
        for _ in range(MAX_PLACES if self._least else 0):
            place = self._text.find(begun, place + 1, last)
            if place < 0:
                return
            yield place

    def _follow(self, piece: str) -> int | None:
        """Keep the places from which the piece repeats the text. The first that reaches its end is the only one that
        can, because the end stands once in the text."""
        places = []
        for place in self._places:
            left = len(self._text) - place
            if not self._text.startswith(piece[:left], place):
                continue
            if len(piece) >= left:
                self.ended = True
                self.length += left
                return left
            places.append(place + len(piece))
        if not places:
            raise AnswersDiffer
        self._places = places
        self.length += len(piece)
        return None


class _Restart(_Repetition):
    """Follows a stream that repeats a text from its start. A blank before the first word does not count."""

    def __init__(self, text: str) -> None:
        super().__init__(text.lstrip() or text, 0)
        self._leading_blanks = bool(text.strip())
        self._places = [0]

    def feed(self, piece: str) -> int | None:
        blanks = len(piece) - len(piece.lstrip()) if self._leading_blanks and not self.length else 0
        repeated = self._follow(piece[blanks:])
        return None if repeated is None else blanks + repeated
