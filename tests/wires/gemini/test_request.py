"""Chats in Gemini's words: transcripts, and properties that hold for any of them."""

import base64
import json
import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import InvalidRequest
from gateway.core.provider_failures import UnsupportedByTarget
from gateway.core.rendered import Ask, Rendered
from gateway.core.request import (
    ChatRequest,
    JsonOutput,
    Media,
    Message,
    Params,
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
from gateway.core.source import Source
from gateway.core.strict_json import JsonObject
from gateway.wires.gemini import media, request
from gateway.wires.gemini.contents import CONTINUE
from gateway.wires.gemini.signatures import PLACEHOLDER, CallData
from gateway.wires.openai_chat.inbound.request import parse
from gateway.wires.reasoning_memory import ReasoningMemory

OLD, NEW = "gemini-2.5-flash", "gemini-3-pro-preview"
PNG = "iVBORw0KGgo="
DEFINITIONS = json.loads((Path(__file__).parents[2] / "schemas" / "gemini.json").read_text("utf-8"))["$defs"]
CHECK = jsonschema.Draft202012Validator({"$ref": "#/$defs/GenerateContentRequest", "$defs": DEFINITIONS})


def rendered(prompt: Prompt, model: str = OLD, memory: ReasoningMemory | None = None, choices: int = 1) -> Rendered:
    chat = ChatRequest("alias", False, False, Source("test", {}), lambda: prompt, choices)
    return request.render(chat, model, memory or ReasoningMemory(), Ask())


def body(told: Rendered) -> Any:
    """The body, if Google's schema takes it."""
    value = json.loads(told.body)
    faults = [f"{'/'.join(map(str, fault.absolute_path))}: {fault.message}" for fault in CHECK.iter_errors(value)]
    assert not faults, "\n".join(faults)
    return value


def contents(*messages: Message, model: str = OLD, memory: ReasoningMemory | None = None) -> Any:
    return body(rendered(Prompt(messages), model, memory))["contents"]


def dropped(*messages: Message, model: str = OLD) -> tuple[str, ...]:
    return rendered(Prompt(messages), model).dropped


def system(text: str) -> Message:
    return Message("system", (Text(text),))


def user(*parts: Part | str) -> Message:
    return Message("user", tuple(Text(part) if isinstance(part, str) else part for part in parts))


def assistant(*parts: Part | str, **extra: Any) -> Message:
    return Message("assistant", tuple(Text(part) if isinstance(part, str) else part for part in parts), extra=extra)


def tool(call_id: str, *parts: Part | str, name: str | None = None) -> Message:
    said = tuple(Text(part) if isinstance(part, str) else part for part in parts)
    return Message("tool", said, call_id=call_id, name=name)


def call(call_id: str, name: str = "f", arguments: str = "{}", **google: Any) -> ToolCall:
    return ToolCall(call_id, name, arguments, extra={"google": google} if google else {})


def says(role: str, *parts: Any) -> JsonObject:
    return {"role": role, "parts": [{"text": part} if isinstance(part, str) else part for part in parts]}


def calls(name: str = "f", args: Any = None, signature: str | None = None, **more: Any) -> JsonObject:
    signed: JsonObject = {"thoughtSignature": signature} if signature else {}
    return {"functionCall": {"name": name, **more, "args": {} if args is None else args}, **signed}


def brings(response: Any, name: str = "f", **more: Any) -> JsonObject:
    return {"functionResponse": {"name": name, **more, "response": response}}


MISSING = {"error": "no result"}
INLINE: JsonObject = {"inlineData": {"mimeType": "image/png", "data": PNG}}
IMAGE = Media("image", "image/png", PNG)


# Turns -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        pytest.param([user("hi")], [says("user", "hi")], id="one user"),
        pytest.param(
            [user("a"), assistant("b"), user("c")],
            [says("user", "a"), says("model", "b"), says("user", "c")],
            id="in turn",
        ),
        pytest.param(
            [user("a"), user("b", "c"), assistant("d"), assistant("e"), user("f")],
            [says("user", "a", "b", "c"), says("model", "d", "e"), says("user", "f")],
            id="neighbours of one role become one",
        ),
        pytest.param(
            [user("a"), assistant(""), user("", "b")], [says("user", "a", "b")], id="empty texts and turns vanish"
        ),
        pytest.param([user("")], [says("user", " ")], id="somebody must say something"),
        pytest.param([], [says("user", " ")], id="no messages at all"),
        pytest.param(
            [assistant("a"), user("b")], [says("user", " "), says("model", "a"), says("user", "b")], id="leads"
        ),
        pytest.param([user("a"), assistant("b")], [says("user", "a"), says("model", "b")], id="prefill stays on 2.x"),
        pytest.param([user("a", IMAGE)], [says("user", "a", INLINE)], id="media among text"),
        pytest.param([user(IMAGE)], [says("user", INLINE)], id="media alone"),
        pytest.param(
            [user("draw"), assistant("here", IMAGE), user("bluer")],
            [says("user", "draw"), says("model", "here", INLINE), says("user", "bluer")],
            id="what a model has drawn",
        ),
        pytest.param(
            [user("a"), assistant(Reasoning("hm"), "b", Refusal("no")), user("c")],
            [says("user", "a"), says("model", "b", "no"), says("user", "c")],
            id="thoughts stay out, a refusal is text",
        ),
        pytest.param([user("a"), assistant(Reasoning("hm")), user("b")], [says("user", "a", "b")], id="only thought"),
    ],
)
def test_turns(messages: list[Message], expected: list[JsonObject]) -> None:
    assert contents(*messages) == expected


