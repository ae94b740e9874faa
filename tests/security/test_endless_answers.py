"""A provider that sends without end, or far more than it seems, takes neither the memory nor the gateway.

Each of these ends by a limit of its own, or else at the deadline. Here they come over a socket to the whole gateway;
the limits themselves are tested where they are: test_sse.py, test_session.py, test_strict_json.py.
"""

import itertools
import json
import sys
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import requests

from gateway.core.strict_json import MAX_CONTAINERS
from tests.security.hostile import check_stream, refused
from tests.support.fakes import FastClock
from tests.support.running import alias, chat, provider, running
from tests.support.served import serving
from tests.support.upstream_script import Head, Request, ScriptedUpstream, Send, Status, Step

MIB = 1 << 20
BLOCK = b"x" * MIB
STREAM = Head(200, {"content-type": "text/event-stream"}, framing="close")
WHOLE = Head(200, {"content-type": "application/json"}, framing="close")
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

Play = Callable[[Request], Iterator[Step]]


def event(delta: object, index: int = 0) -> bytes:
    choice = {"index": index, "delta": delta, "finish_reason": None}
    return b"data: %b\n\n" % json.dumps({"id": "1", "object": "chat.completion.chunk", "choices": [choice]}).encode()


def call(index: int | None, arguments: str, **more: str) -> object:
    place = {} if index is None else {"index": index}
    return {"tool_calls": [{**place, "function": {"arguments": arguments, **more}, "id": f"c{index}"}]}


def gemini(**candidate: object) -> bytes:
    return b"data: %b\r\n\r\n" % json.dumps({"candidates": [candidate]}).encode()


HI = event({"content": "Hi"})
HI_GEMINI = gemini(content={"parts": [{"text": "Hi"}]})


@cache
def bomb(size: int) -> bytes:
    """So many MiB of nothing, a thousand times smaller."""
    packing = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join([*(packing.compress(bytes(MIB)) for _ in range(size)), packing.flush()])


def on_and_on(*first: Step, again: bytes) -> Play:
    return lambda _: itertools.chain(first, itertools.repeat(Send(again)))


def each(first: bytes, one: Callable[[int], bytes]) -> Play:
    """A stream whose pieces differ; a thousand at a time."""

    def play(_: Request) -> Iterator[Step]:
        yield STREAM
        yield Send(first)
        for begin in itertools.count(step=1_000):
            yield Send(b"".join(map(one, range(begin, begin + 1_000))))

    return play


def once(*steps: Step) -> Play:
    return lambda _: iter(steps)


@dataclass(frozen=True)
class Case:
    """What a provider sends, and the reply: a status and an error code, for a stream that has begun the code in it."""

    play: Play
    status: int
    code: str | None
    streamed: bool = False
    model: str = "oa"


