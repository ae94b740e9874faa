"""Reads a file's tree against the schema's types into plain data.

msgspec.convert alone would not do: this walk finds all faults at once, knows the place of each one, and expands
`${NAME}` while it still knows which values must not be shown. The settings and their types come from the schema alone,
through msgspec.inspect. Faulty settings are left out of the data, so that the rules can still run on the rest.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from msgspec import inspect

from gateway.config.descriptions import expected, found, members
from gateway.config.expand import expand, variables_in
from gateway.config.faults import Faults, KeyPath, can_show, named, nearest
from gateway.config.nodes import Broken, Entry, Listing, Node, Scalar, Section
from gateway.config.places import ABSENT, BROKEN, NoValue, Place
from gateway.config.scalars import boolean, is_one_line, length_fault, matches, number, numeric, text_hint, within
from gateway.config.secret_texts import secret_fault
from gateway.config.setting_types import DAY
from gateway.core.secrets import Secret

MAX_VALUES: Final = 100_000  # a few thousand aliases of aliases make 10^9 out of a small file
MAX_TEXT: Final = 8192  # before expansion; the longest setting takes 2,048, and keys can be long

ENABLED: Final = "enabled"
API_KEY: Final = "apiKey"
"""A vendor's key, unlike other secrets, never has a space in it."""

_COLON: Final = "; a space is needed after the colon"