def test_a_newer_model_is_asked_to_go_on_where_an_assistant_comes_last() -> None:
    assert contents(user("a"), assistant("b"), model=NEW) == [
        says("user", "a"),
        says("model", "b"),
        says("user", CONTINUE),
    ]


def test_all_that_the_system_says_is_kept_in_order() -> None:
    messages = (
        system("one"),
        user("hi"),
        Message("system", (Text("two"), Text(""), Text("three"))),
        system(""),
        assistant("yes"),
        user("go"),
        system("four"),
    )
    told = body(rendered(Prompt(messages)))
    assert told["systemInstruction"] == {"parts": [{"text": "one"}, {"text": "two\nthree"}, {"text": "four"}]}
    assert told["contents"] == [says("user", "hi"), says("model", "yes"), says("user", "go")]


def test_a_system_that_speaks_alone_speaks_as_a_user() -> None:
    told = body(rendered(Prompt((system("one"), system("two"), user("")))))
    assert told == {"contents": [says("user", "one", "two")]}


# Calls and results -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        pytest.param(
            [user("a"), assistant("let me see", call("1")), tool("1", "ok"), user("b")],
            [
                says("user", "a"),
                says("model", "let me see", calls()),
                says("user", brings({"result": "ok"}), "b"),
            ],
            id="text first, then the call; what the user says next follows the result",
        ),
        pytest.param(
            [user("a"), assistant(call("1", "f"), call("2", "g")), tool("2", "two"), tool("1", "one")],
            [
                says("user", "a"),
                says("model", calls("f"), calls("g")),
                says("user", brings({"result": "one"}, "f"), brings({"result": "two"}, "g")),
            ],
            id="one Content of results, in the order of the calls",
        ),
        pytest.param(
            [user("a"), assistant(call("1")), user("b"), assistant("c"), user("d"), tool("1", "late")],
            [
                says("user", "a"),
                says("model", calls()),
                says("user", brings({"result": "late"}), "b"),
                says("model", "c"),
                says("user", "d"),
            ],
            id="a result that stands further on",
        ),
        pytest.param(
            [user("a"), assistant(call("1"), call("2", "g")), tool("2", "two"), user("b")],
            [
                says("user", "a"),
                says("model", calls(), calls("g")),
                says("user", brings(MISSING), brings({"result": "two"}, "g"), "b"),
            ],
            id="a result that is missing",
        ),
        pytest.param(
            [user("a"), assistant(call("1"))],
            [says("user", "a"), says("model", calls()), says("user", brings(MISSING))],
            id="calls at the end",
        ),
        pytest.param(
            [assistant(call("1")), tool("1", "ok")],
            [says("user", " "), says("model", calls()), says("user", brings({"result": "ok"}))],
            id="calls at the beginning",
        ),
        pytest.param(
            [user("a"), assistant(call("1")), assistant(call("2", "g")), tool("1", "one"), tool("2", "two")],
            [
                says("user", "a"),
                says("model", calls(), calls("g")),
                says("user", brings({"result": "one"}), brings({"result": "two"}, "g")),
            ],
            id="calls in messages beside each other are one step",
        ),
        pytest.param(
            [user("a"), assistant(call("1")), assistant("wait"), tool("1", "ok")],
            [says("user", "a"), says("model", "wait", calls()), says("user", brings({"result": "ok"}))],
            id="what is said between a call and its result is said before the call",
        ),
        pytest.param(
            [
                *(user("a"), assistant(call("0", arguments='{"n":1}')), tool("0", "one")),
                *(assistant(call("0", arguments='{"n":2}')), tool("0", "two")),
            ],
            [
                *(says("user", "a"), says("model", calls(args={"n": 1})), says("user", brings({"result": "one"}))),
                *(says("model", calls(args={"n": 2})), says("user", brings({"result": "two"}))),
            ],
            id="an id that counts from 0 in every turn",
        ),
        pytest.param(
            [user("a"), assistant(call("0")), user("b"), assistant(call("0")), tool("0", "two")],
            [
                *(says("user", "a"), says("model", calls()), says("user", brings(MISSING), "b")),
                *(says("model", calls()), says("user", brings({"result": "two"}))),
            ],
            id="the nearest result is the one",
        ),
        pytest.param(
            [user("a"), assistant(call("x"), call("x")), tool("x", "one"), tool("x", "two")],
            [
                says("user", "a"),
                says("model", calls(), calls()),
                says("user", brings({"result": "one"}), brings({"result": "two"})),
            ],
            id="one id twice in one turn",
        ),
        pytest.param(
            [user("a"), assistant(call("x"), call("x")), tool("x", "one")],
            [
                says("user", "a"),
                says("model", calls(), calls()),
                says("user", brings({"result": "one"}), brings(MISSING)),
            ],
            id="one id twice, one result",
        ),
        pytest.param(
            [user("a"), assistant(call("x")), tool("x", "one"), tool("x", "two")],
            [says("user", "a"), says("model", calls()), says("user", brings({"result": "one\ntwo"}))],
            id="two results for one call",
        ),
        pytest.param(
            [
                *(user("a"), assistant(call("", "f"), call("", "g"), call("", "f"))),
                *(tool("", "1st", name="f"), tool("", "2nd", name="f"), tool("", "of g", name="g")),
            ],
            [
                says("user", "a"),
                says("model", calls("f"), calls("g"), calls("f")),
                says(
                    "user",
                    brings({"result": "1st"}, "f"),
                    brings({"result": "of g"}, "g"),
                    brings({"result": "2nd"}, "f"),
                ),
            ],
            id="legacy calls have names only",
        ),
    ],
)
def test_calls_and_results(messages: list[Message], expected: list[JsonObject]) -> None:
    assert contents(*messages) == expected


