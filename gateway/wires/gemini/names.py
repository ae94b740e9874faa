"""Tool names for Gemini. A legal name stays unchanged; any other is replaced for one request.

OpenAI allows a name to begin with a digit, and many clients use any characters (slashes, spaces, names of more than 64
characters from MCP servers). Gemini answers 400 to such a name among the tools, in the choice of a tool and in the
history. So one object maps all names of a request, and the answer's names are mapped back.

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
    """The tool names of one request.

    Args:
        names: the names that are known at the start, from tools and history. `sent` takes other names as well; a legal
            one then stays unchanged, unless an illegal one was already replaced by it.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._sent: dict[str, str] = {}
        self._taken: set[str] = set()
        for name in sorted(
            names, key=lambda name: not _is_legal(name)
        ):  # legal names first, so that they stay unchanged
            self.sent(name)

    def sent(self, name: str) -> str:
        """The name to send: legal, always the same, and used for no other name."""
        found = self._sent.get(name)
        if found is None:
            found = next(form for form in _forms(name) if form not in self._taken)
            self._sent[name] = found
            self._taken.add(found)
        return found


def _is_legal(name: str) -> bool:
    return _LEGAL.fullmatch(name) is not None


def _forms(name: str) -> Iterator[str]:
    """Legal replacements, the best first. The digest distinguishes names that are equal after cutting or replacing."""
    plain = _ILLEGAL_CHARACTER.sub("_", name)
    if not plain or not (plain[0].isalpha() or plain[0] == "_"):
        plain = f"_{plain}"
    if len(plain) <= MAX_NAME:
        yield plain
    for attempt in count():
        digest = sha256(f"{attempt} {name}".encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
        yield f"{plain[: MAX_NAME - _DIGITS - 1]}_{digest}"
