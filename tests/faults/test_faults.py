"""The fault machine: every row of the table on real sockets, whole and streamed, alone and before a sound target.

Whatever a provider does, no answer that is cut, altered, joined or empty is shown as a success, and the sound target is
asked only where the row says so, with the caller's own question.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
import requests

from tests.faults import (
    call_rows,
    continuation_rows,
    finish_rows,
    gemini_rows,
    reading_rows,
    refusal_rows,
)
from tests.faults.table import ERROR, SECOND, Fault, Reply, Says
from tests.support.cases import each_case
from tests.support.continuations import answer_to, is_continuation
from tests.support.fakes import FastClock
from tests.support.running import Running, alias, events, provider, running
from tests.support.upstream_script import (
    Body,
    Cut,
    Head,
    Request,
    ScriptedUpstream,
    Status,
    Step,
    json_answer,
    sse_answer,
)

FAULTS: Final[tuple[Fault, ...]] = (
    *finish_rows.ROWS,
    *reading_rows.ROWS,
    *call_rows.ROWS,
    *gemini_rows.ROWS,
    *refusal_rows.ROWS,
    *continuation_rows.ROWS,
)
FACTOR: Final = 5.0
"""Pauses between two tries are shorter, and a busy machine does not yet seem a silent provider."""
BEGUN: Final = 200
"""The status of a stream that has begun before its provider has answered. A slow one begins so."""
QUESTION: Final = "Which are the capitals of France and Italy?"


@dataclass
class Heard:
    """What the caller got."""

    status: int
    text: str = ""
    finish: str | None = None
    native: str | None = None
    calls: dict[int, list[str]] = field(default_factory=dict)
    legacy: bool = False
    error: Any = None
    done: bool = False

    def add(self, message: dict[str, Any], choice: dict[str, Any]) -> None:
        self.text += message.get("content") or ""
        for place, call in enumerate(message.get("tool_calls") or ()):
            self._call(call.get("index", place), call["function"])
        if function := message.get("function_call"):
            self.legacy = True
            self._call(0, function)
        self.finish = choice.get("finish_reason") or self.finish
        self.native = choice.get("native_finish_reason") or self.native

    def _call(self, index: int, function: dict[str, Any]) -> None:
        known = self.calls.setdefault(index, ["", ""])
        known[0] += function.get("name") or ""
        known[1] += function.get("arguments") or ""

    @property
    def says(self) -> Says:
        calls = tuple((name, arguments) for name, arguments in self.calls.values())
        return Says(self.text, self.finish or "", calls, self.native, self.legacy)


class Scene:
    """One gateway for all rows that are played in one way. Each has targets of its own, so that none rests because of
    another."""

    def __init__(self, closing: ExitStack, way: str, *, behind: bool) -> None:
        self.faulty, self.sound = (closing.enter_context(ScriptedUpstream()) for _ in range(2))
        self.faulty.answers(misbehave)
        self.sound.answers(answer_soundly)
        providers: dict[str, object] = {"sound": provider(self.sound.base_url, apiKey="k")}
        aliases = []
        for number, fault in enumerate(FAULTS):
            if getattr(fault, way) is None:
                continue
            name = name_of(number, way, behind=behind)
            base = f"{self.faulty.url}/v1beta"
            is_gemini = fault.wire == "gemini"
            providers[name] = (
                {"type": "gemini", "apiEndpoint": base, "apiKey": "k"}
                if is_gemini
                else provider(self.faulty.base_url, apiKey="k")
            )
            aliases.append(alias(name, f"{name}/{name}", *((f"sound/{name}",) if behind else ())))
        settings = {"providers": providers, "modelAliases": aliases}
        self.gateway: Running = closing.enter_context(running(settings, clock=FastClock(FACTOR)))

    def ask(self, fault: Fault, name: str, *, streamed: bool) -> Heard:
        self.faulty.forget()
        self.sound.forget()
        body = {"model": name, "stream": streamed, "messages": [{"role": "user", "content": QUESTION}], **fault.asks}
        reply = self.gateway.post(body)
        return heard_in_stream(reply) if streamed and reply.status_code == 200 else heard(reply)


def name_of(number: int, way: str, *, behind: bool) -> str:
    return f"f{number}-{way}-{'two' if behind else 'alone'}"


def fault_of(request: Request) -> tuple[Fault, str]:
    """The row that a request belongs to, and whether it is played whole or as a stream."""
    name = request.path.partition("/models/")[2].partition(":")[0] or request.json()["model"]
    number, way, _ = name.removeprefix("f").split("-")
    return FAULTS[int(number)], way


def misbehave(request: Request) -> Sequence[Step]:
    fault, way = fault_of(request)
    media = fault.media or ("text/event-stream" if way == "stream" else "application/json")
    return [Status(fault.status, {"content-type": media}, getattr(fault, way))]


def answer_soundly(request: Request) -> Sequence[Step]:
    second = fault_of(request)[0].second
    if reply := second.continuation if is_continuation(request) else second.again:
        return played(reply)
    text = answer_to(second.text, request)
    return sse_answer(text) if request.json().get("stream") else [json_answer(text)]


def played(reply: Reply) -> Sequence[Step]:
    head = {"content-type": reply.media}
    if reply.cut:
        return [Head(reply.status, head), Body(reply.body), Cut()]
    return [Status(reply.status, head, reply.body)]


def heard(reply: requests.Response) -> Heard:
    body = reply.json()
    found = Heard(reply.status_code, error=body.get("error"), done=reply.status_code == 200)
    for choice in body.get("choices", ()):
        found.add(choice["message"], choice)
    return found


def heard_in_stream(reply: requests.Response) -> Heard:
    found = Heard(reply.status_code)
    for event in events(reply.content.decode()):
        if event == "[DONE]":
            found.done = True
            continue
        assert isinstance(event, dict)
        found.error = event.get("error") or found.error
        for choice in event.get("choices", ()):
            found.add(choice["delta"], choice)
    return found


@pytest.fixture
def scene(way: str, behind: bool) -> Iterator[Scene]:
    with ExitStack() as closing:
        yield Scene(closing, way, behind=behind)


def told(found: Heard, way: str) -> tuple[int, str | None]:
    """The error's status and code."""
    assert way == "stream" or found.status != BEGUN, "only a stream tells an error in a 200"
    return found.status, found.error["code"]


