"""Streams of the invented wire when something happens: interleaved calls, breaks, errors, silence. Nothing of the
gateway knows the wire, so what holds here holds by the contract alone."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import pytest

from gateway.server.routes import ENDPOINTS, Endpoint
from gateway.server.routes import chat as answer_chat
from tests.support.block_wire import PATH, ROW, BlockCallers
from tests.support.block_wire.caller import LIVE, SHOWN, Heard, Listener, heard, question, thought, words
from tests.support.continuations import continued
from tests.support.fakes import FastClock
from tests.support.running import Running, alias, running
from tests.support.spoken_answers import COMPLETION, GEMINI, OPENAI, PROMPT, Calls, Says, Spoken, Thinks, Wire
from tests.support.upstream_script import Cut, Request, ScriptedUpstream, Sse, Status, Step, WaitFor
from tests.support.upstream_steps import Respond

pytestmark = pytest.mark.usefixtures("each_driver")

MODELS = {"openai": "gpt-x", "gemini": "gemini-3-pro-preview"}
FACTOR = 100.0
"""The gateway's clock runs so many times as fast, so that the seconds until a heartbeat are over in a moment."""
TEXT = "The first part of a long answer stands here, and the second part of it follows right behind the first one."
HALF = 44


@pytest.fixture(params=[OPENAI, GEMINI], ids=lambda wire: wire.name)
def wire(request: pytest.FixtureRequest) -> Wire:
    """The first provider's."""
    found: Wire = request.param
    return found


@pytest.fixture(params=[OPENAI, GEMINI], ids=lambda wire: f"then {wire.name}")
def other(request: pytest.FixtureRequest) -> Wire:
    """The second provider's."""
    found: Wire = request.param
    return found


@pytest.fixture
def second() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as scripted:
        yield scripted


class Scene:
    """A gateway whose alias `best` is one provider, and then another where there is one."""

    def __init__(self, closing: ExitStack) -> None:
        self._closing = closing
        self.go = threading.Event()
        closing.callback(self.go.set)

    def serves(
        self, *targets: tuple[Wire, ScriptedUpstream], row: Endpoint[BlockCallers] = ROW, fast: bool = False
    ) -> Running:
        named = [(f"p{at}", wire, up) for at, (wire, up) in enumerate(targets)]
        config = {
            "gateway": {"requestTimeoutSeconds": 3600},
            "providers": {
                name: {**wire.provider(up), "timeouts": {"stallSeconds": 3000, "firstTokenSeconds": 3000}}
                for name, wire, up in named
            },
            "modelAliases": [alias("best", *(f"{name}/{MODELS[wire.name]}" for name, wire, _ in named))],
        }
        served = running(config, clock=FastClock(FACTOR) if fast else None, endpoints=(*ENDPOINTS, row))
        return self._closing.enter_context(served)

    def listens(self, gateway: Running) -> Listener:
        listener = Listener(gateway, question())
        self._closing.callback(listener.close)
        return listener


@pytest.fixture
def scene(often_looked_after: None) -> Iterator[Scene]:
    with ExitStack() as closing:
        yield Scene(closing)


def ask(gateway: Running) -> Heard:
    """A stream with its thoughts."""
    return heard(gateway.post(question(), path=LIVE, headers=SHOWN))


# Calls -------------------------------------------------------------------------------------------------------------


def fragments(*pieces: tuple[int, str, str]) -> tuple[Step, ...]:
    """A stream of pieces of calls, each of them index, name ("" but for the first) and arguments."""
    events = []
    for index, name, arguments in pieces:
        named: Mapping[str, object] = {"id": f"id-{index}", "type": "function"} if name else {}
        function = {"name": name, "arguments": arguments} if name else {"arguments": arguments}
        events.append(OPENAI.event({"tool_calls": [{"index": index, **named, "function": function}]}))
    return Sse(events), *OPENAI.ended(called=True)


INTERLEAVED = ((0, "a", ""), (1, "b", '{"x"'), (0, "", '{"y"'), (1, "", ": 1}"), (2, "c", ""), (0, "", ": 2}"))
"""The arguments of the third never come."""


def test_calls_that_the_provider_interleaves_are_written_one_after_another(scene: Scene, up: ScriptedUpstream) -> None:
    up.plays(*fragments(*INTERLEAVED))
    stream = ask(scene.serves((OPENAI, up)))
    assert [(one["errand"], one["tool"], one["input"]) for one in stream.said] == [
        ("id-0", "a", {"y": 2}),
        ("id-1", "b", {"x": 1}),
        ("id-2", "c", {}),
    ]
    assert stream.pieces[:2] == [2, 2], "each as the pieces that came"
    assert stream.end is not None and stream.end["end"] == "errands"


def test_what_waits_for_the_end_of_a_call_is_bounded(scene: Scene, up: ScriptedUpstream) -> None:
    row = Endpoint("talk", PATH, ("POST",), lambda mask: BlockCallers(mask, most_held=8), answer_chat, model_call=True)
    up.plays(*fragments((0, "a", ""), (1, "b", '{"x": "too much to wait"}')))
    stream = ask(scene.serves((OPENAI, up), row=row))
    assert stream.end is None, "the provider has finished, but the caller has not got all of it"
    assert stream.doom is not None and "too much" in stream.doom["oracle_says"]


