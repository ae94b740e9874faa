"""An answer that a test says once, and that a scripted upstream plays in the wire of OpenAI or of Google."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from tests.support import gemini_answers as google
from tests.support.running import provider
from tests.support.upstream_script import Done, Head, Json, ScriptedUpstream, Sse, Step

PROMPT, COMPLETION = 7, 3
"""The tokens of every answer."""


class Says(Struct, frozen=True):
    """A piece of text."""

    text: str


class Thinks(Struct, frozen=True):
    """A piece of reasoning."""

    text: str


class Calls(Struct, frozen=True):
    """A call of a tool, by the name that the provider was sent."""

    name: str
    given: Mapping[str, Any]


Spoken = Says | Thinks | Calls


class Wire(Protocol):
    """How a provider speaks."""

    name: str

    def provider(self, up: ScriptedUpstream) -> dict[str, object]:
        """The section of the configuration."""

    def whole(self, *spoken: Spoken) -> Step:
        """A whole answer."""

    def stream(self, *spoken: Spoken) -> tuple[Step, ...]:
        """A stream, an event a piece."""

    def begun(self, *spoken: Spoken) -> tuple[Step, ...]:
        """A stream without its end."""

    def ended(self, *, called: bool = False) -> tuple[Step, ...]:
        """The end of a stream, in which a tool was called or not."""


class OpenAI:
    """A server of OpenAI's wire."""

    name = "openai"
    _HEAD: Mapping[str, object] = {"id": "chatcmpl-1", "created": 1, "model": "m"}
    _USAGE: Mapping[str, int] = {
        "prompt_tokens": PROMPT,
        "completion_tokens": COMPLETION,
        "total_tokens": PROMPT + COMPLETION,
    }

    def provider(self, up: ScriptedUpstream) -> dict[str, object]:
        return provider(up.base_url, apiKey="k")

    def whole(self, *spoken: Spoken) -> Step:
        calls = [self._call(f"id-{at}", one) for at, one in enumerate(one for one in spoken if isinstance(one, Calls))]
        message = {
            "role": "assistant",
            "content": "".join(one.text for one in spoken if isinstance(one, Says)) or None,
            "reasoning_content": "".join(one.text for one in spoken if isinstance(one, Thinks)) or None,
            "tool_calls": calls or None,
        }
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}
        body = {**self._HEAD, "object": "chat.completion", "choices": [choice], "usage": self._USAGE}
        return Json(200, body)

    def stream(self, *spoken: Spoken) -> tuple[Step, ...]:
        return (*self.begun(*spoken), *self.ended(called=any(isinstance(one, Calls) for one in spoken)))

    def begun(self, *spoken: Spoken) -> tuple[Step, ...]:
        return (Sse([self.event({"role": "assistant", "content": ""}), *map(self.event, self._deltas(spoken))]),)

    def ended(self, *, called: bool = False) -> tuple[Step, ...]:
        end = [self.event({}, "tool_calls" if called else "stop"), self._event([], usage=self._USAGE)]
        return Sse(end), Done()

    def event(self, delta: Mapping[str, Any], finish: str | None = None) -> str:
        """One event of a stream."""
        return self._event([{"index": 0, "delta": delta, "finish_reason": finish}])

    def _event(self, choices: Sequence[object], **more: object) -> str:
        return json.dumps({**self._HEAD, "object": "chat.completion.chunk", "choices": choices, **more})

    def _deltas(self, spoken: Sequence[Spoken]) -> Iterator[Mapping[str, Any]]:
        calls = 0
        for one in spoken:
            if isinstance(one, Calls):
                yield {"tool_calls": [{"index": calls, **self._call(f"id-{calls}", one)}]}
                calls += 1
            else:
                yield {"content" if isinstance(one, Says) else "reasoning_content": one.text}

    def _call(self, id: str, call: Calls) -> dict[str, Any]:
        return {"id": id, "type": "function", "function": {"name": call.name, "arguments": json.dumps(call.given)}}


class Gemini:
    """Google's server, of the third generation."""

    name = "gemini"

    def provider(self, up: ScriptedUpstream) -> dict[str, object]:
        return {"type": "gemini", "apiKey": "k", "apiEndpoint": f"{up.url}/v1beta"}

    def whole(self, *spoken: Spoken) -> Step:
        return Json(200, google.said(*map(self._part, spoken)))

    def stream(self, *spoken: Spoken) -> tuple[Step, ...]:
        return (*self.begun(*spoken), *self.ended())

    def begun(self, *spoken: Spoken) -> tuple[Step, ...]:
        head = Head(200, {"content-type": "text/event-stream"})
        return (head, *(google.event(google.said(self._part(one), finish=None)) for one in spoken))

    def ended(self, *, called: bool = False) -> tuple[Step, ...]:
        return (google.event(google.said(google.text(""))),)  # it says STOP in either case

    def _part(self, one: Spoken) -> dict[str, Any]:
        if isinstance(one, Calls):
            return google.call(one.name, one.given)
        return google.text(one.text, **({"thought": True} if isinstance(one, Thinks) else {}))


OPENAI, GEMINI = OpenAI(), Gemini()
