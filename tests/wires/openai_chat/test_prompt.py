"""OpenAI requests in neutral form: what each form becomes, what is refused, what is listed as dropped."""

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import InvalidRequest
from gateway.core.request import (
    JsonOutput,
    Media,
    Message,
    Part,
    Prompt,
    Reasoning,
    Refusal,
    StoredFile,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    UnknownPart,
)
from gateway.core.strict_json import JsonObject, JsonValue, dumps
from gateway.wires.openai_chat.inbound import OpenAIChatCallers
from gateway.wires.openai_chat.inbound.prompt import MAX_UNMAPPED, read_prompt
from gateway.wires.openai_chat.inbound.request import FIELDS
from tests.support.cases import each_case

GOLDEN = Path(__file__).parents[2] / "golden" / "openai" / "requests"
SECRET = "my-private-prompt"


def words(body: JsonObject) -> Prompt:
    return OpenAIChatCallers().parse_request(dumps(body)).prompt()


def ask(**fields: JsonValue) -> JsonObject:
    return {"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields}


def said(**fields: JsonValue) -> Message:
    """A message in neutral form."""
    return words(ask(messages=[fields])).messages[0]


def part(*parts: JsonValue) -> tuple[Part, ...]:
    """Parts of a user's content in neutral form."""
    return said(role="user", content=list(parts)).parts


def refusal(body: JsonObject) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        read_prompt(body)
    assert SECRET not in caught.value.message and caught.value.message.endswith(".")
    return caught.value


def image(url: JsonValue, **more: JsonValue) -> JsonObject:
    return {"type": "image_url", "image_url": {"url": url, **more}}


def call(**fields: JsonValue) -> JsonObject:
    return {"id": "call_a", "type": "function", "function": {"name": "get", "arguments": "{}"}, **fields}


# Messages --------------------------------------------------------------------------------------------------------

PNG = Media("image", "image/png", "iVBORw0KGgo=")


@each_case(
    ("message", "ours"),
    [
        ({"role": "system", "content": "s"}, Message("system", (Text("s"),))),
        ({"role": "developer", "content": "d"}, Message("system", (Text("d"),))),
        (
            {"role": "system", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            Message("system", (Text("a"), Text("b"))),
        ),
        ({"role": "user", "content": "u", "name": "ann"}, Message("user", (Text("u"),), name="ann")),
        ({"role": "user", "content": "u", "name": None}, Message("user", (Text("u"),))),
        ({"role": "user", "content": ""}, Message("user", ())),
        ({"role": "user", "content": [{"type": "text", "text": ""}]}, Message("user", ())),
        ({"role": "user", "content": [{"text": "no type"}]}, Message("user", (Text("no type"),))),
        ({"role": "assistant", "content": "a"}, Message("assistant", (Text("a"),))),
        ({"role": "assistant", "content": None}, Message("assistant", ())),
        ({"role": "assistant"}, Message("assistant", ())),
        ({"role": "assistant", "refusal": "no"}, Message("assistant", (Refusal("no"),))),
        (
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}], "refusal": "no"},
            Message("assistant", (Refusal("no"),)),
        ),
        (
            {"role": "assistant", "content": "a", "reasoning_content": "Hm."},
            Message("assistant", (Reasoning("Hm."), Text("a"))),
        ),
        (
            {"role": "assistant", "content": "a", "extra_content": {"google": {"thought_signature": "c2ln"}}},
            Message("assistant", (Text("a"),), extra={"google": {"thought_signature": "c2ln"}}),
        ),
        (
            {"role": "assistant", "content": [{"type": "text", "text": "", "extra_content": {"x": 1}}]},
            Message("assistant", (Text("", {"x": 1}),)),
        ),
        (
            {"role": "assistant", "content": "see", "images": [{**image("data:image/png;base64,AA=="), "index": 0}]},
            Message("assistant", (Text("see"), Media("image", "image/png", "AA=="))),
        ),
        ({"role": "assistant", "audio": {"id": "audio_1"}}, Message("assistant", (UnknownPart("audio"),))),
        (
            {"role": "assistant", "content": "a", "tool_calls": [call(index=0), call(id="call_b")]},
            Message("assistant", (Text("a"), ToolCall("call_a", "get", "{}"), ToolCall("call_b", "get", "{}"))),
        ),
        (
            {"role": "assistant", "tool_calls": [call(extra_content={"google": {"thought_signature": "c2ln"}})]},
            Message("assistant", (ToolCall("call_a", "get", "{}", extra={"google": {"thought_signature": "c2ln"}}),)),
        ),
        (
            {"role": "assistant", "tool_calls": [call(type=None, function={"name": "get"}, extra_content=None)]},
            Message("assistant", (ToolCall("call_a", "get", ""),)),
        ),
        (
            {"role": "assistant", "tool_calls": [call(id=None, function={"name": "get", "arguments": {"a": [1]}})]},
            Message("assistant", (ToolCall("", "get", '{"a":[1]}'),)),
        ),
        (
            {"role": "assistant", "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "p", "input": "+"}}]},
            Message("assistant", (ToolCall("c", "p", "+", "custom"),)),
        ),
        (
            {"role": "assistant", "tool_calls": [{"id": "c", "custom": {"name": "p"}}]},
            Message("assistant", (ToolCall("c", "p", "", "custom"),)),
        ),
        (
            {"role": "assistant", "tool_calls": [{"id": "c", "type": "mcp, too", "x": 1}]},
            Message("assistant", (UnknownPart("mcp??too"),)),
        ),
        (
            {"role": "assistant", "function_call": {"name": "get", "arguments": "{}"}},
            Message("assistant", (ToolCall("", "get", "{}"),)),
        ),
        ({"role": "function", "name": "get", "content": "21"}, Message("tool", (Text("21"),), name="get")),
        ({"role": "function", "name": "get", "content": None}, Message("tool", (), name="get")),
        (
            {"role": "tool", "tool_call_id": "call_a", "content": "21"},
            Message("tool", (Text("21"),), call_id="call_a"),
        ),
        (
            {"role": "tool", "tool_call_id": "call_a", "name": "get", "content": [{"type": "text", "text": "21"}]},
            Message("tool", (Text("21"),), call_id="call_a", name="get"),
        ),
        (
            {"role": "tool", "tool_call_id": "call_a", "content": [image("data:image/png;base64,iVBORw0KGgo=")]},
            Message("tool", (PNG,), call_id="call_a"),
        ),
    ],
    ids=lambda value: json.dumps(value)[:60] if isinstance(value, dict) else "",
)
def test_a_message_is_said_in_our_words(message: JsonObject, ours: Message) -> None:
    prompt = words(ask(messages=[message]))
    assert prompt.messages == (ours,)
    assert prompt.unmapped == ()