# Breaks ------------------------------------------------------------------------------------------------------------


def goes_on(wire: Wire, *before: Spoken) -> Respond:
    """A model that does as it is asked to where an answer broke off."""

    def respond(request: Request) -> Sequence[Step]:
        so_far, wish = last_two(wire, request)
        rest = continued(TEXT, so_far, wish)
        return wire.stream(*before, Says(rest[:30]), Says(rest[30:]))

    return respond


def last_two(wire: Wire, request: Request) -> tuple[str, str]:
    """What the assistant has said, and what the user has asked after it."""
    body: Any = request.json()
    if wire is OPENAI:
        said, asked = body["messages"][-2:]
        assert (said["role"], asked["role"]) == ("assistant", "user")
        return said["content"], asked["content"]
    said, asked = body["contents"][-2:]
    assert (said["role"], asked["role"]) == ("model", "user")
    return said["parts"][0]["text"], asked["parts"][0]["text"]


def test_a_stream_that_breaks_in_a_block_of_text_goes_on_in_it(
    scene: Scene, wire: Wire, other: Wire, up: ScriptedUpstream, second: ScriptedUpstream
) -> None:
    up.answers(lambda _: (*wire.begun(Thinks("Hm."), Says(TEXT[:20]), Says(TEXT[20:HALF])), Cut()))
    second.answers(goes_on(other, Thinks("Second thoughts.")))
    stream = ask(scene.serves((wire, up), (other, second)))
    assert stream.said == [thought("Hm."), words(TEXT)]
    assert stream.moved == {"to": f"p1/{MODELS[other.name]}"}
    assert stream.names.count("begin") == 1 and stream.begin is not None
    spent = 2 if wire is GEMINI else 1  # Google counts with every event, so what broke has been counted too
    assert stream.end == {"end": "said", "tokens": {"in": spent * PROMPT, "out": spent * COMPLETION}}
    (asked,) = second.requests
    assert last_two(other, asked)[0] == TEXT[:HALF]


def test_a_stream_that_breaks_before_any_text_is_asked_anew(
    scene: Scene, wire: Wire, up: ScriptedUpstream, second: ScriptedUpstream
) -> None:
    up.answers(lambda _: (*wire.begun(Thinks("Hm. ")), Cut()))
    second.plays(*OPENAI.stream(Thinks("So."), Says("Yes.")))
    stream = ask(scene.serves((wire, up), (OPENAI, second)))
    assert stream.said == [thought("Hm. So."), words("Yes.")]
    assert stream.end is not None


def test_an_error_in_the_middle_is_the_wires_event_and_looks_like_no_end(
    scene: Scene, wire: Wire, up: ScriptedUpstream
) -> None:
    up.plays(*wire.begun(Says("One. "), Says("Two.")), Cut())
    stream = ask(scene.serves((wire, up)))
    assert stream.events == ["begin", "open", "add", "add", "doom"]
    assert stream.doom is not None and stream.doom["omen"] == "stream_interrupted"


def test_a_stream_with_a_call_is_not_resumed(
    scene: Scene, wire: Wire, up: ScriptedUpstream, second: ScriptedUpstream
) -> None:
    up.plays(*wire.begun(Says("One."), Calls("a", {"x": 1})), Cut())
    stream = ask(scene.serves((wire, up), (OPENAI, second)))
    assert stream.doom is not None and stream.end is None
    assert second.requests == []


# Silence -----------------------------------------------------------------------------------------------------------


def test_heartbeats_before_the_first_content_count_with_what_follows(
    scene: Scene, wire: Wire, up: ScriptedUpstream
) -> None:
    up.plays(WaitFor(scene.go), *wire.stream(Says("Yes.")))
    listener = scene.listens(scene.serves((wire, up), fast=True))
    listener.until("hum")
    listener.until("hum")
    assert set(listener.stream.names) == {"hum"}
    scene.go.set()
    stream = listener.rest()
    assert stream.events[:2] == ["begin", "open"]
    assert stream.said == [words("Yes.")] and stream.end is not None


def test_heartbeats_between_events_count_with_them(scene: Scene, wire: Wire, up: ScriptedUpstream) -> None:
    up.plays(*wire.begun(Says("One. ")), WaitFor(scene.go), *wire.ended())
    listener = scene.listens(scene.serves((wire, up), fast=True))
    listener.until("add")
    listener.until("hum")
    listener.until("hum")
    scene.go.set()
    stream = listener.rest()
    assert stream.events == ["begin", "open", "add", "close", "end"]
    assert "hum" in stream.names[stream.names.index("add") : stream.names.index("close")]


def test_an_error_after_a_heartbeat_is_an_event_that_counts_with_it(
    scene: Scene, wire: Wire, up: ScriptedUpstream
) -> None:
    up.plays(WaitFor(scene.go), Status(503))
    up.answers(lambda _: (Status(503),))
    listener = scene.listens(scene.serves((wire, up), fast=True))
    listener.until("hum")
    scene.go.set()
    stream = listener.rest()
    assert set(stream.names[:-1]) == {"hum"}
    assert stream.doom is not None and stream.doom["omen"] == "provider_unavailable"
