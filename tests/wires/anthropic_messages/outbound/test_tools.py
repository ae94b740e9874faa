"""Tools in Anthropic's words, the choice among them, and cache marks."""

from typing import Any

import pytest

from gateway.core.errors import InvalidRequest
from gateway.core.provider_failures import UnsupportedByTarget
from gateway.core.request import HostedTool, Media, Message, Params, Prompt, Text, Tool, ToolChoice
from tests.wires.anthropic_messages.outbound.rendering import assistant, body, call, rendered, user

ONE, TWO = Tool("one", "The first", {"type": "object", "properties": {}}), Tool("two")
MARK: dict[str, Any] = {"type": "ephemeral"}


def asked(*tools: Tool, choice: ToolChoice | None = None, parallel: bool | None = None) -> Any:
    return body(Prompt((user("Hi"),), tools, tool_choice=choice, params=Params(parallel_calls=parallel)))


def test_a_function() -> None:
    assert asked(ONE, TWO)["tools"] == [
        {"name": "one", "description": "The first", "input_schema": {"type": "object", "properties": {}}},
        {"name": "two", "input_schema": {"type": "object"}},
    ]


def test_a_strict_function_has_no_further_properties() -> None:
    inner = {"type": "object", "properties": {"a": {"type": "string"}}}
    schema: dict[str, Any] = {"type": "object", "properties": {"x": inner}}
    (strict,) = asked(Tool("f", parameters=schema, strict=True))["tools"]
    assert strict["strict"] is True
    assert strict["input_schema"]["additionalProperties"] is False
    assert strict["input_schema"]["properties"]["x"]["additionalProperties"] is False
    (loose,) = asked(Tool("f", parameters=schema, strict=False))["tools"]
    assert (loose["strict"], loose["input_schema"]) == (False, schema)


def test_a_target_that_refuses_strict_tools_gets_others() -> None:
    prompt = Prompt((user("Hi"),), (Tool("f", strict=True),))
    assert body(prompt, without=frozenset({"strict"}))["tools"] == [{"name": "f", "input_schema": {"type": "object"}}]


def test_a_custom_tool_is_a_function_of_one_text() -> None:
    (sent,) = asked(Tool("patch", "Patches", kind="custom", grammar=("lark", 'start: "a"')))["tools"]
    assert sent["input_schema"]["required"] == ["input"]
    assert sent["description"].startswith("Patches\n\n") and 'start: "a"' in sent["description"]


@pytest.mark.parametrize(
    ("schema", "sent", "wider"),
    [
        ({"properties": {"a": {}}}, {"properties": {"a": {}}, "type": "object"}, False),
        (
            {"anyOf": [{"properties": {"a": {"type": "string"}}, "required": ["a"]}, {"properties": {"b": {}}}, True]},
            {"type": "object", "properties": {"a": {"type": "string"}, "b": {}}},
            True,
        ),
        (
            {"type": "object", "required": ["x"], "allOf": [{"properties": {"a": {}}, "required": ["a", "x"]}]},
            {"type": "object", "required": ["x", "a"], "properties": {"a": {}}},
            True,
        ),
    ],
)
def test_a_union_at_the_top_is_merged_and_told(schema: Any, sent: Any, wider: bool) -> None:
    found = rendered(Prompt((user("Hi"),), (Tool("f", parameters=schema),)))
    assert asked(Tool("f", parameters=schema))["tools"][0]["input_schema"] == sent
    assert found.dropped == (("tools.function.parameters",) if wider else ())


@pytest.mark.parametrize("name", ["server/tool", "two words", "도구", "x" * 129, "a.b"])
def test_a_name_is_made_legal_everywhere(name: str) -> None:
    prompt = Prompt(
        (user("Hi"), assistant(call("1", name)), user("b")), (Tool(name),), tool_choice=ToolChoice("required", (name,))
    )
    found, sent = rendered(prompt), body(prompt)
    (declared,) = sent["tools"]
    assert found.tools == {declared["name"]: Tool(name)}
    assert sent["tool_choice"]["name"] == sent["messages"][1]["content"][0]["name"] == declared["name"]


def test_a_name_of_128_characters_stays() -> None:
    assert asked(Tool("x" * 128))["tools"][0]["name"] == "x" * 128


def test_of_two_tools_with_one_name_the_first_is_declared() -> None:
    prompt = Prompt((user("Hi"),), (ONE, Tool("one", "Another")))
    assert len(body(prompt)["tools"]) == 1 and rendered(prompt).dropped == ("tools",)


