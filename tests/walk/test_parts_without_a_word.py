"""Parts of a message for which a target has no word: sent in its own words, or the next target answers.

The case is a video that Gemini can hold, and a part that it cannot: a question is never answered without its subject.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Final

import pytest
import requests

from tests.support import gemini_answers as google
from tests.support.fakes import FastClock
from tests.support.running import Running, alias, provider, running
from tests.support.upstream_script import Json, ScriptedUpstream, json_answer

QUESTION: Final = {"type": "text", "text": "what happens in it?"}
INLINE: Final = {"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}}


class Scene:
    """Gemini, alone and before a target of OpenAI's wire."""

    def __init__(self, closing: ExitStack) -> None:
        self.gemini, self.openai = (closing.enter_context(ScriptedUpstream()) for _ in range(2))
        self.gemini.answers(lambda _: [Json(200, google.said(google.text("A cat sleeps.")))])
        self.openai.answers(lambda _: [json_answer("A dog barks.")])
        settings = {
            "providers": {
                "g": {"type": "gemini", "apiEndpoint": f"{self.gemini.url}/v1beta", "apiKey": "k"},
                "o": provider(self.openai.base_url, apiKey="k"),
            },
            "modelAliases": [alias("alone", "g/gemini-2.5-pro"), alias("both", "g/gemini-2.5-pro", "o/m")],
        }
        self.gateway: Running = closing.enter_context(running(settings, clock=FastClock(25.0)))

    def ask(self, model: str, part: dict[str, Any]) -> requests.Response:
        return self.gateway.post({"model": model, "messages": [{"role": "user", "content": [QUESTION, part]}]})


@pytest.fixture
def scene() -> Iterator[Scene]:
    with ExitStack() as closing:
        yield Scene(closing)


@pytest.mark.parametrize(
    ("part", "sent"),
    [
        ({"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}}, INLINE),
        (
            {"type": "video_url", "video_url": "https://a.example/v.mp4"},
            {"fileData": {"fileUri": "https://a.example/v.mp4", "mimeType": "video/mp4"}},
        ),
        (
            {"type": "audio_url", "audio_url": {"url": "data:audio/wav;base64,AAAA"}},
            {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}},
        ),
        ({"type": "input_text", "text": "more"}, {"text": "more"}),
        (
            {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
            {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
        ),
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
            {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
        ),
        (
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"},
            {"inlineData": {"mimeType": "application/pdf", "data": "AAAA"}},
        ),
    ],
    ids=lambda value: value.get("type", "") if isinstance(value, dict) else "",
)
def test_what_gemini_can_hold_is_sent(scene: Scene, part: dict[str, Any], sent: dict[str, Any]) -> None:
    reply = scene.ask("alone", part)
    assert reply.status_code == 200
    (request,) = scene.gemini.requests
    assert request.json()["contents"][0]["parts"] == [{"text": QUESTION["text"]}, sent]


@pytest.mark.parametrize("kind", ["hologram", "video", "input_video", "server_tool"])
def test_what_it_cannot_hold_is_for_the_next_target(scene: Scene, kind: str) -> None:
    part = {"type": kind, "x": "AAAA"}
    reply = scene.ask("both", part)
    assert reply.status_code == 200 and scene.gemini.requests == []
    (request,) = scene.openai.requests
    assert request.json()["messages"][0]["content"][1] == part, "the part goes out as it came"


def test_alone_the_caller_reads_which_part_it_is(scene: Scene) -> None:
    reply = scene.ask("alone", {"type": "hologram"})
    error = json.loads(reply.content)["error"]
    assert (reply.status_code, error["param"]) == (400, "messages[0].content[1]")
    assert error["code"] == "unsupported_by_provider" and scene.gemini.requests == []
