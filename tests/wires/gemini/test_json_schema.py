"""JSON Schema for Gemini: nothing it refuses, nothing lost that it could take."""

import copy
import json
from collections.abc import Iterator

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.strict_json import JsonObject, JsonValue, dumps, loads
from gateway.wires.gemini.json_schema import MAX_DEFINITIONS, MAX_DEPTH, MAX_SCHEMAS, clean, cleaned
from tests.support.cases import each_case

KEYWORDS = frozenset(
    (
        *("$defs", "$ref", "type", "format", "title", "description", "enum", "items", "prefixItems", "minItems"),
        *("maxItems", "minimum", "maximum", "anyOf", "properties", "additionalProperties", "required"),
        "propertyOrdering",
    )
)
TYPES = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})
NODE: JsonObject = {
    "type": "object",
    "properties": {"next": {"$ref": "#/$defs/Node"}, "value": {"type": "string"}},
    "required": ["value"],
}


def inner(schema: JsonObject) -> Iterator[JsonValue]:
    """The schemas directly within a clean one."""
    for name in ("properties", "$defs"):
        found = schema.get(name, {})
        assert isinstance(found, dict)
        yield from found.values()
    for name in ("anyOf", "prefixItems"):
        listed = schema.get(name, [])
        assert isinstance(listed, list)
        yield from listed
    if "items" in schema:
        yield schema["items"]
    if not isinstance(schema.get("additionalProperties", True), bool):
        yield schema["additionalProperties"]


def every(schema: JsonValue) -> Iterator[JsonObject]:
    assert isinstance(schema, dict)
    yield schema
    for part in inner(schema):
        yield from every(part)


def check(schema: JsonObject) -> None:
    """That a schema is in the part of the language that Gemini documents."""
    definitions = schema.get("$defs", {})
    assert isinstance(definitions, dict) and ("$defs" not in schema or definitions)
    for node in every(schema):
        assert node.keys() <= KEYWORDS
        assert "$defs" not in node or node is schema
        if "$ref" in node:
            assert node.keys() == {"$ref"}
            assert isinstance(node["$ref"], str) and node["$ref"].removeprefix("#/$defs/") in definitions
        kinds = node.get("type", "object")
        assert {kinds} <= TYPES if isinstance(kinds, str) else isinstance(kinds, list) and len(kinds) > 1
        required = node.get("required", ["x"])
        assert isinstance(required, list) and required
        if "required" in node:
            properties = node["properties"]
            assert isinstance(properties, dict) and set(map(str, required)) <= properties.keys()
        for name in ("enum", "anyOf", "prefixItems", "properties"):
            assert node.get(name, [name])
        for name in ("minItems", "maxItems"):
            assert type(node.get(name, 0)) is int
        for name in ("minimum", "maximum"):
            assert type(node.get(name, 0)) in (int, float)


def test_what_gemini_takes_stays_as_it_is() -> None:
    schema: JsonObject = {
        "type": "object",
        "title": "Order",
        "description": "What is ordered.",
        "properties": {
            "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}, "minItems": 1, "maxItems": 9},
            "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}]},
            "note": {"type": ["string", "null"], "description": "Any words."},
            "when": {"type": "string", "format": "date-time"},
            "share": {"type": "number", "minimum": 0, "maximum": 0.5},
            "kind": {"anyOf": [{"enum": ["a", 1, None]}, {"type": "boolean"}]},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        },
        "required": ["lines"],
        "additionalProperties": False,
        "propertyOrdering": ["lines", "pair"],
        "$defs": {"Line": {"type": "object", "properties": {"sku": {"type": "string"}}, "required": ["sku"]}},
    }
    assert cleaned(schema) == (schema, False)
    properties = clean(schema)["properties"]
    assert isinstance(properties, dict)
    assert list(properties) == ["lines", "pair", "note", "when", "share", "kind", "labels"]


def test_keywords_may_be_names_of_properties() -> None:
    names = [*sorted(KEYWORDS), "const", "pattern", "$schema", "not", "allOf", "oneOf", "definitions", "default"]
    properties: JsonObject = {name: {"type": "string", "description": name} for name in names}
    schema: JsonObject = {"type": "object", "properties": properties, "required": list(names)}
    assert cleaned(schema) == (schema, False)


