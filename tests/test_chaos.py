"""Three minutes of random faults on three providers with fifty callers: nobody is lied to, and nothing stays behind."""

import faulthandler
import gc
import logging
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

import pytest
import requests

from tests.running import alias, chat, events, provider, running
from tests.upstream_script import (
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


def _rss() -> float:
    """MiB of this process, where the system tells."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def _sockets() -> int:
    """Sockets that this process has open."""
    gc.collect()
    opened = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # closed meanwhile: the descriptor that lists them is one
            opened += os.readlink(descriptor).startswith("socket:")
    return opened


def _settled(ups: Sequence[ScriptedUpstream]) -> float:
    """MiB of this process without what the scripted providers remember."""
    for up in ups:
        up.forget()
    gc.collect()
    return _rss()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc for memory and sockets")
def test_in_three_minutes_of_chaos_nobody_is_lied_to_and_nothing_stays() -> None:
    seconds = float(os.environ.get("CHAOS_SECONDS", "180"))
    faulthandler.dump_traceback_later(seconds + 120, exit=True)  # in place of pytest's, which ends what takes so long
    weather, tally = Weather(7), Tally()
    threads, sockets = set(threading.enumerate()), _sockets()
    with ExitStack() as closing:
        logging.disable(logging.CRITICAL)  # what the test runner keeps of log lines is not the gateway's memory
        closing.callback(logging.disable, logging.NOTSET)
        ups = [closing.enter_context(ScriptedUpstream()) for _ in "abc"]
        for up in ups:
            up.answers(weather.answer)
        settings = {
            "gateway": {"requestTimeoutSeconds": DEADLINE, "threads": 64},
            "providers": {
                name: provider(up.base_url, apiKey="k", timeouts={"stallSeconds": 2.0})
                for name, up in zip("abc", ups, strict=True)
            },
            "modelAliases": [alias("best", "a/m", "b/m", "c/m")],
            "rateLimits": [{"provider": "c", "requestsPerMinute": 100_000, "maxQueueSize": 5}],
        }
        run = closing.enter_context(running(settings))
        url = f"{run.url}/v1/chat/completions"
        stop = time.monotonic() + seconds
        outage_counts: list[tuple[int, int]] = []

        def caller(number: int) -> None:
            dice = random.Random(number)
            while time.monotonic() < stop:
                _call(url, dice.random() < 0.6, dice, tally)

        callers = [threading.Thread(target=caller, args=(number,)) for number in range(CALLERS)]
        for each in callers:
            each.start()
        pause = threading.Event()
        pause.wait(seconds * 0.4)
        early = _settled(ups)
        weather.outage = True
        pause.wait(8)  # until every breaker is open
        before = (weather.asked, sum(tally.outcomes.values()))
        pause.wait(12)
        outage_counts.append((weather.asked - before[0], sum(tally.outcomes.values()) - before[1]))
        weather.outage = False
        for each in callers:
            each.join(seconds + 60)
            assert not each.is_alive()
        late = _settled(ups)
        print(dict(tally.outcomes))
        print(f"longest {tally.longest:.1f} s, in an outage {outage_counts}, RSS {early:.0f} -> {late:.0f} MiB")
        assert not tally.lies, tally.lies[:3]
        assert tally.longest <= DEADLINE + 1
        asked, answered = outage_counts[0]
        assert asked <= 1.2 * answered + 5, f"{asked} calls for {answered} requests in an outage"
        assert late - early < 30
        limiter = run.gateway.system.limiters.of("c")
        assert limiter is not None
        assert limiter.waiting == 0
        for up in ups:
            up.close()
    left = [each for each in threading.enumerate() if each not in threads]
    assert not left, left
    assert _sockets() <= sockets, "sockets stay open"
