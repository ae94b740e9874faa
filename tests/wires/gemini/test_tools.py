"""Tools and their choice as Gemini takes them."""

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import InvalidRequest
from gateway.core.request import Params, Prompt, Tool, ToolChoice
from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.gemini import tools
from gateway.wires.tool_names import ToolNames

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "gemini.json").read_text(encoding="utf-8"))
CITY: JsonObject = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = Tool("get_weather", "The weather in a city.", CITY)
CLOCK = Tool("clock")


def valid(kind: str, value: object) -> bool:
    root = {"$ref": f"#/$defs/{kind}", "$defs": SCHEMA["$defs"]}
    return bool(jsonschema.Draft202012Validator(root).is_valid(value))


def rendered(
    declared: tuple[Tool, ...], choice: ToolChoice | None = None, parallel: bool | None = None
) -> tuple[JsonObject, list[str]]:
    dropped: list[str] = []
    prompt = Prompt((), tools=declared, tool_choice=choice, params=Params(parallel_calls=parallel))
    return tools.render(prompt, ToolNames(tools.NAMES, (tool.name for tool in declared)), dropped.append), dropped


def declarations(*declared: Tool) -> JsonValue:
    body, _ = rendered(declared)
    listed = body["tools"]
    assert isinstance(listed, list) and len(listed) == 1 and isinstance(listed[0], dict)
    return listed[0]["functionDeclarations"]


def test_every_tool_is_a_function_of_one_tool_object() -> None:
    assert declarations(WEATHER, CLOCK) == [
        {"name": "get_weather", "description": "The weather in a city.", "parametersJsonSchema": CITY},
        {"name": "clock", "description": "clock"},
    ]


@pytest.mark.parametrize(
    "parameters",
    [
        None,
        {},
        {"type": "object"},
        {"type": "object", "properties": {}},
        {"type": "object", "properties": {}, "additionalProperties": False, "required": []},
        {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Nothing", "type": "object"},
    ],
)
def test_a_tool_that_takes_nothing_has_no_schema(parameters: JsonObject | None) -> None:
    assert declarations(Tool("t", "d", parameters)) == [{"name": "t", "description": "d"}]


def test_arguments_are_an_object_even_where_the_schema_does_not_say_so() -> None:
    expected = {"type": "object", "properties": {"a": {"type": "string"}}}
    kinds: list[JsonObject] = [{}, {"type": "string"}, {"type": ["object", "null"]}]
    for kind in kinds:
        parameters: JsonObject = {**kind, "properties": {"a": {"type": "string"}}}
        assert declarations(Tool("t", "d", parameters)) == [
            {"name": "t", "description": "d", "parametersJsonSchema": expected}
        ]


def test_an_object_of_values_by_any_name_keeps_its_schema() -> None:
    parameters: JsonObject = {"type": "object", "additionalProperties": {"type": "string"}}
    assert declarations(Tool("t", "d", parameters)) == [
        {"name": "t", "description": "d", "parametersJsonSchema": parameters}
    ]


def test_a_custom_tool_is_a_function_of_one_text() -> None:
    assert declarations(Tool("patch", "Apply it.", kind="custom")) == [
        {
            "name": "patch",
            "description": "Apply it.",
            "parametersJsonSchema": {
                "type": "object",
                "properties": {"input": {"type": "string"}},
                "required": ["input"],
            },
        }
    ]


def test_a_constraint_that_gemini_has_no_word_for_is_reported_once() -> None:
    parameters: JsonObject = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^a"}}}
    body, dropped = rendered((Tool("s", "d", parameters), Tool("t", "d", {"$schema": "x", **CITY})))
    assert dropped == ["tools.function.parameters"]
    assert valid("GenerateContentRequest", {**body, "contents": []})


def test_of_two_tools_with_one_name_the_first_is_declared() -> None:
    body, dropped = rendered((WEATHER, Tool("get_weather", "Another.")))
    assert body == rendered((WEATHER,))[0]
    assert dropped == ["tools"]
    assert rendered((WEATHER, WEATHER)) == (body, [])


def test_the_answer_finds_the_tool_by_the_name_that_was_sent() -> None:
    odd = Tool("server/tool", kind="custom")
    prompt = Prompt((), tools=(odd, CLOCK, Tool("clock", "late")))
    assert ToolNames(tools.NAMES, ["server/tool"]).declared(prompt.tools) == {"server_tool": odd, "clock": CLOCK}


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        (None, None),
        (ToolChoice("auto"), None),
        (ToolChoice("none"), {"mode": "NONE"}),
        (ToolChoice("required"), {"mode": "ANY"}),
        (ToolChoice("required", ("clock",)), {"mode": "ANY", "allowedFunctionNames": ["clock"]}),
        (
            ToolChoice("required", ("get_weather", "server/tool")),
            {"mode": "ANY", "allowedFunctionNames": ["get_weather", "server_tool"]},
        ),
        (ToolChoice("auto", ("clock", "clock")), {"mode": "VALIDATED", "allowedFunctionNames": ["clock"]}),
    ],
)
def test_the_choice_of_tools_in_geminis_words(choice: ToolChoice | None, config: JsonObject | None) -> None:
    body, dropped = rendered((WEATHER, CLOCK, Tool("server/tool")), choice)
    assert body.get("toolConfig") == (None if config is None else {"functionCallingConfig": config})
    assert dropped == []