@each_case(
    ("sent", "ours"),
    [
        (image("data:image/png;base64,iVBORw0KGgo="), PNG),
        (image(" DATA:Image/PNG;charset=utf-8;BASE64,iVBORw0KGgo= "), PNG),
        (image("data:image/png;name=a b;base64,iVBO\r\nRw0K Ggo"), PNG),
        (image("data:image/png;base64,iVBORw0KGgo%3D"), PNG),
        (image("data:image/png;base64,-_-_"), Media("image", "image/png", "+/+/")),
        (image("data:;base64,AA"), Media("image", "", "AA==")),
        (
            image("data:image/svg+xml;utf8,%3Csvg/%3E"),
            Media("image", "image/svg+xml", base64.b64encode(b"<svg/>").decode()),
        ),
        (image("data:,hi"), Media("image", "", "aGk=")),
        (image("https://example.org/a.png?b=1"), Media("image", uri="https://example.org/a.png?b=1")),
        (image("HTTP://example.org"), Media("image", uri="HTTP://example.org")),
        (image("gs://bucket/a.png"), Media("image", uri="gs://bucket/a.png")),
        (image("https://a", detail="low"), Media("image", uri="https://a", detail="low")),
        ({"type": "image_url", "image_url": "https://a"}, Media("image", uri="https://a")),
        (
            {"type": "input_audio", "input_audio": {"data": "UklGRg", "format": "WAV"}},
            Media("audio", "audio/wav", "UklGRg=="),
        ),
        (
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
            Media("file", "application/pdf", "JVBERi0=", name="a.pdf"),
        ),
        (
            {"type": "file", "file": {"filename": "A.B.PDF", "file_data": "JVBERi0="}},
            Media("file", "application/pdf", "JVBERi0=", name="A.B.PDF"),
        ),
        ({"type": "file", "file": {"filename": "a", "file_data": "JVBERi0="}}, Media("file", "", "JVBERi0=", name="a")),
        ({"type": "file", "file": {"file_data": "JVBERi0="}}, Media("file", "", "JVBERi0=")),
        ({"type": "file", "file": {"file_id": "file-1", "file_data": None}}, StoredFile("file-1")),
        ({"type": "video_url", "video_url": {"url": "https://a/v.mp4"}}, Media("video", uri="https://a/v.mp4")),
        (
            {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}},
            Media("video", "video/mp4", "AAAA"),
        ),
        ({"type": "video_url", "video_url": "https://a/v.mp4"}, Media("video", uri="https://a/v.mp4")),
        ({"type": "audio_url", "audio_url": {"url": "https://a/s.mp3"}}, Media("audio", uri="https://a/s.mp3")),
        ({"type": "input_text", "text": "words"}, Text("words")),
        (
            {"type": "input_image", "image_url": "https://a/i.png", "detail": "low"},
            Media("image", uri="https://a/i.png", detail="low"),
        ),
        ({"type": "input_image", "file_id": "file-1"}, StoredFile("file-1")),
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
            Media("image", "image/png", "AAAA"),
        ),
        ({"type": "image", "source": {"type": "url", "url": "https://a/i"}}, Media("image", uri="https://a/i")),
        ({"type": "input_file", "file_url": "https://a/f.pdf"}, Media("file", uri="https://a/f.pdf")),
        ({"type": None}, UnknownPart("?", "messages[0].content[1]")),
        ({"type": "hologram", "x": 1}, UnknownPart("hologram", "messages[0].content[1]")),
    ],
    ids=lambda value: json.dumps(value)[:60] if isinstance(value, dict) else "",
)
def test_a_part_is_said_in_our_words(sent: JsonObject, ours: Part) -> None:
    prompt = words(ask(messages=[{"role": "user", "content": [{"type": "text", "text": "see"}, sent]}]))
    assert prompt.messages[0].parts == (Text("see"), ours)
    assert prompt.unmapped == ()


