"""Operations: how each is asked of a provider, and how a broken answer is continued."""

import json
from typing import cast

import pytest
from msgspec.structs import replace

from gateway.core.answer import ChatResponse
from gateway.core.errors import InvalidRequest
from gateway.core.passed import EndpointName, PassedRequest
from gateway.core.provider_failures import UnsupportedByTarget
from gateway.core.request import ChatRequest, Prompt
from gateway.core.strict_json import JsonObject
from gateway.dispatch.operation import LARGEST_HEDGED, Chat, Operation, Passed
from gateway.limits.token_reserves import RequestSize
from gateway.providers.base import Answer, AttemptContext, Forwarded, OpenStream
from tests.support.failover_scene import ANSWER, INBOUND, asked

CONTEXT = cast(AttemptContext, object())
STREAM = cast(OpenStream, object())


def write(response: ChatResponse, request: ChatRequest) -> bytes:
    return request.model.encode()


def continue_request(request: ChatRequest, text_so_far: str) -> ChatRequest:
    return asked(f"after {text_so_far}", stream=request.stream)


class Methods:
    """A provider that remembers what its methods were called with."""

    name = "methods"

    def __init__(self) -> None:
        self.called: list[tuple[str, ChatRequest, AttemptContext]] = []

    def send(self, request: ChatRequest, context: AttemptContext) -> Answer:
        self.called.append(("send", request, context))
        return ANSWER

    def open(self, request: ChatRequest, context: AttemptContext) -> OpenStream:
        self.called.append(("open", request, context))
        return STREAM

    def close(self) -> None:
        pass


@pytest.mark.parametrize(("streams", "method", "answer"), [(False, "send", ANSWER), (True, "open", STREAM)])
def test_a_chat_is_sent_or_opened_as_its_caller_wants(streams: bool, method: str, answer: Answer | OpenStream) -> None:
    request, provider = asked("hi", stream=streams), Methods()
    chat: Operation = Chat(request, write, continue_request)
    assert chat.streams is streams
    written = replace(answer, content=request.model.encode()) if isinstance(answer, Answer) else answer
    assert chat.ask(provider, CONTEXT) == written
    assert provider.called == [(method, request, CONTEXT)]


def test_a_chat_continues_with_the_request_that_its_wire_makes() -> None:
    chat = Chat(asked("hi", stream=True), write, continue_request)
    continued = chat.continued("one two")
    assert continued.request.source == asked("after one two", stream=True).source
    assert continued.streams
    assert continued.continued("three").request.source == asked("after three", stream=True).source


def test_a_chat_without_text_so_far_is_the_same_chat() -> None:
    chat = Chat(asked("hi", stream=True), write, continue_request)
    assert chat.continued("") is chat


# Passed ------------------------------------------------------------------------------------------------------------

FORWARDED = Forwarded(b"{}", {})


class Forwards(Methods):
    """One that has endpoints beside chat too."""

    def __init__(self) -> None:
        super().__init__()
        self.forwarded: list[PassedRequest] = []

    def forward(self, request: PassedRequest, context: AttemptContext) -> Forwarded:
        self.forwarded.append(request)
        return FORWARDED


def passed(size: int = 2, *, stream: bool = False) -> Passed:
    return Passed(PassedRequest("completions", "m", b"x" * size, {}, stream))


def test_what_passes_is_forwarded() -> None:
    provider, operation = Forwards(), passed()
    assert operation.ask(provider, CONTEXT) is FORWARDED
    assert provider.forwarded == [operation.request]
    assert provider.called == []


def test_a_provider_that_forwards_nothing_cannot_answer() -> None:
    with pytest.raises(UnsupportedByTarget, match="methods has no completions"):
        passed().ask(Methods(), CONTEXT)


def test_what_passes_streams_as_it_asks_and_starts_anew_each_time() -> None:
    assert [passed(stream=stream).streams for stream in (True, False)] == [True, False]
    operation = passed(stream=True)
    assert operation.continued("text") is operation


def test_only_a_small_request_is_sent_to_two_targets_at_once() -> None:
    assert [passed(size).hedged for size in (LARGEST_HEDGED, LARGEST_HEDGED + 1)] == [True, False]
    assert Chat(asked("hi"), write, continue_request).hedged


def chat_with(**fields: object) -> Chat:
    body = {"model": "best", "messages": [{"role": "user", "content": "a" * 40}], **fields}
    return Chat(INBOUND.parse_request(json.dumps(body).encode()), write, continue_request)


def test_the_size_of_a_chat_is_its_texts_and_what_it_allows_in_answers() -> None:
    assert chat_with().size() == RequestSize(14, None)
    assert chat_with(max_tokens=100).size() == RequestSize(14, 100)
    assert chat_with(max_completion_tokens=100, n=3).size() == RequestSize(14, 300)


def test_a_chat_without_a_neutral_form_has_a_size_all_the_same() -> None:
    def unreadable() -> Prompt:
        raise InvalidRequest("there is no word for it")

    request = replace(chat_with().request, prompt=unreadable)
    assert Chat(request, write, continue_request).size().input > 10


@pytest.mark.parametrize(
    ("endpoint", "fields", "output"),
    [
        ("embeddings", {"max_tokens": 7}, 0),
        ("completions", {"max_tokens": 7}, 7),
        ("completions", {}, None),
        ("completions", {"max_tokens": "7"}, None),
    ],
)
def test_of_what_passes_only_completions_have_an_output(
    endpoint: EndpointName, fields: JsonObject, output: int | None
) -> None:
    body = json.dumps(fields).encode().ljust(40)
    assert Passed(PassedRequest(endpoint, "m", body, fields)).size() == RequestSize(10, output)
