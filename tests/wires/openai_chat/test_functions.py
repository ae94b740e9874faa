"""Callers with `functions` and no tools: they look for their one call in `function_call` alone."""

import json

from msgspec.structs import replace
from openai.types.chat import ChatCompletion

from gateway.core.answer import ChatChunk, ChatResponse, ChoiceDelta, Envelope, ToolCallDelta
from gateway.core.request import ChatRequest, Prompt
from gateway.core.source import Source
from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.base import Naming
from gateway.wires.openai_chat.inbound import OpenAIChatCallers

NATIVE = Source("gemini", {"candidates": []})
GET = ToolCallDelta(0, "call_1", "get", "{}", ended=True)


def of_functions(**more: JsonValue) -> ChatRequest:
    body: JsonObject = {"model": "alias", "messages": [], "functions": [{"name": "get"}], **more}
    return ChatRequest("alias", False, True, Source("openai_chat", body), lambda: Prompt(()))


def test_a_request_with_functions_gets_its_call_as_function_call() -> None:
    calls = (GET, replace(GET, index=1, id="call_2"))
    response = ChatResponse(None, NATIVE, Envelope("r", 1, "m"), (ChoiceDelta(0, calls=calls, finish="tool_calls"),))
    naming = Naming("alias", usage=False)
    body = json.loads(OpenAIChatCallers().render_response(response, of_functions(), naming))
    (choice,) = ChatCompletion.model_validate(body).choices
    assert choice.finish_reason == "function_call" and choice.message.tool_calls is None
    assert choice.message.function_call is not None and choice.message.function_call.name == GET.name
    with_tools = json.loads(OpenAIChatCallers().render_response(response, of_functions(tools=[{}]), naming))
    assert len(with_tools["choices"][0]["message"]["tool_calls"]) == 2


def test_a_stream_for_functions_has_its_call_as_function_call() -> None:
    encoder = OpenAIChatCallers().encoder(of_functions(), Naming("alias", usage=False))
    pieces = [
        replace(GET, arguments="", ended=False),
        ToolCallDelta(0, arguments="{}", ended=True),
        replace(GET, index=1),
    ]
    chunks = [
        ChatChunk(True, None, NATIVE, None, Envelope("r", 1, "m"), (ChoiceDelta(0, calls=(one,)),)) for one in pieces
    ]
    out = b"".join(map(encoder.encode, chunks)) + encoder.encode(
        ChatChunk(False, None, NATIVE, "", None, (ChoiceDelta(0, finish="tool_calls"),))
    )
    bodies = [json.loads(line[6:]) for line in (out + encoder.end()).split(b"\n\n") if line.startswith(b"data: {")]
    deltas = [body["choices"][0]["delta"] for body in bodies]
    assert not any("tool_calls" in delta for delta in deltas)
    assert [delta["function_call"] for delta in deltas if "function_call" in delta] == [
        {"name": GET.name, "arguments": ""},
        {"arguments": "{}"},
    ]
    assert bodies[-1]["choices"][0]["finish_reason"] == "function_call"