def test_the_values_of_an_enum_are_no_schemas() -> None:
    values: list[JsonValue] = [{"$ref": "#/nowhere", "pattern": "x"}, [1], 2, None, True]
    assert cleaned({"enum": values}) == ({"enum": values}, False)


def test_a_tool_as_code_editors_send_it() -> None:
    tool: JsonObject = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "url": {"type": "string", "format": "uri", "description": "Where to look."},
            "limit": {"type": "integer", "exclusiveMinimum": 0, "maximum": 9007199254740991, "default": 10},
            "timeout": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 600},
            "mode": {"const": "text", "type": "string"},
            "env": {
                "type": "object",
                "propertyNames": {"type": "string", "pattern": "^[A-Z_]+$"},
                "additionalProperties": {"type": "string"},
            },
            "todos": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "content": {"type": "string", "minLength": 1},
                        "status": {"type": "string", "enum": ["pending", "completed"]},
                    },
                    "required": ["content", "status"],
                    "additionalProperties": False,
                },
            },
            "old_string": {"type": "string", "pattern": "^.+$"},
            "source": {"oneOf": [{"type": "string"}, {"type": "object", "additionalProperties": {}}]},
        },
        "required": ["url", "todos"],
        "additionalProperties": False,
    }
    assert clean(tool) == {
        "type": "object",
        "properties": {
            "url": {"type": "string", "format": "uri", "description": "Where to look."},
            "limit": {"type": "integer", "minimum": 1, "maximum": 9007199254740991},
            "timeout": {"type": "number", "minimum": 0, "maximum": 600},
            "mode": {"type": "string", "enum": ["text"]},
            "env": {"type": "object", "additionalProperties": {"type": "string"}},
            "todos": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "content": {"type": "string"},
                        "status": {"type": "string", "enum": ["pending", "completed"]},
                    },
                    "required": ["content", "status"],
                    "additionalProperties": False,
                },
            },
            "old_string": {"type": "string"},
            "source": {"anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": {}}]},
        },
        "required": ["url", "todos"],
        "additionalProperties": False,
    }
    assert cleaned(tool).wider


