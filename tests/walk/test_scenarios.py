"""The sixteen ways a provider fails, each against a real socket: the caller gets the whole answer or the truth.

Every alias has a primary with the fault and a healthy fallback, and answers are compared word for word. The gateway's
clock runs FACTOR times as fast, so that a rule that speaks of twelve seconds is tested in half of one; how long a
socket may be silent is real time and therefore set in the configuration. One slow run has the real times:
`pytest -m slow tests/walk/test_scenarios.py`.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest
import requests

from gateway.core.clock import Clock
from gateway.dispatch.watchdog import CallWatchdog
from tests.support import gemini_answers as gemini
from tests.support.continuations import answer_to, continued, is_continuation
from tests.support.fakes import FakeClock, FastClock
from tests.support.running import Running, alias, events, provider, running
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
from tests.support.upstream_steps import Respond

both_drivers = pytest.mark.usefixtures("each_driver")
"""Where a stream has begun when something happens. Before that nobody knows yet who will carry it."""

FACTOR = 25.0
REAL = 1.0
WORDS = [f"word{number}" for number in range(60)]
TEXT = " ".join(WORDS)
USAGE = {"prompt_tokens": 9, "completion_tokens": 60, "total_tokens": 69}
HELD: Mapping[float, Mapping[str, object]] = {FACTOR: {"timeouts": {"stallSeconds": 0.5}}, REAL: {}}
"""By factor: with real time the limits are those of a user who has set none."""
DOWN = Json(503, {"error": {"message": "down", "type": "server_error"}})


@dataclass
class Told:
    """What the caller got of a stream."""

    reply: requests.Response
    text: str = ""
    finish: str | None = None
    error: Mapping[str, object] | None = None
    usage: Mapping[str, int] | None = None
    done: bool = False
    ids: set[str] = field(default_factory=set)
    finishes: int = 0

    @property
    def whole(self) -> bool:
        return self.text == TEXT and self.finish == "stop" and self.done and self.error is None


class Scene:
    """A gateway on a fast clock, or the given one, a primary `a` that misbehaves and a fallback `b` that does not."""

    def __init__(
        self,
        closing: ExitStack,
        config: Mapping[str, object],
        fallback: Respond | None,
        google: ScriptedUpstream | None,
        *,
        factor: float,
        clock: Clock | None,
    ) -> None:
        self.real = factor == REAL
        self.clock = clock if clock and not self.real else FastClock(factor)
        self.primary, self.fallback, self.last = (closing.enter_context(ScriptedUpstream()) for _ in "abc")
        self.times: list[float] = []
        self.fallback.answers(fallback or answers_all)
        self.last.answers(goes_on)
        native = {"type": "gemini", "apiEndpoint": f"{google.url}/v1beta", "apiKey": "k"} if google else None
        settings = {
            "providers": {
                **({"g": native} if native else {}),
                "a": provider(self.primary.base_url, apiKey="k", **HELD[factor]),
                "b": provider(self.fallback.base_url, apiKey="k", **HELD[factor]),
                "c": provider(self.last.base_url, apiKey="k", **HELD[factor]),
            },
            "modelAliases": [alias("best", "a/one", "b/two")],
            **config,
        }
        self.gateway: Running = closing.enter_context(running(settings, clock=self.clock))

    def plays(self, respond: Callable[[int, Request], Sequence[Step]]) -> None:
        """The primary answers its n-th request, counted from 0, with the steps given for n."""

        def answer(request: Request) -> Sequence[Step]:
            self.times.append(self.clock.monotonic())
            return respond(len(self.times) - 1, request)

        self.primary.answers(answer)

    def stream(self, **more: object) -> Told:
        body = {
            "model": "best",
            "stream": True,
            "stream_options": {"include_usage": True},
            "messages": [{"role": "user", "content": "Count."}],
            **more,
        }
        reply = self.gateway.post(body)
        return read(reply)

    def whole(self) -> requests.Response:
        return self.gateway.post({"model": "best", "messages": [{"role": "user", "content": "Count."}]})


def read(reply: requests.Response) -> Told:
    told = Told(reply)
    for event in events(reply.text):
        if event == "[DONE]":
            told.done = True
            continue
        assert isinstance(event, dict)
        told.error = event.get("error") or told.error
        told.usage = event.get("usage") or told.usage
        if "id" in event:
            told.ids.add(event["id"])
        for choice in event.get("choices", ()):
            told.text += choice["delta"].get("content") or ""
            told.finishes += choice["finish_reason"] is not None
            told.finish = choice["finish_reason"] or told.finish
    return told


def answers_all(request: Request) -> Sequence[Step]:
    """The whole text, streamed or not, whatever was asked."""
    if request.json().get("stream"):
        return sse_answer(TEXT, model="m", usage=USAGE)
    return [json_answer(TEXT, usage=USAGE)]


def goes_on(request: Request) -> Sequence[Step]:
    """A model that does as it is told: it begins with the words that it is asked to begin with, and goes on."""
    return sse_answer(answer_to(TEXT, request), usage=USAGE) if is_continuation(request) else answers_all(request)


def goes_on_without_repeating(request: Request) -> Sequence[Step]:
    """A model that goes on with the very next word, whatever it is asked to begin with."""
    if not is_continuation(request):
        return answers_all(request)
    return sse_answer(TEXT[len(request.json()["messages"][-2]["content"]) :], usage=USAGE)


def refuses_to_go_on(request: Request) -> Sequence[Step]:
    """It answers 400 to whatever has an assistant's words in it."""
    if is_continuation(request):
        error = {"message": "assistant messages are not supported", "type": "invalid_request_error", "code": None}
        return [Json(400, {"error": error})]
    return answers_all(request)


