"""JSON Schema as Gemini takes it in `parametersJsonSchema` and `responseJsonSchema`: a part of the language.

Callers send the whole language, for their own validators; Gemini answers 400 to much of it. So a schema is read by
position (a property may be called "type" or "properties"), what can be said in the part that Gemini has is said there,
and the rest is left out, which only makes a schema wider. What is referred to moves to the root's `$defs`: nothing is
copied for a reference alone, so that no schema grows without bound.

Source: https://ai.google.dev/api/generate-content#GenerationConfig, responseJsonSchema.
"""

import math
import re
from typing import Final, NamedTuple
from urllib.parse import unquote

from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.gemini.json_schema_cycles import REF, break_cycles, pruned
from gateway.wires.gemini.json_schema_reading import EXACT, LOWER, UPPER, Whole, list_of

MAX_DEPTH: Final = 32
"""Schemas within schemas; real tools stay under 10."""
MAX_SCHEMAS: Final = 20_000
"""Schemas that are looked at for one, what is referred to included; a large tool has some hundred."""
MAX_DEFINITIONS: Final = 256
_MAX_MERGED: Final = 100
"""How often what is referred to is merged into what stands beside the reference."""
_MAX_NESTED: Final = 16
"""allOf within allOf, and references to nothing but a reference."""


class Cleaned(NamedTuple):
    """A schema for Gemini, and whether it lets values pass that the caller's does not."""

    schema: JsonObject
    wider: bool


def clean(schema: JsonObject) -> JsonObject:
    """The schema in the keywords that Gemini takes. Any JSON object is taken, and none is changed."""
    return cleaned(schema).schema


def cleaned(schema: JsonObject) -> Cleaned:
    """As `clean`, and whether anything that constrains values was lost."""
    first = _Cleaner(schema)
    body = first.clean()
    if not break_cycles(body):
        return Cleaned(pruned(body), first.wider)
    return Cleaned(pruned(_Cleaner(body).clean()), True)


class _Place(NamedTuple):
    """Where the walk is: the depth, and the pointers whose schemas were merged on the way, which end recursion."""

    depth: int
    inside: frozenset[str]