@pytest.mark.parametrize("behind", [False, True], ids=["alone", "two"])
@pytest.mark.parametrize("way", ["whole", "stream"])
@each_case("number", range(len(FAULTS)), ids=lambda number: FAULTS[number].name)
def test_a_fault_comes_to_what_the_table_says(scene: Scene, number: int, way: str, behind: bool) -> None:
    fault = FAULTS[number]
    if getattr(fault, way) is None:
        return
    found = scene.ask(fault, name_of(number, way, behind=behind), streamed=way == "stream")
    expected = fault.two if behind else fault.alone
    asked = scene.sound.requests
    if expected == ERROR:
        assert found.error and not found.done and found.finish is None, found
        assert fault.code is None or found.error["code"] == fault.code
        assert fault.told is None or told(found, way) in (fault.told, (BEGUN, fault.told[1])), found.error
        assert fault.second.text.startswith(found.text), "what is written is true, even in front of an error"
    else:
        assert found.status == 200 and found.error is None and found.done, found
        assert found.says == (Says(fault.second.text) if expected == SECOND else expected)
    wishes = fault.second.asked if behind else ()
    if wishes is None:
        assert len(asked) == (expected == SECOND)
    else:
        assert tuple("go on" if is_continuation(request) else "whole" for request in asked) == wishes
    assert all(request.json()["messages"][0] == {"role": "user", "content": QUESTION} for request in asked)


def test_the_table_is_large_enough() -> None:
    kinds = {fault.kind for fault in FAULTS}
    assert len(kinds) >= 25 and len(FAULTS) >= 2 * len(kinds)
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    for kind in kinds:
        assert len([fault for fault in FAULTS if fault.kind == kind]) >= 2, kind
    assert all(json.dumps(dict(fault.asks)) for fault in FAULTS)


@pytest.mark.parametrize("rows", [refusal_rows.ROWS, continuation_rows.ROWS], ids=["refusals", "continuations"])
def test_each_theme_of_words_has_many_kinds(rows: Sequence[Fault]) -> None:
    assert len({fault.kind for fault in rows}) >= 22
