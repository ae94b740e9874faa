"""Ids of tool calls for vendors that limit them: a legal id stays, any other is replaced by a digest of it.

The same id always gives the same replacement, so a call and its result keep one id, and nothing has to be remembered.
"""

import hashlib
import re
from functools import lru_cache


def short_id(id: str, longest: int = 40) -> str:
    """The id where it has at most `longest` characters of A-Z, a-z, 0-9, _ and -; else a replacement that has."""
    if _legal(longest).fullmatch(id):
        return id
    return f"call_{hashlib.sha256(id.encode(errors='replace')).hexdigest()[:24]}"


@lru_cache(maxsize=8)
def _legal(longest: int) -> re.Pattern[str]:
    return re.compile(rf"[A-Za-z0-9_-]{{0,{longest}}}")