PACKED = {"content-encoding": "gzip"}
LIMITED = {
    "a bomb for an answer": Case(lambda _: iter([Status(200, PACKED, bomb(70))]), 502, "provider_invalid_response"),
    "a bomb for a stream": Case(
        lambda _: iter([Status(200, {**PACKED, "content-type": "text/event-stream"}, bomb(70))]),
        502,
        "provider_invalid_response",
        streamed=True,
    ),
    "a bomb for an error": Case(lambda _: iter([Status(400, PACKED, bomb(70))]), 400, None),
    "an answer": Case(on_and_on(WHOLE, again=BLOCK), 502, "provider_invalid_response"),
    "an error": Case(on_and_on(Head(400, framing="close"), again=BLOCK), 400, None),
    "an answer for a stream": Case(
        on_and_on(STREAM, Send(b'{"a": "'), again=BLOCK), 502, "provider_invalid_response", streamed=True
    ),
    "a first line": Case(
        on_and_on(STREAM, Send(b"data: "), again=BLOCK), 502, "provider_invalid_response", streamed=True
    ),
    "a line": Case(on_and_on(STREAM, Send(HI + b"data: "), again=BLOCK), 200, "stream_interrupted", streamed=True),
    "an event": Case(
        on_and_on(STREAM, Send(HI), again=b"data: %b\n" % BLOCK), 200, "stream_interrupted", streamed=True
    ),
    "events that say nothing": Case(
        on_and_on(STREAM, again=event({"role": "assistant"}) * 100), 502, "provider_invalid_response", streamed=True
    ),
    "choices": Case(each(HI, lambda n: event({"content": "x"}, n)), 200, "stream_interrupted", streamed=True),
    "calls of tools": Case(
        each(HI, lambda n: event(call(n, "{}", name="f"))), 200, "stream_interrupted", streamed=True
    ),
    "calls of tools without an index": Case(
        each(HI, lambda n: event({"tool_calls": [{"id": f"c{n}", "function": {"name": "f"}}]})),
        200,
        "stream_interrupted",
        streamed=True,
    ),
    "Gemini's choices": Case(
        each(HI_GEMINI, lambda n: gemini(index=n, content={"parts": [{"text": "x"}]})),
        200,
        "stream_interrupted",
        streamed=True,
        model="gm",
    ),
    "Gemini's line": Case(
        on_and_on(STREAM, Send(HI_GEMINI + b"data: "), again=BLOCK),
        200,
        "stream_interrupted",
        streamed=True,
        model="gm",
    ),
    "a status line": Case(on_and_on(Send(b"HTTP/1.1 200 "), again=BLOCK), 502, "provider_unreachable"),
    "a header line": Case(on_and_on(Send(b"HTTP/1.1 200 OK\r\nX: "), again=BLOCK), 502, "provider_unreachable"),
    "headers": Case(on_and_on(Send(b"HTTP/1.1 200 OK\r\n"), again=b"X: y\r\n" * 1_000), 502, "provider_unreachable"),
    "a chunk's extension": Case(on_and_on(Send(CHUNKED + b"5;"), again=BLOCK), 502, "provider_invalid_response"),
    "a chunk's size": Case(on_and_on(Send(CHUNKED), again=b"0" * MIB), 502, "provider_invalid_response"),
    "heads": Case(on_and_on(again=b"HTTP/1.1 100 Continue\r\n\r\n" * 900), 502, "provider_unreachable"),
    "trailers": Case(
        on_and_on(Send(CHUNKED + b"2\r\n{}\r\n0\r\n"), again=b"X: y\r\n" * 1_000), 502, "provider_invalid_response"
    ),
    "brackets": Case(
        once(Status(200, {"content-type": "application/json"}, b"[%b0]" % (b"[]," * (MAX_CONTAINERS + 1)))),
        502,
        "provider_invalid_response",
    ),
}
UNTIL_THE_DEADLINE = {
    "comments": Case(on_and_on(STREAM, Send(HI), again=b": wait\n" * 1_000), 200, "deadline_exceeded", streamed=True),
    "blank lines": Case(on_and_on(STREAM, Send(HI), again=b"\n" * 9_000), 200, "deadline_exceeded", streamed=True),
    "nonsense": Case(on_and_on(STREAM, Send(HI), again=b"data: {}\n\n" * 900), 200, "deadline_exceeded", streamed=True),
    "words": Case(on_and_on(STREAM, again=event({"content": "w "}) * 300), 200, "deadline_exceeded", streamed=True),
    "words that could be gone on with": Case(
        on_and_on(STREAM, again=event({"content": "w "}) * 300), 200, "deadline_exceeded", streamed=True, model="two"
    ),
    "arguments": Case(
        on_and_on(STREAM, Send(event(call(0, "{", name="f"))), again=event(call(0, "x" * 900)) * 100),
        200,
        "deadline_exceeded",
        streamed=True,
    ),
    "Gemini's words": Case(
        on_and_on(STREAM, again=HI_GEMINI * 300), 200, "deadline_exceeded", streamed=True, model="gm"
    ),
    "Gemini's calls of tools": Case(
        on_and_on(
            STREAM,
            again=gemini(content={"parts": [{"functionCall": {"name": "f", "id": "a"}, "thoughtSignature": "A" * 99}]})
            * 100,
        ),
        200,
        "deadline_exceeded",
        streamed=True,
        model="gm",
    ),
}


