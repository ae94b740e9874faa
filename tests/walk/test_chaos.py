"""Three minutes of random faults on three providers with fifty callers: nobody is lied to, and nothing stays behind."""

import faulthandler
import json
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from gateway.assembly import MAX_THREADS
from tests.support.running import alias, chat, events, provider
from tests.support.served import Served, serving
from tests.support.upstream_script import (
    Cut,
    Done,
    Head,
    Json,
    Request,
    Reset,
    ScriptedUpstream,
    Sse,
    Stall,
    Status,
    Step,
    json_answer,
    sse_answer,
    sse_events,
)

CALLERS = 50
DEADLINE = 15.0
LATE = 10.0  # what a machine with other work may add to it
TEXT = " ".join(f"word{number}" for number in range(60))
HTML = Status(200, {"content-type": "text/html"}, b"<html>Sign in</html>")
SSE = {"content-type": "text/event-stream"}

Fault = Callable[[random.Random, bool], Sequence[Step]]


def _cut(dice: random.Random, streamed: bool) -> Sequence[Step]:
    return [Sse(sse_events(TEXT)[: dice.randrange(1, 60)]), Cut()] if streamed else [Head(framing=500), Cut()]


FAULTS: Sequence[Fault] = (
    lambda dice, streamed: [Status(500)],
    lambda dice, streamed: [Status(503, {"retry-after": "1"})],
    lambda dice, streamed: [Status(429)],
    lambda dice, streamed: [Status(429, {"retry-after": str(dice.randrange(1, 4))})],
    lambda dice, streamed: [Reset()],
    lambda dice, streamed: [Stall()],
    lambda dice, streamed: [HTML],
    lambda dice, streamed: [Json(400, {"error": {"message": "too long", "code": "context_length_exceeded"}})],
    lambda dice, streamed: [Head(headers=SSE), Stall()] if streamed else [Json(200, {"choices": []})],
    lambda dice, streamed: (
        [Sse([*sse_events(TEXT)[:9], "{broken", *sse_events(TEXT)[9:]]), Done()] if streamed else [Json(200, [])]
    ),
    lambda dice, streamed: (
        [Sse([*sse_events(TEXT)[:20], '{"error":{"message":"overloaded"}}'])]
        if streamed
        else [Json(200, {"error": {"message": "overloaded"}})]
    ),
    _cut,
    _cut,
)


