"""Explains how a model name would be routed now, without asking a provider.

It asks the same parts as a call does (router, health, limits, credentials), in the same order, so that the explanation
is what would happen.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Final

from gateway.auth.auth_manager import AuthManager
from gateway.config.schema import Timeouts
from gateway.core.errors import InvalidRequest
from gateway.core.passed import EndpointName
from gateway.dispatch.explanation import (
    CHAT,
    CandidateView,
    CredentialView,
    Explanation,
    HowAsked,
    LeftOutView,
    LimitStatus,
)
from gateway.dispatch.turns import Turns
from gateway.limits.gauges import RequestsPerMinute
from gateway.limits.rate_limiters import RateLimiters
from gateway.limits.slots import MINUTE, RowStatus
from gateway.routing.endpoint_routes import ENDPOINTS, EndpointRoutes, LeftOut
from gateway.routing.health import Health
from gateway.routing.lessons import Lessons
from gateway.routing.router import Route, Router, Target
from gateway.sharing.follower import SharingView

CHAT_WIRES: Final[Mapping[str, str]] = {
    CHAT: "openai_chat",
    "responses": "openai_responses",
    "messages": "anthropic_messages",
}
"""The endpoints of chats, and the wires that their callers speak."""
PASSING: Final = frozenset({"openai_chat", "openai_responses"})
"""The wires of APIs whose endpoints beside chat have the form that callers use."""


def _nobody(_: str) -> tuple[str, ...]:
    return ()


class Explainer:
    """Explains routes.

    Args:
        router: maps names to targets.
        health: which targets may be asked.
        limiters: the rate limits.
        lessons: what targets have refused by name.
        auth: the credentials.
        timeouts: by provider name.
        configuration: the path of the configuration file.
        proxies: by provider name, for those that are asked through one.
        endpoints: which targets may answer beside chat.
        wires: by provider name.
        turns: the order of targets, where a strategy decides it.
        generation: of the configuration.
        clients: names those that may ask for a model.
        sharing: what is shared with other gateways now.
    """

    def __init__(  # noqa: PLR0913 - the parts that a call uses, passed once
        self,
        *,
        router: Router,
        health: Health,
        limiters: RateLimiters,
        lessons: Lessons,
        auth: AuthManager,
        timeouts: Mapping[str, Timeouts],
        configuration: str | None,
        proxies: Mapping[str, str],
        endpoints: EndpointRoutes,
        wires: Mapping[str, str],
        turns: Turns,
        generation: int | None = None,
        clients: Callable[[str], tuple[str, ...]] = _nobody,
        sharing: Callable[[], SharingView | None] = lambda: None,
    ) -> None:
        self._router = router
        self._health = health
        self._limiters = limiters
        self._lessons = lessons
        self._auth = auth
        self._timeouts = timeouts
        self._configuration = configuration
        self._proxies = proxies
        self._endpoints = endpoints
        self._wires = wires
        self._turns = turns
        self._generation = generation
        self._clients = clients
        self._sharing = sharing

    def explain(self, model: str, endpoint: str = CHAT) -> Explanation:
        """How `model`, an alias or `provider/model`, would be routed now at an endpoint.

        Raises:
            ModelNotFound: no alias and no provider has this name.
            InvalidRequest: there is no such endpoint.
        """
        configured = route = self._router.candidates(model)
        left_out: tuple[LeftOut, ...] = ()
        if endpoint not in CHAT_WIRES:
            narrowed = self._endpoints.narrowed(route, _endpoint_of(endpoint))
            route, left_out = narrowed.route, narrowed.left_out
        asked = self.how_asked(route).items()
        passing = {CHAT_WIRES[endpoint]} if endpoint in CHAT_WIRES else PASSING
        places = {target: place for place, target in reversed([*enumerate(configured.targets, start=1)])}
        candidates = (
            replace(
                self._candidate(target, how, places[target.shared], passing), order=self._turns.reason(route, target)
            )
            for target, how in asked
        )
        return Explanation(
            model=route.name,
            when_limited=route.when_limited,
            stream_recovery=route.stream_recovery,
            configuration=self._configuration,
            candidates=tuple(candidates),
            endpoint=endpoint,
            left_out=tuple(LeftOutView(each.target.provider, each.target.model, each.why) for each in left_out),
            generation=self._generation,
            strategy="weighted" if route.shares else "priority",
            clients=self._clients(model),
            sharing=self._sharing(),
        )

    def how_asked(self, route: Route) -> dict[Target, HowAsked]:
        """A route's targets in the order in which gateway.dispatch.hedging asks them now."""
        targets = self._turns.look(route) if self._turns.decide(route) else route.targets
        ready, cooling_down = self._health.order(targets)
        waits = {target: self._wait(target) for target in ready}
        queues = route.when_limited == "wait"
        asked: dict[Target, HowAsked] = {target: "in order" for target in ready if queues or not waits[target]}
        asked |= {target: "in line" for target in sorted(ready, key=waits.__getitem__) if target not in asked}
        return asked | dict.fromkeys(cooling_down, "forced")

    def _wait(self, target: Target) -> float:
        limiter = self._limiters.of(target.provider, target.model, target.account)
        return limiter.expected_wait() if limiter else 0.0

    def _candidate(self, target: Target, how: HowAsked, place: int, passing: AbstractSet[str]) -> CandidateView:
        limiter = self._limiters.of(target.provider, target.model, target.account)
        limits = limiter.status() if limiter else ()
        status = self._auth.status(target.login)
        return CandidateView(
            provider=target.provider,
            model=target.model,
            place=place,
            turn=how,
            health=self._health.describe(target),
            first_content=self._timeouts[target.provider].first_token_seconds,
            limit=_per_minute(limits),
            credential=CredentialView(
                status.kind, status.expires_at, status.problem, status.remedy, self._auth.kind(target.login)
            ),
            proxy=self._proxies.get(target.provider),
            left_out=tuple(sorted(self._lessons.of(target).without)),
            wire=self._wires[target.provider],
            passes=self._wires[target.provider] in passing,
            limits=limits,
            account=target.account,
        )


def _endpoint_of(name: str) -> EndpointName:
    found = ENDPOINTS.get(name)
    if found is None:
        raise InvalidRequest(
            f"There is no such endpoint; there are {', '.join((*CHAT_WIRES, *ENDPOINTS))}.", param="endpoint"
        )
    return found


def _per_minute(rows: Sequence[RowStatus]) -> LimitStatus | None:
    for row in rows:
        for unit in row.units:
            if unit.unit == RequestsPerMinute.unit:
                return LimitStatus(unit.limit, MINUTE, unit.used, row.waiting, row.wait)
    return None