def first(count: int, *then: Step) -> Sequence[Step]:
    """The first words of a stream, and what happens then."""
    return [Sse(sse_events(TEXT)[: 1 + count]), *then]


@pytest.fixture(params=[FACTOR, pytest.param(REAL, marks=pytest.mark.slow)], ids=["fast", "real"])
def scene(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Scene]]:
    factor: float = request.param
    if factor != REAL:
        monkeypatch.setattr(CallWatchdog, "INTERVAL", 0.01)
    with ExitStack() as closing:
        yield lambda fallback=None, google=None, clock=None, **config: Scene(
            closing, config, fallback, google, factor=factor, clock=clock
        )


Make = Callable[..., Scene]


def test_s01_a_429_that_says_in_two_seconds_is_asked_again_then(scene: Make) -> None:
    s = scene()
    s.plays(lambda n, r: [Status(429, {"Retry-After": "2"})] if n == 0 else answers_all(r))
    assert s.stream().whole
    assert len(s.times) == 2
    assert s.times[1] - s.times[0] >= 1.8
    assert not s.fallback.requests


def test_s02_a_429_for_ever_is_left_for_the_fallback(scene: Make) -> None:
    s = scene()
    s.plays(lambda n, r: [Status(429)])
    assert s.stream().whole
    assert len(s.times) <= 4
    assert s.stream().whole
    assert len(s.times) <= 6


def test_s03_a_500_is_asked_once_more(scene: Make) -> None:
    s = scene()
    s.plays(lambda n, r: [Status(500)] if n == 0 else answers_all(r))
    assert s.stream().whole
    assert len(s.times) == 2
    assert not s.fallback.requests


def test_s04_a_503_for_ever_goes_to_the_fallback(scene: Make) -> None:
    s = scene()
    s.plays(lambda n, r: [DOWN])
    told = s.stream()
    assert told.whole
    assert told.reply.headers["x-gateway-attempts"] == "a/one=503,a/one=503,b/two=200"


def test_s05_a_reset_before_the_head_is_tried_again(scene: Make) -> None:
    s = scene()
    s.plays(lambda n, r: [Reset()] if n == 0 else answers_all(r))
    assert s.stream().whole
    assert len(s.times) == 2
    assert not s.fallback.requests


