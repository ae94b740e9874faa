"""The words of the scripted upstream: what was asked, the steps that answer it, and what a healthy provider says."""

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BufferedReader
from typing import Any, Literal, TypeAlias


class Headers(Mapping[str, str]):
    """Header fields by name, whatever its case; a repeated field's values are joined by a comma."""

    def __init__(self, fields: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, str] = {}
        for name, value in fields:
            known = self._values.get(name.lower())
            self._values[name.lower()] = value if known is None else f"{known}, {value}"

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Headers({self._values})"


@dataclass(frozen=True)
class Request:
    """One request as it came. `connection` counts from 0; `client_gone` is set when the client left before the end."""

    method: str
    path: str
    headers: Headers
    body: bytes
    connection: int
    client_gone: threading.Event = field(default_factory=threading.Event, repr=False)

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


def read_request(stream: BufferedReader, connection: int) -> Request | None:
    """The next request; None where the client closed instead.

    Raises:
        ConnectionError: the client closed inside a request.
        ValueError: it is not HTTP/1.1.
    """
    if not stream.peek(1):
        return None
    line = _line(stream)
    method, path, version = line.decode("ascii").split()
    if version != "HTTP/1.1":
        raise ValueError(f"Not HTTP/1.1: {line!r}")
    fields = []
    while (line := _line(stream)) != b"":
        name, _, value = line.decode("latin-1").partition(":")
        fields.append((name, value.strip()))
    headers = Headers(fields)
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = b"".join(_chunks(stream))
    else:
        body = _exactly(stream, int(headers.get("content-length", "0")))
    return Request(method, path, headers, body, connection)


def _chunks(stream: BufferedReader) -> Iterator[bytes]:
    while size := int(_line(stream).partition(b";")[0], 16):
        yield _exactly(stream, size)
        _line(stream)
    while _line(stream):
        pass


def _line(stream: BufferedReader) -> bytes:
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise ConnectionAbortedError("The client left inside a request.")
    return line.rstrip(b"\r\n")


def _exactly(stream: BufferedReader, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise ConnectionAbortedError("The client left inside a request.")
    return data


# Steps -------------------------------------------------------------------------------------------------------------

HeaderFields: TypeAlias = Mapping[str, str] | Sequence[tuple[str, str]]
Framing: TypeAlias = Literal["chunked", "close"] | int


@dataclass(frozen=True)
class Head:
    """Status line and headers. `framing`: chunked, until the connection closes, or a Content-Length."""

    status: int = 200
    headers: HeaderFields = ()
    framing: Framing = "chunked"


@dataclass(frozen=True)
class Body:
    """Bytes of the body, framed as the head says; without a head, a chunked 200 is begun."""

    data: bytes


@dataclass(frozen=True)
class Status:
    """A whole answer with a Content-Length."""

    code: int
    headers: HeaderFields = ()
    body: bytes = b""


@dataclass(frozen=True)
class Json:
    """A whole JSON answer."""

    code: int
    value: object
    headers: HeaderFields = ()


@dataclass(frozen=True)
class Sse:
    """Events of a stream, each in a send of its own; without a head, a chunked text/event-stream is begun."""

    events: Sequence[str]


@dataclass(frozen=True)
class Done:
    """The event `[DONE]`."""


@dataclass(frozen=True)
class Send:
    """Raw bytes, in place of a head or between pieces of a body."""

    data: bytes


@dataclass(frozen=True)
class WaitFor:
    """Silence until the event is set. The rest is not played if the client leaves meanwhile."""

    event: threading.Event


@dataclass(frozen=True)
class Stall:
    """Silence until the client leaves or the test ends; `client_gone` of the request tells when it left."""


@dataclass(frozen=True)
class Cut:
    """Close now. In a chunked body this is inside a chunk, of which `partial` is still sent."""

    partial: bytes = b""


@dataclass(frozen=True)
class Reset:
    """Close by RST. The client may lose what was sent before and not yet read."""


Step: TypeAlias = Head | Body | Status | Json | Sse | Done | Send | WaitFor | Stall | Cut | Reset
Respond: TypeAlias = Callable[[Request], Sequence[Step]]


def field_list(headers: HeaderFields) -> Sequence[tuple[str, str]]:
    """The fields as pairs."""
    return tuple(headers.items()) if isinstance(headers, Mapping) else headers


# Healthy answers ---------------------------------------------------------------------------------------------------

Usage: TypeAlias = Mapping[str, int]


def json_answer(text: str, *, model: str = "m", finish: str = "stop", usage: Usage | None = None) -> Json:
    """A whole OpenAI answer."""
    message = {"role": "assistant", "content": text, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    counts = usage or {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model}
    return Json(200, {**head, "choices": [choice], "usage": counts})


def sse_events(
    text: str, *, model: str = "m", finish: str | None = "stop", usage: Usage | None = None
) -> tuple[str, ...]:
    """The events of a streamed OpenAI answer: the role, a word each, the finish, the usage if given; no `[DONE]`."""

    def event(choices: list[object], **more: object) -> str:
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model}
        return json.dumps({**head, "choices": choices, **more})

    def choice(delta: Mapping[str, str], finish_reason: str | None = None) -> list[object]:
        return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}]

    words = [word + " " for word in text.split(" ")]
    words[-1] = words[-1][:-1]
    events = [event(choice({"role": "assistant", "content": ""}))]
    events += [event(choice({"content": word})) for word in words if word]
    events += [event(choice({}, finish))] if finish else []
    events += [event([], usage=usage)] if usage else []
    return tuple(events)


def sse_answer(
    text: str, *, model: str = "m", finish: str | None = "stop", usage: Usage | None = None, done: bool = True
) -> tuple[Step, ...]:
    """The steps of a streamed OpenAI answer."""
    events = Sse(sse_events(text, model=model, finish=finish, usage=usage))
    return (events, Done()) if done else (events,)


def healthy(request: Request) -> Sequence[Step]:
    """What a provider in order answers, streamed if the request says so."""
    try:
        asked = json.loads(request.body)
    except ValueError:
        asked = {}
    model = str(asked.get("model", "m"))
    text = "Hello from the scripted upstream."
    return sse_answer(text, model=model) if asked.get("stream") else (json_answer(text, model=model),)