@given(st.binary(min_size=1, max_size=40), st.booleans(), st.booleans(), st.booleans())
def test_media_in_any_base64_is_the_same_bytes(data: bytes, url_safe: bool, padded: bool, broken: bool) -> None:
    text = (base64.urlsafe_b64encode if url_safe else base64.b64encode)(data).decode()
    text = text if padded else text.rstrip("=")
    text = text[:3] + "\r\n" + text[3:] if broken else text
    (found,) = part(image(f"data:image/png;base64,{text}"))
    assert isinstance(found, Media) and found.data == base64.b64encode(data).decode()


# Tools and params ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "ours"),
    [
        ({"tools": []}, ()),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, (Tool("f"),)),
        (
            {
                "tools": [
                    {
                        "type": "function",
                        "function": {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True},
                    }
                ]
            },
            (Tool("f", "d", {"type": "object"}, strict=True),),
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "description": None, "parameters": None}}]},
            (Tool("f"),),
        ),
        (
            {
                "tools": [
                    {"type": "custom", "custom": {"name": "p", "description": "d", "format": {"type": "text"}}},
                ]
            },
            (Tool("p", "d", kind="custom"),),
        ),
        (
            {
                "tools": [
                    {
                        "type": "custom",
                        "custom": {
                            "name": "p",
                            "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: A"}},
                        },
                    }
                ]
            },
            (Tool("p", kind="custom", grammar=("lark", "start: A")),),
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "f"}, "cache_control": {"type": "ephemeral"}}]},
            (Tool("f", extra={"anthropic": {"cache_control": {"type": "ephemeral"}}}),),
        ),
        ({"functions": [{"name": "f", "parameters": {}}]}, (Tool("f", "", {}),)),
        (
            {"tools": [{"type": "function", "function": {"name": "f"}}], "functions": [{"name": "g"}]},
            (Tool("f"), Tool("g")),
        ),
    ],
)
def test_tools_are_said_in_our_words(fields: JsonObject, ours: tuple[Tool, ...]) -> None:
    prompt = words(ask(**fields))
    assert prompt.tools == ours
    assert prompt.unmapped == ()


ALLOWED = [{"type": "function", "function": {"name": "f"}}, {"type": "custom", "custom": {"name": "p"}}]