@pytest.mark.parametrize(
    "messages",
    [
        [user("a"), tool("1", "ok")],
        [user("a"), assistant(call("1")), tool("2", "ok")],
        [user("a"), tool("1", "ok"), assistant(call("1"))],
        [user("a"), assistant(call("1")), tool("", "ok", name="f")],
        [user("a"), assistant(call("", "f")), tool("", "ok", name="g")],
        [user("a"), assistant(call("", "f")), tool("", "ok")],
    ],
    ids=["no call", "another id", "before its call", "a name for an id", "another name", "neither"],
)
def test_a_tool_message_that_answers_no_call_is_refused(messages: list[Message]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        contents(*messages)
    assert refused.value.param == "messages"


def test_a_tool_message_may_answer_a_call_that_only_another_provider_knows() -> None:
    with pytest.raises(UnsupportedByTarget):
        contents(user("a"), assistant(UnknownPart("computer_call")), tool("1", "ok"))


@pytest.mark.parametrize(
    ("arguments", "args"),
    [
        ('{"a": [1, {"b": null}]}', {"a": [1, {"b": None}]}),
        ("", {}),
        (" \n", {}),
        ("null", {}),
        ("[1, 2]", {"value": [1, 2]}),
        ('"text"', {"value": "text"}),
        ("7", {"value": 7}),
        ('{"a": 1', {"value": '{"a": 1'}),
        ("1e999", {"value": "1e999"}),
        ("[" * 1000, {"value": "[" * 1000}),
        ("\ud800", {"value": "\ufffd"}),
    ],
)
def test_arguments_are_an_object_whatever_a_model_has_written(arguments: str, args: Any) -> None:
    assert contents(user("a"), assistant(call("1", arguments=arguments)))[1] == says("model", calls(args=args))


def test_a_custom_call_takes_its_text_as_input() -> None:
    patch = ToolCall("1", "patch", '{"not": "json"', "custom")
    assert contents(user("a"), assistant(patch))[1] == says("model", calls("patch", {"input": '{"not": "json"'}))


@pytest.mark.parametrize(
    ("texts", "response"),
    [
        (['{"a": {"b": 1}}'], {"a": {"b": 1}}),
        (["{}"], {}),
        (["plain"], {"result": "plain"}),
        ([], {"result": ""}),
        (["[1, 2]"], {"result": [1, 2]}),
        (["1.10"], {"result": "1.10"}),
        (["12345678901234567890"], {"result": "12345678901234567890"}),
        (["true"], {"result": "true"}),
        (['{"a": '], {"result": '{"a": '}),
        (["{" * 1000], {"result": "{" * 1000}),
        (["one", "", "two"], {"result": "one\ntwo"}),
        (["", "{}"], {}),
    ],
)
def test_a_result_is_an_object(texts: list[str], response: Any) -> None:
    told = contents(user("a"), assistant(call("1")), tool("1", *texts))
    assert told[2] == says("user", brings(response))


def test_what_a_newer_model_gets_with_a_result_is_inside_it() -> None:
    pdf, wav = Media("file", "application/pdf", "JVBERi0="), Media("audio", "audio/wav", "UklGRg==")
    far = Media("image", uri="https://example.com/a.png")
    told = contents(
        user("a"), assistant(call("1")), tool("1", "see", IMAGE, pdf, wav, far), user("and", IMAGE), model=NEW
    )
    assert told[2] == says(
        "user",
        brings({"result": "see"}, parts=[INLINE, {"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0="}}]),
        {"inlineData": {"mimeType": "audio/wav", "data": "UklGRg=="}},
        {"fileData": {"fileUri": "https://example.com/a.png", "mimeType": "image/png"}},
        "and",
        INLINE,
    )