@pytest.mark.parametrize("streamed", [True, False])
def test_s06_a_silent_primary_is_asked_once_and_the_fallback_beside_it(scene: Make, streamed: bool) -> None:
    s = scene()
    s.plays(lambda n, r: [Stall()])
    began = s.clock.monotonic()
    reply = s.stream().reply if streamed else s.whole()
    assert 11.5 <= s.clock.monotonic() - began < 100
    assert (read(reply).text if streamed else reply.json()["choices"][0]["message"]["content"]) == TEXT
    if not streamed:  # on a busy machine a sign of life may have sent a stream's head before the fallback was there
        assert reply.headers["x-gateway-attempts"] == "a/one=slow,b/two=200"
    assert (len(s.times), len(s.fallback.requests)) == (1, 1)
    assert s.primary.requests[0].client_gone.wait(10), "the silent connection is closed"


def test_s07_a_head_without_content_is_no_answer(scene: Make) -> None:
    s = scene()
    s.plays(lambda n, r: [Head(headers={"content-type": "text/event-stream"}), Stall()])
    began = s.clock.monotonic()
    assert s.stream().whole
    assert s.clock.monotonic() - began < (15 if s.real else 100)
    assert len(s.times) == 1


@both_drivers
@pytest.mark.parametrize(
    "fallback", [answers_all, goes_on, goes_on_without_repeating, refuses_to_go_on], ids=lambda each: each.__name__
)
@pytest.mark.parametrize("end", [Cut(), Reset()], ids=["cut", "reset"])
def test_s08_and_s14_a_stream_cut_in_the_middle_is_made_whole(scene: Make, fallback: Respond, end: Step) -> None:
    s = scene(fallback)
    s.plays(lambda n, r: first(40, end))
    told = s.stream()
    if isinstance(end, Reset) and told.reply.headers["x-gateway-provider"] == "b":
        return  # the reset overtook what was sent before it, and there was nothing to resume
    assert told.whole
    assert (told.finishes, len(told.ids)) == (1, 1)
    assert ": resumed on b/two\n" in told.reply.text
    assert told.usage is not None
    assert told.usage["total_tokens"] >= 69


@both_drivers
def test_s09_a_stream_that_stalls_is_taken_over_and_its_target_fit_afterwards(scene: Make) -> None:
    s = scene(goes_on)
    s.plays(lambda n, r: first(20, Stall()) if n == 0 else answers_all(r))
    began = s.clock.monotonic()
    assert s.stream().whole
    assert s.clock.monotonic() - began < 45
    assert s.stream().reply.headers["x-gateway-provider"] == "a"


@both_drivers
def test_s10_one_unreadable_event_is_passed_over(scene: Make) -> None:
    s = scene()
    good = sse_events(TEXT, usage=USAGE)
    s.plays(lambda n, r: [Sse([*good[:10], '{"broken', *good[10:]]), Done()])
    assert s.stream().whole
    assert not s.fallback.requests


@both_drivers
def test_s11_a_complete_stream_without_done_is_complete(scene: Make) -> None:
    s = scene()
    s.plays(lambda n, r: [Sse(sse_events(TEXT, usage=USAGE))])
    told = s.stream()
    assert told.whole
    assert told.usage == USAGE


def refusal(code: str) -> Json:
    return Json(
        400, {"error": {"message": f"no: {code}", "type": "invalid_request_error", "param": None, "code": code}}
    )


def test_s12_a_context_that_is_too_long_goes_to_the_next_at_once(scene: Make) -> None:
    s = scene()
    s.plays(lambda n, r: [refusal("context_length_exceeded")])
    assert s.stream().whole
    assert len(s.times) == 1


def test_s13_a_policy_is_not_routed_around(scene: Make) -> None:
    s = scene()
    s.plays(lambda n, r: [refusal("content_policy_violation")])
    reply = s.whole()
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "content_policy_violation")
    assert reply.json()["error"]["message"] == "no: content_policy_violation"
    assert len(s.times) == 1
    assert not s.fallback.requests