@pytest.mark.parametrize(
    ("fields", "ours"),
    [
        ({}, None),
        ({"tool_choice": None, "function_call": None}, None),
        ({"tool_choice": "none"}, ToolChoice("none")),
        ({"tool_choice": "auto"}, ToolChoice("auto")),
        ({"tool_choice": "required"}, ToolChoice("required")),
        ({"tool_choice": "any"}, ToolChoice("required")),
        ({"tool_choice": {"type": "auto"}}, ToolChoice("auto")),
        ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, ToolChoice("required", ("f",))),
        ({"tool_choice": {"type": "custom", "custom": {"name": "p"}}}, ToolChoice("required", ("p",))),
        (
            {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": ALLOWED}}},
            ToolChoice("auto", ("f", "p")),
        ),
        (
            {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": ALLOWED[:1]}}},
            ToolChoice("required", ("f",)),
        ),
        ({"function_call": "none"}, ToolChoice("none")),
        ({"function_call": "auto"}, ToolChoice("auto")),
        ({"function_call": {"name": "f"}}, ToolChoice("required", ("f",))),
        ({"function_call": {"name": "f"}, "tool_choice": "none"}, ToolChoice("none")),
    ],
)
def test_a_tool_choice_is_said_in_our_words(fields: JsonObject, ours: ToolChoice | None) -> None:
    prompt = words(ask(**fields))
    assert prompt.tool_choice == ours
    assert prompt.unmapped == ()


def test_tools_that_nobody_else_can_run_are_not_allowed_tools_either() -> None:
    allowed: JsonObject = {"mode": "required", "tools": [{"type": "mcp", "server_label": "x"}]}
    prompt = words(ask(tool_choice={"type": "allowed_tools", "allowed_tools": allowed}))
    assert prompt.tool_choice == ToolChoice("none")
    assert prompt.unmapped == ("tool_choice",)


@each_case(
    ("fields", "name", "ours"),
    [
        ({"temperature": 0}, "temperature", 0),
        ({"temperature": None}, "temperature", None),
        ({"top_p": 0.5}, "top_p", 0.5),
        ({"top_k": 40}, "top_k", 40),
        ({"top_k": -1}, "top_k", None),
        ({"top_k": 0}, "top_k", None),
        ({"max_tokens": 7}, "max_tokens", 7),
        ({"max_completion_tokens": 8}, "max_tokens", 8),
        ({"max_tokens": 7, "max_completion_tokens": 8}, "max_tokens", 8),
        ({"max_tokens": 7, "max_completion_tokens": None}, "max_tokens", 7),
        ({"stop": "END"}, "stop", ("END",)),
        ({"stop": ["\n", "END"]}, "stop", ("\n", "END")),
        ({"stop": ["", "END"]}, "stop", ("END",)),
        ({"stop": ""}, "stop", ()),
        ({"stop": None}, "stop", ()),
        ({"seed": -9007199254740993}, "seed", -9007199254740993),
        ({"presence_penalty": -2}, "presence_penalty", -2),
        ({"frequency_penalty": 1.5}, "frequency_penalty", 1.5),
        ({"logprobs": True}, "logprobs", True),
        ({"logprobs": False}, "logprobs", False),
        ({"logprobs": 3}, "logprobs", True),
        ({"logprobs": 3}, "top_logprobs", 3),
        ({"logprobs": 3, "top_logprobs": 5}, "top_logprobs", 5),
        ({"logprobs": 0}, "logprobs", False),
        ({"logprobs": True, "top_logprobs": 0}, "top_logprobs", 0),
        ({"reasoning_effort": "high"}, "effort", "high"),
        ({"reasoning": {"effort": "Low"}}, "effort", "low"),
        ({"reasoning_effort": "none", "reasoning": {"effort": "low"}}, "effort", "none"),
        ({"response_format": {"type": "text"}}, "output", None),
        ({"response_format": {"type": "json_object"}}, "output", JsonOutput()),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": {}}}},
            "output",
            JsonOutput({}, "n", True),
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": None}}},
            "output",
            JsonOutput(None, "n"),
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"description": "d", "schema": {}}}},
            "output",
            JsonOutput({}, description="d"),
        ),
        ({"verbosity": "low"}, "verbosity", "low"),
        ({"modalities": ["TEXT", "image"]}, "modalities", ("text", "image")),
        ({"parallel_tool_calls": False}, "parallel_calls", False),
    ],
)
def test_params_are_said_in_our_words(fields: JsonObject, name: str, ours: object) -> None:
    prompt = words(ask(**fields))
    found = getattr(prompt.params, name)
    assert found == ours and type(found) is type(ours)
    assert prompt.unmapped == ()


