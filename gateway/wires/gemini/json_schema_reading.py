"""Reads JSON Schema of any draft into one merged schema.

Several schemas that hold together (a schema, its allOf, its references) become one here; json_schema.py writes the
result for Gemini. Reading is by position and tolerant: a value that is no schema where one belongs is ignored.

Source: https://json-schema.org/draft/2020-12/json-schema-validation, and draft 4 where it differs.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from gateway.core.strict_json import JsonObject, JsonValue, dumps

LOWER: Final = ("minimum", "exclusiveMinimum", "minItems")
UPPER: Final = ("maximum", "exclusiveMaximum", "maxItems")
EXACT: Final = 2**53
"""Below it, every integer is exact as a float."""

_TYPES: Final = ("string", "number", "integer", "boolean", "object", "array", "null")
_TEXTS: Final = ("format", "title", "description")
_LOST: Final = frozenset(
    (
        *("pattern", "minLength", "maxLength", "multipleOf", "contains", "minContains", "maxContains", "uniqueItems"),
        *("patternProperties", "propertyNames", "minProperties", "maxProperties", "unevaluatedProperties"),
        *("not", "if", "then", "else", "dependentRequired", "dependentSchemas", "dependencies", "unevaluatedItems"),
        *("$dynamicRef", "$recursiveRef"),
    )
)
"""Keywords that constrain values and that Gemini does not have. Validators ignore every keyword that is not named in
this module."""


@dataclass(slots=True)
class Whole:
    """The conjunction of several schemas: a schema alone, or with its allOf. All schemas of a list hold."""

    types: list[JsonValue] = field(default_factory=list)
    texts: JsonObject = field(default_factory=dict)
    enum: list[JsonValue] = field(default_factory=list)
    bounds: dict[str, int | float] = field(default_factory=dict)
    items: list[JsonValue] = field(default_factory=list)
    prefix: list[JsonValue] = field(default_factory=list)
    any_of: list[JsonValue] = field(default_factory=list)
    properties: dict[str, list[JsonValue]] = field(default_factory=dict)
    additional: list[JsonValue] = field(default_factory=list)
    required: dict[str, None] = field(default_factory=dict)
    ordering: dict[str, None] = field(default_factory=dict)
    wider: bool = False

    @property
    def constrains(self) -> bool:
        """Whether it has more than descriptive texts."""
        return self != Whole(texts=self.texts, wider=self.wider)

    def add(self, part: JsonObject) -> None:
        """Add a schema that holds as well."""
        self.wider |= any(part[name] not in (None, False) for name in _LOST & part.keys())
        for name in _TEXTS:
            if isinstance(part.get(name), str):
                self.texts.setdefault(name, part[name])
        self._add_types(part.get("type"))
        self._add_values([part["const"]] if "const" in part else [])
        self._add_values(list_of(part.get("enum")))
        self._add_bounds(part)
        self._add_items(part)
        self._add_properties(part)
        for name in ("anyOf", "oneOf"):  # Gemini reads oneOf as anyOf
            self.any_of = self._one_of_two(self.any_of, list_of(part.get(name)))

    def _add_types(self, value: JsonValue) -> None:
        """A list of types expresses nullable in JSON Schema, and also in Gemini's subset."""
        names = [name.lower() for name in (value if isinstance(value, list) else [value]) if isinstance(name, str)]
        types: list[JsonValue] = [name for name in dict.fromkeys(names) if name in _TYPES]
        if not types:
            self.wider |= value is not None
        elif self.types:
            both = [name for name in _TYPES if _allows(self.types, name) and _allows(types, name)]
            self.types = self._unless_empty(list(both), self.types)
        else:
            self.types = types

    def _add_values(self, values: list[JsonValue]) -> None:
        allowed = [value for value in values if value != ""]  # Google answers 400 to an empty string among the values
        self.wider |= len(allowed) < len(values)
        if self.enum and allowed:
            known = {dumps(value) for value in self.enum}
            allowed = self._unless_empty([value for value in allowed if dumps(value) in known], self.enum)
        self.enum = allowed or self.enum

    def _add_bounds(self, part: JsonObject) -> None:
        for names, stricter in ((LOWER, max), (UPPER, min)):
            for name, value in _bounds(part, *names):
                self.bounds[name] = stricter(value, self.bounds.get(name, value))

    def _add_items(self, part: JsonObject) -> None:
        items, prefix = part.get("items"), list_of(part.get("prefixItems"))
        if isinstance(items, list):  # before draft 2020-12 a list had the meaning of prefixItems
            prefix, items = prefix or items, part.get("additionalItems")
        self.items += [items] if isinstance(items, (dict, bool)) else []
        self.prefix = self._one_of_two(self.prefix, prefix)

    def _add_properties(self, part: JsonObject) -> None:
        properties, additional = part.get("properties"), part.get("additionalProperties")
        for name, schema in properties.items() if isinstance(properties, dict) else ():
            self.properties.setdefault(name, []).append(schema)
        self.additional += [additional] if isinstance(additional, (dict, bool)) else []
        self.required |= dict.fromkeys(name for name in list_of(part.get("required")) if isinstance(name, str))
        self.ordering |= dict.fromkeys(name for name in list_of(part.get("propertyOrdering")) if isinstance(name, str))

    def _unless_empty(self, both: list[JsonValue], known: list[JsonValue]) -> list[JsonValue]:
        """Keep the known list where the intersection is empty, because the subset cannot express "no value"."""
        self.wider |= not both
        return both or known

    def _one_of_two(self, known: list[JsonValue], further: list[JsonValue]) -> list[JsonValue]:
        """Keep the first of two lists, because the subset cannot express both."""
        self.wider |= bool(known and further and known != further)
        return known or further


def list_of(value: JsonValue) -> list[JsonValue]:
    """The value, or an empty list where it is no list."""
    return value if isinstance(value, list) else []


def _allows(types: list[JsonValue], name: str) -> bool:
    return name in types or (name == "integer" and "number" in types)


def _number(value: JsonValue) -> int | float | None:
    fits = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return value if fits and isinstance(value, (int, float)) else None


def _bounds(part: JsonObject, inclusive: str, exclusive: str, length: str) -> Iterator[tuple[str, int | float]]:
    """The bounds of a number and of an array's length. In draft 4 an exclusive bound is an inclusive one and a flag."""
    bound = _number(part.get(inclusive))
    if bound is not None:
        yield (exclusive if part.get(exclusive) is True else inclusive), bound
    bound = _number(part.get(exclusive))
    if bound is not None:
        yield exclusive, bound
    bound = _number(part.get(length))
    if bound is not None and 0 <= bound < EXACT:
        yield length, int(bound)