def test_s15_a_primary_that_recovers_is_used_again_within_half_a_minute(scene: Make) -> None:
    s = scene(clock=FakeClock())
    began = s.clock.monotonic()
    s.plays(lambda n, r: [DOWN] if s.clock.monotonic() - began < 60 else answers_all(r))
    served = []
    pause = threading.Condition()
    for number in range(25):
        with pause:
            s.clock.wait(pause, began + 4 * number - s.clock.monotonic())
        asked = s.clock.monotonic() - began
        reply = s.whole()
        assert reply.json()["choices"][0]["message"]["content"] == TEXT
        served.append((asked, reply.headers["x-gateway-provider"]))
    back = next(asked for asked, who in served if who == "a" and asked >= 55)
    assert back <= 60 + 30 + 8
    assert sum(1 for at in s.times if at - began < 60) <= 12, "few probes while it is down"


def test_s16_the_fallbacks_model_is_seen(scene: Make) -> None:
    s = scene(gateway={"responseModel": "upstream"})
    s.plays(lambda n, r: [DOWN])
    reply = s.whole()
    assert reply.json()["model"] == "m"
    assert reply.headers["x-gateway-model"] == "two"
    assert reply.json()["usage"] == USAGE
    assert len(s.times) <= 6


# What cannot be resumed --------------------------------------------------------------------------------------------


@both_drivers
def test_without_recovery_a_broken_stream_ends_with_an_error_and_nothing_that_looks_like_an_end(scene: Make) -> None:
    s = scene(modelAliases=[alias("best", "a/one", "b/two", streamRecovery="error")])
    s.plays(lambda n, r: first(40, Cut()))
    told = s.stream()
    assert told.error is not None
    assert told.error["code"] == "stream_interrupted"
    assert (told.finish, told.done) == (None, False)
    assert not s.fallback.requests


@both_drivers
def test_an_answer_that_is_begun_anew_in_other_words_is_not_glued_to_the_first(scene: Make) -> None:
    def other(request: Request) -> Sequence[Step]:
        refused = refuses_to_go_on(request)
        return refused if isinstance(refused[0], Json) else sse_answer("word0 word1 something else", usage=USAGE)

    s = scene(other)
    s.plays(lambda n, r: first(40, Cut()))
    told = s.stream()
    assert told.error is not None
    assert TEXT.startswith(told.text)
    assert (told.finish, told.done) == (None, False)


def says_something_else(request: Request) -> Sequence[Step]:
    """Whatever it is asked, in other words."""
    return sse_answer("Something else, and word41 word42.", usage=USAGE)


def has_nothing_to_add(request: Request) -> Sequence[Step]:
    """It stops at once where it is asked to go on, and is short of words where it is asked for the whole answer."""
    said = request.json()["messages"][-2]["content"][-40:] if is_continuation(request) else "word0 word1"
    return sse_answer(said, usage=USAGE)


def goes_on_otherwise(request: Request) -> Sequence[Step]:
    """It repeats a lot, and then says something else."""
    return sse_answer(" ".join(WORDS[:39]) + " something else", usage=USAGE)


@both_drivers
@pytest.mark.parametrize(
    "fallback", [says_something_else, has_nothing_to_add, goes_on_otherwise], ids=lambda each: each.__name__
)
def test_a_continuation_that_is_none_is_asked_for_the_whole_answer_and_then_told_as_cut(
    scene: Make, fallback: Respond
) -> None:
    s = scene(fallback)
    s.plays(lambda n, r: first(40, Cut()))
    told = s.stream()
    assert told.text == " ".join(WORDS[:40]) + " "
    assert told.error is not None
    assert told.error["code"] == "stream_interrupted"
    assert (told.finish, told.done) == (None, False)
    assert [is_continuation(request) for request in s.fallback.requests] == [True, False]


@both_drivers
@pytest.mark.parametrize("end", [" and", "."], ids=["in a sentence", "behind one"])
def test_an_answer_that_cannot_go_on_is_whole_only_where_a_sentence_ends(scene: Make, end: str) -> None:
    said = f"Water boils at a lower temperature on a high mountain{end}"
    s = scene(lambda request: sse_answer("" if is_continuation(request) else "It does."))
    s.plays(lambda n, r: [Sse(sse_events(said)[:-1]), Cut()])
    told = s.stream()
    assert told.text == said
    assert (told.finish, told.done) == (("stop", True) if end == "." else (None, False))
    assert (told.error is None) == told.done