def test_the_number_of_choices_is_the_requests_own() -> None:
    request = OpenAIChatCallers().parse_request(dumps(ask(n=3)))
    assert request.choices == 3 and request.prompt().unmapped == ()


def test_what_is_for_one_vendor_alone_is_kept_for_it() -> None:
    extra: JsonObject = {"google": {"thinking_config": {"include_thoughts": True}}}
    assert words(ask(extra_body=extra)).extra == extra
    assert words(ask(extra_body=None)).extra == {}


# What is left out ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"user": "u", "store": False, "metadata": {}}, ("user", "store", "metadata")),
        ({"user": None, "logit_bias": None}, ()),
        ({"logit_bias": {"1": 1}, "service_tier": "flex"}, ("logit_bias", "service_tier")),
        ({"prediction": {"type": "content", "content": "x"}}, ("prediction",)),
        ({"prompt_cache_key": "k", "safety_identifier": "s"}, ("prompt_cache_key", "safety_identifier")),
        ({"web_search_options": {}, "audio": {"voice": "alloy"}}, ("web_search_options", "audio")),
        ({"stream": True, "stream_options": {"include_usage": True, "include_obfuscation": False}}, ()),
        ({"tomorrow": 1, "a,b\né c": 2, "": 3}, ("tomorrow", "a?b???c", "?")),
        ({"x" * 100: 1}, ("x" * 64,)),
        ({"tools": [{"type": "web_search"}, {"type": "web_search", "filters": {}}]}, ("tools.web_search",)),
        ({"tool_choice": {"type": "web_search_preview"}}, ("tool_choice",)),
        ({"response_format": {"type": "regex", "pattern": "a"}}, ("response_format",)),
        ({"reasoning": {"effort": "low", "exclude": True}}, ("reasoning.exclude",)),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {"type": "e"}}]},
                    {"role": "user", "content": [{"type": "text", "text": "b", "cache_control": {"type": "e"}}]},
                    {"role": "assistant", "content": "c", "annotations": [{}], "reasoning_details": [], "refusal": ""},
                ]
            },
            ("messages.annotations",),  # the mark is a vendor's, which the vendor gets
        ),
    ],
)
def test_what_our_words_leave_out_is_told_by_name(fields: JsonObject, told: tuple[str, ...]) -> None:
    assert words(ask(**fields)).unmapped == told


def test_there_is_an_end_to_what_is_told() -> None:
    told = words(ask(**{f"field_{number}": 1 for number in range(1000)})).unmapped
    assert len(told) == MAX_UNMAPPED + 1 and told[-1] == "..."


WORDED = {
    "frequency_penalty", "function_call", "functions", "logprobs", "max_completion_tokens", "max_tokens",
    "modalities", "n", "parallel_tool_calls", "presence_penalty", "reasoning_effort", "response_format", "seed",
    "stop", "stream", "stream_options", "temperature", "tool_choice", "tools", "top_logprobs", "top_p", "verbosity",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(FIELDS.keys() - WORDED))
def test_every_documented_field_without_a_word_is_told(name: str) -> None:
    values: dict[type, JsonValue] = {str: "x", dict: {"x": 1}, bool: True}
    assert words(ask(**{name: values[FIELDS[name][1][0]]})).unmapped == (name,)


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_a_real_request_can_be_said_in_our_words(path: Path) -> None:
    request = OpenAIChatCallers().parse_request(path.read_bytes())
    came = json.dumps(request.source.body)
    prompt = request.prompt()
    assert len(prompt.messages) == len(json.loads(came)["messages"])
    assert request.prompt() == prompt and json.dumps(request.source.body) == came


# What is wrong ---------------------------------------------------------------------------------------------------


def message(**fields: JsonValue) -> JsonObject:
    return ask(messages=[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "a", **fields}])


def content(*parts: JsonValue) -> JsonObject:
    return ask(messages=[{"role": "user", "content": [{"type": "text", "text": "see"}, *parts]}])


PART = "messages[0].content[1]"
URL = f"{PART}.image_url.url"
CALL = "messages[1].tool_calls[0]"
CHOICE = "tool_choice.allowed_tools"


