"""Tool names as Gemini takes them. A caller's name that is legal there stays; any other is replaced for one request.

OpenAI allows a name to begin with a digit, and many clients put anything into one (slashes, spaces, names of more than
64 characters from MCP servers). Gemini answers 400 to such a name wherever it stands: among the tools, in the choice of
a tool, in the history. So one object names them all, and the answer finds the caller's name by the name that was sent.

Source: https://ai.google.dev/api/caching#FunctionDeclaration.
"""

import re
from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import count
from typing import Final

MAX_NAME: Final = 64
_LEGAL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}")
_ILLEGAL_CHARACTER: Final = re.compile(r"[^A-Za-z0-9_.:-]")
_DIGITS: Final = 8


class ToolNames:
    """The names of one request.

    Args:
        names: those that are known at the start, tools and history. Any other may be asked for later; a name that is
            legal then stays as it is, except where an illegal one has already been given its form.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._sent: dict[str, str] = {}
        self._taken: set[str] = set()
        for name in sorted(names, key=lambda name: not _is_legal(name)):  # the legal ones keep theirs
            self.sent(name)

    def sent(self, name: str) -> str:
        """The name to send: legal, the same each time, and no other name's."""
        found = self._sent.get(name)
        if found is None:
            found = next(form for form in _forms(name) if form not in self._taken)
            self._sent[name] = found
            self._taken.add(found)
        return found


def _is_legal(name: str) -> bool:
    return _LEGAL.fullmatch(name) is not None


def _forms(name: str) -> Iterator[str]:
    """Legal names for it, the best first: the digest tells apart what looks the same when it is cut or replaced."""
    plain = _ILLEGAL_CHARACTER.sub("_", name)
    if not plain or not (plain[0].isalpha() or plain[0] == "_"):
        plain = f"_{plain}"
    if len(plain) <= MAX_NAME:
        yield plain
    for attempt in count():
        digest = sha256(f"{attempt} {name}".encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
        yield f"{plain[: MAX_NAME - _DIGITS - 1]}_{digest}"
