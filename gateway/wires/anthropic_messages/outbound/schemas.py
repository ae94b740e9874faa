"""JSON Schemas in the form that Anthropic takes.

The schema of a tool's arguments must be of type object and may have no union at its top. A schema that answers must
follow exactly has no objects with further properties.
Source: https://platform.claude.com/docs/en/build-with-claude/structured-outputs (2026-11).
"""

from typing import Final

from gateway.core.strict_json import JsonObject, JsonValue

_UNIONS: Final = ("anyOf", "oneOf", "allOf")
_SCHEMAS_BY_NAME: Final = frozenset({"properties", "patternProperties", "$defs", "definitions"})
_SCHEMA_LISTS: Final = frozenset({"anyOf", "oneOf", "prefixItems", "items"})
"""Keywords below which a schema stands alone. Below `allOf`, `not` or `if` the addition would change the meaning."""


def of_arguments(schema: JsonObject) -> tuple[JsonObject, bool]:
    """The schema of an arguments object, and whether it is wider than the one that was given.

    The properties of a union at the top are merged. Those of `allOf` stay required, those of the others do not.
    """
    unions = [name for name in _UNIONS if name in schema]
    if not unions and schema.get("type") == "object":
        return schema, False
    fields = {name: value for name, value in schema.items() if name not in _UNIONS}
    fields["type"] = "object"
    for name in unions:
        for branch in _objects(schema[name]):
            _merge(fields, branch, required=name == "allOf")
    return fields, bool(unions)


def closed(schema: JsonObject, *, wholly: bool) -> JsonObject:
    """The schema with `additionalProperties: false` in each object, as the API demands.

    Args:
        schema: stays unchanged.
        wholly: also where the schema itself allows further properties.
    """
    fields: JsonObject = {name: _closed(name, value, wholly=wholly) for name, value in schema.items()}
    kind = fields.get("type")
    is_object = kind == "object" or (isinstance(kind, list) and "object" in kind) or "properties" in fields
    if is_object and (wholly or "additionalProperties" not in fields):
        fields["additionalProperties"] = False
    return fields


def _closed(name: str, value: JsonValue, *, wholly: bool) -> JsonValue:
    if name in _SCHEMAS_BY_NAME and isinstance(value, dict):
        return {key: closed(inner, wholly=wholly) if isinstance(inner, dict) else inner for key, inner in value.items()}
    if name in _SCHEMA_LISTS and isinstance(value, list):
        return [closed(inner, wholly=wholly) if isinstance(inner, dict) else inner for inner in value]
    if name == "items" and isinstance(value, dict):
        return closed(value, wholly=wholly)
    return value


def _merge(fields: JsonObject, branch: JsonObject, *, required: bool) -> None:
    """Add the properties of one branch of a union; the first of two with one name stays."""
    own = fields.get("properties")
    added = branch.get("properties")
    if isinstance(added, dict):
        fields["properties"] = {**added, **(own if isinstance(own, dict) else {})}
    names = branch.get("required")
    if required and isinstance(names, list):
        known = fields.get("required")
        before = known if isinstance(known, list) else []
        fields["required"] = [*before, *(name for name in names if name not in before)]


def _objects(value: JsonValue) -> list[JsonObject]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
