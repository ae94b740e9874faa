"""Conversations in Anthropic's words: turns, system texts, calls with their results, media."""

import base64
from typing import Any

import pytest

from gateway.core.errors import InvalidRequest
from gateway.core.provider_failures import UnsupportedByTarget
from gateway.core.request import Media, Message, Prompt, Reasoning, Refusal, StoredFile, ToolCall, UnknownPart
from gateway.wires.anthropic_messages.outbound.conversation import CONTINUE
from tests.wires.anthropic_messages.outbound.rendering import (
    MIDDLE,
    NEW,
    OLD,
    assistant,
    block,
    body,
    brings,
    call,
    calls,
    missing,
    rendered,
    says,
    system,
    tool,
    user,
)

PNG = "iVBORw0KGgo="
PDF = "JVBERi0xLjQK"
IMAGE = Media("image", "image/png", PNG)
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
DOT = says("user", ".")


def contents(*messages: Message, model: str = OLD) -> Any:
    return body(Prompt(messages), model)["messages"]


def source(media: Media) -> Any:
    (only,) = contents(user(media))
    (part,) = only["content"]
    return part


# Turns -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        pytest.param([user("hi")], [says("user", "hi")], id="one user"),
        pytest.param(
            [user("a"), user("b", "c"), assistant("d"), assistant("e"), user("f")],
            [says("user", "a", "b", "c"), says("assistant", "d", "e"), says("user", "f")],
            id="neighbours of one role become one",
        ),
        pytest.param(
            [user("a"), assistant(" \n"), user("", "b")], [says("user", "a", "b")], id="blank texts and turns vanish"
        ),
        pytest.param([user(" ")], [DOT], id="somebody must say something"),
        pytest.param([], [DOT], id="no messages at all"),
        pytest.param([assistant("a"), user("b")], [DOT, says("assistant", "a"), says("user", "b")], id="leads"),
        pytest.param([user("a"), assistant("b \n")], [says("user", "a"), says("assistant", "b")], id="prefill"),
        pytest.param([user("a", IMAGE)], [says("user", "a", PICTURE)], id="media among text"),
        pytest.param(
            [user("draw"), assistant("here", IMAGE), user("bluer")],
            [says("user", "draw"), says("assistant", "here"), says("user", PICTURE, "bluer")],
            id="an assistant's image is the user's",
        ),
        pytest.param(
            [user("draw"), assistant(IMAGE), user("bluer")],
            [says("user", "draw"), says("user", PICTURE, "bluer")],
            id="an assistant's image alone",
        ),
        pytest.param(
            [user("a"), assistant(Reasoning("hm"), Refusal("no")), user("b")],
            [says("user", "a"), says("assistant", "no"), says("user", "b")],
            id="foreign reasoning goes, a refusal is text",
        ),
    ],
)
def test_turns(messages: list[Message], expected: list[Any]) -> None:
    assert contents(*messages) == expected


@pytest.mark.parametrize("model", [NEW, MIDDLE])
def test_a_prefill_becomes_a_request_where_the_model_has_none(model: str) -> None:
    found = rendered(Prompt((user("a"), assistant("b "))), model)
    assert body(Prompt((user("a"), assistant("b "))), model)["messages"] == [
        says("user", "a"),
        says("assistant", "b "),
        says("user", CONTINUE),
    ]
    assert found.dropped == ("prefill",)


def test_a_name_of_a_participant_is_told() -> None:
    named = Message("user", user("a").parts, name="Kim")
    assert rendered(Prompt((named,))).dropped == ("messages.name",)


# System ------------------------------------------------------------------------------------------------------------


def test_system_texts_stand_in_front_in_their_order() -> None:
    found = body(Prompt((system("one"), user("a"), assistant("b"), system("two", " "), user("c"))), OLD)
    assert found["system"] == [block("one"), block("two")]
    assert [message["role"] for message in found["messages"]] == ["user", "assistant", "user"]


def test_nothing_but_system_is_the_users() -> None:
    found = body(Prompt((system("one"), system("two"))))
    assert (found["messages"], "system" in found) == ([says("user", "one", "two")], False)


