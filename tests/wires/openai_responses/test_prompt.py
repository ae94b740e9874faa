"""Requests in neutral form: items, parts, parameters, and what is told of the rest."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import InvalidRequest
from gateway.core.request import (
    JsonOutput,
    Media,
    Message,
    Params,
    Reasoning,
    Refusal,
    StoredFile,
    Text,
    ToolCall,
    UnknownPart,
)
from gateway.wires.openai_responses.compaction import INSTRUCTION, packed
from tests.support.responses import asked, assistant, call, function, namespace, output, prompt_of, user

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()


def messages(*items: object, **fields: object) -> tuple[Message, ...]:
    return prompt_of(input=[*items], **fields).messages


def roles(*items: object) -> list[str]:
    return [message.role for message in messages(*items)]


class TestMessages:
    def test_a_text_is_one_message_of_the_user(self) -> None:
        assert prompt_of(input="Hi").messages == (Message("user", (Text("Hi"),)),)

    def test_instructions_come_first(self) -> None:
        first, _ = prompt_of(input="Hi", instructions="Be kind.").messages
        assert first == Message("system", (Text("Be kind."),))

    @pytest.mark.parametrize(
        ("role", "neutral"),
        [("user", "user"), ("assistant", "assistant"), ("system", "system"), ("developer", "system")],
    )
    def test_roles(self, role: str, neutral: str) -> None:
        assert roles({"role": role, "content": "x"}) == [neutral]

    def test_an_unknown_role_is_refused(self) -> None:
        with pytest.raises(InvalidRequest) as caught:
            messages(user("x"), {"role": "tool", "content": "x"})
        assert caught.value.param == "input[1].role"

    def test_parts(self) -> None:
        content = [
            {"type": "input_text", "text": "a"},
            {"type": "output_text", "text": "b", "annotations": [], "logprobs": []},
            {"type": "refusal", "refusal": "no"},
            {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "original"},
            {"type": "input_image", "image_url": "https://example.org/a.png", "detail": "low"},
            {"type": "input_image", "file_id": "file-1"},
            {"type": "input_file", "file_data": f"data:application/pdf;base64,{PNG}", "filename": "a.pdf"},
            {"type": "input_file", "file_url": "https://example.org/a.csv", "filename": "a.csv"},
            {"type": "input_file", "file_id": "file-2"},
            {"type": "input_audio", "input_audio": {"data": PNG, "format": "wav"}},
            {"type": "brand_new"},
        ]
        (message,) = messages({"role": "user", "content": content})
        assert message.parts == (
            Text("a"),
            Text("b"),
            Refusal("no"),
            Media("image", "image/png", PNG, detail="high"),
            Media("image", uri="https://example.org/a.png", detail="low"),
            StoredFile("file-1"),
            Media("file", "application/pdf", PNG, name="a.pdf"),
            Media("file", "text/csv", uri="https://example.org/a.csv", name="a.csv"),
            StoredFile("file-2"),
            Media("audio", "audio/wav", PNG),
            UnknownPart("brand_new"),
        )

    @pytest.mark.parametrize(
        ("part", "param"),
        [
            ({"type": "input_image"}, "image_url"),
            ({"type": "input_file"}, "file_data"),
            ({"type": "input_file", "file_data": "data:x"}, "file_data"),
            ({"type": "input_audio"}, "input_audio"),
            ({"type": "input_text"}, "text"),
        ],
    )
    def test_a_part_without_its_content_is_named(self, part: dict[str, Any], param: str) -> None:
        with pytest.raises(InvalidRequest) as caught:
            messages({"role": "user", "content": [part]})
        assert caught.value.param == f"input[0].content[0].{param}"

    def test_reasoning_keeps_its_item_for_its_vendor(self) -> None:
        item = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]}
        secret = {**item, "encrypted_content": "gAAA", "content": None, "status": "completed"}
        _, message = messages(user("x"), secret)
        kept: Any = {**item, "encrypted_content": "gAAA"}
        assert message == Message("assistant", (Reasoning("Hm.", {"openai": {"item": kept}}),))

    def test_reasoning_of_our_own_is_a_text_and_no_more(self) -> None:
        summary = [{"type": "summary_text", "text": "Hm."}]
        _, message = messages(user("x"), {"type": "reasoning", "id": f"rs_gw{'0' * 32}", "summary": summary})
        assert message.parts == (Reasoning("Hm."),)

    def test_a_made_image_is_an_image(self) -> None:
        _, message = messages(user("x"), {"type": "image_generation_call", "id": "ig_1", "result": PNG})
        assert message == Message("assistant", (Media("image", "image/png", PNG),))

    def test_an_own_compaction_is_a_message_of_the_user(self) -> None:
        summary, _ = messages(
            {"type": "compaction", "id": "cmp_1", "encrypted_content": packed("We did it.")}, user("x")
        )
        assert summary == Message("user", (Text("Summary of the conversation so far: We did it."),))

    def test_a_foreign_compaction_is_left_out_and_told(self) -> None:
        prompt = prompt_of(input=[{"type": "compaction", "id": "cmp_1", "encrypted_content": "gAAA"}, user("x")])
        assert len(prompt.messages) == 1
        assert prompt.unmapped == ("input.compaction",)

    def test_the_trigger_asks_for_a_summary_without_tools(self) -> None:
        prompt = prompt_of(
            input=[user("x"), {"type": "compaction_trigger"}], tools=[function("go")], tool_choice="required"
        )
        assert prompt.messages[-1] == Message("user", (Text(INSTRUCTION),))
        assert (prompt.tools, prompt.tool_choice) == ((), None)


class TestCalls:
    def test_reasoning_text_and_calls_in_a_row_are_one_message(self) -> None:
        thought = {"type": "reasoning", "id": "rs_1", "summary": []}
        items = [user("x"), thought, assistant("I look."), call("1"), call("2"), output("1"), output("2")]
        assert roles(*items) == ["user", "assistant", "tool", "tool"]
        message = messages(*items)[1]
        assert [type(part) for part in message.parts] == [Reasoning, Text, ToolCall, ToolCall]

    def test_outputs_come_in_the_order_of_their_calls(self) -> None:
        *_, first, second = messages(user("x"), call("1"), call("2"), output("2", "b"), output("1", "a"))
        assert (first.call_id, first.parts) == ("1", (Text("a"),))
        assert (second.call_id, second.parts) == ("2", (Text("b"),))

    def test_what_stood_between_a_call_and_its_output_follows_the_output(self) -> None:
        items = [user("x"), call("1"), assistant("Meanwhile."), user("Go on."), output("1")]
        assert roles(*items) == ["user", "assistant", "tool", "assistant", "user"]

    def test_text_after_a_call_is_another_message(self) -> None:
        items = [user("x"), call("1"), output("1"), assistant("A."), call("2"), output("2"), assistant("B.")]
        assert roles(*items) == ["user", "assistant", "tool", "assistant", "tool", "assistant"]

    def test_several_outputs_of_one_call_stay_together(self) -> None:
        *_, first, second = messages(user("x"), call("1"), output("1", "a"), user("y"), output("1", "b"))[:4]
        assert (first.parts, second.parts) == ((Text("a"),), (Text("b"),))

    def test_an_id_may_return_in_a_later_turn(self) -> None:
        items = [user("x"), call("call_0"), output("call_0", "a"), call("call_0"), output("call_0", "b")]
        texts = [message.parts for message in messages(*items) if message.role == "tool"]
        assert texts == [(Text("a"),), (Text("b"),)]

    def test_a_long_id_is_shortened_alike_in_call_and_output(self) -> None:
        id = "call_" + "x" * 100
        _, called, result = messages(user("x"), call(id), output(id))
        part = called.parts[0]
        assert isinstance(part, ToolCall)
        assert part.id == result.call_id
        assert len(part.id) <= 40

    def test_arguments_may_come_as_an_object(self) -> None:
        item = {"type": "function_call", "call_id": "1", "name": "go", "arguments": {"a": 1}}
        _, called, _ = messages(user("x"), item, output("1"))
        assert called.parts == (ToolCall("1", "go", '{"a":1}'),)

    def test_an_image_in_an_output_stays_in_it(self) -> None:
        image = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "high"}
        *_, result = messages(user("x"), call("1"), output("1", [image]))
        assert result == Message("tool", (Media("image", "image/png", PNG, detail="high"),), call_id="1", name="go")

    def test_custom_tools_take_a_bare_text(self) -> None:
        items = [
            user("x"),
            {"type": "custom_tool_call", "call_id": "1", "name": "patch", "input": "*** Begin"},
            {"type": "custom_tool_call_output", "call_id": "1", "output": "ok"},
        ]
        _, called, result = messages(*items)
        assert called.parts == (ToolCall("1", "patch", "*** Begin", "custom"),)
        assert (result.name, result.parts) == ("patch", (Text("ok"),))

    def test_a_search_of_the_clients_tools_is_a_call_whose_output_names_them(self) -> None:
        found = [namespace("mail", function("send")), function("beep")]
        items = [
            user("x"),
            {"type": "tool_search_call", "call_id": "1", "execution": "client", "arguments": {"query": "mail"}},
            {"type": "tool_search_output", "call_id": "1", "execution": "client", "tools": found},
            call("2", "send", namespace="mail"),
            output("2"),
        ]
        search = {"type": "tool_search", "execution": "client", "description": "Searches.", "parameters": {}}
        prompt = prompt_of(input=items, tools=[search])
        assert prompt.messages[1].parts == (ToolCall("1", "tool_search", '{"query":"mail"}'),)
        assert prompt.messages[2].parts == (Text("Tools found: mail__send, beep."),)
        assert prompt.messages[3].parts == (ToolCall("2", "mail__send", "{}"),)
        assert [tool.name for tool in prompt.tools] == ["tool_search", "mail__send", "beep"]
        assert prompt.unmapped == ()

    @pytest.mark.parametrize(
        "kind",
        [
            "web_search_call",
            "file_search_call",
            "code_interpreter_call",
            "mcp_call",
            "computer_call",
            "local_shell_call",
        ],
    )
    def test_calls_of_a_vendors_tools_are_left_out_and_told(self, kind: str) -> None:
        prompt = prompt_of(input=[user("x"), {"type": kind, "id": "1", "status": "completed"}])
        assert len(prompt.messages) == 1
        assert prompt.unmapped == (f"input.{kind}",)

    def test_a_search_that_the_vendor_ran_is_left_out(self) -> None:
        items = [
            user("x"),
            {"type": "tool_search_call", "call_id": None, "execution": "server", "arguments": {}},
            {"type": "tool_search_output", "call_id": None, "execution": "server", "tools": [function("beep")]},
        ]
        prompt = prompt_of(input=items)
        assert len(prompt.messages) == 1
        assert set(prompt.unmapped) == {"input.tool_search_call", "input.tool_search_output"}


class TestParams:
    def test_all_of_them(self) -> None:
        schema: Any = {"type": "object", "properties": {}}
        form = {"type": "json_schema", "name": "n", "schema": schema, "strict": True, "description": "d"}
        params = prompt_of(
            temperature=0.5,
            top_p=0.9,
            max_output_tokens=100,
            include=["message.output_text.logprobs", "reasoning.encrypted_content"],
            top_logprobs=3,
            reasoning={"effort": "High", "summary": "auto", "context": "x", "mode": "y"},
            text={"format": form, "verbosity": "low"},
            parallel_tool_calls=False,
        ).params
        assert params == Params(
            temperature=0.5,
            top_p=0.9,
            max_tokens=100,
            logprobs=True,
            top_logprobs=3,
            effort="high",
            show_reasoning=True,
            verbosity="low",
            output=JsonOutput(schema, "n", strict=True, description="d"),
            parallel_calls=False,
        )

    @pytest.mark.parametrize(
        ("form", "neutral"), [({"type": "json_object"}, JsonOutput()), ({"type": "text"}, None), (None, None)]
    )
    def test_forms_of_the_answer(self, form: object, neutral: JsonOutput | None) -> None:
        assert prompt_of(text={"format": form}).params.output == neutral

    def test_what_changes_no_meaning_is_left_out_silently(self) -> None:
        prompt = prompt_of(
            user="u",
            metadata={"a": "b"},
            store=False,
            prompt_cache_key="k",
            prompt_cache_retention="24h",
            safety_identifier="s",
            service_tier="priority",
            client_metadata={"a": "b"},
            include=["reasoning.encrypted_content"],
            stream_options={"include_obfuscation": False},
            truncation="disabled",
            background=False,
        )
        assert prompt.unmapped == ()

    def test_what_the_user_loses_is_told(self) -> None:
        prompt = prompt_of(truncation="auto", max_tool_calls=3, context_management=[{"type": "x"}], moderation={"a": 1})
        assert set(prompt.unmapped) == {"truncation", "max_tool_calls", "context_management", "moderation"}


texts = st.text("ab", min_size=1, max_size=3)
ITEMS = st.lists(
    st.one_of(
        texts.map(user),
        texts.map(assistant),
        st.integers(0, 3).map(lambda number: call(f"call_{number}")),
        st.just({"type": "reasoning", "id": "rs_1", "summary": []}),
    ),
    min_size=1,
    max_size=12,
)


@given(ITEMS, st.randoms(use_true_random=False))
def test_every_call_is_followed_by_its_outputs_and_nothing_else_moves(items: list[Any], random: Any) -> None:
    pending: list[str] = []
    said: list[Any] = []
    for item in items:  # outputs come later, in any order
        said.append(item)
        if item["type"] == "function_call":
            pending.append(item["call_id"])
        elif pending and random.random() < 0.5:
            said.append(output(pending.pop(random.randrange(len(pending)))))
    said += [output(call_id) for call_id in pending]
    found = asked(input=said).prompt().messages
    waiting: list[str] = []
    for message in found:
        if message.role == "tool":
            assert waiting.pop(0) == message.call_id
            continue
        assert not waiting
        waiting = [part.id for part in message.parts if isinstance(part, ToolCall)]
    assert not waiting
    before = [item["content"][0]["text"] for item in said if item["type"] == "message"]
    after = [
        part.text for message in found for part in message.parts if isinstance(part, Text) and message.role != "tool"
    ]
    assert after == before
