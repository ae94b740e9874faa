"""Makes an instance of a JSON Schema: the demo provider's answer where a client asks for JSON.

It supports what clients send as tool parameters and response formats: types, enum, const, properties, items, anyOf,
oneOf, allOf, $ref, formats and the usual bounds. It ignores `pattern`, `uniqueItems`, `not`, `if` and bounds on the
number of properties. Every schema gets an instance, even a contradictory one, and every walk ends.
Source: https://json-schema.org/draft/2020-12/json-schema-validation.
"""

import math
from collections.abc import Iterable
from typing import TypeGuard
from urllib.parse import unquote

JsonObject = dict[str, object]

FORMATS = {
    "date": "2025-01-31",
    "date-time": "2025-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "email": "demo@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}

SHALLOW = 6  # below this depth, everything optional is left out, which ends a recursive schema
DEEPEST = 24  # the depth at which the walk gives up: a schema that requires itself has no instance
STEPS = 5_000  # schemas visited for one instance; this ends schemas that double with every level
ITEMS = 100  # the most that minItems gives
LETTERS = 10_000  # the most that minLength gives


def fill(schema: JsonObject, text: str, *, optional: bool = True) -> object:
    """An instance of `schema`.

    Args:
        schema: the JSON Schema, which `$ref` is resolved against.
        text: the content of string fields; if it is empty, they contain their name.
        optional: whether to fill properties that are not required.
    """
    return _Filler(schema, text, optional).value(schema, "value", 0)


class _Filler:
    """One walk through one schema."""

    def __init__(self, root: JsonObject, text: str, optional: bool) -> None:
        self._root = root
        self._text = text
        self._optional = optional
        self._steps_left = STEPS

    def value(self, schema: object, name: str, depth: int) -> object:
        if depth > DEEPEST or self._steps_left <= 0:
            return None
        flat = self._flat(schema, depth)
        if "const" in flat:
            return flat["const"]
        choices = flat.get("enum")
        if isinstance(choices, list) and choices:
            return next((choice for choice in choices if choice is not None), None)
        match _type_of(flat):
            case "object":
                return self._object(flat, depth)
            case "array":
                return self._array(flat, name, depth)
            case "integer":
                return _integer(flat)
            case "number":
                return _number(flat)
            case "boolean":
                return True
            case "null":
                return None
        return _string(flat, self._text or name)

    def _flat(self, schema: object, depth: int) -> JsonObject:
        """The schema with its $ref, its allOf and the first branch of its anyOf and oneOf merged into it."""
        self._steps_left -= 1
        if not _is_object(schema) or depth > DEEPEST or self._steps_left < 0:
            return {}
        if isinstance(schema.get("$ref"), str):
            target = self._flat(self._resolve(str(schema["$ref"])), depth + 1)
            return _merged(target, {key: value for key, value in schema.items() if key != "$ref"})
        flat = {key: value for key, value in schema.items() if key not in ("allOf", "anyOf", "oneOf")}
        for part in _list(schema.get("allOf"))[:ITEMS]:
            flat = _merged(flat, self._flat(part, depth + 1))
        for key in ("anyOf", "oneOf"):
            if branches := _list(schema.get(key)):
                flat = _merged(flat, self._flat(_branch(branches, depth), depth + 1))
        return flat

    def _resolve(self, reference: str) -> object:
        """The target of a JSON pointer into the same document (RFC 6901); an empty schema for other references."""
        at: object = self._root
        if reference != "#" and not reference.startswith("#/"):
            return {}
        for step in reference.split("/")[1:]:
            key = unquote(step).replace("~1", "/").replace("~0", "~")
            at = at.get(key) if _is_object(at) else None
        return at

    def _object(self, schema: JsonObject, depth: int) -> JsonObject:
        declared = schema.get("properties")
        properties = declared if _is_object(declared) else {}
        required = [name for name in _list(schema.get("required")) if isinstance(name, str)]
        names: Iterable[str] = required
        if self._optional and depth < SHALLOW:
            names = dict.fromkeys([*properties, *required])
        elif not required and depth == 0:
            names = list(properties)[:1]  # a call without any argument would show nothing
        return {name: self.value(properties.get(name), name, depth + 1) for name in names}

    def _array(self, schema: JsonObject, name: str, depth: int) -> list[object]:
        least, most = _count(schema.get("minItems"), 0), _count(schema.get("maxItems"), ITEMS)
        kinds = _list(schema.get("prefixItems"))
        wanted = 0 if depth >= SHALLOW else max(1, len(kinds))
        rest = schema.get("items")
        size = min(max(wanted, least), most)
        return [self.value(kinds[i] if i < len(kinds) else rest, name, depth + 1) for i in range(size)]


