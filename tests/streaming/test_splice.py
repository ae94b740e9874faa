"""A broken answer and whatever another model says then: the caller gets the true text or an error, never a third thing.

The machine runs with the real wire, and a driver without sockets asks as the dispatch does: for a continuation where
the end of the text can prove a place, and otherwise, or after a refusal, for the whole answer.
"""

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from gateway.core.provider_failures import NotContinued, StreamBroken
from gateway.core.rendered import Rendered
from gateway.core.sse import DONE, encode
from gateway.core.text_end import anchor, ends_whole
from gateway.streaming.answer_machine import AnswerMachine, Stall
from gateway.wires.base import Decoder, Naming
from gateway.wires.openai_chat.inbound import OpenAIChatCallers
from gateway.wires.openai_chat.outbound import OpenAIChatProvider
from tests.support.chats import ASKED
from tests.support.examples import examples
from tests.support.running import events

EXAMPLES = examples(2_000)
SHORTEST = 40
"""Characters that a continuation is asked to begin with, where the text has so many."""

# Texts ---------------------------------------------------------------------------------------------------------------

PROSE = "Water boils at 100 degrees. On a high mountain, e.g. Mont Blanc, it boils earlier: at 85 degrees.\n\n"
PHRASES = (
    "All work and no play makes Jack a dull boy.\n",
    "It was the best of times, it was the worst of times, ",
    "ha ",
    "- item: one\n",
    "  return None\n\n",
)
KOREAN = (
    "\ubb3c\uc740 \uc12d\uc528 100\ub3c4\uc5d0\uc11c \ub053\uc2b5\ub2c8\ub2e4. "
    "\ub192\uc740 \uc0b0\uc5d0\uc11c\ub294 \ub354 \uc77c\ucc0d \ub053\uc2b5\ub2c8\ub2e4. "
)
JAPANESE = (
    "\u6c34\u306f\u767e\u5ea6\u3067\u6cb8\u9a30\u3057\u307e\u3059\u3002\u9ad8\u3044\u5c71\u3067\u306f\u65e9\u3044"
    "\u3067\u3059\u3002"
)
ARABIC = (
    "\u064a\u063a\u0644\u064a \u0627\u0644\u0645\u0627\u0621 \u0639\u0646\u062f \u0645\u0626\u0629 "
    "\u062f\u0631\u062c\u0629. \u0647\u0644 \u0647\u0630\u0627 \u0635\u062d\u064a\u062d\u061f "
)
JOINED = "It boils \U0001f60a\ufe0f! \U0001f468\u200d\U0001f469\u200d\U0001f467 e\u0301te\u0301, cafe\u0301. "
OTHER_SCRIPTS = (KOREAN, JAPANESE, ARABIC, JOINED)
CODE = "Run it:\n\n```python\nfor n in range(3):\n    print('It boils.')\n    print(n)\n```\n\nThat is all.\n"
WORDS = st.sampled_from(["the ", "water ", "boils. ", "at ", "a ", "\n", "\n\n", "- ", "```\n", "(x) ", "1", " ", "!"])
VOCABULARY = st.sampled_from([f"{word}{end}" for word in PROSE.split() for end in (" ", " ", ", ", ". ", "\n")])


def said_twice(phrase: str, other: str) -> str:
    return phrase + other + phrase + other[:9]


texts = st.one_of(
    st.lists(VOCABULARY, min_size=30, max_size=80).map("".join),
    st.lists(WORDS, min_size=1, max_size=60).map("".join),
    st.builds(lambda phrase, times, end: phrase * times + end, st.sampled_from(PHRASES), st.integers(1, 8), WORDS),
    st.builds(said_twice, st.lists(VOCABULARY, min_size=5, max_size=12).map("".join), st.text("abc. ", max_size=60)),
    st.permutations([PROSE, CODE, *OTHER_SCRIPTS, *PHRASES]).map("".join),
    st.text(min_size=1, max_size=30),
)


