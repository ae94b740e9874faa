"""Bytes that chance has made once for all workers, such as the key by which they tell sessions apart."""

from pathlib import Path
from secrets import token_bytes
from typing import Final

from gateway.sharing.words import WORD, Words

BYTES: Final = 32
LAYOUT: Final = "chance 1: 32 bytes"
_WORDS: Final = BYTES // WORD


def shared_bytes(path: Path) -> bytes:
    """The bytes of a file, which whoever comes first makes.

    Args:
        path: the file, private to the user as its folder is.

    Raises:
        OSError: it cannot be made or mapped.
    """
    words = Words(path, layout=LAYOUT, size=_WORDS, entries=_WORDS)
    try:
        with words:
            if not any(words.ints[:_WORDS]):
                made = memoryview(token_bytes(BYTES)).cast("q")
                for place in range(_WORDS):
                    words.put(place, made[place])
            return bytes(words.raw[:BYTES])
    finally:
        words.close()
