"""References in a clean schema: recursion that Gemini takes, and no definition that nothing refers to.

Apart from the cleaning, because it asks about the schema as a whole and knows no JSON Schema but Gemini's part of it.

Source: https://ai.google.dev/api/generate-content#GenerationConfig: "Cyclic references are unrolled to a limited degree
and, as such, may only be used within non-required properties."
"""

from collections.abc import Iterator, Mapping
from typing import Final

from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.gemini.json_schema_reading import list_of

REF: Final = "#/$defs/"
"""What every reference of a clean schema begins with; the rest is the name of one of its definitions."""


def break_cycles(body: JsonObject) -> bool:
    """Free a clean schema, in place, of recursion that Gemini refuses. True where anything had to be changed."""
    definitions = _objects(body["$defs"])
    direct = _reach({name: {ref for ref, _ in _refs(schema)} for name, schema in definitions.items()})
    changed = False
    earlier: set[str] = set()
    for name, schema in definitions.items():
        earlier.add(name)
        for ref, node in list(_refs(schema)):
            if ref in earlier and name in direct[ref]:  # every cycle goes back somewhere
                node.clear()
                changed = True
    reach = _reach({n: {ref for s in _nested(d) for ref, _ in _refs(s)} for n, d in definitions.items()})
    for name, schema in definitions.items():
        circular = {other for other in definitions if name in reach[other]}
        changed |= sum(_relax(node, circular) for node in _nested(schema)) > 0
    return changed


def _relax(schema: JsonObject, circular: set[str]) -> bool:
    """Let the properties be left out that lead back to where they are."""
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
    """Without the definitions that nothing refers to."""
    definitions = _objects(body.pop("$defs"))
    todo, reached = [body], set[str]()
    while todo:
        found = {ref for node in _nested(todo.pop()) for ref, _ in _refs(node)} - reached
        reached |= found
        todo += [definitions[name] for name in found]
    kept: JsonObject = {name: schema for name, schema in definitions.items() if name in reached}
    return {**body, "$defs": kept} if kept else body


def _reach(graph: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """What can be come to from each node (Warshall)."""
    reach = {name: set(following) for name, following in graph.items()}
    for middle in graph:
        for name in graph:
            if middle in reach[name]:
                reach[name] |= reach[middle]
    return reach


def _refs(schema: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """The references of a clean schema that are within none of its properties, by name, and where they stand."""
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
    """A clean schema and, at any depth, those of its properties and of what lies between."""
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
