"""What holds of every reply, whatever a caller or a provider has sent, and the gateway that these tests send it to."""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import requests

from tests.support.running import Running, alias, provider, running
from tests.support.upstream_script import Request, ScriptedUpstream, Status, Step

KEY = "sk-canary-0123456789abcdef"
GOOGLE_KEY = "AIzaCanary0123456789abcdef"
GEMINI_ANSWER = {
    "candidates": [{"content": {"parts": [{"text": "Hello."}], "role": "model"}, "index": 0, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2},
}


@dataclass(frozen=True)
class Scene:
    """A gateway whose alias `oa` is a provider of OpenAI's wire, and `gm` one of Gemini's."""

    gateway: Running
    openai: ScriptedUpstream
    gemini: ScriptedUpstream

    def forget(self) -> None:
        """Remember nothing of what was asked so far."""
        self.openai.forget()
        self.gemini.forget()


@contextmanager
def scene() -> Iterator[Scene]:
    """Both providers answer, unless told otherwise."""
    with ExitStack() as closing:
        openai, gemini = (closing.enter_context(ScriptedUpstream()) for _ in range(2))
        gemini.answers(healthy_gemini)
        config = {
            "providers": {
                "openai": provider(openai.base_url, apiKey=KEY),
                "gemini": {"type": "gemini", "apiKey": GOOGLE_KEY, "apiEndpoint": f"{gemini.url}/v1beta"},
            },
            "modelAliases": [alias("oa", "openai/m"), alias("gm", "gemini/gemini-2.5-pro")],
        }
        yield Scene(closing.enter_context(running(config)), openai, gemini)


def healthy_gemini(request: Request) -> Sequence[Step]:
    """What Gemini answers, streamed if the address says so."""
    answer = json.dumps(GEMINI_ANSWER).encode()
    if "alt=sse" in request.path:
        return (Status(200, {"content-type": "text/event-stream"}, b"data: %b\r\n\r\n" % answer),)
    return (Status(200, {"content-type": "application/json"}, answer),)


def strict(text: bytes) -> Any:
    """The value of a JSON text that every parser reads alike: UTF-8, no NaN, no half of a pair."""
    value = json.loads(text.decode(), parse_constant=_no_constant)
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    return value


def refused(reply: requests.Response) -> Any:
    """The error of a reply that is one, and OpenAI's in every part."""
    (error,) = strict(reply.content).values()
    assert reply.status_code >= 400 and reply.headers["content-type"] == "application/json"
    check_error(error)
    return error


def check_reply(reply: requests.Response) -> None:
    """It is an answer, a stream or an error, in strict JSON throughout, and the gateway has not failed at it."""
    assert reply.headers["x-request-id"]
    if reply.status_code != 200:
        refused(reply)
    elif reply.headers["content-type"] == "application/json":
        assert strict(reply.content)["object"] == "chat.completion"
    else:
        check_stream(reply.content)


def check_stream(content: bytes) -> None:
    """Blank lines part events of one line of data each; the last is the only end or the only error."""
    assert content.endswith(b"\n\n")
    *chunks, last = [event for event in content.removesuffix(b"\n\n").split(b"\n\n") if not event.startswith(b":")]
    assert all(event.startswith(b"data: ") and b"\n" not in event and b"\r" not in event for event in (*chunks, last))
    assert all(strict(chunk.removeprefix(b"data: "))["object"] == "chat.completion.chunk" for chunk in chunks)
    if last != b"data: [DONE]":
        check_error(strict(last.removeprefix(b"data: "))["error"])


def check_error(error: Any) -> None:
    """OpenAI's four fields, and no fault of ours."""
    assert error.keys() == {"message", "type", "param", "code"}
    assert isinstance(error["message"], str) and error["message"] and isinstance(error["type"], str)
    assert all(error[name] is None or isinstance(error[name], str) for name in ("param", "code"))
    assert error["code"] != "internal_error", error


def _no_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")
