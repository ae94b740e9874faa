"""A provider's answer on its way to the caller, and who closes what when it ends early."""

import json
from collections.abc import Callable, Iterable, Mapping

import pytest

from gateway.core.answer import ChatChunk, ChatResponse
from gateway.core.errors import CallerLeft, DeadlineExceeded, Draining, GatewayError, InternalFault, ModelNotFound
from gateway.core.provider_failures import InvalidAnswer, ProviderTimeout, StreamBroken
from gateway.core.rendered import Rendered
from gateway.core.request import ChatRequest
from gateway.core.source import Source
from gateway.core.sse import DONE, encode
from gateway.core.strict_json import JsonObject, dumps
from gateway.dispatch.call import Call
from gateway.dispatch.caller import NoCaller
from gateway.dispatch.failover import Resumed
from gateway.dispatch.target_answer import TargetAnswer
from gateway.handler.response_transformer import ResponseTransformer
from gateway.providers.base import OpenStream
from gateway.routing.health import Health
from gateway.routing.router import Target
from gateway.streaming.answer_machine import AFTER_FINISH, AnswerMachine, Stall
from gateway.streaming.body import StreamedBody
from gateway.streaming.session import StreamSession
from gateway.upstream.byte_stream import ByteStream
from gateway.wires.openai_chat.inbound import OpenAIChatCallers
from gateway.wires.openai_chat.outbound import OpenAIChatProvider
from tests.support.fakes import FakeClock

STALL = 20.0
TIMEOUT = 100.0
NOW = 1_700_000_000

Step = bytes | float | Exception | Callable[[], None]


class FakeStream(ByteStream):
    """A provider's stream without a socket. Steps: bytes come, seconds pass, an exception is raised, something happens.

    At the end of its steps comes the end of the body.
    """

    def __init__(self, clock: FakeClock, steps: Iterable[Step]) -> None:
        self.status = 200
        self.headers: Mapping[str, str] = {}
        self.events: list[str] = []
        self.waits: list[float] = []
        self._clock = clock
        self._steps = list(steps)

    def read(self, timeout: float) -> bytes:
        self.waits.append(timeout)
        while self._steps:
            step = self._steps.pop(0)
            if isinstance(step, bytes):
                return step
            if isinstance(step, Exception):
                raise step
            if isinstance(step, float):
                self._pass(step, timeout)
            else:
                step()
        return b""

    def _pass(self, seconds: float, timeout: float) -> None:
        self._clock.advance(min(seconds, timeout))
        if seconds >= timeout:
            self._steps.insert(0, seconds - timeout)
            raise ProviderTimeout(f"nothing for {timeout:.0f} s")

    def finish(self) -> None:
        self.events.append("finish")

    def close(self) -> None:
        self.events.append("close")

    def cancel(self) -> None:
        self.events.append("cancel")


def event(delta: JsonObject, finish: str | None = None) -> bytes:
    choice: JsonObject = {"index": 0, "delta": delta, "finish_reason": finish}
    return encode(dumps({"id": "chatcmpl-1", "created": NOW, "model": "theirs", "choices": [choice]}))


def request(model: str, *, usage: bool = False) -> ChatRequest:
    asked = {"model": model, "stream": True, "stream_options": {"include_usage": usage}}
    return OpenAIChatCallers().parse_request(
        json.dumps({**asked, "messages": [{"role": "user", "content": "a"}]}).encode()
    )


TARGET = Target("theirs", "m")
FIRST = event({"role": "assistant", "content": "a"})
MORE = event({"content": "b"})
SLOW: tuple[Step, ...] = (STALL - 1, MORE) * 5
FINISH = event({}, "stop")


class Scene:
    """A streamed body on its way, with the first content already read."""

    def __init__(self, *steps: Step, first: bytes = FIRST) -> None:
        self.clock = FakeClock()
        self.call = Call("req-1", self.clock, timeout=TIMEOUT, caller=NoCaller(lambda: False))
        self.stream = FakeStream(self.clock, steps)
        self.told: list[GatewayError | None] = []
        decoder = OpenAIChatProvider().decoder(NOW, Rendered(b""))
        opened = OpenStream(decoder.feed(first), decoder, self.stream, ())
        self.health = Health(self.clock, lambda: 0.0)
        ticket = self.health.enter(TARGET)
        assert ticket is not None
        encoder = ResponseTransformer(OpenAIChatCallers(), "alias").encoder(request("alias"))
        self.machine = AnswerMachine(decoder, encoder, Stall(STALL, STALL))
        self.session = StreamSession(self.machine, TargetAnswer(TARGET, opened, ticket), self.call, self)
        self.body = StreamedBody(self.session)

    def play(self) -> list[str]:
        """The whole body in short: words of content, a finish, [DONE], the code of an error. Closes it, twice."""
        said = [word for piece in self.body for word in words(piece)]
        self.body.close()
        self.body.close()
        return said

    @property
    def ended(self) -> tuple[str, type[GatewayError] | None]:
        """What became of the provider's stream, and what was told, each of which must have happened once."""
        assert self.stream.events.count("close") == 1, f"not closed once: {self.stream.events}"
        assert len(self.told) == 1, f"not told once: {self.told}"
        return " ".join(self.stream.events), type(self.told[0]) if self.told[0] else None

    def resume(self, text_so_far: str) -> Resumed:
        raise ModelNotFound("Nobody else is there.")

    def closed(self, machine: AnswerMachine, error: GatewayError | None) -> None:
        assert machine is self.machine
        self.told.append(error)


