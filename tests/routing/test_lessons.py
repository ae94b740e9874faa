"""What targets teach: for an hour, for them alone, and only what the gateway can leave out by itself."""

import pytest

from gateway.core.provider_failures import RequestRejected, Unavailable
from gateway.core.rendered import Adjustments
from gateway.routing.lessons import HOUR, MAX_TARGETS, Lessons
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
    assert lessons.learn(TARGET, RequestRejected("No.", refused_fields=fields)) == learned
    assert lessons.of(TARGET) == Adjustments(frozenset(learned))


def test_the_same_lesson_is_no_news(lessons: Lessons) -> None:
    assert lessons.learn(TARGET, USAGE) == ("usage",)
    assert lessons.learn(TARGET, USAGE) == ()
    more = RequestRejected("No.", refused_fields=("stream_options", "reasoning_details"))
    assert lessons.learn(TARGET, more) == ("reasoning",)
    assert lessons.of(TARGET).without == {"usage", "reasoning"}


def test_a_lesson_is_about_one_target(lessons: Lessons) -> None:
    lessons.learn(TARGET, USAGE)
    assert lessons.of(Target("a", "other")) == lessons.of(Target("b", "m")) == Adjustments()


def test_a_lesson_holds_for_an_hour(lessons: Lessons, clock: FakeClock) -> None:
    lessons.learn(TARGET, USAGE)
    clock.advance(HOUR - 1)
    assert lessons.of(TARGET).without == {"usage"}
    clock.advance(1)
    assert lessons.of(TARGET) == Adjustments()
    assert lessons.learn(TARGET, USAGE) == ("usage",)


def test_the_oldest_target_is_forgotten_first(lessons: Lessons) -> None:
    for number in range(MAX_TARGETS + 1):
        lessons.learn(Target("a", str(number)), USAGE)
    assert lessons.of(Target("a", "0")) == Adjustments()
    assert lessons.of(Target("a", "1")).without == {"usage"}


def test_another_failure_teaches_nothing(lessons: Lessons) -> None:
    assert lessons.learn(TARGET, Unavailable("Busy.")) == ()
