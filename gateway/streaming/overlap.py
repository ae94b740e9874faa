"""What a second stream says again of an answer whose first part the caller has already.

A model that is asked to go on may begin anew, and a model that is asked anew does. As long as what it says is word for
word what the caller has, it is held back; at the first new character the rest goes out.
"""

from typing import Final

from gateway.core.answer import ChatChunk

MOST_SILENT: Final = 1_000
"""Chunks without a text that are held back; each of the others takes up a character of what is compared."""
Piece = tuple[ChatChunk, int]
"""A chunk to write, and how many characters of its text the caller has already."""


class AnswersDiffer(Exception):
    """An answer that was begun anew is another answer."""


class OverlapFilter:
    """The comparison.

    Attributes:
        over: whether everything from here on is to be written.

    Args:
        said: what the caller has.
        anew: the stream was not asked to go on, so it must say all of `said` first.
    """

    def __init__(self, said: str, *, anew: bool) -> None:
        self._said = said
        self._anew = anew
        self._matched = 0
        self._silent = 0
        self._held: list[Piece] = []
        self.over = not said

    def take(self, chunk: ChatChunk) -> list[Piece]:
        """What of the stream is to be written now.

        Raises:
            AnswersDiffer: it was begun anew and says something else.
        """
        if self.over:
            return [(chunk, 0)]
        if chunk.plain is None:
            return self._differs(chunk)
        left = len(self._said) - self._matched
        again = chunk.plain[:left]
        if not self._said.startswith(again, self._matched):
            return self._differs(chunk)
        self._matched += len(again)
        self._silent += not again
        if self._silent > MOST_SILENT:
            return self._differs(chunk)
        if self._matched < len(self._said):
            self._held.append((chunk, 0))
            return []
        self.over = True
        self._held.clear()
        return [(chunk, len(again))]

    def end(self) -> list[Piece]:
        """The stream has ended: what is held was no repetition then, only alike.

        Raises:
            AnswersDiffer: it was begun anew and ended before it was where the other broke off.
        """
        if not self.over and self._anew:
            raise AnswersDiffer
        return self._release()

    def _differs(self, chunk: ChatChunk) -> list[Piece]:
        if self._anew:
            raise AnswersDiffer
        return [*self._release(), (chunk, 0)]

    def _release(self) -> list[Piece]:
        held, self._held, self.over = self._held, [], True
        return held
