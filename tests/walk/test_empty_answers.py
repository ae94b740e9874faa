"""Answers without any word: asked once more and then elsewhere, but a continuation may have nothing to add.

The whole walk, over both wires that providers speak here.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Final

import pytest

from tests.support import gemini_answers as google
from tests.support.fakes import FastClock
from tests.support.running import Running, alias, events, provider, running
from tests.support.upstream_script import (
    Cut,
    Done,
    Json,
    Request,
    ScriptedUpstream,
    Sse,
    Step,
    json_answer,
    sse_answer,
    sse_events,
)

WHOLE: Final = "Paris is the capital of France, and Rome is the capital of Italy."
OPEN: Final = "Paris is the capital of France, and Rome is the capital"
NOTHING: Final[Sequence[Step]] = (Sse(sse_events("")), Done())


class Scene:
    """A first target of OpenAI's wire, and behind it one of each wire."""

    def __init__(self, closing: ExitStack) -> None:
        self.first, self.openai, self.gemini = (closing.enter_context(ScriptedUpstream()) for _ in range(3))
        gemini = {"type": "gemini", "apiEndpoint": f"{self.gemini.url}/v1beta", "apiKey": "k"}
        settings = {
            "providers": {
                "first": provider(self.first.base_url, apiKey="k"),
                "openai": provider(self.openai.base_url, apiKey="k"),
                "gemini": gemini,
            },
            "modelAliases": [
                alias("to-openai", "first/m", "openai/m"),
                alias("to-gemini", "first/m", "gemini/m"),
                alias("from-gemini", "gemini/m", "openai/m"),
            ],
        }
        self.gateway: Running = closing.enter_context(running(settings, clock=FastClock(25.0)))

    def stream(self, model: str) -> tuple[str, list[Any]]:
        reply = self.gateway.post({"model": model, "stream": True, "messages": [{"role": "user", "content": "Tell."}]})
        found = events(reply.content.decode())
        texts = [
            one["choices"][0]["delta"].get("content") or ""
            for one in found
            if isinstance(one, Mapping) and one.get("choices")
        ]
        return "".join(texts), list(found)


@pytest.fixture
def scene() -> Iterator[Scene]:
    with ExitStack() as closing:
        yield Scene(closing)


def nothing(request: Request) -> Sequence[Step]:
    """No word, in whichever form it was asked for."""
    if "/models/" in request.path:
        body = google.said()
        return google.stream(body) if "alt=sse" in request.path else [Json(200, body)]
    return NOTHING if request.json().get("stream") else [json_answer("")]


def sound(request: Request) -> Sequence[Step]:
    return sse_answer(WHOLE) if request.json().get("stream") else [json_answer(WHOLE)]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("model", "target"), [("to-openai", "first/m"), ("from-gemini", "gemini/m")])
def test_an_empty_answer_is_asked_once_more_and_then_elsewhere(
    scene: Scene, model: str, target: str, streamed: bool
) -> None:
    scene.first.answers(nothing)
    scene.gemini.answers(nothing)
    scene.openai.answers(sound)
    asked = {"model": model, "stream": streamed, "messages": [{"role": "user", "content": "Tell."}]}
    reply = scene.gateway.post(asked)
    failed = f"{target}=provider_invalid_response"
    assert reply.headers["x-gateway-attempts"] == f"{failed},{failed},openai/m=200"
    assert WHOLE.split()[-1] in reply.text


@pytest.mark.parametrize("model", ["to-openai", "to-gemini"])
def test_nothing_may_continue_a_text_that_ends_whole(scene: Scene, model: str) -> None:
    scene.first.plays(Sse(sse_events(WHOLE, finish=None)), Cut())
    scene.openai.answers(nothing)
    scene.gemini.answers(nothing)
    text, found = scene.stream(model)
    assert text == WHOLE and found[-1] == "[DONE]"
    assert json.dumps(found).count('"finish_reason": "stop"') == 1


@pytest.mark.parametrize("model", ["to-openai", "to-gemini"])
def test_nothing_does_not_continue_a_text_that_ends_in_the_middle(scene: Scene, model: str) -> None:
    scene.first.plays(Sse(sse_events(OPEN, finish=None)), Cut())
    scene.openai.answers(nothing)
    scene.gemini.answers(nothing)
    text, found = scene.stream(model)
    assert text == OPEN and found[-1] != "[DONE]" and "error" in found[-1]
