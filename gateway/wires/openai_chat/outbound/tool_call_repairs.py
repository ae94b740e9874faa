"""Repairs the fragments of a stream's tool calls: finds the call of each fragment, and removes repeated names and ids.

Clients find a call by `index` and join the fragments of each index. Servers leave the index out, send 0 for every call,
or repeat the name or a new id in each fragment. Each of these turns one call into two, or two into one. Fragments from
OpenAI pass unchanged. This is a small state machine of its own, so it is not in the decoder.
"""

from dataclasses import dataclass, field
from secrets import token_hex
from typing import Final

from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.openai_chat.outbound.brackets import Brackets
from gateway.wires.openai_chat.outbound.repairs import text_arguments

MAX_CALLS: Final = 512
"""Calls of one choice. OpenAI allows 128 tools, and models call only a few at once."""
MAX_NAMES: Final = 1 << 20
"""Characters of all names and ids of one choice's calls."""

EMPTY: Final = "{}"
"""Arguments of no value."""
MAX_KEPT: Final = 1 << 20
"""Characters of one call's arguments that are kept to be compared with a repetition."""


@dataclass(slots=True)
class _Call:
    """The state of one call.

    Attributes:
        id: of the call.
        is_function: its arguments are JSON.
        name: "" until it is known.
        arguments: the brackets of its arguments.
        pieces: its arguments, up to MAX_KEPT. `kept`: their characters.
        repeated: how many characters of complete arguments have come a second time.
        held: an empty object is held back.
    """

    id: str
    is_function: bool
    name: str = ""
    arguments: Brackets = field(default_factory=Brackets)
    pieces: list[str] = field(default_factory=list)
    kept: int = 0
    repeated: int = 0
    held: bool = False

    def add(self, piece: str) -> None:
        """Add a piece of the arguments."""
        self.arguments.add(piece)
        if self.kept <= MAX_KEPT:
            self.pieces.append(piece)
            self.kept += len(piece)

    def repeats(self, piece: str) -> bool:
        """Whether a piece behind complete arguments goes on repeating them, blanks before and behind them aside."""
        sent = "".join(self.pieces).strip()
        if self.kept > MAX_KEPT:
            return False
        rest = piece if self.repeated else piece.lstrip()
        while rest and not sent.startswith(rest, self.repeated):
            left = sent[self.repeated :]
            if not rest.startswith(left):
                return False
            self.repeated, rest = 0, rest[len(left) :].lstrip()
        self.repeated = (self.repeated + len(rest)) % len(sent)
        return True


@dataclass(frozen=True, slots=True)
class _Fragment:
    """The fields of one fragment; None or "" where a field is missing."""

    index: int | None
    id: str
    name: str
    arguments: str

    def begins_another(self, known: _Call) -> bool:
        """Whether the fragment starts a call other than `known`: another name, or a new call of the same function."""
        if not self.name or not known.name:
            return False
        if self.id:
            return self.id != known.id
        if self.name != known.name:
            return True
        so_far, further = EMPTY if known.held else "".join(known.pieces).strip(), self.arguments.strip()
        is_complete = known.arguments.whole or (known.held and further == EMPTY)
        return bool(further and is_complete and not (self.index is not None and further == so_far))