SAME: list[tuple[JsonObject, JsonObject]] = [
    ({"const": 3}, {"enum": [3]}),
    ({"const": None}, {"enum": [None]}),
    ({"const": 2, "enum": [1, 2]}, {"enum": [2]}),
    ({"enum": []}, {}),
    ({"type": ["string"]}, {"type": "string"}),
    ({"type": ["string", "null"]}, {"type": ["string", "null"]}),
    ({"type": "STRING"}, {"type": "string"}),
    ({"type": "integer", "exclusiveMinimum": 0}, {"type": "integer", "minimum": 1}),
    ({"type": "integer", "exclusiveMinimum": 0.5}, {"type": "integer", "minimum": 1}),
    ({"type": "integer", "exclusiveMaximum": 9}, {"type": "integer", "maximum": 8}),
    ({"type": "integer", "exclusiveMaximum": 8.5}, {"type": "integer", "maximum": 8}),
    ({"type": "integer", "minimum": 0, "exclusiveMinimum": True}, {"type": "integer", "minimum": 1}),
    ({"type": "integer", "maximum": 9, "exclusiveMaximum": False}, {"type": "integer", "maximum": 9}),
    ({"type": "integer", "minimum": 5, "exclusiveMinimum": 1}, {"type": "integer", "minimum": 5}),
    ({"minItems": 2.0, "maxItems": -1}, {"minItems": 2}),
    ({"oneOf": [{"type": "string"}, {"type": "null"}]}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
    ({"anyOf": [{"type": "string"}, False]}, {"anyOf": [{"type": "string"}]}),
    ({"anyOf": [{"type": "string"}, True]}, {}),
    ({"items": [{"type": "string"}, {}]}, {"prefixItems": [{"type": "string"}, {}]}),
    ({"items": [{}], "additionalItems": {"type": "null"}}, {"prefixItems": [{}], "items": {"type": "null"}}),
    ({"items": True}, {}),
    ({"properties": {"a": True}}, {"properties": {"a": {}}}),
    ({"properties": {}}, {}),
    ({"additionalProperties": True}, {"additionalProperties": True}),
    ({"$comment": "x", "default": 1, "examples": [1], "readOnly": True, "$id": "x", "deprecated": True}, {}),
    ({"uniqueItems": False, "title": 7, "description": None}, {}),
    (
        {"allOf": [{"properties": {"a": {"type": "string"}}}, {"properties": {"b": {}}, "required": ["b"]}]},
        {"properties": {"a": {"type": "string"}, "b": {}}, "required": ["b"]},
    ),
    (
        {"properties": {"a": {"title": "A"}}, "allOf": [{"properties": {"a": {"type": "string"}}}]},
        {"properties": {"a": {"type": "string", "title": "A"}}},
    ),
    (
        {"type": ["string", "number"], "allOf": [{"type": ["integer", "null"]}, {"minimum": 1}, {"minimum": 3}]},
        {"type": "integer", "minimum": 3},
    ),
    ({"allOf": [{"enum": [1, 2, 3]}, {"enum": [2, 3]}, {"const": 3}]}, {"enum": [3]}),
    ({"additionalProperties": {}, "allOf": [{"additionalProperties": False}]}, {"additionalProperties": False}),
    ({"items": {"minimum": 1}, "allOf": [{"items": {"maximum": 2}}]}, {"items": {"minimum": 1, "maximum": 2}}),
    ({"description": "outer", "allOf": [{"description": "inner"}, True]}, {"description": "outer"}),
]


@each_case(("schema", "expected"), SAME)
def test_what_can_be_said_in_other_words_is(schema: JsonObject, expected: JsonObject) -> None:
    assert cleaned(schema) == (expected, False)


WIDER: list[tuple[JsonObject, JsonObject]] = [
    ({"patternProperties": {"^a": {"type": "string"}}}, {}),
    ({"dependentRequired": {"a": ["b"]}}, {}),
    ({"uniqueItems": True, "type": "array"}, {"type": "array"}),
    ({"type": "number", "exclusiveMinimum": 0}, {"type": "number", "minimum": 0}),
    ({"type": "file"}, {}),
    ({"enum": ["", "a"]}, {"enum": ["a"]}),
    ({"items": False}, {}),
    ({"anyOf": [False]}, {}),
    ({"properties": {"a": False, "b": {}}, "required": ["a", "b"]}, {"properties": {"b": {}}, "required": ["b"]}),
    ({"required": ["nowhere"], "propertyOrdering": ["nowhere"]}, {}),
    ({"type": "string", "allOf": [{"type": "null"}]}, {"type": "string"}),
    ({"enum": [1], "allOf": [{"enum": [2]}]}, {"enum": [1]}),
    ({"anyOf": [{"type": "null"}], "oneOf": [{"type": "string"}]}, {"anyOf": [{"type": "null"}]}),
    ({"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}, {}),
    ({"$ref": "https://example.com/schema.json"}, {}),
    ({"properties": {"a": {"$ref": "#/$defs/gone"}}}, {"properties": {"a": {}}}),
    ({"properties": {"a": {"$ref": "#anchor"}}}, {"properties": {"a": {}}}),
    ({"properties": {"a": {"$ref": 7}}}, {"properties": {"a": {}}}),
]


@pytest.mark.parametrize("name", ["pattern", "minLength", "multipleOf", "contains", "propertyNames", "if", "not"])
def test_a_keyword_without_an_equal_is_left_out_and_told(name: str) -> None:
    assert cleaned({"type": "object", name: {"x": 1}}) == ({"type": "object"}, True)
    assert cleaned({"type": "object", name: None}) == ({"type": "object"}, False)


@pytest.mark.parametrize(("schema", "expected"), WIDER)
def test_what_cannot_be_said_is_left_out_and_told(schema: JsonObject, expected: JsonObject) -> None:
    assert cleaned(schema) == (expected, True)


def test_definitions_become_defs_and_those_that_nothing_refers_to_go() -> None:
    schema: JsonObject = {
        "properties": {"a": {"$ref": "#/definitions/A"}, "b": {"$ref": "#/$defs/A"}, "c": {"$ref": "#/definitions/A"}},
        "definitions": {"A": {"type": "string", "pattern": "x"}, "Unused": {"type": "null", "pattern": "y"}},
        "$defs": {"A": {"type": "integer"}},
    }
    assert clean(schema) == {
        "properties": {"a": {"$ref": "#/$defs/A"}, "b": {"$ref": "#/$defs/A_2"}, "c": {"$ref": "#/$defs/A"}},
        "$defs": {"A": {"type": "string"}, "A_2": {"type": "integer"}},
    }


def test_a_reference_to_any_place_moves_that_place_to_defs() -> None:
    schema: JsonObject = {
        "properties": {
            "a/b": {"type": "string"},
            "c": {"$ref": "#/properties/a~1b"},
            "d": {"anyOf": [{"$ref": "#/properties/a%7E1b"}, {"$ref": "#/properties/d/anyOf/2"}, {"type": "null"}]},
        }
    }
    assert clean(schema) == {
        "properties": {
            "a/b": {"type": "string"},
            "c": {"$ref": "#/$defs/a_b"},
            "d": {"anyOf": [{"$ref": "#/$defs/a_b"}, {"$ref": "#/$defs/2"}, {"type": "null"}]},
        },
        "$defs": {"a_b": {"type": "string"}, "2": {"type": "null"}},
    }


def test_a_description_beside_a_reference_stays_with_it() -> None:
    schema: JsonObject = {
        "properties": {
            "first": {"$ref": "#/$defs/Color", "description": "The first."},
            "second": {"allOf": [{"$ref": "#/$defs/Color"}], "title": "Second", "default": "red"},
        },
        "$defs": {"Color": {"enum": ["red", "blue"]}},
    }
    assert cleaned(schema) == (
        {
            "properties": {
                "first": {"description": "The first.", "anyOf": [{"$ref": "#/$defs/Color"}]},
                "second": {"$ref": "#/$defs/Color"},
            },
            "$defs": {"Color": {"enum": ["red", "blue"]}},
        },
        False,
    )


def test_what_constrains_beside_a_reference_is_merged_with_what_it_refers_to() -> None:
    schema: JsonObject = {
        "properties": {
            "dog": {"allOf": [{"$ref": "#/$defs/Animal"}, {"properties": {"barks": {"type": "boolean"}}}]},
            "cat": {"$ref": "#/$defs/Animal", "required": ["name"]},
        },
        "$defs": {"Animal": {"type": "object", "properties": {"name": {"type": "string"}}}},
    }
    assert cleaned(schema) == (
        {
            "properties": {
                "dog": {"type": "object", "properties": {"barks": {"type": "boolean"}, "name": {"type": "string"}}},
                "cat": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
            }
        },
        False,
    )


def test_a_root_that_only_refers_says_what_it_is() -> None:
    schema: JsonObject = {"$ref": "#/definitions/Node", "definitions": {"Node": {**NODE, "description": "A node."}}}
    schema = loads(dumps(schema).replace(b"$defs/Node", b"definitions/Node"))  # type: ignore[assignment]
    expected = {**NODE, "description": "A node."}
    assert cleaned(schema) == ({**expected, "$defs": {"Node": expected}}, False)


def test_recursion_through_a_property_that_may_be_missing_stays() -> None:
    schema: JsonObject = {"properties": {"list": {"$ref": "#/$defs/Node"}}, "$defs": {"Node": NODE}}
    assert cleaned(schema) == (schema, False)


def test_recursion_to_the_root_goes_by_a_definition() -> None:
    schema: JsonObject = {"type": "object", "properties": {"child": {"$ref": "#"}}}
    written: JsonObject = {"type": "object", "properties": {"child": {"$ref": "#/$defs/root"}}}
    assert cleaned(schema) == ({**written, "$defs": {"root": written}}, False)


def test_a_property_that_leads_back_to_itself_may_be_missing() -> None:
    """As every recursive schema of OpenAI's strict mode, where all properties are required."""
    children: JsonObject = {"type": "array", "items": {"$ref": "#/$defs/Node"}}
    parent: JsonObject = {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}
    properties: JsonObject = {"children": children, "parent": parent, "name": {"type": "string"}}
    node: JsonObject = {"type": "object", "properties": properties, "required": ["children", "parent", "name"]}
    schema: JsonObject = {"properties": {"tree": {"$ref": "#/$defs/Node"}}, "required": ["tree"]}
    assert cleaned({**schema, "$defs": {"Node": node}}) == (
        {**schema, "$defs": {"Node": {**node, "required": ["name"]}}},
        True,
    )


def test_where_nothing_else_was_required_nothing_is() -> None:
    node: JsonObject = {"properties": {"self": {"$ref": "#/$defs/Node"}}, "required": ["self"]}
    free: JsonObject = {"properties": {"self": {"$ref": "#/$defs/Node"}}}
    schema: JsonObject = {"items": {"$ref": "#/$defs/Node"}, "$defs": {"Node": node}}
    assert cleaned(schema) == ({**schema, "$defs": {"Node": free}}, True)


def test_recursion_through_no_property_ends() -> None:
    schema: JsonObject = {
        "properties": {"value": {"$ref": "#/$defs/Json"}},
        "$defs": {
            "Json": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/List"}]},
            "List": {"type": "array", "items": {"$ref": "#/$defs/Json"}},
        },
    }
    assert cleaned(schema) == (
        {
            "properties": {"value": {"$ref": "#/$defs/Json"}},
            "$defs": {
                "Json": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/List"}]},
                "List": {"type": "array", "items": {}},
            },
        },
        True,
    )


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"allOf": [{"$ref": "#"}]},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
        {
            "$ref": "#/$defs/a",
            "$defs": {"a": {"allOf": [{"$ref": "#/$defs/b"}]}, "b": {"allOf": [{"$ref": "#/$defs/a"}]}},
        },
    ],
)
def test_a_schema_that_is_itself_says_nothing(schema: JsonObject) -> None:
    assert clean(schema) == {}


