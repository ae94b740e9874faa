"""Requests of the Messages API in neutral form."""

import json
from typing import Any

import pytest

from gateway.core.errors import InvalidRequest
from gateway.core.provider_failures import UnsupportedByTarget
from gateway.core.request import (
    HostedTool,
    JsonOutput,
    Media,
    Message,
    Params,
    Prompt,
    Reasoning,
    StoredFile,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    UnknownPart,
)
from gateway.wires.anthropic_messages.inbound import AnthropicMessagesCallers

PNG = "iVBORw0KGgo="
CACHED: Any = {"anthropic": {"cache_control": {"type": "ephemeral"}}}
MARK = {"cache_control": {"type": "ephemeral"}}
WEATHER: dict[str, Any] = {"name": "weather", "description": "d", "input_schema": {"type": "object"}}


def prompt(*messages: Any, **fields: Any) -> Prompt:
    conversation = list(messages) or [{"role": "user", "content": "Hi"}]
    body = {"model": "m", "max_tokens": 100, "messages": conversation, **fields}
    return AnthropicMessagesCallers().parse_request(json.dumps(body).encode()).prompt()


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def call(id: str, name: str = "weather", **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": id, "name": name, "input": arguments}


def result(id: str, content: Any = "sunny", **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": id, "content": content, **more}


# Messages ------------------------------------------------------------------------------------------------------------


def test_texts_are_read_as_strings_or_blocks_and_keep_their_mark() -> None:
    read = prompt(
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
        user(text("three"), text("four", **MARK)),
        system=[text("x-anthropic-billing-header: v=1"), text("Be short.", **MARK)],
    )
    assert read.messages == (
        Message("system", (Text("Be short.", CACHED),)),
        Message("user", (Text("one"),)),
        Message("assistant", (Text("two"),)),
        Message("user", (Text("three"), Text("four", CACHED))),
    )
    assert read.unmapped == ()


def test_a_system_message_keeps_its_place_and_sets_the_effort() -> None:
    inside = {"role": "system", "content": "Now be quick.", "output_config": {"effort": "low"}}
    read = prompt(user(text("Hi")), inside, output_config={"effort": "max"})
    assert [message.role for message in read.messages] == ["user", "system"]
    assert read.params.effort == "low"


def test_calls_and_their_results() -> None:
    read = prompt(
        user(text("Weather?")),
        assistant(text("I look."), call("a", city="Seoul"), call("b", city="Oslo")),
        user(text("Both, please."), result("b", is_error=True), result("a", [text("sunny"), text("warm")])),
    )
    assert read.messages[1:] == (
        Message(
            "assistant",
            (
                Text("I look."),
                ToolCall("a", "weather", '{"city":"Seoul"}'),
                ToolCall("b", "weather", '{"city":"Oslo"}'),
            ),
        ),
        Message("tool", (Text("sunny"),), call_id="b", failed=True),
        Message("tool", (Text("sunny"), Text("warm")), call_id="a"),
        Message("user", (Text("Both, please."),)),
    )
    assert read.unmapped == ()


def test_results_in_two_messages_follow_the_calls_together() -> None:
    read = prompt(user(text("Go.")), assistant(call("a"), call("b")), user(result("a"), text("one")), user(result("b")))
    assert [(message.role, message.call_id) for message in read.messages[2:]] == [
        ("tool", "a"),
        ("tool", "b"),
        ("user", ""),
    ]


@pytest.mark.parametrize(
    "later",
    [[user(result("old"))], [user(result("new"), result("new", "again"))], [user(result("never"))]],
    ids=["of an earlier turn", "a second one", "of no call"],
)
def test_a_result_that_answers_no_call_of_the_turn_is_left_out_and_told(later: Any) -> None:
    read = prompt(user(text("Go.")), assistant(call("old")), user(result("old")), assistant(call("new")), *later)
    assert read.unmapped == ("messages.content.tool_result",)
    assert [message.call_id for message in read.messages if message.role == "tool"] in (["old"], ["old", "new"])


def test_thinking_stays_with_its_vendors_data() -> None:
    blocks = [
        {"type": "thinking", "thinking": "Hm.", "signature": "sig"},
        {"type": "thinking", "thinking": "Nobody's.", "signature": ""},
        {"type": "thinking", "thinking": "Ours.", "signature": "gw1.abc"},
        {"type": "redacted_thinking", "data": "xyz"},
    ]
    assert prompt(user(text("Hi")), assistant(*blocks)).messages[1].parts == (
        Reasoning("Hm.", {"anthropic": {"signature": "sig"}}),
        Reasoning("Nobody's."),
        Reasoning("Ours."),
        Reasoning("", {"anthropic": {"redacted": "xyz"}}),
    )


@pytest.mark.parametrize(
    ("block", "part"),
    [
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}, **MARK},
            Media("image", "image/png", PNG, extra=CACHED),
        ),
        (
            {"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}},
            Media("image", uri="https://a.example/b.png"),
        ),
        (
            {"type": "image", "source": {"type": "url", "url": f"data:image/png;base64,{PNG}"}},
            Media("image", "image/png", PNG),
        ),
        ({"type": "image", "source": {"type": "file", "file_id": "file_1"}}, StoredFile("file_1", "anthropic")),
        (
            {
                "type": "document",
                "title": "a.pdf",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
            },
            Media("file", "application/pdf", "JVBERi0=", name="a.pdf"),
        ),
        (
            {"type": "document", "source": {"type": "url", "url": "https://a.example/b"}},
            Media("file", "application/pdf", uri="https://a.example/b"),
        ),
        (
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}, **MARK},
            Text("words", CACHED),
        ),
        ({"type": "document", "source": {"type": "content", "content": [text("words")]}}, Text("words")),
        ({"type": "search_result", "title": "t", "source": "s", "content": []}, UnknownPart("search_result")),
        ({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}, UnknownPart("server_tool_use")),
    ],
)
def test_media_and_documents(block: Any, part: Any) -> None:
    read = prompt(user(block))
    assert read.messages[0].parts == (part,)
    assert read.unmapped == ()


