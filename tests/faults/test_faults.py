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

from tests.faults import call_rows, finish_rows, gemini_rows, reading_rows
from tests.faults.table import ERROR, SECOND, TEXT, Fault, Says
from tests.support.continuations import answer_to
from tests.support.fakes import FastClock
from tests.support.running import Running, alias, events, provider, running
from tests.support.upstream_script import Request, ScriptedUpstream, Status, Step, json_answer, sse_answer

FAULTS: Final[tuple[Fault, ...]] = (
    *finish_rows.ROWS,
    *reading_rows.ROWS,
    *call_rows.ROWS,
    *gemini_rows.ROWS,
)
QUESTION: Final = "Which are the capitals of France and Italy?"
RUNS: Final = [
    pytest.param(number, way, behind, id=f"{fault.name} [{way}, {'two' if behind else 'alone'}]")
    for number, fault in enumerate(FAULTS)
    for way in ("whole", "stream")
    for behind in (False, True)
    if getattr(fault, way) is not None
]


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
    """One gateway for all rows. Each run has a target of its own, so that no run rests because of another."""

    def __init__(self, closing: ExitStack) -> None:
        self.faulty, self.sound = (closing.enter_context(ScriptedUpstream()) for _ in range(2))
        self.faulty.answers(misbehave)
        self.sound.answers(answer_soundly)
        providers: dict[str, object] = {"sound": provider(self.sound.base_url, apiKey="k")}
        aliases = []
        for run in RUNS:
            number, way, behind = run.values
            assert isinstance(number, int) and isinstance(way, str)
            name = name_of(number, way, behind=bool(behind))
            base = f"{self.faulty.url}/v1beta"
            is_gemini = FAULTS[number].wire == "gemini"
            providers[name] = (
                {"type": "gemini", "apiEndpoint": base, "apiKey": "k"}
                if is_gemini
                else provider(self.faulty.base_url, apiKey="k")
            )
            aliases.append(alias(name, f"{name}/{name}", *(("sound/ok",) if behind else ())))
        settings = {"providers": providers, "modelAliases": aliases}
        self.gateway: Running = closing.enter_context(running(settings, clock=FastClock(25.0)))

    def ask(self, fault: Fault, name: str, *, streamed: bool) -> Heard:
        self.faulty.forget()
        self.sound.forget()
        body = {"model": name, "stream": streamed, "messages": [{"role": "user", "content": QUESTION}], **fault.asks}
        reply = self.gateway.post(body)
        return heard_in_stream(reply) if streamed and reply.status_code == 200 else heard(reply)


def name_of(number: int, way: str, *, behind: bool) -> str:
    return f"f{number}-{way}-{'two' if behind else 'alone'}"


def misbehave(request: Request) -> Sequence[Step]:
    name = request.path.partition("/models/")[2].partition(":")[0] or request.json()["model"]
    number, way, _ = name.removeprefix("f").split("-")
    body = getattr(FAULTS[int(number)], way)
    return [Status(200, {"content-type": "text/event-stream" if way == "stream" else "application/json"}, body)]


def answer_soundly(request: Request) -> Sequence[Step]:
    text = answer_to(TEXT, request)
    return sse_answer(text) if request.json().get("stream") else [json_answer(text)]


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


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with ExitStack() as closing:
        yield Scene(closing)


@pytest.mark.parametrize(("number", "way", "behind"), RUNS)
def test_a_fault_comes_to_what_the_table_says(scene: Scene, number: int, way: str, behind: bool) -> None:
    fault = FAULTS[number]
    found = scene.ask(fault, name_of(number, way, behind=behind), streamed=way == "stream")
    expected = fault.two if behind else fault.alone
    asked = scene.sound.requests
    if expected == ERROR:
        assert found.error and not found.done and found.finish is None, found
        assert fault.code is None or found.error["code"] == fault.code
    else:
        assert found.status == 200 and found.error is None and found.done, found
        assert found.says == (Says(TEXT) if expected == SECOND else expected)
    assert len(asked) == (expected == SECOND)
    assert all(request.json()["messages"][0] == {"role": "user", "content": QUESTION} for request in asked)


def test_the_table_is_large_enough() -> None:
    kinds = {fault.kind for fault in FAULTS}
    assert len(kinds) >= 25 and len(FAULTS) >= 2 * len(kinds)
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    for kind in kinds:
        assert len([fault for fault in FAULTS if fault.kind == kind]) >= 2, kind
    assert all(json.dumps(dict(fault.asks)) for fault in FAULTS)