def test_merging_that_would_not_end_leaves_a_reference() -> None:
    child: JsonObject = {"allOf": [{"$ref": "#/$defs/Node"}, {"properties": {"extra": {"type": "string"}}}]}
    node: JsonObject = {"type": "object", "properties": {"child": child}}
    schema: JsonObject = {"properties": {"top": {"$ref": "#/$defs/Node"}}, "$defs": {"Node": node}}
    kept: JsonObject = {"properties": {"extra": {"type": "string"}}, "anyOf": [{"$ref": "#/$defs/Node"}]}
    assert clean(schema) == {
        "properties": {"top": {"$ref": "#/$defs/Node"}},
        "$defs": {"Node": {"type": "object", "properties": {"child": kept}}},
    }


def test_a_schema_that_is_too_deep_is_cut() -> None:
    schema: JsonObject = {"type": "string"}
    for _ in range(MAX_DEPTH + 5):
        schema = {"type": "array", "items": schema}
    made = cleaned(schema)
    assert made.wider
    assert dumps(made.schema).count(b"array") == MAX_DEPTH + 1
    check(made.schema)


def test_hostile_schemas_cost_little() -> None:
    wide: JsonObject = {}
    for n in range(600):
        branches: list[JsonValue] = [{"$ref": f"#/$defs/d{n + 1}"}, {"type": "object"}]
        wide[f"d{n}"] = {"properties": {name: {"allOf": branches} for name in "abcd"}}
    chain: JsonObject = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(600)}
    many: JsonObject = {str(n): {"$ref": f"#/$defs/{n}"} for n in range(2 * MAX_DEFINITIONS)}
    hostile: list[JsonObject] = [
        {"$ref": "#/$defs/d0", "$defs": wide},
        {"properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": chain},
        {"properties": many, "$defs": {str(n): {"type": "null"} for n in range(2 * MAX_DEFINITIONS)}},
        json.loads('{"allOf":[' * 60 + "{}" + "]}" * 60),
        {"prefixItems": [{}] * (2 * MAX_SCHEMAS)},
    ]
    for schema in hostile:
        made = cleaned(schema)
        assert made.wider
        assert len(dumps(made.schema)) < 1_000_000
        check(made.schema)