class ToolCalls:
    """The calls of one choice, by the index that the caller gets: 0, 1, 2, in the order of arrival.

    Attributes:
        contradicts: two different arguments have come for one call.
        mended: how many pieces of arguments were left out, because they only repeat.
    """

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._places: dict[int, int] = {}  # from the server's index, or the position in a delta, to the caller's
        self._latest = 0
        self._kept = 0
        self.contradicts = False
        self.mended = 0

    @property
    def too_many(self) -> bool:
        """Whether there are more calls than any answer has."""
        return len(self._calls) > MAX_CALLS or self._kept > MAX_NAMES

    def __bool__(self) -> bool:
        return bool(self._calls)

    @property
    def is_nameless(self) -> bool:
        """Whether a call has no name, so that nobody can answer it."""
        return any(not call.name for call in self._calls)

    @property
    def is_open(self) -> bool:
        """Whether the arguments of a function end in the middle."""
        return any(call.is_function and call.arguments.is_open for call in self._calls)

    @property
    def are_whole(self) -> bool:
        """Whether the arguments of every function are complete, or none have come."""
        return all(call.arguments.whole or not call.arguments.begun for call in self._calls if call.is_function)

    def is_whole(self, index: int) -> bool:
        """Whether the arguments of a call are a complete object so far."""
        return index < len(self._calls) and self._calls[index].arguments.whole

    def repair(self, fragments: JsonValue) -> None:
        """Repair the fragments of one delta, in place."""
        if not isinstance(fragments, list):
            return
        for position, fragment in enumerate(fragments):
            if self.too_many:
                return
            if isinstance(fragment, dict):
                self._repair(fragment, position if len(fragments) > 1 else None)

    def without_arguments(self) -> list[JsonValue]:
        """Fragments with empty arguments for the function calls that got none."""
        return [
            {"index": index, "function": {"arguments": "{}"}}
            for index, call in enumerate(self._calls)
            if call.is_function and not call.arguments.begun
        ]

    def _repair(self, fragment: JsonObject, position: int | None) -> None:
        function = fragment.get("function")
        if isinstance(function, dict):
            text_arguments(function)
        _text_id(fragment)
        fields = _read(fragment)
        index = self._latest = self._place(fields, position)
        if fields.index != index:
            fragment["index"] = index
        if index == len(self._calls):
            self._calls.append(_begin(fragment))
            self._kept += len(self._calls[index].id)
        else:
            _continue(fragment, fields, self._calls[index])
        call = self._calls[index]
        if fields.name and not call.name:
            call.name = fields.name
            self._kept += len(fields.name)
        piece = fields.arguments
        if not piece:
            return
        if call.is_function and (call.arguments.whole or piece[0] == "{"):
            self._add(call, fragment, piece)
        else:  # nearly all pieces
            call.add(piece)

    def _add(self, call: _Call, fragment: JsonObject, piece: str) -> None:
        """Add a piece of a call's arguments. An empty object is held back, because some servers send it before the real
        one; where none follows it is sent with the finish (`without_arguments`). What repeats complete arguments is
        left out."""
        bare = piece.strip()
        if call.arguments.whole and (bare or call.repeated):
            self.mended += 1
            self.contradicts |= (bare != EMPTY or call.repeated > 0) and not call.repeats(piece)
            _detail(fragment)["arguments"] = ""
        elif not call.arguments.begun and bare == EMPTY:
            call.held = True
            _detail(fragment)["arguments"] = ""
        else:
            self.mended += call.held
            call.held = False
            call.add(piece)

    def _place(self, fields: _Fragment, position: int | None) -> int:
        """The index of the fragment's call, or of a new call."""
        new = len(self._calls)
        claimed = fields.index if fields.index is not None else position
        if fields.index is None and fields.id:
            index = self._with_id(fields.id, new if fields.name else self._latest)
        else:
            index = self._latest if claimed is None else self._places.get(claimed, new)
        if index < new and fields.begins_another(self._calls[index]):
            index = new
        if claimed is not None:
            self._places[claimed] = index
        return index

    def _with_id(self, id: str, default: int) -> int:
        return next((index for index, call in enumerate(self._calls) if call.id == id), default)


def _read(fragment: JsonObject) -> _Fragment:
    index, id, detail = fragment.get("index"), fragment.get("id"), _detail(fragment)
    name, arguments = detail.get("name"), detail.get("arguments")
    return _Fragment(
        index if type(index) is int else None,
        id if isinstance(id, str) else "",
        name if isinstance(name, str) else "",
        arguments if isinstance(arguments, str) else "",
    )


def _text_id(fragment: JsonObject) -> None:
    """Make the id a text, because clients send it back; a value of another type is removed."""
    id = fragment.get("id")
    if type(id) is int:
        fragment["id"] = str(id)
    elif id is not None and not isinstance(id, str):
        del fragment["id"]


def _detail(fragment: JsonObject) -> JsonObject:
    """The object that describes the call: a function, or a custom tool."""
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


def _continue(fragment: JsonObject, fields: _Fragment, known: _Call) -> None:
    """Repair a later fragment. Clients join names, and some join ids or take the last one, so both are sent once."""
    if "id" in fragment:
        del fragment["id"]
    if known.name and fields.name in ("", known.name):
        _detail(fragment).pop("name", None)  # some clients take the last name, even ""