def test_an_older_model_gets_media_behind_the_results() -> None:
    told = contents(
        *(user("a"), assistant(call("1"), call("2")), tool("1", IMAGE), tool("2", StoredFile("files/abc"), "ok")),
        user("and"),
    )
    address = "https://generativelanguage.googleapis.com/v1beta/files/abc"
    assert told[2:] == [
        says("user", brings({"result": ""}), brings({"result": "ok"})),
        says("user", INLINE, {"fileData": {"fileUri": address}}, "and"),
    ]


def test_an_older_model_gets_the_users_media_behind_the_results() -> None:
    told = contents(user("a"), assistant(call("1")), tool("1", "ok"), user("see", IMAGE, "there"))
    assert told[2:] == [says("user", brings({"result": "ok"})), says("user", "see", INLINE, "there")]


def test_illegal_names_are_the_same_in_calls_results_and_tools() -> None:
    bad = "mcp/server tool"
    messages = (user("a"), assistant(call("1", bad)), tool("1", "ok"))
    told = rendered(Prompt(messages, tools=(Tool(bad, "does", {"type": "object", "properties": {"a": {}}}),)))
    value = body(told)
    [(sent, tool_)] = told.tools.items()
    assert tool_.name == bad
    assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}", sent)
    assert value["contents"][1:] == [says("model", calls(sent)), says("user", brings({"result": "ok"}, sent))]
    assert value["tools"][0]["functionDeclarations"][0]["name"] == sent


# Signatures --------------------------------------------------------------------------------------------------------


def test_a_signature_and_an_id_come_back_on_their_call() -> None:
    told = contents(
        user("a"),
        assistant(call("1", thought_signature="c2ln", function_call_id="n1"), call("2", "g")),
        *(tool("2", "two"), tool("1", "one")),
        model=NEW,
    )
    assert told[1:] == [
        says("model", calls(signature="c2ln", id="n1"), calls("g")),
        says("user", brings({"result": "one"}, id="n1"), brings({"result": "two"}, "g")),
    ]


def test_the_memory_knows_what_a_client_did_not_keep() -> None:
    memory = ReasoningMemory()
    memory.keep("1", CallData("c2ln", "n1").extra)
    memory.keep("2", CallData("b3RoZXI=", "n2").extra)
    given_back = call("2", "g", thought_signature="b3du")
    told = contents(user("a"), assistant(call("1"), given_back), model=NEW, memory=memory)
    assert told[1:] == [
        says("model", calls(signature="c2ln", id="n1"), calls("g", signature="b3du", id="n2")),
        says("user", brings(MISSING, id="n1"), brings(MISSING, "g", id="n2")),
    ]


def test_ids_are_not_for_older_models() -> None:
    told = contents(user("a"), assistant(call("1", thought_signature="c2ln", function_call_id="n1")), model=OLD)
    assert told[1:] == [says("model", calls(signature="c2ln")), says("user", brings(MISSING))]


def test_a_placeholder_stands_for_a_missing_signature_on_the_first_call_of_each_step() -> None:
    messages = (
        *(user("a"), assistant(call("1"), call("2")), tool("1", "x"), tool("2", "x"), assistant(call("3"))),
        *(tool("3", "x"), user("b"), assistant(call("4", thought_signature="c2ln")), assistant(call("5")), tool("4")),
    )
    told = contents(*messages, model=NEW)
    assert [content for content in told if content["role"] == "model"] == [
        says("model", calls(signature=PLACEHOLDER), calls()),
        says("model", calls(signature=PLACEHOLDER)),
        says("model", calls(signature="c2ln"), calls()),
    ]
    assert "thoughtSignature" not in json.dumps(contents(*messages[:4], model=OLD))


def test_a_client_may_give_the_placeholder_itself() -> None:
    own = [call(name, thought_signature=PLACEHOLDER) for name in "12"]
    told = contents(user("a"), assistant(own[0]), tool("1"), assistant(own[1]), tool("2"), model=NEW)
    assert told[1] == told[3] == says("model", calls(signature=PLACEHOLDER))


def test_a_signature_is_on_one_part_only() -> None:
    twice = [call("1", thought_signature="c2ln"), call("2", thought_signature="c2ln")]
    told = contents(user("a"), assistant("t", *twice, google={"thought_signature": "c2ln"}), model=NEW)
    assert json.dumps(told).count("c2ln") == 1