def words(piece: bytes) -> list[str]:
    found = []
    for line in piece.removesuffix(b"\n\n").split(b"\n\n"):
        data = line.removeprefix(b"data: ")
        if data == DONE:
            found.append("[DONE]")
            continue
        body = json.loads(data)
        if "error" in body:
            found.append(f"error {body['error']['code']}")
            continue
        assert body["model"] == "alias"
        choice = body["choices"][0]
        found.append(choice["finish_reason"] or choice["delta"]["content"])
    return found


# How it ends -----------------------------------------------------------------------------------------------------


def test_a_whole_stream_is_read_to_its_end_so_that_its_connection_serves_again() -> None:
    scene = Scene(MORE, FINISH, encode(DONE))
    assert scene.play() == ["a", "b", "stop", "[DONE]"]
    assert scene.ended == ("finish close", None)


def test_a_stream_that_was_whole_with_its_first_read_is_not_read_again() -> None:
    scene = Scene(first=FIRST + FINISH + encode(DONE))
    assert scene.play() == ["a", "stop", "[DONE]"]
    assert scene.stream.waits == [] and scene.ended == ("finish close", None)


def test_a_read_that_says_nothing_to_the_caller_is_followed_by_another() -> None:
    usage = encode(dumps({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 1}}))
    scene = Scene(b": keep-alive\n\n", FINISH, usage, encode(DONE))
    pieces = list(scene.body)
    assert all(pieces), "an empty piece would end a chunked body"
    scene.body.close()
    assert scene.machine.usage is not None and scene.machine.usage.completion == 1


def test_a_caller_that_leaves_before_the_first_byte_closes_the_stream() -> None:
    scene = Scene(MORE)
    scene.body.close()
    scene.body.close()
    assert scene.stream.waits == [] and scene.ended == ("close", CallerLeft)


def test_a_caller_that_leaves_in_the_middle_closes_the_stream() -> None:
    scene = Scene(MORE, FINISH)
    assert words(next(scene.body)) + words(next(scene.body)) == ["a", "b"]
    scene.body.close()
    scene.body.close()
    assert scene.ended == ("close", CallerLeft)


def test_after_its_end_a_body_gives_nothing_more() -> None:
    scene = Scene(FINISH, encode(DONE))
    scene.play()
    assert list(scene.body) == []
    assert scene.ended == ("finish close", None)


def test_a_body_that_was_drained_while_its_caller_waited_is_ended_by_that() -> None:
    scene = Scene(MORE)
    next(scene.body)
    scene.call.end(Draining("The gateway was stopped."))
    scene.body.close()
    assert scene.ended == ("close", Draining)


def test_the_stream_is_closed_and_told_of_even_when_its_rest_cannot_be_read() -> None:
    class Unreadable(FakeStream):
        def finish(self) -> None:
            raise OSError("gone")

    scene = Scene(FINISH, encode(DONE))
    list(scene.body)
    scene.stream.__class__ = Unreadable
    with pytest.raises(OSError, match="gone"):
        scene.body.close()
    assert scene.ended == ("close", None)


# What goes wrong in the middle -----------------------------------------------------------------------------------


def test_a_stream_that_ends_without_a_finish_is_an_error() -> None:
    scene = Scene(MORE)
    assert scene.play() == ["a", "b", "error stream_interrupted"]
    assert scene.ended == ("close", StreamBroken)


def test_a_fault_of_our_own_is_an_error_that_the_caller_sees() -> None:
    scene = Scene(ZeroDivisionError("ours"))
    assert scene.play() == ["a", "error internal_error"]
    assert scene.ended == ("close", InternalFault)


