"""Removes from a resumed stream the text that the caller has already.

A model that has to continue an answer may repeat it first, and a model that gets the request again does. The filter
holds a stream back while its text is, word for word, what the caller has. From the first new character on it lets the
rest through. It compares values, and knows nothing of targets or of the wire.
"""

from typing import Final

from gateway.core.answer import ChatChunk

MAX_EMPTY_CHUNKS: Final = 1_000
"""Chunks without text that may be held back. This bounds what is held: every other chunk uses up a character of the
text that is compared."""
Piece = tuple[ChatChunk, int]
"""A chunk to write, and how many characters of its text the caller has already."""


class AnswersDiffer(Exception):
    """A target that restarted the answer gave another answer."""


class OverlapFilter:
    """The filter of one resumed stream.

    Attributes:
        over: the overlap has ended: every further chunk is written.

    Args:
        text: what the caller has.
        restarted: the target got the original request, so its stream must repeat all of `text` first.
    """

    def __init__(self, text: str, *, restarted: bool) -> None:
        self._text = text
        self._restarted = restarted
        self._matched = 0
        self._empty_chunks = 0
        self._held: list[Piece] = []
        self.over = not text

    def take(self, chunk: ChatChunk) -> list[Piece]:
        """Take the next chunk of the stream, and return what to write now.

        Raises:
            AnswersDiffer: the stream was restarted and its text differs.
        """
        if self.over:
            return [(chunk, 0)]
        if chunk.plain is None:
            return self._differs(chunk)
        remaining = len(self._text) - self._matched
        repeated = chunk.plain[:remaining]
        if not self._text.startswith(repeated, self._matched):
            return self._differs(chunk)
        self._matched += len(repeated)
        self._empty_chunks += not repeated
        if self._empty_chunks > MAX_EMPTY_CHUNKS:
            return self._differs(chunk)
        if self._matched < len(self._text):
            self._held.append((chunk, 0))
            return []
        self.over = True
        self._held.clear()
        return [(chunk, len(repeated))]

    def end(self) -> list[Piece]:
        """The stream has ended. Return what was held back: it did not repeat the answer, it only began like it.

        Raises:
            AnswersDiffer: the stream was restarted and ended before the place where the first one broke.
        """
        if not self.over and self._restarted:
            raise AnswersDiffer
        return self._release()

    def _differs(self, chunk: ChatChunk) -> list[Piece]:
        if self._restarted:
            raise AnswersDiffer
        return [*self._release(), (chunk, 0)]

    def _release(self) -> list[Piece]:
        held, self._held, self.over = self._held, [], True
        return held
