"""The tool calls of a stream, which come in fragments: which call a fragment belongs to, and what it may repeat.

Clients find a call by `index` and join what the fragments of an index say. Servers leave the index out, send 0 for
every call, say the name again each time or a new id each time; each of these makes one call of two, or two of one.
What OpenAI sends passes as it came. Apart from the stream because it is a small machine of its own.
"""

import re
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Final

from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.openai_chat.outbound.repairs import text_arguments

MAX_CALLS: Final = 512
"""Calls of one choice; OpenAI has 128 tools at most, and models call a few at once."""
MAX_NAMES: Final = 1 << 20
"""Characters of their names and ids together."""

_MARK: Final = re.compile(r'[\\"{}\[\]]')
_BLANK: Final = re.compile(r"\s*\Z")


@dataclass(slots=True)
class _Arguments:
    """The text of a call's arguments, of which no more is kept than how its brackets stand."""

    said: bool = False
    whole: bool = False
    """They are a complete object: the beginning of an object never closes its bracket."""
    _depth: int = 0
    _in_string: bool = False
    _escaped: bool = False

    def add(self, text: str) -> None:
        """It goes on with this."""
        self.said |= bool(text)
        self.whole &= _BLANK.match(text) is not None
        at = 0
        if self._escaped and text:
            at, self._escaped = 1, False
        while found := _MARK.search(text, at):
            at = found.end()
            if self._in_string:
                if found[0] == "\\":
                    self._escaped = at == len(text)
                    at += 1
                self._in_string = found[0] != '"'
            elif found[0] == '"':
                self._in_string = True
            elif found[0] != "\\":
                self._depth += 1 if found[0] in "{[" else -1
                self.whole = self._depth == 0 and found[0] == "}" and _BLANK.match(text, at) is not None


@dataclass(slots=True)
class _Call:
    """What has come of one call; `is_function`: its arguments are JSON."""

    id: str
    is_function: bool
    name: str = ""
    arguments: _Arguments = field(default_factory=_Arguments)


@dataclass(frozen=True, slots=True)
class _Said:
    """What one fragment says of itself; None and "" are nothing."""

    index: int | None
    id: str
    name: str
    arguments: str

    def begins_another(self, known: _Call) -> bool:
        """Whether it cannot be a part of `known`: another name, or another call of the same function."""
        if not self.name or not known.name:
            return False
        if self.id:
            return self.id != known.id
        return self.name != known.name or bool(self.arguments and known.arguments.whole)


class ToolCalls:
    """The calls of one choice, by the index that the caller sees: 0, 1, 2, in the order of their coming."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._places: dict[int, int] = {}  # the server's index, or the place in a delta, to the caller's
        self._latest = 0
        self._kept = 0

    @property
    def too_many(self) -> bool:
        """There are more than any answer has."""
        return len(self._calls) > MAX_CALLS or self._kept > MAX_NAMES

    def __bool__(self) -> bool:
        return bool(self._calls)

    def repair(self, fragments: JsonValue) -> None:
        """Put the fragments of one delta right, in place."""
        if not isinstance(fragments, list):
            return
        for position, fragment in enumerate(fragments):
            if self.too_many:
                return
            if isinstance(fragment, dict):
                self._repair(fragment, position if len(fragments) > 1 else None)

    def without_arguments(self) -> list[JsonValue]:
        """Fragments that give empty arguments to the functions that got none."""
        return [
            {"index": index, "function": {"arguments": "{}"}}
            for index, call in enumerate(self._calls)
            if call.is_function and not call.arguments.said
        ]

    def _repair(self, fragment: JsonObject, position: int | None) -> None:
        function = fragment.get("function")
        if isinstance(function, dict):
            text_arguments(function)
        _text_id(fragment)
        said = _read(fragment)
        index = self._latest = self._place(said, position)
        if said.index != index:
            fragment["index"] = index
        if index == len(self._calls):
            self._calls.append(_begin(fragment))
            self._kept += len(self._calls[index].id)
        else:
            _continue(fragment, said, self._calls[index])
        call = self._calls[index]
        if said.name and not call.name:
            call.name = said.name
            self._kept += len(said.name)
        call.arguments.add(said.arguments)

    def _place(self, said: _Said, position: int | None) -> int:
        """The index of the call that the fragment belongs to, or that of a new one."""
        new = len(self._calls)
        claimed = said.index if said.index is not None else position
        if said.index is None and said.id:
            index = self._with_id(said.id, new if said.name else self._latest)
        else:
            index = self._latest if claimed is None else self._places.get(claimed, new)
        if index < new and said.begins_another(self._calls[index]):
            index = new
        if claimed is not None:
            self._places[claimed] = index
        return index

    def _with_id(self, id: str, default: int) -> int:
        return next((index for index, call in enumerate(self._calls) if call.id == id), default)


def _read(fragment: JsonObject) -> _Said:
    index, id, detail = fragment.get("index"), fragment.get("id"), _detail(fragment)
    name, arguments = detail.get("name"), detail.get("arguments")
    return _Said(
        index if type(index) is int else None,
        id if isinstance(id, str) else "",
        name if isinstance(name, str) else "",
        arguments if isinstance(arguments, str) else "",
    )


def _text_id(fragment: JsonObject) -> None:
    """An id is a text, which clients send back; what is no id is none."""
    id = fragment.get("id")
    if type(id) is int:
        fragment["id"] = str(id)
    elif id is not None and not isinstance(id, str):
        del fragment["id"]


def _detail(fragment: JsonObject) -> JsonObject:
    """What the call is of: a function, or a tool that takes text."""
    for kind in ("function", "custom"):
        if isinstance(detail := fragment.get(kind), dict):
            return detail
    return {}


def _begin(fragment: JsonObject) -> _Call:
    id = fragment.get("id")
    if not isinstance(id, str) or not id:
        id = fragment["id"] = f"call_{token_hex(12)}"
    if not fragment.get("type"):
        fragment["type"] = "custom" if "custom" in fragment else "function"
    return _Call(id, fragment["type"] == "function")


def _continue(fragment: JsonObject, said: _Said, known: _Call) -> None:
    """A further fragment: clients join names, and some join ids or take the last one, so both are said once."""
    if said.id:
        del fragment["id"]
    if said.name and said.name == known.name:
        del _detail(fragment)["name"]