def config(up: ScriptedUpstream, other: ScriptedUpstream) -> dict[str, Any]:
    return {
        "providers": {
            "openai": provider(up.base_url),
            "gemini": {"type": "gemini", "apiKey": "k", "apiEndpoint": f"{up.url}/v1beta"},
            "other": provider(other.base_url),
        },
        "modelAliases": [
            alias("oa", "openai/m"),
            alias("gm", "gemini/gemini-2.5-pro"),
            alias("two", "openai/m", "other/m"),
        ],
    }


def check(case: Case, reply: requests.Response, content: bytes) -> None:
    assert reply.status_code == case.status
    if case.status == 200:
        check_stream(content)
        *_, last = content.removesuffix(b"\n\n").split(b"\n\n")
        assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == case.code
    else:
        assert refused(reply)["code"] == case.code


@pytest.fixture
def other() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as scripted:
        yield scripted


def played(case: Case) -> Callable[[Request], Sequence[Step]]:
    return case.play  # type: ignore[return-value]  # steps without an end are no sequence


@pytest.mark.parametrize("name", LIMITED)
def test_what_has_no_end_ends_at_a_limit(up: ScriptedUpstream, other: ScriptedUpstream, name: str) -> None:
    case = LIMITED[name]
    up.answers(played(case))
    with running(config(up, other)) as gateway:
        reply = gateway.post(chat(case.model, stream=case.streamed))
        check(case, reply, reply.content)
        assert gateway.post(chat("other/m")).status_code == 200


def test_a_line_that_drips_ends_at_the_deadline(up: ScriptedUpstream, other: ScriptedUpstream) -> None:
    """Each byte is a sign of life, so that it is the deadline that counts."""
    may_end = threading.Event()

    def drip(request: Request) -> Iterator[Step]:
        yield STREAM
        yield Send(HI + b"data: ")
        while not may_end.wait(0.01) and not request.client_gone.is_set():
            yield Send(b"x")

    case = Case(drip, 200, "deadline_exceeded", streamed=True)
    up.answers(played(case))
    with running({**config(up, other), "gateway": {"requestTimeoutSeconds": 60}}, clock=FastClock(100)) as gateway:
        reply = gateway.post(chat("oa", stream=True))
        may_end.set()
    check(case, reply, reply.content)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells the most memory that a process had")
@pytest.mark.parametrize("name", [*LIMITED, *UNTIL_THE_DEADLINE])
def test_a_process_keeps_its_size(up: ScriptedUpstream, other: ScriptedUpstream, name: str, tmp_path: Path) -> None:
    """An answer of 64 MiB is there twice while it is joined; all else takes less."""
    case = {**LIMITED, **UNTIL_THE_DEADLINE}[name]
    up.answers(played(case))
    file = tmp_path / "gateway.yaml"
    file.write_text(json.dumps({**config(up, other), "gateway": {"requestTimeoutSeconds": 5}}))
    with serving("-c", str(file), cwd=tmp_path) as gateway:
        before = most_mib(gateway.process.pid)
        address = f"http://127.0.0.1:{gateway.port}/v1/chat/completions"
        body = chat(case.model, stream=case.streamed)
        with requests.post(address, json=body, stream=True, timeout=60) as reply:
            last = b""
            for piece in reply.iter_content(65_536):
                last = (last + piece)[-4_000:]
            assert reply.status_code == case.status
            assert case.code is None or case.code.encode() in last
        assert most_mib(gateway.process.pid) - before < 200


def most_mib(pid: int) -> int:
    """The most memory that a process has had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) // 1024


LONG = "eyJaaaaaaaa-" * 200_000
"""What a mask has looked for begins anew every few letters, and ends nowhere."""


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("place", ["message", "type", "param", "code"])
def test_a_long_word_of_an_error_is_not_passed_on(
    up: ScriptedUpstream, other: ScriptedUpstream, place: str, streamed: bool
) -> None:
    told = json.dumps({"error": {"message": "m", place: LONG}}).encode()
    up.answers(lambda _: (Status(200, {}, b"data: %b\n\n" % told if streamed else told),))
    with running(config(up, other)) as gateway:
        reply = gateway.post(chat("oa", stream=streamed))
    error = refused(reply)
    assert "eyJ" not in reply.text and error["message"]