class ValueReader:
    """One walk through one file.

    Attributes:
        hidden: texts that no message may contain: secrets, and all values from the environment.
        item_indexes: for each list in the data, the indexes that its items have in the file.
    """

    def __init__(self, env: Mapping[str, str], faults: Faults) -> None:
        self.hidden: set[str] = set()
        self.item_indexes: dict[KeyPath, list[int]] = {}
        self._env = env
        self._faults = faults
        self._values_left = MAX_VALUES

    def read(self, place: Place, wanted: inspect.Type) -> object:
        """The value of a node as plain data, ABSENT or BROKEN.

        Raises:
            ConfigError: the file has too many values or faults.
        """
        self._count(place.node)
        if isinstance(place.node, Broken):
            return BROKEN
        if isinstance(place.node, Scalar) and place.node.kind == "nothing":
            return ABSENT
        match wanted:
            case inspect.Metadata():
                return self.read(place, wanted.type)
            case inspect.UnionType():
                return self._choose(place, wanted)
            case inspect.StructType():
                return self._section(place, wanted)
            case inspect.DictType():
                return self._names(place, wanted)
            case inspect.VarTupleType():
                return self._list(place, wanted)
            case _:
                return self._single(place, wanted)

    def _single(self, place: Place, wanted: inspect.Type) -> object:
        match wanted:
            case inspect.CustomType(cls=cls) if cls is Secret:
                return self._secret(place, wanted)
            case inspect.StrType() | inspect.LiteralType():
                return self._text(place, wanted)
            case inspect.IntType() | inspect.FloatType() | inspect.BoolType():
                return self._number_or_boolean(place, wanted)
            case _:
                raise TypeError(f"the loader does not know {wanted!r}; teach it before using it in the schema")

    def _count(self, node: Node) -> None:
        self._values_left -= 1
        if self._values_left < 0:
            raise self._faults.stop(node.at, f"more than {MAX_VALUES} values, counting what aliases repeat")

    def _fault(self, place: Place, message: str) -> NoValue:
        self._faults.add(place.node.at, place.path, message)
        return BROKEN

    def _wrong(self, place: Place, wanted: inspect.Type, text: str | None = None, hint: str = "") -> NoValue:
        wants = place.expects or expected(wanted)
        return self._fault(place, f"expected {wants}, got {found(place.node, text)}{hint}")

    # Structure ---------------------------------------------------------------------------------------------------

    def _choose(self, place: Place, union: inspect.UnionType) -> object:
        choices = members(union)
        if len(choices) == 1:
            return self.read(place, choices[0])
        place = replace(place, expects=expected(union))
        for choice in choices:
            if _fits(place.node, choice):
                return self.read(place, choice)
        text = place.node.text if isinstance(place.node, Scalar) else None
        return self._wrong(place, union, text)

    def _section(self, place: Place, struct: inspect.StructType) -> object:
        if not isinstance(place.node, Section):
            return self._wrong(place, struct, hint=_colon_hint(place.node))
        entries = place.node.entries
        fields = {field.encode_name: field for field in struct.fields}
        for key, entry in entries.items():
            if key not in fields:
                self._faults.add(entry.at, place.path, _unknown(key, fields))
        if ENABLED in fields:
            place = replace(place, switchable=True, switched_off=place.switched_off or _is_off(entries.get(ENABLED)))
        values = {name: self._field(place, field, entries.get(name)) for name, field in fields.items()}
        if any(isinstance(values[name], NoValue) and field.required for name, field in fields.items()):
            return BROKEN
        return {name: value for name, value in values.items() if not isinstance(value, NoValue)}

    def _field(self, place: Place, field: inspect.Field, entry: Entry | None) -> object:
        name = field.encode_name
        inside = place.inside(name, entry.value, optional=not field.required) if entry else None
        value = self.read(inside, field.type) if inside else ABSENT
        if value is ABSENT and field.required and place.switched_off and entry:
            return BROKEN  # its variable is not set, which does not matter here
        if value is ABSENT and field.required:
            return self._fault(place, f'"{name}" is {"empty" if entry else "missing"}')
        return value

    def _names(self, place: Place, mapping: inspect.DictType) -> object:
        if not isinstance(place.node, Section):
            return self._wrong(place, mapping, hint=_colon_hint(place.node))
        data: dict[str, object] = {}
        sections = isinstance(mapping.value_type, inspect.StructType)
        for key, entry in place.node.entries.items():
            if length_fault(key, mapping.key_type) or not matches(key, mapping.key_type):
                hint = _COLON if ":" in key else ""
                self._faults.add(entry.at, place.path, f"this key must be {expected(mapping.key_type)}{hint}")
                continue
            value = self.read(place.inside(key, entry.value), mapping.value_type)
            if value is ABSENT and sections:
                value = self.read(place.inside(key, Section(entry.at, {})), mapping.value_type)
            if sections:  # a faulty one keeps its name, so that references to it are not reported as unknown too
                data[key] = {} if value is BROKEN else value
            elif not isinstance(value, NoValue):
                data[key] = value
        return data

    def _list(self, place: Place, wanted: inspect.VarTupleType) -> object:
        if not isinstance(place.node, Listing):
            return self._wrong(place, wanted, hint="; write [...], or one item a line after `- `")
        items = [
            (index, self._item(place.inside(index, item, optional=not wanted.min_length), wanted.item_type))
            for index, item in enumerate(place.node.items)
        ]
        kept = [(index, value) for index, value in items if not isinstance(value, NoValue)]
        if len(kept) < (wanted.min_length or 0):
            if any(value is BROKEN for _, value in items):
                return BROKEN
            return self._fault(place, f"expected at least {wanted.min_length} item(s)")
        self.item_indexes[place.path] = [index for index, _ in kept]
        return [value for _, value in kept]

    def _item(self, place: Place, wanted: inspect.Type) -> object:
        if isinstance(place.node, Scalar) and place.node.kind == "nothing":
            return self._wrong(place, wanted)
        return self.read(place, wanted)

    # Single values -----------------------------------------------------------------------------------------------

    def _number_or_boolean(
        self, place: Place, wanted: inspect.IntType | inspect.FloatType | inspect.BoolType
    ) -> object:
        node = place.node
        if not isinstance(node, Scalar):
            return self._wrong(place, wanted)
        if isinstance(wanted, inspect.BoolType):
            value = boolean(node)
            return self._wrong(place, wanted, node.text, text_hint(node)) if value is None else value
        if node.kind not in numeric(wanted):
            return self._wrong(place, wanted, node.text, text_hint(node))
        amount = number(node.text, wanted)
        if amount is None:
            hint = ", in a notation that is easily misread; write plain decimal digits"
            return self._wrong(place, wanted, node.text, hint)
        return amount if within(amount, wanted) else self._wrong(place, wanted, node.text)

    def _text(self, place: Place, wanted: inspect.StrType | inspect.LiteralType) -> object:
        node = place.node
        if not isinstance(node, Scalar):
            return self._wrong(place, wanted)
        if node.kind != "text" and not (node.kind == "date" and getattr(wanted, "pattern", None) == DAY):
            return self._wrong(place, wanted, node.text, "; put it in quotes")
        expansion = self._expand(place, node)
        if isinstance(expansion, NoValue):
            return expansion
        text, referred = expansion
        if referred and not text:
            return ABSENT
        if not is_one_line(text):
            return self._fault(place, "a line break, control character or broken character in the text")
        showable = None if referred else text
        if isinstance(wanted, inspect.LiteralType):
            return text if text in wanted.values else self._no_choice(place, wanted, showable)
        if fault := length_fault(text, wanted):
            return self._fault(place, fault)
        return text if matches(text, wanted) else self._wrong(place, wanted, showable)

    def _no_choice(self, place: Place, wanted: inspect.LiteralType, text: str | None) -> NoValue:
        hint = nearest(text or "", map(str, wanted.values))
        return self._wrong(place, wanted, text, hint)

    def _secret(self, place: Place, wanted: inspect.CustomType) -> object:
        node = place.node
        if not isinstance(node, Scalar):
            return self._wrong(place, wanted)
        if node.kind != "text":
            return self._fault(place, "expected text; put the value in quotes")
        expansion = self._expand(place, node)
        if isinstance(expansion, NoValue):
            return expansion
        text = expansion[0].strip()
        if not text:
            return ABSENT if expansion[1] else self._fault(place, "must not be empty; leave it out, or give a value")
        self.hidden.add(text)
        if not (text.isascii() and text.isprintable()):
            # RFC 6749 appendix A.2. An HTTP header takes no more either, and the HTTP client's error would quote it.
            return self._fault(place, "must be one line of printable ASCII characters")
        if fault := secret_fault(text, variables_in(node.text), spaces=place.path[-1] != API_KEY):
            return self._fault(place, fault)
        return Secret(text, is_written=not expansion[1])

    def _expand(self, place: Place, node: Scalar) -> tuple[str, bool] | NoValue:
        """The expanded text, and whether it names a variable."""
        if len(node.text) > MAX_TEXT:
            return self._fault(place, f"longer than {MAX_TEXT} characters")
        expanded = expand(node.text, self._env)
        if expanded.malformed:
            form = "`${` begins `${NAME}` or `${NAME:-default}`; write `$${` for the two characters themselves"
            return self._fault(place, form)
        if expanded.unset:
            return ABSENT if place.switched_off else self._unset(place, expanded.unset)
        if expanded.referred and expanded.text:
            self.hidden.add(expanded.text)
        return expanded.text, expanded.referred

    def _unset(self, place: Place, names: Iterable[str]) -> NoValue:
        for name in names:
            if not can_show(name):  # probably the key itself is between the braces
                self._fault(place, "`${...}` must hold the name of an environment variable that is set")
                continue
            self._fault(place, f"the environment variable {name} is not set (or empty); set it{_way_out(place, name)}")
        return BROKEN