@pytest.mark.parametrize(
    ("messages", "inside"),
    [
        pytest.param([user("a"), system("s"), assistant("b"), user("c")], True, id="between user and assistant"),
        pytest.param([user("a"), system("s")], True, id="at the end"),
        pytest.param([user("a"), assistant(call("1")), tool("1", "r"), system("s")], True, id="after results"),
        pytest.param([user("a"), assistant("b"), system("s"), user("c")], False, id="after an assistant"),
        pytest.param([user("a"), system("s"), user("b")], False, id="between users"),
        pytest.param([system("s"), user("a")], False, id="in front"),
        pytest.param([user("a"), assistant(call("1")), system("s"), user("b")], False, id="before a missing result"),
        pytest.param([user(""), system("s"), assistant("b"), user("c")], False, id="after nobody"),
    ],
)
def test_a_newer_model_takes_system_messages_in_their_place(messages: list[Message], inside: bool) -> None:
    for model, stays in ((NEW, inside), (MIDDLE, False), (OLD, False)):
        found = body(Prompt(tuple(messages)), model)
        assert ("system" in found) == (not stays)
        assert any(message["role"] == "system" for message in found["messages"]) == stays


def test_two_system_messages_in_one_place_become_one() -> None:
    found = contents(user("a"), system("s"), system("t"), model=NEW)
    assert found == [says("user", "a"), says("system", "s", "t")]


def test_a_system_message_has_only_text() -> None:
    prompt = Prompt((system("one", IMAGE, UnknownPart("odd"), StoredFile("file-1")), user("a")))
    assert body(prompt)["system"] == [block("one")]
    assert rendered(prompt).dropped == (
        "messages.content.image_url",
        "messages.content.odd",
        "messages.content.file",
    )


# Calls and results -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        pytest.param(
            [user("a"), assistant("b", call("1"), call("2"), "c"), tool("2", "r2"), tool("1", "r1"), user("d")],
            [
                says("user", "a"),
                says("assistant", "b", calls("1"), calls("2"), "c"),
                says("user", brings("1", "r1"), brings("2", "r2"), "d"),
            ],
            id="in the order of the calls",
        ),
        pytest.param(
            [user("a"), assistant(call("1")), user("b"), tool("1", "r")],
            [says("user", "a"), says("assistant", calls("1")), says("user", brings("1", "r"), "b")],
            id="a late result comes first",
        ),
        pytest.param(
            [user("a"), assistant(call("1")), user("b")],
            [says("user", "a"), says("assistant", calls("1")), says("user", missing("1"), "b")],
            id="no result",
        ),
        pytest.param(
            [user("a"), assistant(call("1"))],
            [says("user", "a"), says("assistant", calls("1")), says("user", missing("1"))],
            id="no result at the end",
        ),
        pytest.param(
            [user("a"), assistant(call("1")), tool("1", "r"), assistant("b"), user("c")],
            [
                says("user", "a"),
                says("assistant", calls("1")),
                says("user", brings("1", "r")),
                says("assistant", "b"),
                says("user", "c"),
            ],
            id="a loop",
        ),
        pytest.param(
            [user("a"), assistant(call("1")), assistant(call("2")), tool("1", "r1"), tool("2", "r2"), assistant("b")],
            [
                says("user", "a"),
                says("assistant", calls("1"), calls("2")),
                says("user", brings("1", "r1"), brings("2", "r2")),
                says("assistant", "b"),
            ],
            id="calls of two messages",
        ),
        pytest.param(
            [user("a"), assistant(call("1")), tool("1", ""), user("b")],
            [says("user", "a"), says("assistant", calls("1")), says("user", brings("1"), "b")],
            id="an empty result",
        ),
        pytest.param(
            [user("a"), assistant(call("1")), tool("1", "oh", failed=True), user("b")],
            [says("user", "a"), says("assistant", calls("1")), says("user", brings("1", "oh", is_error=True), "b")],
            id="a failed call",
        ),
        pytest.param(
            [user("a"), assistant(call("1")), tool("1", "seen", IMAGE), user("b")],
            [says("user", "a"), says("assistant", calls("1")), says("user", brings("1", "seen", PICTURE), "b")],
            id="an image inside the result",
        ),
        pytest.param(
            [user("a"), assistant(call("0")), tool("0", "r"), assistant(call("0")), tool("0", "s"), user("b")],
            [
                says("user", "a"),
                says("assistant", calls("0")),
                says("user", brings("0", "r")),
                says("assistant", calls("0_2")),
                says("user", brings("0_2", "s"), "b"),
            ],
            id="an id that repeats",
        ),
    ],
)
def test_calls_and_results(messages: list[Message], expected: list[Any]) -> None:
    assert contents(*messages) == expected


def test_an_orphan_result_is_the_callers_fault() -> None:
    with pytest.raises(InvalidRequest):
        contents(user("a"), tool("1", "r"))


