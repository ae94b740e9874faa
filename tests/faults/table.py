"""The words of the table of faults: what a provider does, and what may come of it.

A row is one shape of one kind of fault. The machine (test_faults.py) plays each whole and streamed, alone and before a
sound target, and judges what the caller gets. A module of rows is a tuple; another section of faults adds a module.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

TEXT: Final = "The capital of France is Paris, and the capital of Italy is Rome. Both lie on rivers."
"""What the sound target says."""
CUT: Final = "The capital of France is Paris, and the capital "
"""What a provider has said of it when it breaks off."""
HEAD: Final = {"id": "chatcmpl-x", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "m"}
WHOLE: Final = {**HEAD, "object": "chat.completion"}
COUNTS: Final = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
TOOL: Final = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
WITH_TOOL: Final[Mapping[str, Any]] = {"tools": [TOOL]}


@dataclass(frozen=True)
class Says:
    """An answer that the caller must get exactly. `calls`: name and arguments of each; `legacy`: as `function_call`."""

    text: str = ""
    finish: str = "stop"
    calls: tuple[tuple[str, str], ...] = ()
    native: str | None = None
    legacy: bool = False


@dataclass(frozen=True)
class Reply:
    """An answer on the socket. `cut`: the connection closes inside the body."""

    body: bytes
    status: int = 200
    media: str = "text/event-stream"
    cut: bool = False


@dataclass(frozen=True)
class Second:
    """The target behind the faulty one.

    Attributes:
        text: the true answer, which it gives where it is asked for a whole one.
        continuation: what it answers where it is asked to go on; None: it goes on as it was asked to.
        again: what it answers where it is asked for a whole answer; None: the text.
        asked: what it is asked for, in this order; None: one request where its answer counts, and otherwise none.
    """

    text: str = TEXT
    continuation: Reply | None = None
    again: Reply | None = None
    asked: tuple[Literal["go on", "whole"], ...] | None = None


ERROR: Final = "error"
"""The caller gets an error, and nothing that looks like a regular end."""
SECOND: Final = "second"
"""The caller gets the sound target's whole answer, be it that of a stream that was resumed."""


@dataclass(frozen=True)
class Fault:
    """One row.

    Attributes:
        kind, shape: its name.
        section: of the list of faults that it belongs to.
        wire: the provider's.
        whole: the body where a whole answer was asked for; None: the row is about streams.
        stream: the body where a stream was asked for; None: the row is about whole answers.
        alone: what comes of it where no other target is left.
        two: what comes of it where a sound target is behind it.
        code: the error's code where it is alone; None where it does not matter.
        asks: further fields of the request.
        status, media: of the faulty answer; no media: that of an answer in order.
        told: the status and code of the error where nobody answers; None where they do not matter.
        second: the target behind it.
    """

    kind: str
    shape: str
    section: int
    alone: Says | Literal["error"]
    two: Says | Literal["second", "error"]
    whole: bytes | None = None
    stream: bytes | None = None
    wire: Literal["openai", "gemini"] = "openai"
    code: str | None = None
    asks: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    media: str | None = None
    told: tuple[int, str | None] | None = None
    second: Second = field(default_factory=Second)

    @property
    def name(self) -> str:
        return f"{self.kind}: {self.shape}"


def fails(kind: str, shape: str, *, section: int = 2, **more: Any) -> Fault:
    """A row that is an error alone, and the second target's answer where there is one."""
    return Fault(kind, shape, section, ERROR, SECOND, **more)


def ends(kind: str, shape: str, *, section: int = 2, **more: Any) -> Fault:
    """A row that is an error even where a second target is there: what the caller has cannot be joined to another."""
    return Fault(kind, shape, section, ERROR, ERROR, **more)


def mended(kind: str, shape: str, says: Says, *, section: int = 2, **more: Any) -> Fault:
    """A row whose answer is right once it is read well: nobody else is asked."""
    return Fault(kind, shape, section, says, says, **more)


# OpenAI's wire ----------------------------------------------------------------------------------------------------


def event(delta: Mapping[str, Any], finish: object = None, **choice: object) -> bytes:
    """An event with one choice."""
    fields = {"index": 0, "delta": delta, "finish_reason": finish, **choice}
    return sse(json.dumps({**HEAD, "choices": [fields]}))


def sse(data: str | bytes) -> bytes:
    """An event with these data."""
    return b"data: " + (data if isinstance(data, bytes) else data.encode()) + b"\n\n"


ROLE: Final = event({"role": "assistant", "content": ""})
DONE: Final = sse("[DONE]")
BEGUN: Final = ROLE + event({"content": CUT[:20]}) + event({"content": CUT[20:]})
"""A stream that has said a part of the answer."""
STOP: Final = event({}, "stop") + DONE


def answer(message: Mapping[str, Any], finish: object = "stop", **choice: object) -> bytes:
    """A whole answer."""
    said = {"role": "assistant", "content": None, **message}
    return json.dumps(
        {**WHOLE, "choices": [{"index": 0, "message": said, "finish_reason": finish, **choice}], "usage": COUNTS}
    ).encode()


def raw(inside: bytes) -> bytes:
    """An event whose delta holds these bytes."""
    head = b'data: {"id":"chatcmpl-x","object":"chat.completion.chunk","created":1700000000,"model":"m","choices":'
    return head + b'[{"index":0,"delta":{' + inside + b'},"finish_reason":null}]}\n\n'


def raw_answer(inside: bytes) -> bytes:
    """A whole answer whose message holds these bytes."""
    head = b'{"id":"chatcmpl-x","object":"chat.completion","created":1700000000,"model":"m","choices":'
    return head + b'[{"index":0,"message":{"role":"assistant",' + inside + b'},"finish_reason":"stop"}]}'


def called(*pieces: Mapping[str, Any], finish: object = "tool_calls") -> bytes:
    """A stream of fragments of calls."""
    events = b"".join(event({"tool_calls": [piece]}) for piece in pieces)
    return event({"role": "assistant", "content": None}) + events + event({}, finish) + DONE


def fragment(arguments: str | None = None, *, index: int = 0, name: str | None = None, **more: Any) -> dict[str, Any]:
    """A fragment of a call."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    begun = {"id": "c1", "type": "function"} if name is not None else {}
    return {"index": index, **begun, "function": function, **more}


def whole_calls(*calls: tuple[str, str]) -> dict[str, Any]:
    """A message with calls, as names and arguments."""
    return {
        "tool_calls": [
            {"id": f"c{number}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for number, (name, arguments) in enumerate(calls)
        ]
    }


# Gemini's wire ----------------------------------------------------------------------------------------------------


def candidate(*parts: Mapping[str, Any], finish: str | None = "STOP", **more: object) -> dict[str, Any]:
    """A GenerateContentResponse with one candidate."""
    found: dict[str, Any] = {"index": 0, "content": {"role": "model", "parts": list(parts)}, **more}
    return {"candidates": [{**found, "finishReason": finish} if finish else found]}


def gemini(*events: Mapping[str, Any]) -> bytes:
    """A stream of Gemini's."""
    return b"".join(sse(json.dumps(each)) for each in events)


def gemini_whole(body: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> bytes:
    """A whole answer of Gemini's."""
    return json.dumps(body).encode()
