"""Operations: how each is asked of a provider, and how a broken answer is continued."""

from typing import cast

import pytest
from msgspec.structs import replace

from gateway.core.answer import ChatResponse
from gateway.core.request import ChatRequest
from gateway.dispatch.operation import Chat, Operation
from gateway.providers.base import Answer, AttemptContext, OpenStream
from tests.support.failover_scene import ANSWER, asked

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
