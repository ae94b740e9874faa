"""How a model name would be routed right now, without asking anybody.

The same parts that a call asks (router, health, limits, credentials) are asked here in the same order, so that what is
explained is what would happen. The values are for machines, which the command line makes into text; they hold no
secret, and nothing of what callers said.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gateway.auth.auth_manager import AuthManager
from gateway.config.schema import Timeouts
from gateway.limits.rate_limiter import LimitStatus, RateLimiters
from gateway.routing.health import Health, TargetStatus
from gateway.routing.router import Route, Router, Target

HowAsked = Literal["in order", "in line", "forced", "not asked"]
"""How a candidate comes to its turn: when those before it have failed; when besides they do, in line at its rate limit;
although it rests, because nobody else is left; not, for another that rests is due sooner."""


@dataclass(frozen=True, slots=True)
class CredentialView:
    """What a candidate is called with.

    Attributes:
        kind: "api_key", "token" or "none".
        expires_at: wall seconds, where that is known.
        problem: what is wrong, in a sentence; None where nothing is known to be.
        remedy: the command that mends it.
    """

    kind: str
    expires_at: float | None
    problem: str | None
    remedy: str | None


@dataclass(frozen=True, slots=True)
class CandidateView:
    """One target.

    Attributes:
        place: its rank in the configuration, from 1.
        turn: how it comes to be asked.
        health: as of Health; its limits apply where `first_content` is "auto".
        first_content: seconds until it counts as silent, or "auto".
        limit: of its provider; None where there is none.
    """

    provider: str
    model: str
    place: int
    turn: HowAsked
    health: TargetStatus
    first_content: float | Literal["auto"]
    limit: LimitStatus | None
    credential: CredentialView


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a name would be routed; `candidates` in the order of asking. `configuration` is the file's path, None where
    there is no file."""

    model: str
    when_limited: str
    stream_recovery: str
    configuration: str | None
    candidates: tuple[CandidateView, ...]


class Explainer:
    """Explains, from the parts that a call is routed by.

    Args:
        router: names to targets.
        health: who rests.
        limiters: who has room.
        auth: who can be called.
        timeouts: by provider name.
        configuration: where the settings came from.
    """

    def __init__(  # noqa: PLR0913 - the walk's parts, handed in once
        self,
        *,
        router: Router,
        health: Health,
        limiters: RateLimiters,
        auth: AuthManager,
        timeouts: Mapping[str, Timeouts],
        configuration: str | None,
    ) -> None:
        self._router = router
        self._health = health
        self._limiters = limiters
        self._auth = auth
        self._timeouts = timeouts
        self._configuration = configuration

    def explain(self, model: str) -> Explanation:
        """How `model`, an alias or `provider/model`, would be routed now.

        Raises:
            ModelNotFound: nobody answers to that name.
        """
        route = self._router.candidates(model)
        turns = self._turns(route).items()
        candidates = (self._candidate(target, turn, route.targets.index(target) + 1) for target, turn in turns)
        return Explanation(
            route.name, route.when_limited, route.stream_recovery, self._configuration, tuple(candidates)
        )

    def _turns(self, route: Route) -> dict[Target, HowAsked]:
        """As gateway.dispatch.hedging gives them out, in the order of asking."""
        ready, resting = self._health.order(route.targets)
        waits = {target: self._wait(target) for target in ready}
        queues = route.when_limited == "wait"
        turns: dict[Target, HowAsked] = {target: "in order" for target in ready if queues or not waits[target]}
        turns |= {target: "in line" for target in sorted(ready, key=waits.__getitem__) if target not in turns}
        turns |= dict.fromkeys(resting[:1], "forced")
        return turns | dict.fromkeys(resting[1:], "not asked")

    def _wait(self, target: Target) -> float:
        limiter = self._limiters.of(target.provider)
        return limiter.expected_wait() if limiter else 0.0

    def _candidate(self, target: Target, turn: HowAsked, place: int) -> CandidateView:
        limiter = self._limiters.of(target.provider)
        status = self._auth.status(target.provider)
        return CandidateView(
            provider=target.provider,
            model=target.model,
            place=place,
            turn=turn,
            health=self._health.describe(target),
            first_content=self._timeouts[target.provider].first_token_seconds,
            limit=limiter.status() if limiter else None,
            credential=CredentialView(status.kind, status.expires_at, status.problem, status.remedy),
        )