def _way_out(place: Place, name: str) -> str:
    """What else helps where a variable is not set. To do without it is advised only where that is no fault again."""
    if place.switchable:
        return f", or switch this section off with `{ENABLED}: false`"
    return f", or write ${{{name}:-}} to do without" if place.optional else ""


def _fits(node: Node, wanted: inspect.Type) -> bool:
    match wanted:
        case inspect.Metadata():
            return _fits(node, wanted.type)
        case inspect.StructType() | inspect.DictType():
            return isinstance(node, Section)
        case inspect.VarTupleType():
            return isinstance(node, Listing)
        case inspect.IntType() | inspect.FloatType():
            return isinstance(node, Scalar) and node.kind in numeric(wanted)
        case inspect.BoolType():
            return isinstance(node, Scalar) and boolean(node) is not None
        case _:
            return isinstance(node, Scalar) and node.kind == "text"


def _is_off(entry: Entry | None) -> bool:
    return entry is not None and isinstance(entry.value, Scalar) and boolean(entry.value) is False


def _unknown(key: str, known: Iterable[str]) -> str:
    if ":" in key:
        return "unknown key" + _COLON
    hint = nearest(key, known) or f"; known here: {', '.join(known)}"
    return named("unknown key", key) + hint


def _colon_hint(node: Node) -> str:
    return _COLON if isinstance(node, Scalar) and ":" in node.text else ""