names = st.sampled_from([*sorted(KEYWORDS), "allOf", "oneOf", "const", "pattern", "exclusiveMinimum", "not", "a", "b"])
refs = st.sampled_from(["#", "#/$defs/a", "#/$defs/b", "#/definitions/a", "#/properties/a", "#/$defs/a/items", "x", ""])
scalars: st.SearchStrategy[JsonValue] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "string", "object", "array", "a", "b", "\ud800"]),
    refs,
)
anything: st.SearchStrategy[JsonValue] = st.recursive(
    scalars,
    lambda part: st.one_of(st.lists(part, max_size=3), st.dictionaries(names, part, max_size=4)),
    max_leaves=20,
)


def schemas_of(part: st.SearchStrategy[JsonValue]) -> st.SearchStrategy[JsonValue]:
    """Schemas that are mostly right, so that what the parts do to each other is met."""
    fields: dict[str, st.SearchStrategy[JsonValue]] = {
        "type": st.sampled_from(["object", "array", "integer", ["string", "null"]]),
        "description": st.just("Words."),
        "enum": st.lists(scalars, max_size=2),
        "const": scalars,
        "minimum": scalars,
        "exclusiveMinimum": scalars,
        "maxItems": scalars,
        "$ref": refs,
        "items": st.one_of(part, st.lists(part, max_size=2)),
        "additionalProperties": part,
        "properties": st.dictionaries(st.sampled_from(["a", "b", "type", "$ref"]), part, max_size=2),
        "required": st.lists(st.sampled_from(["a", "b", "type", "$ref"]), max_size=2),
        "pattern": st.just("x"),
        **{name: st.lists(part, max_size=2) for name in ("allOf", "anyOf", "oneOf", "prefixItems")},
        **{name: st.dictionaries(st.sampled_from("ab"), part, max_size=2) for name in ("$defs", "definitions")},
    }
    return st.sets(st.sampled_from(sorted(fields)), max_size=4).flatmap(
        lambda chosen: st.fixed_dictionaries({name: fields[name] for name in sorted(chosen)})
    )