@pytest.mark.parametrize("signature", ["not base64!", "x", "a=b", "=", "", 7, None, ["c2ln"], {}])
def test_what_is_no_signature_is_left_out(signature: Any) -> None:
    message = assistant("t", call("1", thought_signature=signature), google={"thought_signature": signature})
    assert contents(user("a"), message)[1] == says("model", "t", calls())


@pytest.mark.parametrize("signature", ["c2ln", "c2lnbg==", "c2lnbg", "-_-_", "+/+/", "A" * 10_000])
def test_a_signature_is_not_altered(signature: str) -> None:
    assert contents(user("a"), assistant(call("1", thought_signature=signature)))[1] == says(
        "model", calls(signature=signature)
    )


def test_the_signature_of_a_text_is_on_its_last_part() -> None:
    of_message = assistant("a", "b", google={"thought_signature": "c2ln"})
    of_text = Message("assistant", (Text("c"), Text("", extra={"google": {"thought_signature": "b3du"}})))
    told = contents(user("x"), of_message, user("y"), of_text, user("z"), model=NEW)
    assert told[1] == says("model", "a", {"text": "b", "thoughtSignature": "c2ln"})
    assert told[3] == says("model", {"text": "c", "thoughtSignature": "b3du"})


@pytest.mark.parametrize("extra", [{"other": {"thought_signature": "c2ln"}}, {"google": "c2ln"}, {"google": [1]}])
def test_what_other_vendors_put_beside_is_theirs(extra: JsonObject) -> None:
    messages = (user("a"), assistant("t", ToolCall("1", "f", "{}", extra=extra), **extra), tool("1", "ok"))
    told = rendered(Prompt(messages))
    assert body(told)["contents"][1] == says("model", "t", calls())
    assert told.dropped == ()


# Media -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "mime"),
    [
        (Media("image", "image/png", PNG), "image/png"),
        (Media("image", "image/jpg", PNG), "image/jpeg"),
        (Media("image", "IMAGE/PNG; charset=utf-8", PNG), "image/png"),
        (Media("image", "", PNG), "image/png"),
        (Media("image", "", "/9j/4AAQ"), "image/jpeg"),
        (Media("image", "", base64.b64encode(b"RIFF\0\0\0\0WEBPVP8 ").decode()), "image/webp"),
        (Media("file", "", base64.b64encode(b"RIFF\0\0\0\0WAVEfmt ").decode()), "audio/wav"),
        (Media("image", "", base64.b64encode(b"RIFF").decode()), "image/jpeg"),
        (Media("image", "", "AAAA"), "image/jpeg"),
        (Media("audio", "audio/wav", "AAAA"), "audio/wav"),
        (Media("audio", "audio/x-wav", "AAAA"), "audio/wav"),
        (Media("audio", "audio/mpeg", "AAAA"), "audio/mp3"),
        (Media("audio", "audio/mp3", "AAAA"), "audio/mp3"),
        (Media("audio", "", "AAAA"), "audio/wav"),
        (Media("file", "", "AAAA", name="notes.txt"), "text/plain"),
        (Media("file", "application/octet-stream", "AAAA", name="dir.d/Report.CSV"), "text/csv"),
        (Media("file", "application/octet-stream", "JVBERi0x"), "application/pdf"),
        (Media("file", "nonsense", "AAAA"), "application/pdf"),
    ],
)
def test_the_type_of_bytes_is_one_that_gemini_knows(given: Media, mime: str) -> None:
    assert contents(user(given)) == [says("user", {"inlineData": {"mimeType": mime, "data": given.data}})]


@pytest.mark.parametrize(
    ("data", "sent"), [("-_-_", "+/+/"), ("AAA", "AAA="), (" AA\r\nAA\n", "AAAA"), ("AA==", "AA==")]
)
def test_base64_is_put_right(data: str, sent: str) -> None:
    assert contents(user(Media("image", "image/png", data)))[0]["parts"][0]["inlineData"]["data"] == sent


@pytest.mark.parametrize(
    "given",
    [
        Media("image", "image/png", "not base64!"),
        Media("image", "image/png", "A"),
        Media("image", "image/png", "===="),
        Media("image", "image/png", "\u00e4\u00e4\u00e4\u00e4"),
        Media("image", "image/png", "AA=A"),
        Media("image", "image/png"),
        Media("image", uri="file:///etc/passwd"),
        Media("image", uri="https://"),
        Media("image", uri="https://a b"),
        Media("file", uri="picture.png"),
    ],
)
def test_media_that_are_none_are_refused(given: Media) -> None:
    with pytest.raises(InvalidRequest) as refused:
        contents(user(given))
    assert refused.value.param == "messages"
    assert "passwd" not in refused.value.message