@both_drivers
def test_who_falls_silent_before_it_has_proved_its_place_is_asked_for_the_whole_answer(
    scene: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def falls_silent(request: Request) -> Sequence[Step]:
        if not is_continuation(request):
            return answers_all(request)
        return [Sse(sse_events(answer_to(TEXT, request))[:3]), Stall()]

    s = scene(falls_silent)
    if not s.real:
        monkeypatch.setattr("gateway.streaming.answer_machine.HOLD_SECONDS", 0.1)
    s.plays(lambda n, r: first(40, Cut()))
    assert s.stream().whole
    assert [is_continuation(request) for request in s.fallback.requests] == [True, False]


@both_drivers
@pytest.mark.parametrize("asked", [{"response_format": {"type": "json_object"}}, {"n": 2}, {"logprobs": True}], ids=str)
def test_what_is_not_plain_text_is_not_resumed(scene: Make, asked: Mapping[str, object]) -> None:
    s = scene()
    s.plays(lambda n, r: first(40, Cut()))
    told = s.stream(**asked)
    assert told.error is not None
    assert not told.done


@both_drivers
def test_a_tool_call_under_way_is_not_resumed(scene: Make) -> None:
    s = scene()
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a'}}
    said = {"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}]}
    s.plays(lambda n, r: [Sse([json.dumps(said)]), Cut()])
    told = s.stream()
    assert told.error is not None
    assert not told.done


def breaks_again(request: Request) -> Sequence[Step]:
    """It goes on as asked, and breaks after ten new words."""
    said = answer_to(TEXT, request)
    new = len(TEXT) - len(request.json()["messages"][-2]["content"])
    return [Sse(sse_events(said)[: 1 + len(said[:-new].split()) + 10]), Cut()]


@both_drivers
def test_a_second_break_is_resumed_too(scene: Make) -> None:
    s = scene(breaks_again, modelAliases=[alias("best", "a/one", "b/two", "c/three")])
    s.plays(lambda n, r: first(40, Cut()))
    told = s.stream()
    assert told.whole
    assert (told.finishes, len(told.ids)) == (1, 1)
    assert ": resumed on b/two\n" in told.reply.text
    assert ": resumed on c/three\n" in told.reply.text


def gemini_goes_on(request: Request) -> Sequence[Step]:
    """Likewise, in Gemini's own wire."""
    contents = request.json()["contents"]
    assert [turn["role"] for turn in contents] == ["user", "model", "user"]
    so_far, asked = (turn["parts"][0]["text"] for turn in contents[1:])
    rest = continued(TEXT, so_far, asked)
    return gemini.stream(gemini.said(gemini.text(rest[:30]), finish=None), gemini.said(gemini.text(rest[30:])))


def gemini_breaks(request: Request) -> Sequence[Step]:
    """Gemini's stream, broken off after forty words."""
    return [*gemini.stream(gemini.said(gemini.text(" ".join(WORDS[:40]) + " "), finish=None)), Cut()]


@both_drivers
@pytest.mark.parametrize("first_wire", ["openai", "gemini"])
def test_a_broken_stream_is_made_whole_across_wires(scene: Make, first_wire: str) -> None:
    names = ("a/one", "g/gemini-2.5-flash") if first_wire == "openai" else ("g/gemini-2.5-flash", "c/three")
    with ScriptedUpstream() as google:
        google.answers(gemini_goes_on if first_wire == "openai" else gemini_breaks)
        s = scene(google=google, modelAliases=[alias("best", *names)])
        s.plays(lambda n, r: first(40, Cut()))
        told = s.stream()
        assert told.whole
        assert (told.finishes, len(told.ids)) == (1, 1)
        assert told.reply.text.count('"role"') == 1


@both_drivers
def test_where_nobody_can_go_on_the_caller_has_what_was_said_and_the_truth(scene: Make) -> None:
    s = scene(breaks_again)
    s.plays(lambda n, r: first(40, Cut()))
    told = s.stream()
    assert told.text == " ".join(WORDS[:50]) + " "
    assert told.error is not None
    assert (told.finish, told.done) == (None, False)