def _is_object(value: object) -> TypeGuard[JsonObject]:
    return isinstance(value, dict)


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _count(value: object, default: int) -> int:
    return min(max(value, 0), ITEMS) if isinstance(value, int) else default


def _merged(one: JsonObject, other: JsonObject) -> JsonObject:
    """Both schemas in one: their properties and required lists are joined; otherwise the second one wins."""
    merged = {**one, **other}
    first, second = one.get("properties"), other.get("properties")
    if _is_object(first) and _is_object(second):
        merged["properties"] = {**first, **second}
    required = [*_list(one.get("required")), *_list(other.get("required"))]
    if required:
        merged["required"] = required
    return merged


def _branch(branches: list[object], depth: int) -> object:
    """The first branch that is not null; deep down, a branch that leads no deeper."""
    if depth >= SHALLOW:
        flat = [branch for branch in branches if _is_object(branch) and "$ref" not in branch]
        return next((branch for branch in flat if branch.get("type") == "null"), flat[0] if flat else branches[0])
    return next((branch for branch in branches if not _is_object(branch) or branch.get("type") != "null"), branches[0])


def _type_of(schema: JsonObject) -> str:
    named = schema.get("type")
    if isinstance(named, list):
        named = next((kind for kind in named if kind != "null"), "null")
    if isinstance(named, str):
        return named
    if "properties" in schema or "required" in schema:
        return "object"
    if "items" in schema or "prefixItems" in schema:
        return "array"
    bounds = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
    return "number" if any(bound in schema for bound in bounds) else "string"


def _string(schema: JsonObject, text: str) -> str:
    kind = schema.get("format")
    if isinstance(kind, str) and kind in FORMATS:
        return FORMATS[kind]
    least, most = schema.get("minLength"), schema.get("maxLength")
    if isinstance(least, int):
        text = text.ljust(min(least, LETTERS), ".")
    return text[: max(most, 0)] if isinstance(most, int) else text


def _bound(schema: JsonObject, key: str) -> float | None:
    """A bound as a number. Huge bounds count as none, so that the arithmetic cannot overflow."""
    value = schema.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e15:
        return None
    return value


def _integer(schema: JsonObject) -> int:
    low, above = _bound(schema, "minimum"), _bound(schema, "exclusiveMinimum")
    high, below = _bound(schema, "maximum"), _bound(schema, "exclusiveMaximum")
    lows = [math.ceil(bound) for bound in (low,) if bound is not None]
    lows += [math.floor(bound) + 1 for bound in (above,) if bound is not None]
    highs = [math.floor(bound) for bound in (high,) if bound is not None]
    highs += [math.ceil(bound) - 1 for bound in (below,) if bound is not None]
    step = _bound(schema, "multipleOf")
    return int(_stepped(min([max([1, *lows]), *highs]), step if step is not None and step >= 1 else None, highs))


def _number(schema: JsonObject) -> float:
    lows = [bound for key in ("minimum", "exclusiveMinimum") if (bound := _bound(schema, key)) is not None]
    highs = [bound for key in ("maximum", "exclusiveMaximum") if (bound := _bound(schema, key)) is not None]
    if lows and highs:
        value = (max(lows) + min(highs)) / 2
    elif lows:
        value = max(1, max(lows) + 1)
    else:
        value = min([1, *(high - 1 for high in highs)])
    return _stepped(value, _bound(schema, "multipleOf"), highs)


def _stepped(value: float, step: float | None, highs: list[float] | list[int]) -> float:
    """The next multiple of `step` at or above `value`; the one below it if that is too high."""
    if step is None or step < 1e-9:
        return value
    up = math.ceil(value / step) * step
    return up if all(up <= high for high in highs) else math.floor(value / step) * step