def test_a_connection_that_breaks_is_an_error() -> None:
    scene = Scene(MORE, InvalidAnswer("p broke off (reset)."))
    assert scene.play() == ["a", "b", "error stream_interrupted"]
    assert scene.ended == ("close", StreamBroken)
    assert scene.told[0] is not None
    assert scene.told[0].message == "p broke off (reset). The answer above is incomplete."


def test_a_connection_that_breaks_after_the_finish_is_no_matter() -> None:
    scene = Scene(FINISH, InvalidAnswer("p broke off (reset)."))
    assert scene.play() == ["a", "stop", "[DONE]"]
    assert scene.ended == ("finish close", None)


def test_an_event_that_is_too_large_is_an_error() -> None:
    scene = Scene(b"data: " + b"a" * (17 << 20))
    assert scene.play() == ["a", "error stream_interrupted"]
    assert scene.ended == ("close", StreamBroken)


def test_silence_is_borne_for_the_stall_time() -> None:
    scene = Scene(STALL - 1, MORE, STALL - 1, MORE, STALL)
    assert scene.play() == ["a", "b", "b", "error stream_interrupted"]
    assert scene.stream.waits == [STALL] * 3 and scene.ended == ("close", StreamBroken)


def test_after_the_finish_silence_is_a_proper_end() -> None:
    scene = Scene(FINISH, 1000.0)
    assert scene.play() == ["a", "stop", "[DONE]"]
    assert scene.stream.waits == [STALL, AFTER_FINISH] and scene.ended == ("finish close", None)


def test_the_deadline_ends_a_silent_stream() -> None:
    scene = Scene(*SLOW, 1000.0)
    assert scene.play() == ["a", *["b"] * 5, "error deadline_exceeded"]
    assert scene.stream.waits[-1] == 5.0, "the last wait must end with the deadline"
    assert scene.ended == ("close", DeadlineExceeded)


def test_the_deadline_ends_a_stream_that_never_pauses() -> None:
    def half_a_second() -> None:
        scene.clock.advance(0.5)

    steps: tuple[Step, ...] = (half_a_second, MORE) * 1000
    scene = Scene(*steps)
    assert scene.play() == ["a", *["b"] * 200, "error deadline_exceeded"]
    assert scene.ended == ("close", DeadlineExceeded)


def test_the_deadline_after_the_finish_is_a_proper_end() -> None:
    scene = Scene(*SLOW, 3.0, FINISH, 1000.0)
    assert scene.play() == ["a", *["b"] * 5, "stop", "[DONE]"]
    assert scene.stream.waits[-1] == 2.0 and scene.ended == ("finish close", None)


@pytest.mark.parametrize("why", [CallerLeft("gone"), Draining("stopped")])
@pytest.mark.parametrize("looks", [b"", InvalidAnswer("cut")], ids=["like its end", "like a break"])
def test_a_call_that_is_ended_from_outside_blames_nobody_else(why: GatewayError, looks: Step) -> None:
    scene = Scene(MORE, lambda: scene.call.end(why), looks)
    scene.call.add_branch(scene.stream)
    assert scene.play() == ["a", "b", f"error {why.code}"]
    assert scene.told == [why] and scene.ended == ("cancel close", type(why))


# Names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("own", "model"), [("alias", "fast"), ("upstream", "theirs")])
def test_an_answer_carries_the_name_that_is_configured(own: str, model: str) -> None:
    transformer = ResponseTransformer(OpenAIChatCallers(), "upstream" if own == "upstream" else "alias")
    body: JsonObject = {"model": "theirs", "choices": [{}], "usage": {"prompt_tokens": 9}}
    answer = ChatResponse(usage=None, source=Source("openai_chat", body))
    assert json.loads(transformer.whole(answer, request("fast"))) == {**body, "model": model}


@pytest.mark.parametrize(("own", "model"), [("alias", "fast"), ("upstream", "theirs")])
@pytest.mark.parametrize("usage", [True, False])
def test_a_stream_carries_the_name_that_is_configured_and_usage_where_it_was_asked_for(
    own: str, model: str, usage: bool
) -> None:
    transformer = ResponseTransformer(OpenAIChatCallers(), "upstream" if own == "upstream" else "alias")
    encoder = transformer.encoder(request("fast", usage=usage))
    body: JsonObject = {"model": "theirs", "choices": [{}], "usage": {"prompt_tokens": 9}}
    said = encoder.encode(ChatChunk(has_content=True, usage=None, source=Source("openai_chat", dict(body))))
    expected: JsonObject = {**body, "model": model} if usage else {"model": model, "choices": [{}]}
    assert said == encode(dumps(expected))
