"""A large request whose long texts stay as they were written: the same request, the same faults, for any provider."""

import json
import re
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from gateway.core.errors import InvalidRequest
from gateway.core.rendered import Ask
from gateway.core.request import Prompt
from gateway.core.strict_json import JsonObject, JsonValue, dumps, loads
from gateway.wires.openai_chat import raw_texts
from gateway.wires.openai_chat.inbound.request import parse
from gateway.wires.openai_chat.inbound.resume import resume_request
from gateway.wires.openai_chat.outbound import OpenAIChatProvider
from gateway.wires.openai_chat.outbound.dialect import Dialect
from gateway.wires.openai_chat.outbound.request import render

LONG = 'A "long" text with \t escapes, \\ and caf\u00e9 \U0001f600.\n' * 500
FILLER: JsonObject = {"role": "user", "content": LONG}
STRICT = OpenAIChatProvider(Dialect("strict"))

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.just("x" * 400)
numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
values: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(["content", "name", "tool_calls", "refusal", "reasoning_content", "x"]) | texts
messages = st.dictionaries(names, values | texts, max_size=3).map(
    lambda more: {"role": "user", "content": "hi", **more}
)
fields = st.dictionaries(st.sampled_from(["seed", "stop", "tools", "metadata", "x"]) | texts, values, max_size=4)


def written(value: JsonValue, *, ascii_only: bool, spaced: bool) -> bytes:
    return json.dumps(value, ensure_ascii=ascii_only, separators=(", ", " : ") if spaced else (",", ":")).encode()


def large(*further: JsonValue, **more: JsonValue) -> JsonObject:
    return {"model": "best", "messages": [FILLER, *further], **more}


def typed(value: object) -> object:
    """A value that equals another only where the types are the same too: in Python 1 equals 1.0 and True."""
    if isinstance(value, Mapping):
        return {name: typed(inner) for name, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [typed(inner) for inner in value]
    return type(value), repr(value)


@given(st.lists(messages, max_size=3), fields, st.booleans(), st.booleans())
def test_what_is_read_is_what_is_read_whole(
    further: list[JsonValue], more: JsonObject, ascii_only: bool, spaced: bool
) -> None:
    body = written(large(*further, **more), ascii_only=ascii_only, spaced=spaced)
    whole = loads(body)
    read = raw_texts.read(body)
    if read is None:
        return  # a shape that it does not know; the next tests tell that it knows the usual ones
    assert typed(raw_texts.decoded(read)) == typed(whole)
    assert list(read) == list(whole) if isinstance(whole, dict) else False
    assert typed(loads(dumps(read))) == typed(whole)


TOOL: JsonObject = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
CALLED: JsonObject = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
}
PICTURE: JsonObject = {
    "role": "user",
    "content": [{"type": "image_url", "image_url": {"url": "https://pictures.example/a.png"}}],
}
USUAL: Mapping[str, JsonObject] = {
    "text": large(),
    "short texts beside it": large({"role": "assistant", "content": "Yes."}, {"role": "user", "content": "No."}),
    "tools": large(CALLED, {"role": "tool", "tool_call_id": "1", "content": "7"}, tools=[TOOL], tool_choice="auto"),
    "parts": large(PICTURE),
    "settings": large(temperature=0.5, n=1, stop=["a", "b"], stream=True, stream_options={"include_usage": True}),
    "unknown fields": large(top_k=4, thinking={"type": "enabled", "budget": 9}, user=None),
    "an assistant that has been elsewhere": large({"role": "assistant", "content": LONG, "reasoning_content": LONG}),
}


@pytest.mark.parametrize("name", USUAL)
def test_the_long_texts_of_a_usual_request_stay_as_they_were_written(name: str) -> None:
    body = written(USUAL[name], ascii_only=True, spaced=True)
    chat = parse(body)
    said = chat.source.body["messages"]
    assert isinstance(said, list) and isinstance(said[0], dict)
    assert isinstance(said[0]["content"], Raw)
    assert json.dumps(LONG).encode() in render(chat, "one", Ask(usage=False), Dialect()).body


@pytest.fixture(params=USUAL)
def usual(request: pytest.FixtureRequest) -> JsonObject:
    return USUAL[request.param]


def whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on every request is read whole."""
    monkeypatch.setattr(raw_texts, "LARGE", 1 << 30)


@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_provider_gets_the_same_request(usual: JsonObject, ascii_only: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    body = written(usual, ascii_only=ascii_only, spaced=False)
    sent: list[tuple[list[tuple[str, JsonValue]], tuple[str, ...]]] = []
    prompts: list[Prompt] = []
    for _ in range(2):
        chat = parse(body)
        rendered = STRICT.render_request(chat, "one", Ask(usage=True))
        value = loads(rendered.body)
        assert isinstance(value, dict)
        sent.append((list(value.items()), rendered.dropped))
        prompts.append(resume_request(chat, "so far").prompt())
        whole(monkeypatch)
    assert sent[0] == sent[1]
    assert prompts[0] == prompts[1]
    assert dict(sent[0][0])["model"] == "one"


def test_what_nobody_writes_otherwise_leaves_byte_for_byte_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    body = dumps(large(CALLED, tools=[TOOL]))
    leaves = [render(parse(body), "one", Ask(usage=False), Dialect()).body]
    whole(monkeypatch)
    leaves.append(render(parse(body), "one", Ask(usage=False), Dialect()).body)
    assert leaves[0] == leaves[1]


GOOD = written(large(CALLED, seed=1), ascii_only=True, spaced=False)
TEXT = b'A \\"long\\"'
FAULTS: Mapping[str, bytes] = {
    "invalid UTF-8 in a text": GOOD.replace(TEXT, b"\xff", 1),
    "a surrogate in UTF-8": GOOD.replace(TEXT, b"\xed\xa0\x80", 1),
    "an escaped half of a pair": GOOD.replace(TEXT, b"\\ud83d", 1),
    "the other half": GOOD.replace(TEXT, b"\\ude00", 1),
    "a control character": GOOD.replace(TEXT, b"\x01", 1),
    "no escape": GOOD.replace(TEXT, b"\\x", 1),
    "a long integer": GOOD.replace(b'"seed":1', b'"seed":18446744073709551616'),
    "a long integer inside": GOOD.replace(b'"seed":1', b'"x":{"y":-9223372036854775809}'),
    "a long integer in a list": GOOD.replace(b'"seed":1', b'"x":[18446744073709551616]'),
    "a number out of range": GOOD.replace(b'"seed":1', b'"seed":1e999'),
    "a number out of range inside": GOOD.replace(b'"seed":1', b'"x":{"y":[1e999]}'),
    "no number": GOOD.replace(b'"seed":1', b'"seed":NaN'),
    "too deep": GOOD.replace(b'"seed":1', b'"x":' + b"[" * 128 + b"]" * 128),
    "too deep in an object": GOOD.replace(b'"seed":1', b'"x":{"y":' + b"[" * 127 + b"]" * 127 + b"}"),
    "too deep in a message": GOOD.replace(b'"id":"1"', b'"id":' + b"[" * 124 + b"]" * 124),
    "far too deep": GOOD.replace(b'"seed":1', b'"x":' + b'{"y":' * 100_000 + b"1" + b"}" * 100_000),
    "an end too early": GOOD[:-1],
    "more behind it": GOOD + b"{}",
    "a list": b"[" + GOOD + b"]",
    "no role": GOOD.replace(b'"role":"user"', b'"role":7'),
    "no messages": GOOD.replace(b'"messages"', b'"message"'),
    "a message that is none": GOOD.replace(b'"messages":[', b'"messages":[4,'),
    "content of a wrong type": GOOD.replace(b'"content":null', b'"content":{"a":1}'),
    "a server of its own": GOOD.replace(b'"seed"', b'"base_url"'),
}


def told(body: bytes) -> str:
    with pytest.raises(InvalidRequest) as caught:
        parse(body)
    return f"{caught.value} [{caught.value.param}]"


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told_as_where_it_is_read_whole(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    body = FAULTS[name]
    assert body != GOOD
    first = told(body)
    whole(monkeypatch)
    assert first == told(body)


AT_THE_LIMIT: Mapping[str, bytes] = {
    "as deep as may be": GOOD.replace(b'"seed":1', b'"x":' + b"[" * 127 + b"]" * 127),
    "as deep as may be in an object": GOOD.replace(b'"seed":1', b'"x":{"y":' + b"[" * 126 + b"]" * 126 + b"}"),
    "as deep as may be in a message": GOOD.replace(b'"id":"1"', b'"id":' + b"[" * 123 + b"]" * 123),
    "the largest integer": GOOD.replace(b'"seed":1', b'"seed":18446744073709551615'),
    "brackets and digits in a text": GOOD.replace(TEXT, b"[" * 300 + b"1" * 40, 1),
    "a name twice": GOOD.replace(b'"seed":1', b'"seed":1,"model":"other","model":"best"'),
    "a message's name twice": GOOD.replace(b'"role":"user"', b'"role":7,"content":[7],"role":"user"'),
}


@pytest.mark.parametrize("name", AT_THE_LIMIT)
def test_what_is_just_acceptable_is_accepted_alike(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    body = AT_THE_LIMIT[name]
    assert body != GOOD
    leaves = [loads(render(parse(body), "one", Ask(usage=False), Dialect()).body)]
    whole(monkeypatch)
    leaves.append(loads(render(parse(body), "one", Ask(usage=False), Dialect()).body))
    assert leaves[0] == leaves[1]


def test_a_target_whose_name_is_no_text_gets_the_same_request(monkeypatch: pytest.MonkeyPatch) -> None:
    leaves = [render(parse(GOOD), "one\ud800", Ask(usage=False), Dialect()).body]
    whole(monkeypatch)
    leaves.append(render(parse(GOOD), "one\ud800", Ask(usage=False), Dialect()).body)
    assert leaves[0] == leaves[1]


def test_of_names_that_stand_twice_a_provider_sees_only_the_last() -> None:
    body = GOOD.replace(b'"seed":1', b'"seed":1,"model":"other","model":"best"')
    sent = render(parse(body), "one", Ask(usage=False), Dialect()).body
    assert re.findall(rb'"model":"(\w+)"', sent) == [b"one"]


def test_where_it_would_not_be_cheaper_a_request_is_read_whole() -> None:
    hi: JsonObject = {"role": "user", "content": "hi"}
    many = written({"model": "best", "messages": [hi] * 2_000}, ascii_only=True, spaced=True)
    small = written({"model": "best", "messages": [{**hi, "content": LONG[:400]}]}, ascii_only=True, spaced=True)
    assert len(small) < raw_texts.LARGE < len(many)
    assert raw_texts.read(many) is None
    assert raw_texts.read(small) is None
