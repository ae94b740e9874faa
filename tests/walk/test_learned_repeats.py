"""A server that refuses by name what only the gateway has written is asked once more without it. That is remembered.

The first row is pydantic's answer of a vLLM server to `stream_options`, which the caller never sent.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

import pytest
import requests

from gateway.core.strict_json import JsonObject, loads
from gateway.wires.untrusted_fields import an_object, objects, text
from tests.support.running import Running, alias, provider, running
from tests.support.upstream_script import Request, ScriptedUpstream, Status, Step, json_answer, sse_answer

EXTRA: Final[JsonObject] = {
    "detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}]
}
UNSUPPORTED: Final[JsonObject] = {
    "error": {"message": "Unsupported parameter: 'stream_options'.", "type": "invalid_request_error", "code": None}
}
NO_REASONING: Final[JsonObject] = {
    "error": {
        "message": "'messages.1' : for 'role:assistant' the following must be satisfied[('messages.1' : property "
        "'reasoning_content' is unsupported)]",
        "type": "invalid_request_error",
    }
}
HISTORY: Final[list[JsonObject]] = [
    {"role": "user", "content": "Hi."},
    {"role": "assistant", "content": "Hm.", "reasoning_content": "What do they want?"},
    {"role": "user", "content": "Go on."},
]


class Scene:
    """A gateway before one server that refuses a field, and a spare one."""

    def __init__(self, up: ScriptedUpstream, spare: ScriptedUpstream, gateway: Running) -> None:
        self.up, self.spare, self.gateway = up, spare, gateway

    def refuses(self, field: str, status: int, refusal: JsonObject) -> None:
        def answer(request: Request) -> Sequence[Step]:
            body: dict[str, Any] = request.json()
            if field in json.dumps(body):
                return [Status(status, {"content-type": "application/json"}, json.dumps(refusal).encode())]
            return sse_answer("It works.") if body.get("stream") else [json_answer("It works.")]

        self.up.answers(answer)


@pytest.fixture
def scene() -> Iterator[Scene]:
    with ScriptedUpstream() as up, ScriptedUpstream() as spare:
        spare.answers(lambda _: sse_answer("It works elsewhere."))
        settings = {
            "providers": {"own": provider(up.base_url), "spare": provider(spare.base_url)},
            "modelAliases": [alias("alone", "own/m"), alias("both", "own/m", "spare/m")],
            "rateLimits": [{"provider": "own", "requestsPerMinute": 100}],
        }
        with running(settings) as gateway:
            yield Scene(up, spare, gateway)


def chat(model: str, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "Hi."}], **more}


@pytest.mark.parametrize(("status", "refusal"), [(422, EXTRA), (400, UNSUPPORTED)])
def test_a_field_of_the_gateways_own_is_left_out_and_that_is_remembered(
    scene: Scene, status: int, refusal: JsonObject
) -> None:
    scene.refuses("stream_options", status, refusal)
    reply = scene.gateway.post(chat("alone", stream=True))
    assert reply.status_code == 200 and said(reply) == "It works."
    assert reply.headers["x-gateway-attempts"] == "own/m=cannot,own/m=200"
    again = scene.gateway.post(chat("alone", stream=True))
    assert again.headers["x-gateway-attempts"] == "own/m=200", "what was learned holds for the next call"
    assert len(scene.up.requests) == 3
    explained = scene.gateway.get("/gateway/explain?model=alone").json()
    assert explained["candidates"][0]["left_out"] == ["usage"]
    assert explained["candidates"][0]["health"]["failures"] == 0, "it is held against nobody"


def test_the_reasoning_of_another_server_is_left_out(scene: Scene) -> None:
    scene.refuses("reasoning_content", 400, NO_REASONING)
    reply = scene.gateway.post({"model": "alone", "messages": HISTORY})
    assert reply.json()["choices"][0]["message"]["content"] == "It works."
    assert reply.headers["x-gateway-dropped"] == "messages.reasoning_content"


def test_what_the_caller_has_set_is_the_callers(scene: Scene) -> None:
    """It goes to a target that takes it, and is not left out in silence."""
    scene.refuses("stream_options", 422, EXTRA)
    asked = chat("both", stream=True, stream_options={"include_usage": True})
    reply = scene.gateway.post(asked)
    assert said(reply) == "It works elsewhere."
    assert reply.headers["x-gateway-attempts"].endswith("spare/m=200")
    assert scene.spare.requests[0].json()["stream_options"] == {"include_usage": True}


def said(reply: requests.Response) -> str:
    """The text of a stream."""
    chunks = [loads(line[len("data: ") :].encode()) for line in reply.text.split("\n") if line.startswith("data: {")]
    choices = [choice for chunk in chunks for choice in objects(an_object(chunk).get("choices"))]
    return "".join(text(an_object(choice["delta"]).get("content")) for choice in choices)