@each_case(
    ("body", "param"),
    [
        (ask(messages=[{"role": "critic", "content": SECRET}]), "messages[0].role"),
        (content({"type": "text"}), f"{PART}.text"),
        (content({"type": "text", "text": [SECRET]}), f"{PART}.text"),
        (content({"type": "refusal"}), f"{PART}.refusal"),
        (content({"type": "image_url"}), f"{PART}.image_url"),
        (content({"type": "image_url", "image_url": [SECRET]}), f"{PART}.image_url"),
        (content({"type": "image_url", "image_url": SECRET}), f"{PART}.image_url"),
        (content(image(None)), URL),
        (content(image("")), URL),
        (content(image({SECRET: 1})), URL),
        (content(image(SECRET)), URL),
        (content(image("file:///etc/passwd")), URL),
        (content(image("ftp://example.org/a.png")), URL),
        (content(image("/home/a.png")), URL),
        (content(image("https://")), URL),
        (content(image("https:a.png")), URL),
        (content(image("https://a/b c.png")), URL),
        (content(image("data:image/png;base64")), URL),
        (content(image("data:image/png;base64,")), URL),
        (content(image("data:image/png,")), URL),
        (content(image("data:image/png;base64,my-private-prompt!")), URL),
        (content(image("data:image/png;base64,AAAAA")), URL),
        (content(image("data:image/png;base64,AA=A")), URL),
        (content(image("data:image/png;base64,ÄÄ")), URL),
        (content(image("data:image;base64,AA==")), URL),
        (content(image("https://a", detail=1)), f"{PART}.image_url.detail"),
        (content({"type": "input_audio"}), f"{PART}.input_audio"),
        (content({"type": "input_audio", "input_audio": {"format": "wav"}}), f"{PART}.input_audio.data"),
        (content({"type": "input_audio", "input_audio": {"data": "A", "format": "wav"}}), f"{PART}.input_audio.data"),
        (content({"type": "input_audio", "input_audio": {"data": "AA"}}), f"{PART}.input_audio.format"),
        (
            content({"type": "input_audio", "input_audio": {"data": "AA", "format": "a/b"}}),
            f"{PART}.input_audio.format",
        ),
        (content({"type": "file"}), f"{PART}.file"),
        (content({"type": "file", "file": {}}), f"{PART}.file.file_data"),
        (content({"type": "file", "file": {"file_url": "https://a"}}), f"{PART}.file.file_data"),
        (content({"type": "file", "file": {"file_data": "!"}}), f"{PART}.file.file_data"),
        (content({"type": "file", "file": {"file_data": "data:,"}}), f"{PART}.file.file_data"),
        (content({"type": "file", "file": {"file_id": 7}}), f"{PART}.file.file_id"),
        (content({"type": "text", "text": "a", "extra_content": SECRET}), f"{PART}.extra_content"),
        (message(extra_content=[SECRET]), "messages[1].extra_content"),
        (message(reasoning_content=[SECRET]), "messages[1].reasoning_content"),
        (message(images=SECRET), "messages[1].images"),
        (message(images=[SECRET]), "messages[1].images[0]"),
        (message(images=[{}]), "messages[1].images[0].image_url"),
        (message(audio=SECRET), "messages[1].audio"),
        (message(function_call=SECRET), "messages[1].function_call"),
        (message(function_call={"arguments": "{}"}), "messages[1].function_call.name"),
        (message(tool_calls=[{"type": "function"}]), f"{CALL}.function"),
        (message(tool_calls=[{}]), f"{CALL}.function"),
        (message(tool_calls=[call(id=7)]), f"{CALL}.id"),
        (message(tool_calls=[call(function={"arguments": "{}"})]), f"{CALL}.function.name"),
        (message(tool_calls=[call(function={"name": "f", "arguments": [SECRET]})]), f"{CALL}.function.arguments"),
        (message(tool_calls=[call(extra_content=SECRET)]), f"{CALL}.extra_content"),
        (message(tool_calls=[{"type": "custom"}]), f"{CALL}.custom"),
        (message(tool_calls=[{"type": "custom", "custom": {"name": "p", "input": {}}}]), f"{CALL}.custom.input"),
        (
            ask(tools=[{"type": "function", "function": {"name": "f", "description": 7}}]),
            "tools[0].function.description",
        ),
        (ask(tools=[{"type": "custom"}]), "tools[0].custom"),
        (ask(tools=[{"type": ""}]), "tools[0].type"),
        (ask(functions=[SECRET]), "functions[0]"),
        (ask(functions=[{}]), "functions[0].name"),
        (ask(tool_choice=SECRET), "tool_choice"),
        (ask(tool_choice={}), "tool_choice.type"),
        (ask(tool_choice={"type": "function"}), "tool_choice.function"),
        (ask(tool_choice={"type": "function", "function": {"name": 7}}), "tool_choice.function.name"),
        (ask(tool_choice={"type": "allowed_tools"}), CHOICE),
        (ask(tool_choice={"type": "allowed_tools", "allowed_tools": {"mode": "none"}}), f"{CHOICE}.mode"),
        (ask(tool_choice={"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}), f"{CHOICE}.tools"),
        (
            ask(
                tool_choice={"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "custom"}]}}
            ),
            f"{CHOICE}.tools[0].custom",
        ),
        (ask(function_call="required?"), "function_call"),
        (ask(function_call={}), "function_call.name"),
        (ask(stop=["a", 7]), "stop[1]"),
        (ask(modalities=[7]), "modalities[0]"),
        (ask(top_k="7"), "top_k"),
        (ask(top_k=True), "top_k"),
        (ask(reasoning=SECRET), "reasoning"),
        (ask(reasoning={"effort": 7}), "reasoning.effort"),
        (ask(response_format={}), "response_format.type"),
        (ask(response_format={"type": "json_schema"}), "response_format.json_schema"),
        (
            ask(response_format={"type": "json_schema", "json_schema": {"schema": SECRET}}),
            "response_format.json_schema.schema",
        ),
        (ask(extra_body=SECRET), "extra_body"),
    ],
)
def test_a_mistake_is_named_where_it_is(body: JsonObject, param: str) -> None:
    assert refusal(body).param == param


@each_case("wrong", [SECRET, True, 7.5, [[]], {SECRET: 1}])
@each_case("name", sorted(WORDED - {"n", "stream", "stream_options", "functions", "tools"}))
def test_reading_does_not_lean_on_the_check_of_the_fields(name: str, wrong: JsonValue) -> None:
    try:
        read_prompt(ask(**{name: wrong}))
    except InvalidRequest as error:
        assert error.param is not None and error.param.startswith(name)
    else:
        assert type(wrong) in FIELDS[name][1]


def test_content_that_is_neither_text_nor_parts_is_named() -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_prompt({"messages": [{"role": "user", "content": 7}]})
    assert caught.value.param == "messages[0].content"


NAMES = [
    "role", "content", "tool_calls", "tool_call_id", "name", "type", "function", "custom", "parameters",
    "arguments", "input", "text", "refusal", "image_url", "url", "detail", "input_audio", "data", "format",
    "file", "file_data", "file_id", "filename", "images", "audio", "extra_content", "reasoning_content",
    "function_call", "allowed_tools", "mode", "tools", "effort", "json_schema", "schema", "index",
]  # fmt: skip
TEXTS = [
    "user", "assistant", "tool", "function", "custom", "text", "image_url", "input_audio", "file", "refusal",
    "auto", "allowed_tools", "json_schema", "data:image/png;base64,AA==", "data:,", "https://a", "AA", "wav",
]  # fmt: skip

scalars: st.SearchStrategy[JsonValue] = st.one_of(
    st.sampled_from(TEXTS),
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False),
    st.text(),
)
values: st.SearchStrategy[JsonValue] = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)),
    max_leaves=12,
)


@st.composite
def wild(draw: st.DrawFn) -> JsonObject:
    """A request that uses the API's words for anything."""
    body: JsonObject = {"model": "m"}
    messages: list[JsonValue] = []
    for role in draw(st.lists(st.sampled_from(["user", "assistant", "assistant", "tool", "function"]), min_size=1)):
        more = draw(st.dictionaries(st.sampled_from(NAMES), values, max_size=4))
        messages.append({"content": "c", "tool_call_id": "i", **more, "role": role})
    body["messages"] = messages
    for name in draw(st.sets(st.sampled_from([*FIELDS, "top_k", "reasoning", "extra_body", "tomorrow"]), max_size=4)):
        body[name] = draw(values)
    return body


@given(wild())
def test_any_request_is_said_in_our_words_or_is_an_invalid_request(body: JsonObject) -> None:
    try:
        request = OpenAIChatCallers().parse_request(dumps(body))
        came = dumps(request.source.body)
        prompt = request.prompt()
    except InvalidRequest as error:
        assert error.param
    else:
        assert len(prompt.messages) == len(request.source.body["messages"] or ())  # type: ignore[arg-type]
        assert dumps(request.source.body) == came
        assert all(name.isascii() and name.isprintable() and "," not in name for name in prompt.unmapped)
