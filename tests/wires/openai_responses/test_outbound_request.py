"""Requests that leave for a provider of the Responses API: as they came, or rendered from neutral form."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from gateway.core.errors import InvalidRequest
from gateway.core.provider_failures import UnsupportedByTarget
from gateway.core.rendered import Adjustments, Ask, Rendered
from gateway.core.request import (
    ChatRequest,
    HostedTool,
    JsonOutput,
    Media,
    Message,
    Params,
    Part,
    Prompt,
    Reasoning,
    StoredFile,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    UnknownPart,
)
from gateway.core.response_store import Turn
from gateway.core.source import RequestContext, Source
from gateway.wires.openai_chat.inbound import OpenAIChatCallers
from gateway.wires.openai_responses.compaction import packed
from gateway.wires.openai_responses.outbound import OpenAIResponsesProvider
from gateway.wires.reasoning_memory import ReasoningMemory
from tests.support.responses import a_store, asked, assistant, call, callers, function, output, user
from tests.validators.openai_responses import request_faults

EMPTY: Any = {"type": "object", "properties": {}}
FIRST = assistant("first", id="msg_1", status="completed")
REASONING: Any = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}


def wire(memory: ReasoningMemory | None = None) -> OpenAIResponsesProvider:
    return OpenAIResponsesProvider("oai", memory or ReasoningMemory())


def sent(request: ChatRequest, **adjusted: Any) -> dict[str, Any]:
    """The body that leaves."""
    return body_of(wire().render_request(request, "gpt-x", Ask(adjustments=Adjustments(**adjusted))))


def body_of(rendered: Rendered) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(rendered.body)
    assert request_faults(body) == []
    return body


def neutral(*messages: Message, memory: ReasoningMemory | None = None, **fields: Any) -> Rendered:
    """The rendering of a prompt of another wire."""
    choices = fields.pop("choices", 1)
    prompt = Prompt(messages or (Message("user", (Text("Hi"),)),), **fields)
    request = ChatRequest("alias", False, True, Source("invented", {}), lambda: prompt, choices=choices)
    return wire(memory).render_request(request, "gpt-x", Ask())


def items(*parts: Part, role: Any = "assistant", after: tuple[Message, ...] = ()) -> list[dict[str, Any]]:
    """The input for one message, and what follows it."""
    found: list[dict[str, Any]] = body_of(neutral(Message(role, parts), *after))["input"]
    return found


class TestOwn:
    """A caller of the same wire."""

    def test_everything_but_the_model_passes_as_it_came(self) -> None:
        body = {
            "model": "alias",
            "input": [user("Hi"), {"type": "brand_new_item", "x": [1, 2.5, None]}],
            "instructions": "Be kind.",
            "tools": [{"type": "mcp", "server_label": "x"}, function("go")],
            "brand_new": {"a": [True]},
            "stream": True,
            "store": False,
            "conversation": "conv_1",
        }
        text = json.dumps(body, separators=(",", ":")).encode()
        request = callers().parse_request(text)
        rendered = wire().render_request(request, "gpt-x", Ask(usage=True))
        assert rendered.body == text.replace(b'"alias"', b'"gpt-x"')
        assert (rendered.dropped, rendered.neutral) == ((), False)

    def test_the_turn_state_of_codex_passes(self) -> None:
        request = callers().parse_request(b'{"model":"m","input":"Hi"}', RequestContext({"x-codex-turn-state": "s"}))
        assert wire().render_request(request, "gpt-x", Ask()).headers == {"x-codex-turn-state": "s"}

    def test_reasoning_and_ids_of_our_own_stay_here_and_the_providers_go_back(self) -> None:
        own = f"rs_gw{'0' * 32}"
        theirs = assistant("Hm.", id=f"msg_{'0' * 48}", status="completed")
        said = {"type": "message", "role": "assistant", "content": "Hello."}
        request = asked(
            input=[
                user("Hi"),
                {"type": "reasoning", "id": own, "summary": []},
                REASONING,
                assistant("Hello.", id=f"msg_{'a' * 32}"),
                theirs,
                call("1", id=f"fc_{'b' * 32}"),
                output("1"),
            ]
        )
        assert sent(request)["input"] == [user("Hi"), REASONING, said, theirs, call("1"), output("1")]

    def test_a_summary_of_our_own_is_a_message(self) -> None:
        request = asked(input=[{"type": "compaction", "id": "cmp_1", "encrypted_content": packed("We did it.")}])
        (item,) = sent(request)["input"]
        assert item["role"] == "user"
        assert "We did it." in item["content"][0]["text"]

    def test_reasoning_that_was_refused_is_left_out(self) -> None:
        said = assistant("Hello.", id="msg_1", status="completed")
        request = asked(input=[user("Hi"), REASONING, said])
        rendered = wire().render_request(
            request, "gpt-x", Ask(adjustments=Adjustments(without=frozenset({"reasoning"})))
        )
        assert body_of(rendered)["input"] == [user("Hi"), said]
        assert rendered.dropped == ("input.reasoning",)

    def test_parameters_that_were_refused_are_left_out(self) -> None:
        request = asked(temperature=0.5, reasoning={"effort": "low"}, max_output_tokens=9000)
        body = sent(request, without=frozenset({"temperature", "effort"}), max_tokens=4096)
        assert "temperature" not in body
        assert "reasoning" not in body
        assert body["max_output_tokens"] == 4096


class TestStored:
    @pytest.fixture
    def follow_up(self) -> Callable[[str], ChatRequest]:
        def made(provider: str) -> ChatRequest:
            store = a_store()
            store.keep(Turn("resp_1", "", provider, [user("one")], [FIRST], {}, {}))
            return asked(store, previous_response_id="resp_1", input="two")

        return made

    def test_the_provider_that_made_an_answer_gets_its_id(self, follow_up: Callable[[str], ChatRequest]) -> None:
        body = sent(follow_up("oai"))
        assert body["previous_response_id"] == "resp_1"
        assert body["input"] == [user("two")]

    @pytest.mark.parametrize("provider", ["another", ""])
    def test_all_others_get_the_conversation(self, follow_up: Callable[[str], ChatRequest], provider: str) -> None:
        body = sent(follow_up(provider))
        assert "previous_response_id" not in body
        assert body["input"] == [user("one"), FIRST, user("two")]

    def test_an_unknown_id_passes_because_the_provider_may_know_it(self) -> None:
        assert sent(asked(previous_response_id="resp_elsewhere"))["previous_response_id"] == "resp_elsewhere"


class TestConversation:
    def test_messages_become_items(self) -> None:
        body = body_of(
            neutral(
                Message("system", (Text("Be kind."),)),
                Message("user", (Text("Hi"),)),
                Message("assistant", (Text("Hello."),)),
            )
        )
        assert body["input"] == [
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Be kind."}]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
            {"type": "message", "role": "assistant", "content": "Hello."},
        ]

    def test_media(self) -> None:
        (item,) = items(
            Media("image", "image/png", "aGk="),
            Media("image", uri="https://example.org/a.png", detail="low"),
            Media("file", "application/pdf", "aGk=", name="a.pdf"),
            Media("file", uri="https://example.org/a.pdf"),
            StoredFile("file-1"),
            role="user",
        )
        assert item["content"] == [
            {"type": "input_image", "image_url": "data:image/png;base64,aGk=", "detail": "auto"},
            {"type": "input_image", "image_url": "https://example.org/a.png", "detail": "low"},
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="},
            {"type": "input_file", "file_url": "https://example.org/a.pdf"},
            {"type": "input_file", "file_id": "file-1"},
        ]

    def test_parts_keep_their_order_around_calls(self) -> None:
        parts = (Text("a"), ToolCall("1", "go", "{}"), Text("b"), ToolCall("2", "patch", "x", "custom"))
        results = (Message("tool", (Text("r2"),), call_id="2"), Message("tool", (Text("r1"),), call_id="1"))
        found = items(*parts, after=results)
        assert [item["type"] for item in found] == [
            "message",
            "function_call",
            "function_call_output",
            "message",
            "custom_tool_call",
            "custom_tool_call_output",
        ]
        assert (found[4]["input"], found[2]["output"], found[5]["output"]) == ("x", "r1", "r2")

    def test_failed_and_missing_results_say_so(self) -> None:
        calls = (ToolCall("1", "go", ""), ToolCall("2", "go", ""))
        *_, first, second = items(*calls, after=(Message("tool", (Text("no file"),), call_id="1", failed=True),))
        assert (first["output"], second["output"]) == ("Error: no file", "Error: no result")

    def test_media_stay_in_the_result(self) -> None:
        result = Message("tool", (Text("look"), Media("image", "image/png", "aGk=")), call_id="1")
        *_, found = items(ToolCall("1", "go", "{}"), after=(result,))
        assert [part["type"] for part in found["output"]] == ["input_text", "input_image"]

    def test_reasoning_goes_back_to_its_vendor_alone(self) -> None:
        own = Reasoning("x", {"openai": {"item": REASONING}})
        ours = Reasoning("y", {"openai": {"item": {**REASONING, "id": f"rs_gw{'0' * 32}"}}})
        found = items(own, ours, Reasoning("z", {"anthropic": {"signature": "s"}}), Text("Hi"))
        assert [item["type"] for item in found] == ["reasoning", "message"]

    def test_reasoning_before_a_call_comes_from_memory_where_the_caller_has_no_place_for_it(self) -> None:
        memory = ReasoningMemory()
        memory.keep("call_1", {"openai": {"items": [REASONING]}})
        calls = Message("assistant", (ToolCall("call_1", "go", "{}"),))
        body = body_of(neutral(calls, Message("tool", (Text("r"),), call_id="call_1"), memory=memory))
        assert [item["type"] for item in body["input"]] == ["reasoning", "function_call", "function_call_output"]

    def test_what_this_wire_does_not_have_is_told(self) -> None:
        rendered = neutral(
            Message("user", (Text("x"), UnknownPart("odd")), name="ann"),
            Message("assistant", (Media("image", "image/png", "aGk="), UnknownPart("audio"))),
        )
        assert set(rendered.dropped) == {
            "messages.name",
            "messages.content.odd",
            "messages.content.image_url",
            "messages.content.audio",
        }

    @pytest.mark.parametrize("part", [StoredFile("f", "anthropic"), Media("audio", "audio/wav", "aGk=")])
    def test_what_cannot_be_left_out_is_for_another_target(self, part: Part) -> None:
        with pytest.raises(UnsupportedByTarget):
            neutral(Message("user", (part,)))

    def test_an_empty_conversation_is_an_empty_message(self) -> None:
        assert len(body_of(neutral(Message("user", ())))["input"]) == 1


class TestParams:
    def test_all_of_them(self) -> None:
        params = Params(
            temperature=0.5,
            top_p=0.9,
            max_tokens=5,
            logprobs=True,
            top_logprobs=2,
            effort="max",
            show_reasoning=True,
            verbosity="low",
            output=JsonOutput(EMPTY, "a b", description="d"),
        )
        body = body_of(neutral(params=params))
        assert (body["temperature"], body["top_p"], body["max_output_tokens"], body["top_logprobs"]) == (
            0.5,
            0.9,
            16,
            2,
        )
        assert body["reasoning"] == {"effort": "xhigh", "summary": "auto"}
        assert body["text"]["verbosity"] == "low"
        assert body["text"]["format"]["strict"] is False
        assert body["text"]["format"]["name"] == "a_b"
        assert set(body["include"]) == {"reasoning.encrypted_content", "message.output_text.logprobs"}
        assert (body["stream"], body["store"]) == (True, False)

    def test_what_this_wire_cannot_say_is_told(self) -> None:
        params = Params(
            stop=("x",), seed=1, presence_penalty=1, frequency_penalty=1, top_k=1, modalities=("text", "audio")
        )
        rendered = neutral(params=params)
        assert rendered.dropped == ("stop", "seed", "presence_penalty", "frequency_penalty", "top_k", "modalities")

    @pytest.mark.parametrize(("budget", "effort"), [(0, "none"), (1_024, "minimal"), (4_000, "low"), (50_000, "high")])
    def test_a_budget_is_an_effort(self, budget: int, effort: str) -> None:
        assert body_of(neutral(params=Params(reasoning_budget=budget)))["reasoning"] == {"effort": effort}

    def test_several_answers_are_for_another_target(self) -> None:
        with pytest.raises(UnsupportedByTarget):
            neutral(choices=2)

    def test_any_json(self) -> None:
        assert body_of(neutral(params=Params(output=JsonOutput())))["text"] == {"format": {"type": "json_object"}}


class TestTools:
    def test_declared(self) -> None:
        tools = (
            Tool("go", "Goes.", EMPTY),
            Tool("stop", strict=True, parameters=EMPTY),
            Tool("patch", "Patches.", kind="custom", grammar=("lark", "start: WORD")),
            Tool("bare"),
        )
        rendered = neutral(tools=tools, params=Params(parallel_calls=False), hosted=(HostedTool("web_search", "x"),))
        body = body_of(rendered)
        assert body["tools"] == [
            {"type": "function", "name": "go", "description": "Goes.", "parameters": EMPTY, "strict": False},
            {"type": "function", "name": "stop", "parameters": EMPTY, "strict": True},
            {
                "type": "custom",
                "name": "patch",
                "description": "Patches.",
                "format": {"type": "grammar", "syntax": "lark", "definition": "start: WORD"},
            },
            {"type": "function", "name": "bare", "parameters": EMPTY, "strict": False},
            {"type": "web_search"},
        ]
        assert body["parallel_tool_calls"] is False
        assert set(rendered.tools) == {"go", "stop", "patch", "bare"}

    @pytest.mark.parametrize(
        ("choice", "said"),
        [
            (ToolChoice("auto"), "auto"),
            (ToolChoice("none"), "none"),
            (ToolChoice("required"), "required"),
            (ToolChoice("required", ("go",)), {"type": "function", "name": "go"}),
            (
                ToolChoice("auto", ("go", "patch")),
                {
                    "type": "allowed_tools",
                    "mode": "auto",
                    "tools": [{"type": "function", "name": "go"}, {"type": "custom", "name": "patch"}],
                },
            ),
        ],
    )
    def test_choices(self, choice: ToolChoice, said: object) -> None:
        tools = (Tool("go", parameters=EMPTY), Tool("patch", kind="custom"))
        assert body_of(neutral(tools=tools, tool_choice=choice))["tool_choice"] == said

    @pytest.mark.parametrize("tools", [(), (Tool("go"),)])
    def test_the_choice_of_a_tool_that_is_not_there_is_refused(self, tools: tuple[Tool, ...]) -> None:
        with pytest.raises(InvalidRequest):
            neutral(tools=tools, tool_choice=ToolChoice("required", ("gone",)))

    def test_illegal_names_are_replaced(self) -> None:
        rendered = neutral(tools=(Tool("a/b"),), tool_choice=ToolChoice("required", ("a/b",)))
        body = body_of(rendered)
        assert body["tool_choice"]["name"] == body["tools"][0]["name"] == "a_b"
        assert rendered.tools["a_b"].name == "a/b"

    def test_no_tools_have_no_choice(self) -> None:
        body = body_of(neutral(tool_choice=ToolChoice("auto"), params=Params(parallel_calls=True)))
        assert not {"tools", "tool_choice", "parallel_tool_calls"} & set(body)


def test_a_chat_callers_request_is_valid() -> None:
    body = {
        "model": "alias",
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "go", "arguments": ""}}],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "done"},
        ],
        "tools": [{"type": "function", "function": {"name": "go", "parameters": EMPTY}}],
        "max_tokens": 100,
        "reasoning_effort": "low",
        "user": "u",
    }
    request = OpenAIChatCallers().parse_request(json.dumps(body).encode())
    rendered = wire().render_request(request, "gpt-x", Ask())
    assert len(body_of(rendered)["input"]) == 4
    assert rendered.neutral