@pytest.mark.parametrize(
    ("given", "data"),
    [
        (Media("image", uri="https://a.example/b.PNG?x=1.gif#y"), {"mimeType": "image/png"}),
        (Media("image", "image/jpg", uri="HTTP://a.example/b"), {"mimeType": "image/jpeg"}),
        (Media("image", uri="gs://bucket/b.jpg"), {"mimeType": "image/jpeg"}),
        (Media("image", uri="https://a.example/b.d/c"), {}),
        (Media("image", uri="https://a.example"), {}),
        (Media("file", uri="https://www.youtube.com/watch?v=1"), {}),
    ],
)
def test_what_is_on_the_net_is_told_by_its_address(given: Media, data: JsonObject) -> None:
    assert contents(user(given)) == [says("user", {"fileData": {"fileUri": given.uri, **data}})]


@pytest.mark.parametrize("name", ["files/abc-123", "https://generativelanguage.googleapis.com/v1beta/files/abc-123"])
def test_a_file_that_is_stored_with_google_is_told_by_its_address(name: str) -> None:
    address = "https://generativelanguage.googleapis.com/v1beta/files/abc-123"
    assert contents(user(StoredFile(name))) == [says("user", {"fileData": {"fileUri": address}})]


@pytest.mark.parametrize(
    "name", ["file-abc123", "files/", "files/../x", "https://example.com/files/abc", "", "https://generativelanguage."]
)
def test_a_file_that_is_stored_elsewhere_is_for_another_provider(name: str) -> None:
    with pytest.raises(UnsupportedByTarget):
        contents(user(StoredFile(name)))


@pytest.mark.parametrize(
    ("detail", "level"), [("low", "LOW"), ("high", "HIGH"), ("auto", None), (None, None), ("odd", None)]
)
def test_a_newer_model_is_told_how_closely_to_look(detail: str | None, level: str | None) -> None:
    given = Media("image", "image/png", PNG, detail=detail)
    resolution = {"mediaResolution": {"level": f"MEDIA_RESOLUTION_{level}"}} if level else {}
    assert contents(user(given), model=NEW) == [says("user", {**INLINE, **resolution})]
    assert dropped(user(given), model=NEW) == ()
    assert contents(user(given), model=OLD) == [says("user", INLINE)]
    assert dropped(user(given), model=OLD) == (("messages.content.image_url.detail",) if level else ())


# What is left out, and the rest of the body ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("messages", "names"),
    [
        ([Message("user", (Text("a"),), name="bob"), Message("system", (), name="x")], ("messages.name",)),
        ([user("a", UnknownPart("video_url"), UnknownPart("video_url"))], ("messages.content.video_url",)),
        ([user("a", UnknownPart("odd, kind\u00e9"))], ("messages.content.odd??kind?",)),
        ([user("a"), Message("system", (IMAGE, StoredFile("x"), UnknownPart("y")))],
            ("messages.content.image_url", "messages.content.file", "messages.content.y")),
        ([user("a", call("1"))], ("messages.tool_calls",)),
        ([user(Media("file", "application/pdf", PNG, name="a.pdf"))], ("messages.content.file.filename",)),
        ([user("a"), assistant(call("1")), tool("1", "x", UnknownPart("y"), call("2"), Reasoning("z"))],
            ("messages.content.y", "messages.tool_calls")),
    ],
)  # fmt: skip
def test_what_is_left_out_is_told(messages: list[Message], names: tuple[str, ...]) -> None:
    assert dropped(*messages) == names


def test_detail_has_no_place_in_a_result() -> None:
    given = Media("image", "image/png", PNG, detail="high")
    messages = (user("a"), assistant(call("1")), tool("1", given))
    assert contents(*messages, model=NEW)[2] == says("user", brings({"result": ""}, parts=[INLINE]))
    assert dropped(*messages, model=NEW) == ("messages.content.image_url.detail",)


def test_what_our_words_leave_out_is_told_first_and_once() -> None:
    prompt = Prompt((Message("user", (Text("a"),), name="bob"),), unmapped=("logit_bias", "store", "logit_bias"))
    assert rendered(prompt).dropped == ("logit_bias", "store", "messages.name")


def test_what_a_caller_says_to_google_reaches_google() -> None:
    safety: list[Any] = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
    google: Any = {
        "cached_content": "cachedContents/1",
        "safetySettings": safety,
        "thinking_config": {"thinking_budget": 0},
        "labels": None,
    }
    told = rendered(Prompt((user("a"),), extra={"google": google, "anthropic": {"x": 1}}))
    assert body(told) == {
        "contents": [says("user", "a")],
        "cachedContent": "cachedContents/1",
        "safetySettings": safety,
        "generationConfig": {"thinkingConfig": {"thinkingBudget": 0}},
    }
    assert told.dropped == ()