class _Cleaner:
    """One schema's way to Gemini."""

    def __init__(self, root: JsonObject) -> None:
        self._root = root
        self._names: dict[str, str] = {}
        """What is referred to, by pointer: the names among $defs."""
        self._pointers: list[str] = []
        self._seen = 0
        self._merged = 0
        self.wider = False

    def clean(self) -> JsonObject:
        """The whole schema; among its $defs is everything that was referred to on the way."""
        body = self._top(self._root, "#")
        definitions: JsonObject = {}
        for pointer in self._pointers:  # which grows meanwhile
            definitions[self._names[pointer]] = self._top(self._find(pointer), pointer)
        return {**body, "$defs": definitions}

    def _top(self, node: JsonValue, pointer: str) -> JsonObject:
        """The root or what is referred to: at its top, a reference to itself says nothing."""
        here = frozenset({pointer})
        return self._schema(node, _Place(0, here), here)

    def _schema(self, node: JsonValue, place: _Place, here: frozenset[str] = frozenset()) -> JsonObject:
        """A schema at a place; `here`: the pointers that it stands for. `false`, which no value fits, is lost."""
        self._seen += 1
        deep = place.depth > MAX_DEPTH and isinstance(node, dict) and node.keys() != {"$ref"}
        if not isinstance(node, dict) or deep or self._seen > MAX_SCHEMAS:
            self.wider |= node is False or isinstance(node, dict)
            return {}
        whole, refs = Whole(), dict[str, None]()
        self._conjoin(node, whole, refs, 0)
        for pointer in here:
            refs.pop(pointer, None)
        if len(refs) == 1 and not whole.constrains and not here:  # a definition that is only a name for another is none
            written = self._reference(next(iter(refs)), whole.texts.get("description"))
        else:
            place = self._merge(whole, refs, place, here)
            written = self._written(whole, place._replace(depth=place.depth + 1))
        self.wider |= whole.wider
        return written

    def _conjoin(self, node: JsonValue, whole: Whole, refs: dict[str, None], level: int) -> None:
        """Add a schema and its allOf to the whole, and to `refs` the pointers of what else holds."""
        if not isinstance(node, dict) or level > _MAX_NESTED:
            whole.wider |= node is not True
            return
        whole.add(node)
        if "$ref" in node:
            pointer = self._resolve(node["$ref"])
            whole.wider |= pointer is None
            refs |= {} if pointer is None else {pointer: None}
        for branch in list_of(node.get("allOf")):
            self._conjoin(branch, whole, refs, level + 1)

    def _merge(self, whole: Whole, refs: dict[str, None], place: _Place, here: frozenset[str]) -> _Place:
        """Nothing may stand beside $ref, so what it refers to is merged with what does; where that would not end, the
        reference stands alone in an anyOf."""
        left: list[JsonValue] = []
        while refs:
            pointer = next(iter(refs))
            del refs[pointer]
            if pointer in here:
                continue
            if pointer in place.inside or self._merged == _MAX_MERGED:
                left.append({"$ref": pointer})
                continue
            self._merged += 1
            here, place = here | {pointer}, place._replace(inside=place.inside | {pointer})
            self._conjoin(self._find(pointer), whole, refs, 0)
        whole.wider |= len(left) > 1 or bool(left and whole.any_of)
        whole.any_of = whole.any_of or left[:1]
        return place

    def _reference(self, pointer: str, description: JsonValue) -> JsonObject:
        if pointer not in self._names:
            if len(self._names) == MAX_DEFINITIONS:
                self.wider = True
                return {}
            self._names[pointer] = _free_name(pointer, frozenset(self._names.values()))
            self._pointers.append(pointer)
        reference: JsonObject = {"$ref": REF + self._names[pointer]}
        return {"description": description, "anyOf": [reference]} if description else reference

    def _written(self, whole: Whole, place: _Place) -> JsonObject:
        schema: JsonObject = {}
        if whole.types:
            schema["type"] = whole.types[0] if len(whole.types) == 1 else whole.types
        schema |= whole.texts
        if whole.enum:
            schema["enum"] = whole.enum
        self._write_bounds(schema, whole)
        self._write_items(schema, whole, place)
        self._write_properties(schema, whole, place)
        branches: list[JsonValue] = [self._schema(node, place) for node in whole.any_of if node is not False]
        if branches and {} not in branches:
            schema["anyOf"] = branches
        self.wider |= len(branches) < bool(whole.any_of)
        return schema

    def _write_bounds(self, schema: JsonObject, whole: Whole) -> None:
        whole_numbers = "integer" in whole.types and "number" not in whole.types
        for (inclusive, exclusive, length), step, stricter in ((LOWER, 1, max), (UPPER, -1, min)):
            bounds = [whole.bounds[inclusive]] if inclusive in whole.bounds else []
            if exclusive in whole.bounds:
                bound = whole.bounds[exclusive]
                if whole_numbers and abs(bound) < EXACT:
                    bound = (math.floor(bound) if step > 0 else math.ceil(bound)) + step
                else:
                    self.wider = True
                bounds.append(bound)
            if bounds:
                schema[inclusive] = stricter(bounds)
            if length in whole.bounds:
                schema[length] = whole.bounds[length]

    def _write_items(self, schema: JsonObject, whole: Whole, place: _Place) -> None:
        said = [items for items in whole.items if items is not True]
        if said and False not in said:
            schema["items"] = self._schema(_all_of(said), place)
        self.wider |= False in said
        if whole.prefix:
            schema["prefixItems"] = [self._schema(item, place) for item in whole.prefix]

    def _write_properties(self, schema: JsonObject, whole: Whole, place: _Place) -> None:
        known = {name: said for name, said in whole.properties.items() if False not in said}
        if known:
            schema["properties"] = {name: self._schema(_all_of(said), place) for name, said in known.items()}
        if whole.additional:
            said = [additional for additional in whole.additional if additional is not True]
            schema["additionalProperties"] = (
                False if False in said else self._schema(_all_of(said), place) if said else True
            )
        for name, names in (("required", whole.required), ("propertyOrdering", whole.ordering)):
            if kept := [property_name for property_name in names if property_name in known]:
                schema[name] = list(kept)
        self.wider |= len(known) < len(whole.properties) or not whole.required.keys() <= known.keys()

    def _resolve(self, ref: JsonValue) -> str | None:
        """The pointer to what a reference refers to in the end; None where that is nothing in this schema."""
        for _ in range(_MAX_NESTED):
            if not isinstance(ref, str) or not isinstance(node := self._find(ref), (dict, bool)):
                return None
            if not isinstance(node, dict) or node.keys() != {"$ref"}:
                return "/".join(_escaped(part) for part in _parts(ref))
            ref = node["$ref"]
        return None

    def _find(self, pointer: str) -> JsonValue:
        """What a JSON pointer in a URI's fragment (RFC 6901 section 6) points to; None where there is nothing."""
        start, *parts = _parts(pointer)
        node: JsonValue = self._root if start == "#" else None
        for part in parts:
            if isinstance(node, list) and re.fullmatch("[0-9]{1,6}", part):
                node = node[int(part)] if int(part) < len(node) else None
            else:
                node = node.get(part) if isinstance(node, dict) else None
        return node


def _parts(pointer: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in unquote(pointer).split("/")]


def _escaped(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1").replace("%", "%25")


def _all_of(schemas: list[JsonValue]) -> JsonValue:
    return schemas[0] if all(schema == schemas[0] for schema in schemas) else {"allOf": schemas}


def _free_name(pointer: str, taken: frozenset[str]) -> str:
    """The last part of the pointer, as far as it needs no escape in a reference."""
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", _parts(pointer)[-1]) if "/" in pointer else "root"
    names = (name or "definition", *(f"{name}_{number}" for number in range(2, len(taken) + 3)))
    return next(free for free in names if free not in taken)