@pytest.mark.parametrize(
    ("made", "input"),
    [
        (call("1", arguments=""), {}),
        (call("1", arguments='{"a": 1}'), {"a": 1}),
        (call("1", arguments='{"a": '), {"arguments": '{"a": '}),
        (call("1", arguments="[1]"), {"arguments": "[1]"}),
        (ToolCall("1", "f", "any text", "custom"), {"input": "any text"}),
    ],
)
def test_arguments_are_an_object(made: ToolCall, input: Any) -> None:
    assert contents(user("a"), assistant(made))[1]["content"][0]["input"] == input


@pytest.mark.parametrize("id", ["", "a b/c", "x" * 65, "call:1"])
def test_ids_become_legal_on_both_sides(id: str) -> None:
    found = contents(user("a"), assistant(call(id)), Message("tool", (), id, "f"))
    sent = found[1]["content"][0]["id"]
    assert len(sent) <= 64 and found[2]["content"][0]["tool_use_id"] == sent


def test_ids_that_were_cut_to_the_same_stay_two() -> None:
    found = contents(user("a"), assistant(*[call("x" * 64) for _ in range(3)]))
    assert len({made["id"] for made in found[1]["content"]}) == 3


# Media -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mime", ["image/jpg", "IMAGE/JPEG; x=y", "image/pjpeg"])
def test_types_of_images_get_their_names(mime: str) -> None:
    assert source(Media("image", mime, "/9j/AAAA"))["source"]["media_type"] == "image/jpeg"


def test_a_type_that_is_not_said_is_read_from_the_bytes() -> None:
    for data, mime in (
        (PNG, "image/png"),
        ("R0lGODlh", "image/gif"),
        ("/9j/", "image/jpeg"),
        ("UklGRgAA", "image/webp"),
    ):
        assert source(Media("image", data=data))["source"]["media_type"] == mime
    assert source(Media("file", data=PDF))["type"] == "document"


def test_an_address_is_fetched_by_anthropic() -> None:
    assert source(Media("image", uri="https://a.example/b.png")) == {
        "type": "image",
        "source": {"type": "url", "url": "https://a.example/b.png"},
    }
    assert source(Media("file", uri="https://a.example/b.pdf"))["type"] == "document"
    with pytest.raises(UnsupportedByTarget):
        source(Media("image", uri="gs://bucket/b.png"))


def test_files_are_documents() -> None:
    assert source(Media("file", "application/pdf", PDF, name="a.pdf")) == {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
        "title": "a.pdf",
    }
    words = base64.b64encode("안녕".encode()).decode()
    for name, mime in (("a.txt", ""), (None, "text/csv"), (None, "application/json")):
        assert source(Media("file", mime, words, name=name))["source"] == {
            "type": "text",
            "media_type": "text/plain",
            "data": "안녕",
        }


@pytest.mark.parametrize(
    "part",
    [
        Media("audio", "audio/wav", "UklGRgAA"),
        Media("image", "image/heic", "AAAA"),
        Media("file", "application/msword", "AAAA"),
        Media("file", "", "AAAA"),
        StoredFile("file-1", "openai"),
        UnknownPart("video_url"),
        UnknownPart("input_text"),
    ],
)
def test_what_anthropic_has_no_word_for_is_asked_elsewhere(part: Any) -> None:
    for message in (user("a", part), tool("1", part)):
        with pytest.raises(UnsupportedByTarget):
            contents(user("a"), assistant(call("1")), message)


@pytest.mark.parametrize(
    "part", [Media("image", "image/png", "no base64!"), Media("file", "text/plain", "/w=="), Media("image")]
)
def test_media_that_nobody_could_read_is_refused(part: Media) -> None:
    with pytest.raises(InvalidRequest):
        contents(user(part))


def test_base64_of_any_variant_becomes_the_standard_one() -> None:
    assert source(Media("image", "image/png", "iVBORw0K\nGgo"))["source"]["data"] == PNG


def test_what_is_left_out_of_media_is_told() -> None:
    detailed = Media("image", "image/png", PNG, detail="low")
    assert rendered(Prompt((user(detailed),))).dropped == ("messages.content.image_url.detail",)
    assert rendered(Prompt((user(Media("image", "image/png", PNG, detail="auto")),))).dropped == ()
    assert rendered(Prompt((user("a", UnknownPart("sticker")),))).dropped == ("messages.content.sticker",)


def test_a_file_that_is_stored_with_anthropic_is_named() -> None:
    assert contents(user(StoredFile("file_1", "anthropic")))[0]["content"] == [
        {"type": "document", "source": {"type": "file", "file_id": "file_1"}}
    ]
