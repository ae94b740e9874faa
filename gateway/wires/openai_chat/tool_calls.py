"""The tool calls of a stream, which come in fragments: which call a fragment belongs to, and what it may repeat.

Clients find a call by `index` and join what the fragments of an index say. Servers leave the index out, send 0 for
every call, say the name again each time or a new id each time; each of these makes one call of two, or two of one.
What OpenAI sends passes as it came. Apart from the stream because it is a small machine of its own.
"""

from dataclasses import dataclass, field
from secrets import token_hex

from gateway.core.jsontext import JsonFault, JsonObject, JsonValue, loads
from gateway.wires.openai_chat.mend import text_arguments


@dataclass(slots=True)
class _Call:
    """What has come of one call; `is_function`: its arguments are JSON."""

    id: JsonValue
    is_function: bool
    name: str = ""
    arguments: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Its arguments are complete: the beginning of an object is never an object."""
        arguments = "".join(self.arguments)
        try:
            return arguments.rstrip().endswith("}") and isinstance(loads(arguments.encode()), dict)
        except JsonFault:
            return False


@dataclass(frozen=True, slots=True)
class _Said:
    """What one fragment says of itself; None and "" are nothing."""

    index: int | None
    id: JsonValue
    name: str
    arguments: str

    def begins_another(self, known: _Call) -> bool:
        """Whether it cannot be a part of `known`: another name, or another call of the same function."""
        if not self.name or not known.name:
            return False
        if self.id:
            return self.id != known.id
        return self.name != known.name or bool(self.arguments and known.whole)


class ToolCalls:
    """The calls of one choice, by the index that the caller sees: 0, 1, 2, in the order of their coming."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._places: dict[int, int] = {}  # the server's index, or the place in a delta, to the caller's
        self._latest = 0

    def __bool__(self) -> bool:
        return bool(self._calls)

    def mend(self, fragments: JsonValue) -> None:
        """Put the fragments of one delta right, in place."""
        if not isinstance(fragments, list):
            return
        for position, fragment in enumerate(fragments):
            if isinstance(fragment, dict):
                self._mend(fragment, position if len(fragments) > 1 else None)

    def without_arguments(self) -> list[JsonValue]:
        """Fragments that give empty arguments to the functions that got none."""
        return [
            {"index": index, "function": {"arguments": "{}"}}
            for index, call in enumerate(self._calls)
            if call.is_function and not call.arguments
        ]

    def _mend(self, fragment: JsonObject, position: int | None) -> None:
        function = fragment.get("function")
        if isinstance(function, dict):
            text_arguments(function)
        said = _read(fragment)
        index = self._latest = self._place(said, position)
        if said.index != index:
            fragment["index"] = index
        if index == len(self._calls):
            self._calls.append(_begin(fragment))
        else:
            _continue(fragment, said, self._calls[index])
        call = self._calls[index]
        call.name = call.name or said.name
        if said.arguments:
            call.arguments.append(said.arguments)

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

    def _with_id(self, id: JsonValue, default: int) -> int:
        return next((index for index, call in enumerate(self._calls) if call.id == id), default)


def _read(fragment: JsonObject) -> _Said:
    index, detail = fragment.get("index"), _detail(fragment)
    name, arguments = detail.get("name"), detail.get("arguments")
    return _Said(
        index if type(index) is int else None,
        fragment.get("id"),
        name if isinstance(name, str) else "",
        arguments if isinstance(arguments, str) else "",
    )


def _detail(fragment: JsonObject) -> JsonObject:
    """What the call is of: a function, or a tool that takes text."""
    for kind in ("function", "custom"):
        if isinstance(detail := fragment.get(kind), dict):
            return detail
    return {}


def _begin(fragment: JsonObject) -> _Call:
    if not fragment.get("id"):
        fragment["id"] = f"call_{token_hex(12)}"
    if not fragment.get("type"):
        fragment["type"] = "custom" if "custom" in fragment else "function"
    return _Call(fragment["id"], fragment["type"] == "function")


def _continue(fragment: JsonObject, said: _Said, known: _Call) -> None:
    """A further fragment: clients join names, and some join ids or take the last one, so both are said once."""
    if said.id:
        del fragment["id"]
    if said.name and said.name == known.name:
        del _detail(fragment)["name"]