@pytest.mark.parametrize(
    ("google", "name"),
    [
        ({"cached_content": 1}, ".cached_content"),
        ({"safety_settings": {"category": "x"}}, ".safety_settings"),
        ({"safety_settings": [{"category": "hate", "threshold": "OFF"}, 1, {"category": []}]}, ".safety_settings"),
        ({"labels": {"a": "b"}}, ".labels"),
    ],
)
def test_what_google_would_not_take_is_left_out_and_told(google: Any, name: str) -> None:
    told = rendered(Prompt((user("a"),), extra={"google": google}))
    assert body(told) == {"contents": [says("user", "a")]}
    assert told.dropped == (f"extra_body.google{name}",)


def test_of_safety_settings_the_right_ones_are_kept() -> None:
    right = {"category": "HARM_CATEGORY_HATE_SPEECH", "threshold": "OFF"}
    told = rendered(Prompt((user("a"),), extra={"google": {"safety_settings": [{**right, "method": "x"}, None]}}))
    assert body(told)["safetySettings"] == [right]
    assert told.dropped == ("extra_body.google.safety_settings",)


def test_an_openai_request_becomes_a_gemini_request() -> None:
    asked = {
        "model": "alias",
        "n": 2,
        "temperature": 0.5,
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": f"DATA:image/jpg;charset=utf-8;base64,{PNG}"}},
                ],
            },
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "look", "arguments": '{"at": "it"}'},
                        "extra_content": {"google": {"thought_signature": "c2ln"}},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "a cat"},
        ],
        "tools": [{"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": {}}}],
        "tool_choice": "auto",
    }
    told = request.render(parse(json.dumps(asked).encode()), OLD, ReasoningMemory(), Ask())
    value = body(told)
    assert value["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    assert value["contents"] == [
        says("user", "What is this?", {"inlineData": {"mimeType": "image/jpeg", "data": PNG}}),
        says("model", calls("look", {"at": "it"}, "c2ln")),
        says("user", brings({"result": "a cat"}, "look")),
    ]
    assert [declared["name"] for declared in value["tools"][0]["functionDeclarations"]] == ["look"]
    assert value["generationConfig"]["temperature"] == 0.5
    assert value["generationConfig"]["candidateCount"] == told.choices == 2
    assert (told.dropped, list(told.tools)) == ((), ["look"])


def test_a_schema_that_cannot_stand_beside_tools_is_said_in_words() -> None:
    schema: JsonObject = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
    prompt = Prompt(
        (system("Be brief."), user("a")),
        tools=(Tool("f", "does"),),
        tool_choice=ToolChoice("auto"),
        params=Params(output=JsonOutput(schema, "reply")),
    )
    told = body(rendered(prompt, OLD))
    assert told["systemInstruction"]["parts"][0] == {"text": "Be brief."}
    assert '"answer"' in told["systemInstruction"]["parts"][-1]["text"]
    assert "responseJsonSchema" not in told.get("generationConfig", {})
    assert body(rendered(prompt, NEW))["systemInstruction"] == {"parts": [{"text": "Be brief."}]}


# Properties --------------------------------------------------------------------------------------------------------

words = st.sampled_from(["", " ", "a", "{}", '{"k": [1]}', "[1]", "\ud800", "{", "7"])
signatures = st.sampled_from(["c2ln", "b3du", "bad!", PLACEHOLDER, 7])
extras: st.SearchStrategy[JsonObject] = st.one_of(
    st.just({}),
    st.builds(lambda sig, id_: {"google": {"thought_signature": sig, "function_call_id": id_}}, signatures, words),
    st.sampled_from([{"google": 1}, {"google": {}}, {"other": {"thought_signature": "c2ln"}}]),
)
ids = st.sampled_from(["", "1", "2", "kept"])
names = st.sampled_from(["f", "g", "bad name", "1st", ""])
pictures = st.builds(
    Media,
    st.sampled_from(["image", "audio", "file"]),
    st.sampled_from(["", "image/png", "audio/mpeg", "x"]),
    st.sampled_from([PNG, "AAA", "UklGRAAA"]),
    st.sampled_from(["", "https://a.example/b.png"]),
    st.sampled_from([None, "low", "high", "auto"]),
    st.sampled_from([None, "a.txt"]),
)
wrong_pictures = st.sampled_from([Media("image"), Media("file", data="!"), Media("audio", uri="ftp://x")])
called = st.builds(ToolCall, ids, names, words, st.sampled_from(["function", "custom"]), extras)
parts: st.SearchStrategy[Part] = st.one_of(
    st.builds(Text, words, extras),
    st.builds(Reasoning, words),
    st.builds(Refusal, words),
    pictures,
    called,
    st.builds(UnknownPart, st.sampled_from(["video_url", "a,b"])),
    st.builds(StoredFile, st.sampled_from(["files/abc", "files/abc", "files/abc", "file-1"])),
    st.one_of(pictures, wrong_pictures),
)
messages_of_any_kind = st.lists(
    st.builds(
        Message,
        st.sampled_from(["system", "user", "assistant", "assistant", "tool"]),
        st.lists(parts, max_size=3).map(tuple),
        ids,
        st.one_of(st.none(), names),
        st.booleans(),
        extras,
    ),
    max_size=7,
)
models = st.sampled_from([OLD, NEW, "models/gemini-2.0-flash", "gemini-3.7-flash", "unknown"])