@pytest.mark.parametrize(
    ("choice", "parallel", "sent"),
    [
        (None, None, None),
        (None, True, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice("auto"), None, None),
        (ToolChoice("none"), False, {"type": "none"}),
        (ToolChoice("required"), None, {"type": "any"}),
        (ToolChoice("required"), False, {"type": "any", "disable_parallel_tool_use": True}),
        (ToolChoice("required", ("two",)), None, {"type": "tool", "name": "two"}),
        (ToolChoice("required", ("two", "one")), None, {"type": "any"}),
    ],
)
def test_the_choice(choice: ToolChoice | None, parallel: bool | None, sent: Any) -> None:
    assert asked(ONE, TWO, choice=choice, parallel=parallel).get("tool_choice") == sent


@pytest.mark.parametrize("mode", ["auto", "required"])
def test_tools_are_cut_down_to_the_allowed_ones(mode: Any) -> None:
    found = asked(ONE, TWO, Tool("three"), choice=ToolChoice(mode, ("two", "three")))
    assert [tool["name"] for tool in found["tools"]] == ["two", "three"]
    prompt = Prompt((user("Hi"),), (ONE,), tool_choice=ToolChoice(mode, ("one", "gone")))
    assert rendered(prompt).dropped == ("tool_choice",)


def test_a_choice_of_a_tool_that_is_none_is_the_callers_fault() -> None:
    for tools, choice in (((), ToolChoice("required")), ((ONE,), ToolChoice("required", ("two",)))):
        with pytest.raises(InvalidRequest):
            asked(*tools, choice=choice)


def test_without_tools_there_is_no_choice() -> None:
    assert not {"tools", "tool_choice"} & set(asked(choice=ToolChoice("none"), parallel=False))


def test_a_hosted_tool_is_left_out_and_told() -> None:
    prompt = Prompt((user("Hi"),), hosted=(HostedTool("web_search", "web_search_options"),))
    assert rendered(prompt).dropped == ("web_search_options",) and "tools" not in body(prompt)


def test_a_hosted_tool_that_is_required_is_asked_for_elsewhere() -> None:
    hosted = (HostedTool("web_search", "web_search_options"),)
    with pytest.raises(UnsupportedByTarget):
        rendered(Prompt((user("Hi"),), hosted=hosted, tool_choice=ToolChoice("required")))


# Cache marks -------------------------------------------------------------------------------------------------------


def marked(mark: Any = MARK) -> dict[str, Any]:
    return {"anthropic": {"cache_control": mark}}


def test_a_mark_stays_where_it_was_set() -> None:
    prompt = Prompt(
        (
            Message("system", (Text("s", marked({"type": "ephemeral", "ttl": "1h"})),)),
            Message("user", (Text("a"), Text("b")), extra=marked()),
            assistant(call("1")),
            Message("tool", (Text("r"),), "1", extra=marked()),
        ),
        (Tool("f", extra=marked()),),
    )
    found = body(prompt)
    assert found["tools"][0]["cache_control"] == MARK
    assert found["system"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    assert [block.get("cache_control") for block in found["messages"][0]["content"]] == [None, MARK]
    assert found["messages"][2]["content"][0]["cache_control"] == MARK


def test_the_first_four_marks_stay() -> None:
    texts = tuple(Text(f"{number}", marked()) for number in range(4))
    picture = Media("image", "image/png", "iVBORw0KGgo=", extra=marked())
    prompt = Prompt((Message("user", (*texts, picture)),), (Tool("f", extra=marked()),))
    found = body(prompt)
    assert [("cache_control" in block) for block in found["messages"][0]["content"]] == [True, True, True, False, False]
    assert rendered(prompt).dropped == ()


def test_a_target_that_refuses_marks_gets_none() -> None:
    prompt = Prompt((Message("user", (Text("a", marked()),)),))
    assert "cache_control" not in str(body(prompt, without=frozenset({"cache_control"})))


def test_arguments_that_look_like_a_mark_are_none() -> None:
    arguments = '{"content": [{"cache_control": 1}], "cache_control": 2}'
    marks = tuple(Text(f"{number}", marked()) for number in range(5))
    prompt = Prompt((user("a"), assistant(call("1", arguments=arguments)), Message("user", marks)))
    assert body(prompt, "claude-opus-4-7")["messages"][1]["content"][0]["input"] == {
        "content": [{"cache_control": 1}],
        "cache_control": 2,
    }


@pytest.mark.parametrize("mark", [None, "yes", {}, {"type": "forever"}, {"type": "ephemeral", "ttl": "9h"}])
def test_a_mark_that_is_none_is_left_out(mark: Any) -> None:
    (block,) = body(Prompt((Message("user", (Text("a", marked(mark)),)),)))["messages"][0]["content"]
    assert block.get("cache_control") in (None, MARK)