@dataclass(frozen=True)
class Case:
    """A true answer that breaks off at `cut`, and what the next model says to each request."""

    text: str
    cut: int
    kind: str
    continuation: str
    whole: str
    places: tuple[int, ...] = ()

    @property
    def so_far(self) -> str:
        return self.text[: self.cut]

    @property
    def rest(self) -> str:
        return self.text[self.cut :]


KINDS = ("asked", "forty", "words", "more", "exact", "from the start", "other words", "differs", "stops early", "empty")
BLANKS = ("", "", "", " ", "\n", "\n\n")


@st.composite
def cases(draw: st.DrawFn) -> Case:
    text = draw(texts)
    cut = draw(st.integers(1, len(text)))
    places = tuple(draw(st.lists(st.integers(0, 10_000), max_size=8)))
    kind = draw(st.sampled_from(KINDS))
    said = draw(st.sampled_from(BLANKS)) + _continuation(draw, kind, text, cut)
    others = ["", text[: cut // 2], "Well, " + text, _differing(draw, text[:cut]) + text[cut:]]
    whole = draw(st.sampled_from(BLANKS)) + draw(st.sampled_from([text] * 4 + others))
    return Case(text, cut, kind, said, whole, places)


def _continuation(draw: st.DrawFn, kind: str, text: str, cut: int) -> str:
    so_far, rest = text[:cut], text[cut:]
    match kind:
        case "asked":
            return (anchor(so_far) or so_far) + rest
        case "forty":
            return so_far[-SHORTEST:] + rest
        case "words":
            return " ".join(so_far.split(" ")[-draw(st.integers(1, 40)) :]) + rest
        case "more":
            return so_far[draw(st.integers(0, cut)) :] + rest
        case "exact":
            return rest
        case "from the start":
            return text
        case "other words":
            return "In other words: " + text.upper()
        case "differs":
            return _differing(draw, so_far[draw(st.integers(0, cut - 1)) :]) + rest
        case "stops early":
            return so_far[draw(st.integers(0, cut)) :][: draw(st.integers(0, cut))]
    return ""


def _differing(draw: st.DrawFn, said: str) -> str:
    """The same with another character somewhere."""
    place = draw(st.integers(0, len(said) - 1))
    return said[:place] + ("#" if said[place] != "#" else "+") + said[place + 1 :]


# The driver ----------------------------------------------------------------------------------------------------------


def stream(text: str, places: Sequence[int], *, finish: bool = True) -> bytes:
    """The text as a provider's stream, cut into events at the places."""

    def chunk(delta: dict[str, object], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return encode(json.dumps({"id": "c", "model": "m", "choices": [choice]}).encode())

    edges = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    out = [chunk({"role": "assistant", "content": ""})]
    out += [chunk({"content": text[begin:end]}) for begin, end in itertools.pairwise(edges)]
    return b"".join([*out, *([chunk({}, "stop"), encode(DONE)] if finish else [])])


def decoder(*, continues: bool = False) -> Decoder:
    return OpenAIChatProvider().decoder(1, Rendered(b"", may_be_empty=continues))


@dataclass
class Outcome:
    text: str = ""
    done: bool = False
    error: str | None = None
    restarted: bool = False


class Driver:
    """One answer, from its break to its end."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self.outcome = Outcome()
        encoder = OpenAIChatCallers().encoder(ASKED, Naming("alias", usage=False))
        self._machine = AnswerMachine(decoder(), encoder, Stall(20.0, 120.0), resumable=True)

    def run(self) -> Outcome:
        self._read(self._machine.received(stream(self._case.so_far, self._case.places, finish=False)))
        assert self.outcome.text == self._case.so_far
        self._read(self._machine.failed(StreamBroken("It broke.")))
        self._resume(restarted=not anchor(self._case.so_far))
        if isinstance(self._machine.interrupted, NotContinued):
            assert not self.outcome.restarted, "a whole answer is asked for once"
            self._resume(restarted=True)
        assert self._machine.over and self._machine.interrupted is None
        assert self.outcome.done == (self.outcome.error is None), "one of both, never [DONE] behind an error"
        return self.outcome

    def _resume(self, *, restarted: bool) -> None:
        self.outcome.restarted = restarted
        data = stream(self._case.whole if restarted else self._case.continuation, self._case.places)
        edges = [0, *sorted(place * 7 % (len(data) + 1) for place in self._case.places), len(data)]
        fresh, (first, *pieces) = (
            decoder(continues=not restarted),
            [data[begin:end] for begin, end in itertools.pairwise(edges)],
        )
        self._read(self._machine.resume(fresh, fresh.feed(first) if first else [], "another", restarted=restarted))
        for piece in pieces:
            if piece and not self._machine.over and self._machine.interrupted is None:
                self._read(self._machine.received(piece))

    def _read(self, out: bytes) -> None:
        for each in events(out.decode()):
            if each == "[DONE]":
                self.outcome.done = True
            elif isinstance(each, dict) and "error" in each:
                self.outcome.error = each["error"]["code"]
            elif isinstance(each, dict):
                self.outcome.text += each["choices"][0]["delta"].get("content") or ""


# The property --------------------------------------------------------------------------------------------------------


def says_the_end_again(case: Case) -> bool:
    """Whether the continuation repeats less than it was asked to, and yet begins as one that repeats enough: the answer
    says the same words twice in a row, and the cut is between the two. Nobody who reads both parts could tell."""
    so_far, said = case.so_far, case.continuation
    least = len(anchor(so_far))
    repeated = len(said) - len(case.rest)
    if case.kind not in {"exact", "words", "more", "forty"} or repeated >= least:
        return False
    return any(said.startswith(so_far[start:]) for start in range(case.cut - least + 1))


@given(cases())
@example(Case("ha ha ha ha ha ha!", 12, "exact", "ha ha!", "ha ha ha ha ha ha!"))
@example(Case(PHRASES[0] * 3, 51, "exact", (PHRASES[0] * 3)[51:], PHRASES[0] * 3))
@example(Case(PHRASES[1] * 5, 200, "exact", (PHRASES[1] * 5)[200:], PHRASES[1] * 5))
@example(Case("11 is prime, as is 13.", 1, "exact", "1 is prime, as is 13.", "11 is prime, as is 13."))
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_the_caller_gets_the_true_text_or_an_error(case: Case) -> None:
    outcome = Driver(case).run()
    event(f"{case.kind}: {'error' if outcome.error else 'restarted' if outcome.restarted else 'continued'}")
    assert outcome.text.startswith(case.so_far)
    if outcome.error is not None:
        assert not says_the_whole_again(case), "the whole answer again is always accepted"
        assert case.text.startswith(outcome.text.rstrip()), "what is written is true, even in front of an error"
    elif outcome.restarted:
        assert outcome.text.lstrip() in {case.text.lstrip(), case.whole.lstrip()}
    elif outcome.text == case.so_far:
        assert case.text == case.so_far or ends_whole(case.so_far), "an empty rest behind an unfinished sentence"
    elif outcome.text != case.text:
        assert says_the_end_again(case), "a text with a gap, or with a part twice"


def says_the_whole_again(case: Case) -> bool:
    return bool(case.so_far.strip()) and case.whole.lstrip() == case.text.lstrip()


@pytest.mark.parametrize("text", [PROSE, CODE, *OTHER_SCRIPTS], ids=["prose", "code", *"1234"])
@pytest.mark.parametrize("kind", ["asked", "forty", "from the start"])
def test_who_begins_as_asked_is_not_asked_for_the_whole_answer(text: str, kind: str) -> None:
    for cut in range(1, len(text.rstrip())):
        so_far = text[:cut]
        said = {"asked": anchor(so_far), "forty": so_far[-SHORTEST:], "from the start": so_far}[kind] + text[cut:]
        outcome = Driver(Case(text, cut, kind, said, text, (3, 50, 70))).run()
        assert (outcome.text, outcome.restarted) == (text, not anchor(so_far)), f"cut behind {so_far!r}"


def test_of_a_text_that_does_not_repeat_itself_every_end_can_prove_its_place() -> None:
    for text in (PROSE, CODE, *OTHER_SCRIPTS):
        for cut in range(16, len(text)):
            assert anchor(text[:cut]), f"cut behind {text[:cut]!r}"
