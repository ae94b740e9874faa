"""Ids of tool calls for vendors that limit them: a legal id stays, any other is replaced by a digest of it.

The same id always gives the same replacement, so a call and its result keep one id, and nothing has to be remembered.
"""

import hashlib
import re
import string
from functools import lru_cache
from typing import Final

NINE: Final = 9
_NINE: Final = re.compile(rf"[A-Za-z0-9]{{{NINE}}}")
_ALPHABET: Final = string.ascii_letters + string.digits


def short_id(id: str, longest: int = 40) -> str:
    """The id where it has at most `longest` characters of A-Z, a-z, 0-9, _ and -; else a replacement that has."""
    if _legal(longest).fullmatch(id):
        return id
    return f"call_{hashlib.sha256(id.encode(errors='replace')).hexdigest()[:24]}"


def nine_letters(id: str) -> str:
    """The id where it is nine letters and digits, which Mistral demands; else a replacement that is."""
    if _NINE.fullmatch(id):
        return id
    number = int.from_bytes(hashlib.sha256(id.encode(errors="replace")).digest()[:8], "big")
    letters = []
    for _ in range(NINE):
        number, letter = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[letter])
    return "".join(letters)


@lru_cache(maxsize=8)
def _legal(longest: int) -> re.Pattern[str]:
    return re.compile(rf"[A-Za-z0-9_-]{{0,{longest}}}")