def test_media_within_a_result_stay_there() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    read = prompt(user(text("Go.")), assistant(call("a")), user(result("a", [image])))
    assert read.messages[2].parts == (Media("image", "image/png", PNG),)


def test_what_documents_have_beyond_their_content_is_told() -> None:
    document = {"type": "document", "source": {"type": "text", "data": "words"}, "context": "c"}
    cited, uncited = ({**document, "citations": {"enabled": enabled}} for enabled in (True, False))
    assert prompt(user(uncited)).unmapped == ("messages.content.context",)
    assert set(prompt(user(cited)).unmapped) == {"messages.content.context", "messages.content.citations"}


# Tools ---------------------------------------------------------------------------------------------------------------


def test_tools_are_read_without_what_changes_nothing() -> None:
    more = {"type": "custom", "eager_input_streaming": True, "allowed_callers": ["direct"], "strict": True, **MARK}
    read = prompt(tools=[{**WEATHER, **more, "input_examples": [{}]}])
    assert read.tools == (Tool("weather", "d", {"type": "object"}, strict=True, extra=CACHED),)
    assert read.unmapped == ()


def test_a_deferred_tool_is_there_once_a_result_has_named_it() -> None:
    deferred = {**WEATHER, "defer_loading": True}
    search = {"name": "ToolSearch", "input_schema": {}}
    loaded = result("s", [{"type": "tool_reference", "tool_name": "weather"}])
    before = prompt(tools=[deferred, {**deferred, "name": "other"}, search])
    after = prompt(user(text("Go.")), assistant(call("s", "ToolSearch")), user(loaded), tools=[deferred, search])
    assert [tool.name for tool in before.tools] == ["ToolSearch"]
    assert before.unmapped == ("tools.defer_loading",)
    assert [tool.name for tool in after.tools] == ["weather", "ToolSearch"]
    assert after.unmapped == ()
    assert after.messages[2].parts == (Text("Tool weather is now available."),)