def test_a_name_among_the_allowed_that_is_not_declared_is_left_out() -> None:
    body, dropped = rendered((WEATHER, CLOCK), ToolChoice("required", ("clock", "gone")))
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["clock"]}}
    assert dropped == ["tool_choice"]


@pytest.mark.parametrize(
    ("declared", "choice"),
    [
        ((), ToolChoice("required")),
        ((), ToolChoice("required", ("clock",))),
        ((WEATHER,), ToolChoice("required", ("clock",))),
        ((WEATHER,), ToolChoice("auto", ("clock",))),
    ],
)
def test_a_tool_that_is_not_declared_cannot_be_asked_for(declared: tuple[Tool, ...], choice: ToolChoice) -> None:
    with pytest.raises(InvalidRequest) as refused:
        rendered(declared, choice)
    assert refused.value.param == "tool_choice"


@pytest.mark.parametrize("choice", [None, ToolChoice("auto"), ToolChoice("none")])
def test_without_tools_nothing_is_said_about_them(choice: ToolChoice | None) -> None:
    assert rendered((), choice) == ({}, [])


def test_one_call_at_a_time_is_not_dropped_because_the_answer_is_held_to_it() -> None:
    assert rendered((CLOCK,), parallel=False)[1] == []
    assert rendered((CLOCK,), parallel=True)[1] == []


odd_names = st.text(st.sampled_from("ab/ _1é"), max_size=4)
parameters: st.SearchStrategy[JsonObject | None] = st.sampled_from(
    [None, {}, CITY, {"properties": 7}, {"$ref": "#"}, {"oneOf": [CITY]}]
)
some_tools = st.lists(
    st.builds(
        Tool, odd_names, st.sampled_from(["", "What it does."]), parameters, st.sampled_from(["function", "custom"])
    ),
    max_size=4,
).map(tuple)


@given(some_tools, st.data())
def test_every_tools_and_choice_is_valid_in_googles_schema(declared: tuple[Tool, ...], data: st.DataObject) -> None:
    chosen = st.lists(st.sampled_from([tool.name for tool in declared] or ["none"]), max_size=2).map(tuple)
    choice = data.draw(st.none() | st.builds(ToolChoice, st.sampled_from(["auto", "none", "required"]), chosen))
    try:
        body, _ = rendered(declared, choice)
    except InvalidRequest as refused:
        assert refused.param == "tool_choice" and not declared
        return
    assert valid("GenerateContentRequest", {**body, "contents": []})
    assert declared or not body
    sent = ToolNames(tools.NAMES, (tool.name for tool in declared)).declared(declared)
    assert {tool.name for tool in sent.values()} == {tool.name for tool in declared}