class Weather:
    """What the providers do at the moment: mostly well, at random not, or all of them down."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._lock = threading.Lock()
        self.outage = False
        self.asked = 0

    def answer(self, request: Request) -> Sequence[Step]:
        streamed = bool(request.json().get("stream"))
        with self._lock:
            self.asked += 1
            if self.outage:
                return [Status(503)]
            if self._dice.random() < 0.7:
                return sse_answer(TEXT) if streamed else [json_answer(TEXT)]
            fault = self._dice.choice(FAULTS)
            return fault(self._dice, streamed)


@dataclass
class Tally:
    """What the callers saw."""

    outcomes: Counter[str] = field(default_factory=Counter)
    lies: list[str] = field(default_factory=list)
    longest: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, outcome: str, lie: str | None, seconds: float) -> None:
        with self.lock:
            self.outcomes[outcome] += 1
            self.longest = max(self.longest, seconds)
            if lie:
                self.lies.append(lie)


def _is_error(body: object) -> bool:
    error = body.get("error") if isinstance(body, dict) else None
    return isinstance(error, dict) and set(error) == {"message", "type", "param", "code"} and bool(error["message"])


def _judge_stream(text: str) -> tuple[str, str | None]:
    said = [event for event in events(text) if isinstance(event, dict)]
    errors = [event for event in said if "error" in event]
    choices = [choice for event in said for choice in event.get("choices", ())]
    words = "".join(choice["delta"].get("content") or "" for choice in choices)
    finished = [choice for choice in choices if choice["finish_reason"]]
    if errors:
        honest = len(errors) == 1 and _is_error(errors[0]) and not finished and "[DONE]" not in text
        return "error in stream", None if honest and TEXT.startswith(words) else f"a lie: {text[-500:]}"
    whole = words == TEXT and len(finished) == 1 and text.endswith("data: [DONE]\n\n")
    return "stream", None if whole else f"not whole: {text[-500:]}"


def _call(url: str, streamed: bool, dice: random.Random, tally: Tally) -> None:
    began = time.monotonic()
    leaves = dice.random() < 0.03
    with requests.Session() as session:
        session.trust_env = False
        body = chat("best", stream=True) if streamed else chat("best")
        try:
            reply = session.post(url, json=body, stream=True, timeout=0.5 if leaves else DEADLINE + 10)
            text = reply.text
        except requests.RequestException as fault:
            tally.add("left", None if leaves else f"no reply: {fault!r}", 0.0)
            return
    outcome, lie = f"status {reply.status_code}", None
    if reply.status_code != 200:
        lie = None if _is_error(reply.json()) else f"no error of OpenAI's shape: {text[:500]}"
    elif streamed:
        outcome, lie = _judge_stream(text)
    elif reply.json()["choices"][0]["message"]["content"] != TEXT:
        lie = f"not whole: {text[:500]}"
    tally.add(outcome, lie, time.monotonic() - began)


@dataclass(frozen=True)
class Holding:
    """What a process holds: MiB of memory, threads, sockets."""

    memory: float
    threads: int
    sockets: int

    @classmethod
    def of(cls, process: int) -> "Holding":
        home = Path(f"/proc/{process}")
        pages = int((home / "statm").read_text().split()[1])
        sockets = 0
        for descriptor in (home / "fd").iterdir():
            with suppress(OSError):  # closed meanwhile
                sockets += os.readlink(descriptor).startswith("socket:")
        return cls(pages * 4096 / 2**20, len(list((home / "task").iterdir())), sockets)


def _explained(url: str) -> Sequence[dict[str, Any]]:
    """How the gateway would route `best` now."""
    with requests.Session() as session:
        session.trust_env = False
        found: Sequence[dict[str, Any]] = session.get(f"{url}/gateway/explain?model=best", timeout=10).json()[
            "candidates"
        ]
        return found


def _settled(served: Served, sockets: int) -> Holding:
    """What it holds once its idle connections to callers are closed, which takes a minute; connections to providers may
    stay, one for each that ran at once."""
    pause = threading.Event()
    for _ in range(100):
        held = Holding.of(served.process.pid)
        if held.sockets <= sockets:
            break
        pause.wait(1)
    return held


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc for memory and sockets")
def test_in_three_minutes_of_chaos_nobody_is_lied_to_and_nothing_stays(tmp_path: Path) -> None:
    seconds = float(os.environ.get("CHAOS_SECONDS", "180"))
    faulthandler.dump_traceback_later(seconds + 240, exit=True)  # in place of pytest's, which ends what takes so long
    weather, tally = Weather(7), Tally()
    with ExitStack() as closing:
        ups = [closing.enter_context(ScriptedUpstream()) for _ in "abc"]
        for up in ups:
            up.answers(weather.answer)
        config = tmp_path / "gateway.yaml"
        config.write_text(json.dumps(_settings(ups)))
        served = closing.enter_context(serving("-c", str(config), cwd=tmp_path, log=tmp_path / "log"))
        url = f"http://127.0.0.1:{served.port}"
        first = Holding.of(served.process.pid)
        stop = time.monotonic() + seconds

        def caller(number: int) -> None:
            dice = random.Random(number)
            while time.monotonic() < stop:
                _call(f"{url}/v1/chat/completions", dice.random() < 0.6, dice, tally)

        callers = [threading.Thread(target=caller, args=(number,)) for number in range(CALLERS)]
        for each in callers:
            each.start()
        pause = threading.Event()
        pause.wait(seconds * 0.4)
        early = Holding.of(served.process.pid)
        asked, answered = _outage(weather, tally)
        for each in callers:
            each.join(seconds + 60)
            assert not each.is_alive()
        late = Holding.of(served.process.pid)
        last = _settled(served, first.sockets + len(ups) * CALLERS)
        limits = [each["limit"]["waiting"] for each in _explained(url) if each["limit"]]
    print(dict(tally.outcomes))
    print(f"longest {tally.longest:.1f} s, in an outage {asked} calls for {answered} requests")
    print(f"at first {first}, early {early}, late {late}, at last {last}")
    assert not tally.lies, tally.lies[:3]
    assert tally.longest <= DEADLINE + LATE
    assert asked <= len(ups) * (answered + CALLERS), "a target that rests is asked once a request, and not twice"
    assert limits == [0]
    assert late.memory - early.memory < 15
    assert last.threads <= MAX_THREADS
    assert last.sockets <= first.sockets + len(ups) * CALLERS, "more than idle connections to providers"


def _settings(ups: Sequence[ScriptedUpstream]) -> dict[str, object]:
    return {
        "gateway": {"requestTimeoutSeconds": DEADLINE, "threads": 64},
        "providers": {
            name: provider(up.base_url, apiKey="k", timeouts={"stallSeconds": 2.0})
            for name, up in zip("abc", ups, strict=True)
        },
        "modelAliases": [alias("best", "a/m", "b/m", "c/m")],
        "rateLimits": [{"provider": "c", "requestsPerMinute": 100_000, "maxQueueSize": 5}],
    }


def _outage(weather: Weather, tally: Tally) -> tuple[int, int]:
    """All providers down for twenty seconds; the calls and the requests of the last twelve, when breakers are open."""
    pause = threading.Event()
    weather.outage = True
    pause.wait(8)
    before = (weather.asked, sum(tally.outcomes.values()))
    pause.wait(12)
    after = (weather.asked, sum(tally.outcomes.values()))
    weather.outage = False
    return after[0] - before[0], after[1] - before[1]