schemas = st.recursive(st.booleans() | schemas_of(st.booleans()), schemas_of, max_leaves=12)
objects = st.one_of(st.dictionaries(names, anything, max_size=5), schemas.filter(lambda made: isinstance(made, dict)))


@given(objects)
def test_any_object_becomes_a_schema_that_gemini_takes(schema: JsonObject) -> None:
    before = copy.deepcopy(schema)
    made = cleaned(schema)
    check(made.schema)
    assert cleaned(made.schema) == (made.schema, False)
    assert repr(schema) == repr(before)
    assert clean(schema) == made.schema


@given(st.dictionaries(names, st.dictionaries(names, anything, max_size=2), min_size=1, max_size=4))
def test_the_names_of_properties_survive(properties: JsonObject) -> None:
    made = clean({"type": "object", "properties": properties})["properties"]
    assert isinstance(made, dict)
    assert list(made) == list(properties)


plain_values: st.SearchStrategy[JsonValue] = st.recursive(
    st.sampled_from([None, True, False, 0, 1, 2, 1.5, -1, "a", "b"]),
    lambda part: st.one_of(st.lists(part, max_size=3), st.dictionaries(st.sampled_from("ab"), part, max_size=2)),
    max_leaves=5,
)
bounds = st.sampled_from([-1, 0, 0.5, 1, 2])
type_names = ["object", "array", "integer", "number", "string", ["string", "null"], ["integer", "object"]]


def right_schemas_of(part: st.SearchStrategy[JsonValue]) -> st.SearchStrategy[JsonValue]:
    """Schemas without a fault, so that another implementation can tell what they mean."""
    fields: dict[str, st.SearchStrategy[JsonValue]] = {
        "type": st.sampled_from(type_names),
        "enum": st.lists(plain_values, min_size=1, max_size=3),
        "const": plain_values,
        "$ref": st.sampled_from(["#/$defs/a", "#/$defs/b"]),
        "properties": st.dictionaries(st.sampled_from("ab"), part, max_size=2),
        "required": st.lists(st.sampled_from("ab"), unique=True, max_size=2),
        **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), bounds),
        **dict.fromkeys(("minItems", "maxItems"), st.sampled_from([0, 1, 2])),
        **dict.fromkeys(("items", "additionalProperties", "not"), part),
        **dict.fromkeys(("allOf", "anyOf", "prefixItems"), st.lists(part, min_size=1, max_size=2)),
    }
    return st.sets(st.sampled_from(sorted(fields)), max_size=4).flatmap(
        lambda chosen: st.fixed_dictionaries({name: fields[name] for name in sorted(chosen)})
    )


right_schemas = st.recursive(st.booleans() | right_schemas_of(st.booleans()), right_schemas_of, max_leaves=8)


@given(right_schemas, right_schemas, right_schemas, st.lists(plain_values, min_size=3, max_size=8))
def test_what_was_valid_stays_valid_and_what_was_not_too_unless_told(
    root: JsonValue, a: JsonValue, b: JsonValue, asked: list[JsonValue]
) -> None:
    schema: JsonObject = {"allOf": [root], "$defs": {"a": a, "b": b}}
    made = cleaned(schema)
    for value in asked:
        try:
            was_valid = jsonschema.Draft202012Validator(schema).is_valid(value)
        except RecursionError:  # a reference that leads to itself at once
            return
        is_valid = jsonschema.Draft202012Validator(made.schema).is_valid(value)
        assert is_valid or not was_valid
        assert was_valid or not is_valid or made.wider
