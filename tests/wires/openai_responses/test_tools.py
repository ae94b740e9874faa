"""Tools by flat names: what is declared, called in the history, chosen, and called in an answer."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.answer import ChatResponse, ChoiceDelta, ToolCallDelta
from gateway.core.errors import InvalidRequest
from gateway.core.request import HostedTool, Tool, ToolCall, ToolChoice
from gateway.core.source import Source
from gateway.wires.base import Naming
from gateway.wires.openai_responses.tool_table import ToolTable
from tests.support.responses import asked, call, callers, function, namespace, output, prompt_of, user
from tests.validators.openai_responses import response_faults

EMPTY: Any = {"type": "object", "properties": {}}
CODEX = namespace(
    "functions",
    {"type": "custom", "name": "exec", "description": "Runs JavaScript.", "format": {"type": "text"}},
    function("wait"),
    description="Tools of the shell.",
)


def names(*tools: dict[str, Any], **fields: object) -> list[str]:
    return [tool.name for tool in prompt_of(tools=[*tools], **fields).tools]


class TestDeclared:
    def test_functions(self) -> None:
        declared = function("go", description="Goes.", strict=True, defer_loading=True, output_schema={"a": 1})
        (tool,) = prompt_of(tools=[declared]).tools
        assert tool == Tool("go", "Goes.", EMPTY, strict=True)

    def test_custom_tools_with_a_grammar(self) -> None:
        form = {"type": "grammar", "syntax": "lark", "definition": "start: WORD"}
        declared = {"type": "custom", "name": "patch", "description": "Patches.", "format": form}
        (tool,) = prompt_of(tools=[declared]).tools
        assert tool == Tool("patch", "Patches.", kind="custom", grammar=("lark", "start: WORD"))

    def test_a_namespace_gives_its_name_to_its_members_and_its_description_to_the_first(self) -> None:
        first, second = prompt_of(tools=[CODEX]).tools
        assert first == Tool("functions__exec", "Tools of the shell.\n\nRuns JavaScript.", kind="custom")
        assert second == Tool("functions__wait", "", EMPTY)

    def test_additional_tools_in_the_input_are_tools(self) -> None:
        item = {"type": "additional_tools", "role": "developer", "tools": [CODEX]}
        prompt = prompt_of(input=[item, user("x")])
        assert [tool.name for tool in prompt.tools] == ["functions__exec", "functions__wait"]
        assert len(prompt.messages) == 1

    def test_tools_that_the_vendor_runs(self) -> None:
        prompt = prompt_of(
            tools=[{"type": "web_search"}, {"type": "file_search"}, {"type": "mcp", "server_label": "x"}]
        )
        assert prompt.tools == ()
        assert prompt.hosted == (HostedTool("web_search", "tools.web_search"),)
        assert prompt.unmapped == ("tools.file_search", "tools.mcp")

    def test_no_tools_leave_no_choice(self) -> None:
        prompt = prompt_of(tools=[], tool_choice="auto", parallel_tool_calls=True)
        assert prompt.tool_choice is None


class TestNames:
    def test_a_top_level_tool_keeps_its_name_before_a_namespaced_one(self) -> None:
        found = names(namespace("a", function("b")), function("a__b"))
        assert found[1] == "a__b"
        assert re.fullmatch(r"a__b_[0-9a-f]{6}", found[0])

    def test_long_and_illegal_names_are_cut_and_told_apart(self) -> None:
        found = names(namespace("n" * 40, function("f" * 40), function("f" * 41)), function("a/b"), function("a.b"))
        assert len(set(found)) == 4
        assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) for name in found)

    def test_a_tool_that_is_declared_twice_is_one(self) -> None:
        item = {"type": "additional_tools", "tools": [function("go")]}
        assert names(function("go"), input=[item, user("x")]) == ["go"]

    @given(st.lists(st.tuples(st.text("ab_ß", max_size=40), st.text("ab_/", min_size=1, max_size=40)), max_size=8))
    def test_names_are_legal_unique_and_always_the_same(self, declared: list[tuple[str, str]]) -> None:
        tools: list[Any] = [namespace(space, function(name)) if space else function(name) for space, name in declared]
        fields: Any = {"tools": tools}
        table, again = ToolTable(fields), ToolTable(fields)
        found = {key: table.flat(*key, "function") for key in declared}
        assert len(set(found.values())) == len(found)
        for (space, name), flat in found.items():
            assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", flat)
            assert again.flat(space, name, "function") == flat
            tool = table.find(flat)
            assert tool is not None
            assert (tool.namespace, tool.name) == (space, name)


class TestHistory:
    @pytest.mark.parametrize(
        ("fields", "flat"),
        [
            ({"name": "exec", "namespace": "functions"}, "functions__exec"),
            ({"name": "wait"}, "functions__wait"),  # Codex may leave this namespace out
            ({"name": "gone", "namespace": "mail"}, "mail__gone"),
            ({"name": "gone"}, "gone"),
        ],
    )
    def test_calls_have_the_names_of_the_declared_tools(self, fields: dict[str, str], flat: str) -> None:
        item = {**call("1"), **fields}
        prompt = prompt_of(input=[user("x"), item, output("1")], tools=[CODEX])
        (part,) = prompt.messages[1].parts
        assert isinstance(part, ToolCall)
        assert part.name == flat
        assert prompt.messages[2].name == flat


class TestChoice:
    @pytest.mark.parametrize(
        ("choice", "neutral"),
        [
            ("auto", ToolChoice("auto")),
            ("none", ToolChoice("none")),
            ("required", ToolChoice("required")),
            ({"type": "function", "name": "go"}, ToolChoice("required", ("go",))),
            (
                {"type": "custom", "name": "exec", "namespace": "functions"},
                ToolChoice("required", ("functions__exec",)),
            ),
            (
                {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "go"}]},
                ToolChoice("auto", ("go",)),
            ),
            (
                {"type": "allowed_tools", "mode": "required", "tools": [{"type": "web_search"}]},
                ToolChoice("none"),
            ),
        ],
    )
    def test_choices(self, choice: object, neutral: ToolChoice) -> None:
        assert prompt_of(tools=[function("go"), CODEX], tool_choice=choice).tool_choice == neutral

    def test_the_choice_of_a_vendors_tool_is_told(self) -> None:
        prompt = prompt_of(tools=[function("go")], tool_choice={"type": "file_search"})
        assert prompt.tool_choice is None
        assert prompt.unmapped == ("tool_choice",)

    @pytest.mark.parametrize(
        ("choice", "param"),
        [
            ("maybe", "tool_choice"),
            ({"type": "function"}, "tool_choice.name"),
            ({"type": "allowed_tools", "mode": "x", "tools": []}, "tool_choice.mode"),
            ({"type": "allowed_tools", "mode": "auto", "tools": []}, "tool_choice.tools"),
        ],
    )
    def test_a_choice_that_cannot_be_read_is_refused(self, choice: object, param: str) -> None:
        with pytest.raises(InvalidRequest) as caught:
            prompt_of(tools=[function("go")], tool_choice=choice)
        assert caught.value.param == param


class TestAnswered:
    """The call's item for a call of a provider, by the name that the provider was told."""

    def item(self, piece: ToolCallDelta, *tools: dict[str, Any]) -> dict[str, Any]:

        response = ChatResponse(None, Source("invented", {}), None, (ChoiceDelta(0, calls=(piece,)),))
        request = asked(tools=[*tools])
        body = json.loads(callers().render_response(response, request, Naming("alias", usage=True)))
        assert response_faults(body) == []
        (item,) = body["output"]
        assert isinstance(item, dict)
        return item

    def test_a_namespaced_custom_tool_gets_its_name_its_namespace_and_its_kind_back(self) -> None:
        piece = ToolCallDelta(0, "call_1", "functions__exec", "text('hi')", "custom", ended=True)
        item = self.item(piece, CODEX)
        assert item.pop("id").startswith("ctc_")
        assert item == {
            "type": "custom_tool_call",
            "call_id": "call_1",
            "namespace": "functions",
            "name": "exec",
            "input": "text('hi')",
            "status": "completed",
        }

    def test_a_search_is_a_search_with_an_object(self) -> None:
        piece = ToolCallDelta(0, "call_1", "tool_search", '{"query":"mail"}', ended=True)
        item = self.item(piece, {"type": "tool_search", "execution": "client", "parameters": EMPTY})
        assert item.pop("id").startswith("ts_")
        assert item == {
            "type": "tool_search_call",
            "call_id": "call_1",
            "execution": "client",
            "arguments": {"query": "mail"},
            "status": "completed",
        }

    def test_an_invented_name_is_passed_on(self) -> None:
        item = self.item(ToolCallDelta(0, "call_1", "nonsense", "{}", ended=True), CODEX)
        assert (item["type"], item["name"]) == ("function_call", "nonsense")
        assert "namespace" not in item

    def test_a_function_without_arguments_gets_an_empty_object(self) -> None:
        item = self.item(ToolCallDelta(0, "call_1", "go", "", ended=True), function("go"))
        assert item["arguments"] == "{}"

    def test_an_id_that_clients_cannot_take_is_replaced(self) -> None:
        item = self.item(ToolCallDelta(0, "x" * 800, "go", "{}", ended=True), function("go"))
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,40}", item["call_id"])