def test_tools_that_anthropic_runs_are_told_and_the_search_has_a_word_of_its_own() -> None:
    hosted = [{"type": "web_search_20250305", "name": "web_search"}, {"type": "bash_20250124", "name": "bash"}]
    read = prompt(tools=[*hosted, WEATHER], tool_choice={"type": "auto"})
    assert read.hosted == (HostedTool("web_search", "tools.web_search_20250305"),)
    assert read.unmapped == ("tools.bash_20250124",)
    with pytest.raises(UnsupportedByTarget):
        prompt(tools=[*hosted, WEATHER], tool_choice={"type": "tool", "name": "web_search"})


@pytest.mark.parametrize(
    ("choice", "read"),
    [
        ({"type": "auto"}, ToolChoice("auto")),
        ({"type": "any"}, ToolChoice("required")),
        ({"type": "none"}, ToolChoice("none")),
        ({"type": "tool", "name": "weather"}, ToolChoice("required", ("weather",))),
    ],
)
def test_the_choice_of_a_tool(choice: Any, read: ToolChoice) -> None:
    assert prompt(tools=[WEATHER], tool_choice=choice).tool_choice == read
    serial = prompt(tools=[WEATHER], tool_choice={**choice, "disable_parallel_tool_use": True})
    assert serial.params.parallel_calls is False
    assert prompt(tool_choice={"type": "auto", "disable_parallel_tool_use": True}).params.parallel_calls is None


# Parameters ----------------------------------------------------------------------------------------------------------


def test_sampling_and_limits() -> None:
    read = prompt(temperature=0.5, top_p=0.9, top_k=40, stop_sequences=["END", ""]).params
    assert read == Params(0.5, 0.9, 40, 100, ("END",), show_reasoning=False)


@pytest.mark.parametrize(
    ("fields", "effort", "budget", "show"),
    [
        ({}, None, None, False),
        ({"thinking": {"type": "adaptive"}}, "high", None, True),
        ({"thinking": {"type": "adaptive", "display": "omitted"}}, "high", None, False),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}, "low", None, True),
        ({"thinking": {"type": "between_tools"}}, "low", None, True),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "max"}}, "none", None, False),
        ({"output_config": {"effort": "xhigh"}}, "xhigh", None, False),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "minimal", 1024, True),
        ({"thinking": {"type": "enabled", "budget_tokens": 4096}}, "low", 4096, True),
        ({"thinking": {"type": "enabled", "budget_tokens": 16384}}, "medium", 16384, True),
        ({"thinking": {"type": "enabled", "budget_tokens": 31999, "display": "omitted"}}, "high", 31999, False),
    ],
)
def test_how_much_to_reason(fields: Any, effort: str | None, budget: int | None, show: bool) -> None:
    params = prompt(**fields).params
    assert (params.effort, params.reasoning_budget, params.show_reasoning) == (effort, budget, show)


def test_an_effort_that_there_is_not_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"^output_config\.effort"):
        prompt(output_config={"effort": "enormous"})


def test_an_answer_by_a_schema() -> None:
    schema: Any = {"type": "object"}
    form = {"type": "json_schema", "schema": schema}
    assert prompt(output_config={"format": form}).params.output == JsonOutput(schema, "output")
    other = prompt(output_config={"format": {"type": "grammar", "rule": "x"}})
    assert (other.params.output, other.unmapped) == (None, ("output_config.format",))


def test_what_has_no_neutral_form_is_told_and_what_changes_nothing_is_not() -> None:
    silent = {"metadata": {"user_id": "u"}, "betas": ["b"], "cache_control": {"type": "ephemeral"}, "diagnostics": {}}
    told = {"context_management": {"edits": [1]}, "service_tier": "auto", "container": "c", "invented": 1}
    assert set(prompt(**silent, **told).unmapped) == set(told)


def test_a_conversation_that_the_server_keeps_is_refused_in_the_words_that_clients_know() -> None:
    with pytest.raises(InvalidRequest) as caught:
        prompt(thread={"type": "create"})
    body = json.loads(AnthropicMessagesCallers().render_error(caught.value))
    assert body["error"]["details"] == {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}
