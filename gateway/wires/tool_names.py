"""Legal tool names. A legal name stays unchanged; any other is replaced for one request.

Clients use any characters in names (slashes, spaces, names of more than 64 characters from MCP servers), and vendors
answer 400 to a name that their own rule forbids: among the tools, in the choice of a tool and in the history. So one
object maps all names of a request, and the answer's names are mapped back. The rules are the wires' own.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import count
from typing import Final

from msgspec import Struct

from gateway.core.request import Prompt, Tool, ToolCall

_DIGITS: Final = 8


class NameRule(Struct, frozen=True):
    """Which names a vendor accepts.

    Attributes:
        first: the characters that may begin a name, as the inside of a character class.
        rest: the characters that may follow.
        longest: characters.
    """

    first: str
    rest: str
    longest: int = 64

    def is_legal(self, name: str) -> bool:
        return re.fullmatch(f"[{self.first}][{self.rest}]{{0,{self.longest - 1}}}", name) is not None

    def forms(self, name: str) -> Iterator[str]:
        """Legal replacements, the best first. The digest distinguishes names that are equal after cutting or
        replacing."""
        plain = re.sub(f"[^{self.rest}]", "_", name)
        if re.match(f"[{self.first}]", plain) is None:
            plain = f"_{plain}"
        if len(plain) <= self.longest:
            yield plain
        for attempt in count():
            digest = sha256(f"{attempt} {name}".encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
            yield f"{plain[: self.longest - _DIGITS - 1]}_{digest}"


class ToolNames:
    """The tool names of one request.

    Args:
        rule: which names are legal.
        names: the names that are known at the start, from tools and history. `sent` takes other names as well; a legal
            one then stays unchanged, unless an illegal one was already replaced by it.
    """

    def __init__(self, rule: NameRule, names: Iterable[str]) -> None:
        self._rule = rule
        self._sent: dict[str, str] = {}
        self._taken: set[str] = set()
        for name in sorted(names, key=lambda name: not rule.is_legal(name)):  # so that legal names stay unchanged
            self.sent(name)

    def sent(self, name: str) -> str:
        """The name to send: legal, always the same, and used for no other name."""
        found = self._sent.get(name)
        if found is None:
            found = next(form for form in self._rule.forms(name) if form not in self._taken)
            self._sent[name] = found
            self._taken.add(found)
        return found

    def declared(self, tools: Sequence[Tool]) -> dict[str, Tool]:
        """The tools by the names that are sent; of two with one name the first."""
        found: dict[str, Tool] = {}
        for tool in tools:
            found.setdefault(self.sent(tool.name), tool)
        return found


def names_in(prompt: Prompt) -> Iterator[str]:
    """The tool names in a request: among the tools, in the history, in the choice of a tool."""
    for tool in prompt.tools:
        yield tool.name
    for message in prompt.messages:
        for part in message.parts:
            if isinstance(part, ToolCall):
                yield part.name
    if prompt.tool_choice:
        yield from prompt.tool_choice.names
