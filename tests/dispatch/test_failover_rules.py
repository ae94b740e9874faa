"""What holds of every call, however its targets stand and whatever they do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.errors import CallerLeft, GatewayError, InternalFault, Limited
from gateway.core.provider_failures import (
    ConnectionFailed,
    ContentRefused,
    ContextTooLong,
    CredentialRefused,
    Evidence,
    InvalidAnswer,
    ProviderFailure,
    ProviderTimeout,
    QuotaExhausted,
    RateLimited,
    RequestRejected,
    TargetModelMissing,
    Unavailable,
    UnsupportedByTarget,
)
from gateway.dispatch.call import MAX_TRIES
from gateway.providers.base import Answer
from gateway.routing.breaker import FIRST_OPENING, IN_A_ROW, LONGEST_OPENING
from gateway.routing.router import Target
from tests.support.failover_scene import ANSWER, BROKEN_LINE, Outcome, Scene, limit, told

KINDS: Mapping[str, tuple[type[Exception], float | None]] = {
    "unreachable": (ConnectionFailed, None),
    "broken": (InvalidAnswer, None),
    "down": (Unavailable, None),
    "down for a while": (Unavailable, 20.0),
    "too many": (RateLimited, None),
    "too many for a moment": (RateLimited, 2.0),
    "too many for a while": (RateLimited, 20.0),
    "no quota": (QuotaExhausted, 20.0),
    "silent": (ProviderTimeout, None),
    "no such model": (TargetModelMissing, None),
    "too long": (ContextTooLong, None),
    "no words": (UnsupportedByTarget, None),
    "refuses": (ContentRefused, None),
    "rejects": (RequestRejected, None),
    "wrong key": (CredentialRefused, None),
    "our fault": (ZeroDivisionError, None),
}
LEAVES = "the caller leaves"
STANDINGS = ("ready", "no room", "waits", "rests", "open", "to be probed")


@dataclass(frozen=True)
class CandidateOrder:
    """What becomes of a target: how it stands before, and what it does each time it is asked."""

    standing: str
    outcomes: Sequence[str]


PLANS = st.lists(
    st.builds(
        CandidateOrder,
        st.sampled_from(STANDINGS),
        st.lists(st.sampled_from(["answers", LEAVES, *KINDS]), min_size=1, max_size=2),
    ),
    min_size=1,
    max_size=4,
)


def set_up(folder: Path, plans: Sequence[CandidateOrder]) -> Scene:
    """Targets a, b and so on, as planned."""
    names = {name: plan.standing for name, plan in zip("abcd", plans, strict=False)}
    queues = {"no room": 0, "waits": 50}
    limits = [limit(name, queue=queues[standing]) for name, standing in names.items() if standing in queues]
    scene = Scene(folder, limits={name: rule for each in limits for name, rule in each.items()})
    for name in [name for name, standing in names.items() if standing == "to be probed"]:
        scene.has_failed(name, *[BROKEN_LINE] * IN_A_ROW)
    scene.clock.advance(FIRST_OPENING)
    for name, plan in zip("abcd", plans, strict=False):
        if plan.standing in queues:
            scene.takes(name, 1)
        elif plan.standing == "rests":
            scene.has_failed(name, RateLimited("x", evidence=told(20.0)))
        elif plan.standing == "open":
            scene.has_failed(name, *[BROKEN_LINE] * IN_A_ROW)
        scene[name].plays(*(played(scene, outcome) for outcome in plan.outcomes))
    return scene


def played(scene: Scene, outcome: str) -> Outcome:
    """What a provider does that is planned to do so."""
    if outcome == "answers":
        return ANSWER
    if outcome == LEAVES:

        def leave() -> Answer:
            scene.gone = True
            raise InvalidAnswer("cut")

        return leave
    kind, retry_after = KINDS[outcome]
    if issubclass(kind, ProviderFailure):
        return kind("x", evidence=Evidence(status=None, retry_after=retry_after))
    return kind("x")


def word(outcome: Outcome) -> str | None:
    """What the record says of it; nothing of a fault of our own."""
    if isinstance(outcome, UnsupportedByTarget):
        return "cannot"
    if isinstance(outcome, GatewayError):
        return outcome.code or "failed"
    if isinstance(outcome, Exception):
        return None
    return "200" if isinstance(outcome, Answer) else "caller_left"


def expected_error(scene: Scene) -> type[Exception]:
    """What the caller is told where nobody answered."""
    last = scene.played[-1][1] if scene.played else None
    if scene.gone:
        return CallerLeft
    if last is None:
        return Limited
    return type(last) if isinstance(last, GatewayError) else InternalFault


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PLANS, st.sampled_from(["next", "wait"]))
def test_whatever_happens_the_rules_hold(
    tmp_path: Path, plans: Sequence[CandidateOrder], when_limited: Literal["next", "wait"]
) -> None:
    scene = set_up(tmp_path, plans)
    names, call = "abcd"[: len(plans)], scene.call()
    try:
        scene.ask(names, when_limited=when_limited, call=call)
    except GatewayError as error:
        assert call.target is None
        assert type(error) is expected_error(scene)
        assert all(outcome is not ANSWER for _, outcome in scene.played)
    else:
        assert [outcome for _, outcome in scene.played].count(ANSWER) == 1
        assert scene.played[-1] == (call.target and call.target.provider, ANSWER)
    # how often
    assert all(count <= 2 for count in scene.tries(names))
    assert sum(scene.tries(names)) <= MAX_TRIES
    # the record
    told_of = [
        (f"{each.provider}/{each.model}", each.outcome)
        for each in call.attempts
        if each.outcome not in ("limited", "resting")
    ]
    assert told_of == [(f"{name}/m", word(outcome)) for name, outcome in scene.played if word(outcome)]
    # and what stays
    assert scene.health.open() == []
    assert all(limiter.waiting == 0 for name in names if (limiter := scene.limiters.of(name)))
    scene.clock.advance(LONGEST_OPENING + 10)
    resting = [name for name in names if scene.rests(name)]
    assert all(scene.health.describe(Target(name, "m")).why == "model_missing" for name in resting)