def check_turns(told: Any, newer: bool) -> None:
    """What Gemini asks of contents, and the rules of signatures."""
    assert told and told[0]["role"] == "user"
    assert not newer or told[-1]["role"] == "user"
    for content in told:
        assert content["parts"]
        assert all(part.get("text") != "" for part in content["parts"])
    kinds = [[next(iter(part)) for part in content["parts"]] for content in told]
    for (content, its), (after, following) in pairwise([*zip(told, kinds, strict=True), (None, [])]):
        asked = [part["functionCall"] for part in content["parts"] if "functionCall" in part]
        assert ("functionResponse" in its) <= (content["role"] == "user")
        if not asked:
            continue
        assert content["role"] == "model" and after is not None and after["role"] == "user"
        assert following[: len(asked)] == ["functionResponse"] * len(asked) and following.count(
            "functionResponse"
        ) == len(asked)
        for question, part in zip(asked, after["parts"], strict=False):
            assert part["functionResponse"]["name"] == question["name"]
            assert part["functionResponse"].get("id") == question.get("id")
        first = next(part for part in content["parts"] if "functionCall" in part)
        assert not newer or first.get("thoughtSignature")
    assert sum(its.count("functionResponse") for its in kinds) == sum(its.count("functionCall") for its in kinds)
    signed = [part["thoughtSignature"] for content in told for part in content["parts"] if "thoughtSignature" in part]
    real = [signature for signature in signed if signature != PLACEHOLDER]
    assert len(real) == len(set(real)) and set(real) <= {"c2ln", "b3du", "a2VwdA=="}


def check_body(told: Rendered, model: str) -> None:
    check_turns(body(told)["contents"], "gemini-3" in model)
    assert len(told.dropped) == len(set(told.dropped))
    assert all(re.fullmatch(r"[!-+\--~]+", name) for name in told.dropped)


@given(messages_of_any_kind, models)
def test_any_messages_are_refused_or_become_legal_contents(messages: list[Message], model: str) -> None:
    memory = ReasoningMemory()
    memory.keep("kept", CallData("a2VwdA==", "native").extra)
    try:
        told = rendered(Prompt(tuple(messages)), model, memory)
    except (InvalidRequest, UnsupportedByTarget):
        return
    check_body(told, model)


@st.composite
def sessions(draw: st.DrawFn) -> tuple[list[Message], list[str]]:
    """A session with tools, as clients have it, and the results in the order of the calls; "" where one is missing."""
    messages, expected = [user("go")], list[str]()
    for step in range(draw(st.integers(0, 4))):
        count = draw(st.integers(1, 3))
        unique = draw(st.booleans())
        named = [f"{step}-{number}" if unique else f"{number}" for number in range(count)]
        spoken: Iterable[Part] = [Text("I call")] if draw(st.booleans()) else []
        asked = tuple(call(name, draw(names)) for name in named)
        messages.append(Message("assistant", (*spoken, *asked)))
        answered = [draw(st.integers(0, 4)) > 0 for _ in named]
        results = [
            tool(name, f"result {step} {number}")
            for number, (name, there) in enumerate(zip(named, answered, strict=True))
            if there
        ]
        expected += [f"result {step} {number}" if there else "" for number, there in enumerate(answered)]
        between = [user("hurry")] if draw(st.booleans()) or not all(answered) else []
        messages += draw(st.permutations([*results, *between]))
    return messages, expected


@given(sessions(), models)
def test_every_result_reaches_its_call(session: tuple[list[Message], list[str]], model: str) -> None:
    messages, expected = session
    told = rendered(Prompt(tuple(messages)), model)
    check_body(told, model)
    brought = [
        part["functionResponse"]["response"].get("result", "")
        for content in body(told)["contents"]
        for part in content["parts"]
        if "functionResponse" in part
    ]
    assert brought == expected
    steps = [content for content in body(told)["contents"] if any("functionCall" in part for part in content["parts"])]
    assert len(steps) == sum(message.role == "assistant" for message in messages)


@given(st.binary(min_size=1, max_size=40), st.booleans(), st.booleans())
def test_bytes_survive_any_dress_of_base64(data: bytes, url_safe: bool, padded: bool) -> None:
    text = (base64.urlsafe_b64encode if url_safe else base64.b64encode)(data).decode()
    dressed = "\n".join(re.findall(".{1,7}", text if padded else text.rstrip("=")))
    sent = media.blob(Media("file", "application/pdf", dressed))["data"]
    assert isinstance(sent, str) and base64.b64decode(sent, validate=True) == data
