"""References in a clean schema: limits recursion to what Gemini accepts, and removes unused definitions.

This works on the schema as a whole and knows only Gemini's subset of JSON Schema, so it is apart from the reduction.

Source: https://ai.google.dev/api/generate-content#GenerationConfig: "Cyclic references are unrolled to a limited degree
and, as such, may only be used within non-required properties."
"""

from collections.abc import Iterator, Mapping
from typing import Final

from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.gemini.json_schema_reading import list_of

REF: Final = "#/$defs/"
"""The start of every reference in a clean schema; the rest is the name of a definition."""


def break_cycles(body: JsonObject) -> bool:
    """Remove recursion that Gemini refuses from a clean schema, in place. Returns whether it changed anything."""
    definitions = _objects(body["$defs"])
    direct = _reach({name: {ref for ref, _ in _refs(schema)} for name, schema in definitions.items()})
    changed = False
    earlier: set[str] = set()
    for name, schema in definitions.items():
        earlier.add(name)
        for ref, node in list(_refs(schema)):
            if ref in earlier and name in direct[ref]:  # every cycle has a reference back to an earlier definition
                node.clear()
                changed = True
    reach = _reach({n: {ref for s in _nested(d) for ref, _ in _refs(s)} for n, d in definitions.items()})
    for name, schema in definitions.items():
        circular = {other for other in definitions if name in reach[other]}
        changed |= sum(_relax(node, circular) for node in _nested(schema)) > 0
    return changed


def _relax(schema: JsonObject, circular: set[str]) -> bool:
    """Make the properties optional that lead back to their own schema."""
    required = list_of(schema.get("required"))
    properties = _objects(schema.get("properties"))
    free = [
        name
        for name in required
        if isinstance(name, str) and not any(ref in circular for ref, _ in _refs(properties[name]))
    ]
    if len(free) == len(required):
        return False
    schema["required"] = list(free)
    if not free:
        del schema["required"]
    return True


def pruned(body: JsonObject) -> JsonObject:
    """The schema without unused definitions."""
    definitions = _objects(body.pop("$defs"))
    todo, reached = [body], set[str]()
    while todo:
        found = {ref for node in _nested(todo.pop()) for ref, _ in _refs(node)} - reached
        reached |= found
        todo += [definitions[name] for name in found]
    kept: JsonObject = {name: schema for name, schema in definitions.items() if name in reached}
    return {**body, "$defs": kept} if kept else body


def _reach(graph: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """The nodes that can be reached from each node (Warshall's algorithm)."""
    reach = {name: set(following) for name, following in graph.items()}
    for middle in graph:
        for name in graph:
            if middle in reach[name]:
                reach[name] |= reach[middle]
    return reach


def _refs(schema: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """The references of a clean schema outside its properties: the name and the node of each."""
    todo = [schema]
    while todo:
        node = todo.pop()
        if isinstance(ref := node.get("$ref"), str):
            yield ref.removeprefix(REF), node
        for name in ("items", "additionalProperties"):
            todo += [child] if isinstance(child := node.get(name), dict) else []
        for name in ("anyOf", "prefixItems"):
            todo += [child for child in list_of(node.get(name)) if isinstance(child, dict)]


def _nested(schema: JsonObject) -> Iterator[JsonObject]:
    """A clean schema and all schemas nested in it, at any depth."""
    todo = [schema]
    while todo:
        node = todo.pop()
        yield node
        todo += _objects(node.get("properties")).values()
        for name in ("items", "additionalProperties"):
            todo += [child] if isinstance(child := node.get(name), dict) else []
        for name in ("anyOf", "prefixItems"):
            todo += [child for child in list_of(node.get(name)) if isinstance(child, dict)]


def _objects(value: JsonValue) -> dict[str, JsonObject]:
    return {name: child for name, child in value.items() if isinstance(child, dict)} if isinstance(value, dict) else {}
