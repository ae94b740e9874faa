"""Chat requests: what is right passes as it came, what is wrong is named, and nothing else is raised."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat.completion_create_params import CompletionCreateParamsBase, CompletionCreateParamsStreaming

from gateway.core.errors import InvalidRequest
from gateway.core.rendered import Ask
from gateway.core.request import ChatRequest
from gateway.core.strict_json import MAX_DEPTH, JsonObject, JsonValue, dumps, loads
from gateway.wires.addresses import REFUSED
from gateway.wires.openai_chat.inbound import OpenAIChatCallers
from gateway.wires.openai_chat.inbound.request import FIELDS
from gateway.wires.openai_chat.outbound import OpenAIChatProvider
from gateway.wires.request_fields import MAX_MODEL
from tests.support.cases import each_case

GOLDEN = Path(__file__).parents[2] / "golden" / "openai" / "requests"
SECRET = "my-private-prompt"
WORDS = ("model", "messages", "role", "content", "tool_calls", "tool_call_id", "name", "type", "function", "parameters")

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values: st.SearchStrategy[JsonValue] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        texts,
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
)
names = texts.filter(lambda name: name not in {*WORDS, *FIELDS, *REFUSED, "refusal"})
unknown = st.dictionaries(names, values, max_size=3)
right: dict[type, st.SearchStrategy[JsonValue]] = {
    int: st.integers(-(2**63), 2**64 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    str: texts,
    dict: st.dictionaries(texts, values, max_size=2),
    list: st.lists(texts, max_size=2),
}
wrong: dict[type, JsonValue] = {
    int: 7,
    float: 7.5,
    bool: True,
    str: SECRET,
    dict: {SECRET: SECRET},
    list: [SECRET],
}


@st.composite
def requests(draw: st.DrawFn) -> JsonObject:
    """A valid request with any of the documented fields, and fields that nobody knows, everywhere."""
    parts = st.lists(st.builds(lambda extra, text: {"type": "text", "text": text, **extra}, unknown, texts), max_size=2)
    content: st.SearchStrategy[JsonValue] = st.one_of(texts, parts)
    messages: list[JsonValue] = []
    for role in draw(
        st.lists(st.sampled_from(["system", "user", "assistant", "tool", "critic"]), min_size=1, max_size=4)
    ):
        message: JsonObject = {"role": role, "content": draw(content), **draw(unknown)}
        if role == "tool":
            message["tool_call_id"] = draw(texts)
        messages.append(message)
    body: JsonObject = {
        "model": draw(texts.filter(lambda name: bool(name.strip()) and name.isprintable())),
        "messages": messages,
    }
    for name in draw(st.sets(st.sampled_from(sorted(FIELDS.keys() - {"tools", "stream_options"})), max_size=6)):
        body[name] = draw(st.one_of(st.none(), *(right[kind] for kind in FIELDS[name][1])))
    if draw(st.booleans()):
        body["tools"] = [
            {"type": "function", "function": {"name": "f", "parameters": draw(right[dict])}, **draw(unknown)}
        ]
    if draw(st.booleans()):
        body["stream_options"] = {**draw(unknown), "include_usage": draw(st.sampled_from([True, False, None]))}
    shuffled = draw(st.permutations(sorted({**body, **draw(unknown)}.items())))
    return dict(shuffled)


def parse(body: object) -> ChatRequest:
    return OpenAIChatCallers().parse_request(json.dumps(body).encode())


def refusal(body: object) -> InvalidRequest:
    """The error for a body, which must say what is wrong without quoting it."""
    with pytest.raises(InvalidRequest) as caught:
        OpenAIChatCallers().parse_request(body if isinstance(body, bytes) else json.dumps(body).encode())
    error = caught.value
    assert (error.status, error.type, error.code) == (400, "invalid_request_error", None)
    assert SECRET not in error.message
    assert error.message.endswith((".", ")")) or "JSON" in error.message
    return error


def ask(**fields: JsonValue) -> JsonObject:
    return {"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields}


def with_message(**fields: JsonValue) -> JsonObject:
    return ask(messages=[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "a", **fields}])


# What is right ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_a_real_request_passes_as_it_came_but_for_its_model(path: Path) -> None:
    body = path.read_bytes()
    came = json.loads(body)
    request = OpenAIChatCallers().parse_request(body)
    assert request.model == came["model"]
    rendered = OpenAIChatProvider().render_request(request, "theirs", Ask(usage=False))
    assert rendered.dropped == ()
    sent = json.loads(rendered.body)
    assert sent == {**came, "model": "theirs"}
    assert list(sent) == list(came), "the order of the fields has changed"


@given(requests(), texts)
def test_any_valid_request_passes_as_it_came_but_for_its_model(body: JsonObject, model: str) -> None:
    request = OpenAIChatCallers().parse_request(dumps(body))
    assert request.stream is (body.get("stream") is True)
    assert OpenAIChatProvider().render_request(request, model, Ask(usage=False)).body == dumps({**body, "model": model})
    assert request.source.body == body, "what came must stay for the next candidate"


@given(requests())
def test_asking_for_usage_changes_nothing_but_include_usage_of_a_stream(body: JsonObject) -> None:
    request = OpenAIChatCallers().parse_request(dumps(body))
    sent = loads(OpenAIChatProvider().render_request(request, request.model, Ask(usage=True)).body)
    assert isinstance(sent, dict)
    if body.get("stream") is not True:
        assert sent == body
        return
    options = sent.pop("stream_options")
    came = body.pop("stream_options", None)
    assert sent == body
    assert options == {**(came if isinstance(came, dict) else {}), "include_usage": True}
    assert request.source.body.get("stream_options") == came


@pytest.mark.parametrize(
    ("options", "wants"),
    [
        (None, False),
        ({}, False),
        ({"include_usage": None}, False),
        ({"include_usage": False}, False),
        ({"include_usage": True}, True),
    ],
)
def test_usage_is_wanted_where_include_usage_says_so(options: JsonValue, wants: bool) -> None:
    assert parse(ask(stream=True, stream_options=options)).wants_usage is wants


@each_case("name", FIELDS)
def test_null_is_absent_for_every_optional_field(name: str) -> None:
    assert parse(ask(**{name: None})).source.body[name] is None


def test_every_field_that_the_real_client_knows_is_checked() -> None:
    known = CompletionCreateParamsStreaming.__annotations__.keys() | CompletionCreateParamsBase.__annotations__.keys()
    assert known - FIELDS.keys() == {"model", "messages"}


@each_case("name", FIELDS)
def test_every_documented_type_of_a_field_is_taken(name: str) -> None:
    for kind in FIELDS[name][1]:
        value = [] if name == "tools" else {} if name == "stream_options" else wrong[kind]
        parse(ask(**{name: value}))


@pytest.mark.parametrize(
    "body",
    [
        with_message(content=None),
        with_message(content=None, tool_calls=[]),
        with_message(name=None, tool_call_id=None, tool_calls=None, refusal=None),
        ask(messages=[{"role": "function", "name": "f", "content": None}]),
        ask(messages=[{"role": "critic"}]),
        ask(messages=[{"role": "user", "content": ""}]),
        ask(messages=[{"role": "user", "content": [{"text": "no type"}, {"type": None}]}]),
        ask(tools=[]),
        ask(tools=[{"type": "web_search"}, {"type": "custom", "custom": {"name": "c"}}]),
        ask(tools=[{"type": "function", "function": {"name": "f"}}]),
        ask(model="m" * MAX_MODEL),
    ],
)
def test_what_a_provider_may_accept_is_not_refused_here(body: JsonObject) -> None:
    assert parse(body).source.body == body


def test_a_byte_order_mark_and_white_space_around_the_body_are_tolerated() -> None:
    body = json.dumps(ask()).encode()
    for text in (b"\xef\xbb\xbf" + body, b" \r\n\t" + body + b"\n"):
        assert OpenAIChatCallers().parse_request(text).model == "m"


# What is wrong ---------------------------------------------------------------------------------------------------

WRONG_FIELDS = [
    pytest.param(name, value, id=f"{name}-{kind.__name__}")
    for name, (_, kinds) in FIELDS.items()
    for kind, value in wrong.items()
    if kind not in kinds
]


@pytest.mark.parametrize(("name", "value"), WRONG_FIELDS)
def test_a_field_of_another_type_is_named(name: str, value: JsonValue) -> None:
    error = refusal(ask(**{name: value}))
    assert error.param == name
    assert error.message.startswith(f"{name} must be {FIELDS[name][0]}, but it is ")


MESSAGE_FIELDS: dict[str, tuple[type, ...]] = {
    "content": (str, list),
    "name": (str,),
    "refusal": (str,),
    "role": (str,),
    "tool_call_id": (str,),
    "tool_calls": (list,),
}


@each_case(
    ("name", "value"),
    [(name, value) for name, kinds in MESSAGE_FIELDS.items() for kind, value in wrong.items() if kind not in kinds],
)
def test_a_message_field_of_another_type_is_named_with_its_message(name: str, value: JsonValue) -> None:
    assert refusal(with_message(**{name: value})).param == f"messages[1].{name}"


@each_case(
    ("body", "param"),
    [
        (ask(model=None), "model"),
        ({"messages": []}, "model"),
        (ask(model=""), "model"),
        (ask(model=" \n"), "model"),
        (ask(model=7), "model"),
        (ask(model=["m"]), "model"),
        (ask(model="m" * (MAX_MODEL + 1)), "model"),
        ({"model": "m"}, "messages"),
        (ask(messages=None), "messages"),
        (ask(messages=[]), "messages"),
        (ask(messages={}), "messages"),
        (ask(messages=SECRET), "messages"),
        (ask(messages=[SECRET]), "messages[0]"),
        (ask(messages=[{"role": "user", "content": "a"}, None]), "messages[1]"),
        (ask(messages=[{}]), "messages[0].role"),
        (ask(messages=[{"role": ""}]), "messages[0].role"),
        (ask(messages=[{"role": None, "content": "a"}]), "messages[0].role"),
        (ask(messages=[{"role": "user"}]), "messages[0].content"),
        (ask(messages=[{"role": "system", "content": None}]), "messages[0].content"),
        (ask(messages=[{"role": "developer"}]), "messages[0].content"),
        (ask(messages=[{"role": "tool", "tool_call_id": "a"}]), "messages[0].content"),
        (ask(messages=[{"role": "tool", "content": "a"}]), "messages[0].tool_call_id"),
        (ask(messages=[{"role": "user", "content": [SECRET]}]), "messages[0].content[0]"),
        (ask(messages=[{"role": "user", "content": [{}, {"type": 7}]}]), "messages[0].content[1].type"),
        (with_message(tool_calls=[{}, SECRET]), "messages[1].tool_calls[1]"),
        (with_message(tool_calls=[{"type": {}}]), "messages[1].tool_calls[0].type"),
        (ask(tools=[SECRET]), "tools[0]"),
        (ask(tools=[{}]), "tools[0].type"),
        (ask(tools=[{"type": 7}]), "tools[0].type"),
        (ask(tools=[{"type": "web_search"}, {"type": "function"}]), "tools[1].function"),
        (ask(tools=[{"type": "function", "function": SECRET}]), "tools[0].function"),
        (ask(tools=[{"type": "function", "function": {}}]), "tools[0].function.name"),
        (ask(tools=[{"type": "function", "function": {"name": ""}}]), "tools[0].function.name"),
        (ask(tools=[{"type": "function", "function": {"name": 7}}]), "tools[0].function.name"),
        (
            ask(tools=[{"type": "function", "function": {"name": "f", "parameters": SECRET}}]),
            "tools[0].function.parameters",
        ),
        (ask(stream_options={"include_usage": SECRET}), "stream_options.include_usage"),
        (ask(stream_options={"include_usage": 1}), "stream_options.include_usage"),
    ],
)
def test_a_mistake_is_named_where_it_is(body: JsonObject, param: str) -> None:
    assert refusal(body).param == param


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (None, "missing or null"),
        ("", "an empty string"),
        ([], "an empty array"),
        ([SECRET], "an array"),
        ({SECRET: 1}, "an object"),
        (True, "a boolean"),
        (7, "a number"),
        (7.5, "a number"),
    ],
)
def test_a_mistake_says_what_is_there_instead(value: JsonValue, found: str) -> None:
    assert refusal(ask(model=value)).message == f"model must be a string that names a model, but it is {found}."


@each_case(
    "body",
    [
        b"",
        b" \r\n",
        b"\xef\xbb\xbf",
        b"model=m",
        b"<html>" + SECRET.encode(),
        b'{"model": "m", "messages": [',
        b'{"model": NaN}',
        b'{"model": "m", "temperature": Infinity, "messages": []}',
        b'{"model": 1e999}',
        b'{"model": "' + SECRET.encode() + b'\xff"}',
        b'{"model": "\xed\xa0\x80"}',
        b'{"model": "\\ud800"}',
        b"{'model': 'm'}",
        b'{"model": "m",}',
        b'{"seed": ' + b"9" * 5000 + b"}",
        b'{"seed": 18446744073709551616}',
        b'{"a": ' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}",
        b"[" * 1_000_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        json.dumps([SECRET]).encode(),
        json.dumps(SECRET).encode(),
        b"null",
        b"7",
        b"true",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    assert refusal(body).param == "body"


@given(st.binary(max_size=60))
def test_any_bytes_are_a_request_or_an_invalid_request(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        OpenAIChatCallers().parse_request(body)


@st.composite
def wild(draw: st.DrawFn) -> JsonValue:
    """JSON that uses a request's words for anything."""
    names = st.sampled_from((*WORDS, *FIELDS))
    tool = st.dictionaries(names, st.one_of(values, st.dictionaries(names, values, max_size=3)), max_size=4)
    message = st.dictionaries(names, st.one_of(values, st.lists(tool, max_size=2)), max_size=4)
    body = st.dictionaries(names, st.one_of(values, st.lists(message, max_size=3)), max_size=6)
    drawn: JsonValue = draw(st.one_of(body, st.builds(lambda one, two: {**one, **two}, requests(), body), values))
    return drawn


@given(wild())
def test_any_json_is_a_request_or_an_invalid_request(body: JsonValue) -> None:
    try:
        request = OpenAIChatCallers().parse_request(dumps(body))
    except InvalidRequest as error:
        assert error.param
    else:
        assert request.source.body == body
        assert OpenAIChatProvider().render_request(request, "theirs", Ask(usage=True)).body
