"""What the demo fills a JSON Schema with: an instance wherever there is one, an end in any case."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.demo.filling import fill
from tests.support.cases import each_case

REFERRING = {
    "$defs": {"a/b": {"type": "integer", "minimum": 3}, "alias": {"$ref": "#/$defs/a~1b"}},
    "properties": {"x": {"$ref": "#/$defs/alias", "description": "kept"}},
}
ALL_OF = {
    "allOf": [
        {"properties": {"a": {"const": 1}}, "required": ["a"]},
        {"type": "object", "properties": {"b": {"const": 2}}},
    ]
}


@each_case(
    ("schema", "instance"),
    [
        ({}, "text"),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"type": ["null", "integer"]}, 1),
        ({"type": ["null"]}, None),
        ({"enum": [None, "red"]}, "red"),
        ({"enum": [None]}, None),
        ({"const": {"a": 1}}, {"a": 1}),
        ({"type": "integer", "minimum": 2.5}, 3),
        ({"type": "integer", "exclusiveMinimum": 4}, 5),
        ({"type": "integer", "maximum": -2}, -2),
        ({"type": "integer", "exclusiveMaximum": 0}, -1),
        ({"type": "integer", "minimum": 5, "multipleOf": 4}, 8),
        ({"type": "integer", "minimum": 5, "maximum": 11, "multipleOf": 10}, 10),
        ({"minimum": 7}, 8),
        ({"type": "number"}, 1),
        ({"type": "number", "maximum": -3}, -4),
        ({"type": "number", "minimum": 0, "maximum": 1}, 0.5),
        ({"type": "number", "exclusiveMinimum": 2, "exclusiveMaximum": 3}, 2.5),
        ({"type": "string", "maxLength": 2}, "te"),
        ({"type": "string", "minLength": 6}, "text.."),
        ({"type": "string", "format": "date"}, "2025-01-31"),
        ({"type": "string", "format": "invented"}, "text"),
        ({"type": "array", "items": {"type": "integer"}}, [1]),
        ({"items": {"type": "integer"}, "minItems": 3}, [1, 1, 1]),
        ({"type": "array", "maxItems": 0}, []),
        ({"prefixItems": [{"const": 1}, {"const": 2}], "items": {"const": 3}, "minItems": 3}, [1, 2, 3]),
        ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, 1),
        ({"oneOf": [{"const": 1}, {"const": 2}]}, 1),
        (ALL_OF, {"a": 1, "b": 2}),
        (REFERRING, {"x": 3}),
        ({"required": ["undeclared"]}, {"undeclared": "text"}),
        ({"$ref": "https://elsewhere.example/schema"}, "text"),
        ({"properties": {"x": True, "type": {"const": 1}}}, {"x": "text", "type": 1}),
    ],
)
def test_a_schema_gets_an_instance(schema: dict[str, object], instance: object) -> None:
    assert fill(schema, "text") == instance


def test_a_string_without_a_text_says_its_name() -> None:
    assert fill({"properties": {"city": {"type": "string"}}}, "") == {"city": "city"}


def test_a_recursive_schema_ends_where_it_may() -> None:
    tree: dict[str, object] = {
        "type": "object",
        "properties": {"value": {"type": "integer"}, "children": {"type": "array", "items": {"$ref": "#"}}},
        "required": ["value", "children"],
        "additionalProperties": False,
    }

    def depth(node: Any) -> int:
        assert set(node) == {"value", "children"}
        return 1 + max(map(depth, node["children"]), default=0)

    assert 1 < depth(fill(tree, "text")) < 10


def test_a_recursive_list_ends_with_null() -> None:
    linked: dict[str, object] = {
        "type": "object",
        "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
        "required": ["next"],
    }
    node: Any = fill(linked, "text")
    while node is not None:
        assert set(node) == {"next"}
        node = node["next"]


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"allOf": [{"$ref": "#"}, {"$ref": "#"}]},
        {"anyOf": [{"$ref": "#"}]},
        {"type": "object", "properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}}, "required": ["a", "b"]},
        {"type": "array", "items": {"$ref": "#"}, "minItems": 1_000_000_000},
        {"type": "string", "minLength": 1_000_000_000},
    ],
)
def test_a_schema_without_an_end_gets_a_small_answer(schema: dict[str, object]) -> None:
    assert len(json.dumps(fill(schema, "text"))) < 1_000_000


KEYWORDS = st.sampled_from(
    [
        "type",
        "properties",
        "required",
        "items",
        "prefixItems",
        "minItems",
        "maxItems",
        "anyOf",
        "oneOf",
        "allOf",
        "$ref",
        "$defs",
        "enum",
        "const",
        "format",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
    ]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["object", "array", "integer", "number", "string", "null", "#", "#/properties/a", "date"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYWORDS | st.sampled_from("ab"), inner, max_size=5),
    max_leaves=20,
)


@given(st.dictionaries(KEYWORDS, VALUES), st.booleans())
def test_any_schema_whatever_gets_an_instance(schema: dict[str, object], optional: bool) -> None:
    json.dumps(fill(schema, "text", optional=optional))
