"""Reduces JSON Schema to the subset that Gemini accepts in `parametersJsonSchema` and `responseJsonSchema`.

Callers send the whole language, for their own validators; Gemini answers 400 to much of it. A schema is read by
position, because a property may be called "type" or "properties". What the subset can express is written in it, and the
rest is left out, which only makes a schema wider. Referenced schemas move to the root's `$defs`. A reference alone is
never replaced by a copy, so no schema grows without bound.

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
"""Levels of nested schemas; real tools stay under 10."""
MAX_SCHEMAS: Final = 20_000
"""Schemas that are read for one, including referenced ones; a large tool has a few hundred."""
MAX_DEFINITIONS: Final = 256
_MAX_MERGED: Final = 100
"""How often a referenced schema is merged into the schema beside the reference."""
_MAX_NESTED: Final = 16
"""Levels of allOf within allOf, and of references that are only references."""


class Cleaned(NamedTuple):
    """A schema for Gemini, and whether it accepts values that the caller's schema does not."""

    schema: JsonObject
    wider: bool


def clean(schema: JsonObject) -> JsonObject:
    """The schema in the keywords that Gemini accepts. Takes any JSON object and does not change it."""
    return cleaned(schema).schema


def cleaned(schema: JsonObject) -> Cleaned:
    """Like `clean`, and whether a constraint on values was lost."""
    first = _Cleaner(schema)
    body = first.clean()
    if not break_cycles(body):
        return Cleaned(pruned(body), first.wider)
    return Cleaned(pruned(_Cleaner(body).clean()), True)


class _Place(NamedTuple):
    """The position of the walk: its depth, and the pointers that were merged on the way, which ends recursion."""

    depth: int
    inside: frozenset[str]


class _Cleaner:
    """Reduces one schema."""

    def __init__(self, root: JsonObject) -> None:
        self._root = root
        self._names: dict[str, str] = {}
        """The names among $defs, by the pointer of the referenced schema."""
        self._pointers: list[str] = []
        self._seen = 0
        self._merged = 0
        self.wider = False

    def clean(self) -> JsonObject:
        """The whole schema, with all referenced schemas in its $defs."""
        body = self._top(self._root, "#")
        definitions: JsonObject = {}
        for pointer in self._pointers:  # the list grows during the loop
            definitions[self._names[pointer]] = self._top(self._find(pointer), pointer)
        return {**body, "$defs": definitions}

    def _top(self, node: JsonValue, pointer: str) -> JsonObject:
        """The root or a referenced schema; at its top, a reference to itself has no meaning."""
        here = frozenset({pointer})
        return self._schema(node, _Place(0, here), here)

    def _schema(self, node: JsonValue, place: _Place, here: frozenset[str] = frozenset()) -> JsonObject:
        """A schema at a place. `here`: the pointers that refer to it. `false`, which accepts no value, is lost."""
        self._seen += 1
        deep = place.depth > MAX_DEPTH and isinstance(node, dict) and node.keys() != {"$ref"}
        if not isinstance(node, dict) or deep or self._seen > MAX_SCHEMAS:
            self.wider |= node is False or isinstance(node, dict)
            return {}
        whole, refs = Whole(), dict[str, None]()
        self._conjoin(node, whole, refs, 0)
        for pointer in here:
            refs.pop(pointer, None)
        if len(refs) == 1 and not whole.constrains and not here:  # a definition that only names another one is left out
            written = self._reference(next(iter(refs)), whole.texts.get("description"))
        else:
            place = self._merge(whole, refs, place, here)
            written = self._written(whole, place._replace(depth=place.depth + 1))
        self.wider |= whole.wider
        return written

    def _conjoin(self, node: JsonValue, whole: Whole, refs: dict[str, None], level: int) -> None:
        """Add a schema and its allOf to the whole, and the pointers of its references to `refs`."""
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
        """Merge referenced schemas with the keywords beside $ref, because Gemini allows nothing beside $ref. Where that
        would not end, the reference is put alone into an anyOf."""
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
        schemas = [items for items in whole.items if items is not True]
        if schemas and False not in schemas:
            schema["items"] = self._schema(_all_of(schemas), place)
        self.wider |= False in schemas
        if whole.prefix:
            schema["prefixItems"] = [self._schema(item, place) for item in whole.prefix]

    def _write_properties(self, schema: JsonObject, whole: Whole, place: _Place) -> None:
        known = {name: schemas for name, schemas in whole.properties.items() if False not in schemas}
        if known:
            schema["properties"] = {name: self._schema(_all_of(schemas), place) for name, schemas in known.items()}
        if whole.additional:
            schemas = [additional for additional in whole.additional if additional is not True]
            schema["additionalProperties"] = (
                False if False in schemas else self._schema(_all_of(schemas), place) if schemas else True
            )
        for name, names in (("required", whole.required), ("propertyOrdering", whole.ordering)):
            if kept := [property_name for property_name in names if property_name in known]:
                schema[name] = list(kept)
        self.wider |= len(known) < len(whole.properties) or not whole.required.keys() <= known.keys()

    def _resolve(self, ref: JsonValue) -> str | None:
        """The pointer to the schema at the end of a chain of references; None where there is none in this schema."""
        for _ in range(_MAX_NESTED):
            if not isinstance(ref, str) or not isinstance(node := self._find(ref), (dict, bool)):
                return None
            if not isinstance(node, dict) or node.keys() != {"$ref"}:
                return "/".join(_escaped(part) for part in _parts(ref))
            ref = node["$ref"]
        return None

    def _find(self, pointer: str) -> JsonValue:
        """The value at a JSON pointer in a URI's fragment (RFC 6901 section 6); None where there is none."""
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
    """The last part of the pointer, in characters that need no escape in a reference, and not in `taken`."""
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", _parts(pointer)[-1]) if "/" in pointer else "root"
    names = (name or "definition", *(f"{name}_{number}" for number in range(2, len(taken) + 3)))
    return next(free for free in names if free not in taken)
