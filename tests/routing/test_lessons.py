"""What targets teach: for an hour, for them alone, and only what the gateway can leave out by itself."""

import pytest

from gateway.core.provider_failures import FieldsRefused, ForeignReasoning, RequestRejected, Unavailable
from gateway.core.rendered import Adjustments
from gateway.routing.lessons import HOUR, MAX_TARGETS, NOTHING, Lessons
from gateway.routing.router import Target
from tests.support.fakes import FakeClock

TARGET = Target("a", "m")
USAGE = RequestRejected("Unknown field.", refused_fields=("stream_options",))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def lessons(clock: FakeClock) -> Lessons:
    return Lessons(clock)


@pytest.mark.parametrize(
    ("fields", "learned"),
    [
        (("stream_options",), ("usage",)),
        (("reasoning_content", "extra_content"), ("reasoning",)),
        (("stream_options", "thinking_blocks", "temperature"), ("reasoning", "usage")),
        (("temperature",), ()),
        ((), ()),
    ],
)
def test_only_what_the_gateway_can_leave_out_is_learned(
    lessons: Lessons, fields: tuple[str, ...], learned: tuple[str, ...]
) -> None:
    expected = Adjustments(frozenset(learned)) if learned else None
    assert lessons.after(TARGET, RequestRejected("No.", refused_fields=fields), NOTHING) == expected
    assert lessons.of(TARGET) == (expected or NOTHING)


def test_the_same_lesson_is_no_news(lessons: Lessons) -> None:
    known = lessons.after(TARGET, USAGE, NOTHING)
    assert known == Adjustments(frozenset({"usage"}))
    assert lessons.after(TARGET, USAGE, known) is None
    more = RequestRejected("No.", refused_fields=("stream_options", "reasoning_details"))
    assert lessons.after(TARGET, more, known) == Adjustments(frozenset({"usage", "reasoning"}))
    assert lessons.of(TARGET).without == {"usage", "reasoning"}


def test_foreign_reasoning_is_about_one_conversation(lessons: Lessons) -> None:
    foreign = ForeignReasoning("Invalid signature.", refused_fields=("reasoning",))
    assert lessons.after(TARGET, foreign, NOTHING) == Adjustments(frozenset({"reasoning"}))
    assert lessons.of(TARGET) == NOTHING


def test_a_wire_says_what_else_can_be_left_out(lessons: Lessons) -> None:
    refused = FieldsRefused("Not here.", refused_fields=("temperature",), max_tokens=4_096)
    assert lessons.after(TARGET, refused, NOTHING) == Adjustments(frozenset({"temperature"}), 4_096)
    assert lessons.of(TARGET) == Adjustments(frozenset({"temperature"}), 4_096)


def test_a_lesson_is_about_one_target(lessons: Lessons) -> None:
    lessons.after(TARGET, USAGE, NOTHING)
    assert lessons.of(Target("a", "other")) == lessons.of(Target("b", "m")) == Adjustments()


def test_a_lesson_holds_for_an_hour(lessons: Lessons, clock: FakeClock) -> None:
    lessons.after(TARGET, USAGE, NOTHING)
    clock.advance(HOUR - 1)
    assert lessons.of(TARGET).without == {"usage"}
    clock.advance(1)
    assert lessons.of(TARGET) == Adjustments()
    assert lessons.after(TARGET, USAGE, NOTHING) is not None


def test_the_oldest_target_is_forgotten_first(lessons: Lessons) -> None:
    for number in range(MAX_TARGETS + 1):
        lessons.after(Target("a", str(number)), USAGE, NOTHING)
    assert lessons.of(Target("a", "0")) == Adjustments()
    assert lessons.of(Target("a", "1")).without == {"usage"}


def test_another_failure_teaches_nothing(lessons: Lessons) -> None:
    assert lessons.after(TARGET, Unavailable("Busy."), NOTHING) is None
