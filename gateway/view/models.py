"""The aliases of the configuration that is served, with their targets in the order in which they would be asked now."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from gateway.assembly import Assembly
from gateway.core.patterns import STAR
from gateway.core.records import login_name
from gateway.dispatch.explanation import HowAsked
from gateway.routing.cooldowns import CooldownReason
from gateway.routing.router import Route, Target
from gateway.routing.target_health import TargetStatus
from gateway.runtime import Runtime
from gateway.server.account_json import Account
from gateway.server.status_json import LONGEST, ModelNow, TargetNow, TurnWord, Why
from gateway.view.accounts import Whys
from gateway.view.activity import Seen

MILLI: Final = 1_000
CANNOT_BE_USED: Final = frozenset({"login_needed", "failing"})
"""States of accounts without a usable credential: a call passes their targets by."""


def health_of(assembly: Assembly, runtime: Runtime) -> Mapping[Target, TargetStatus]:
    """The health of all targets of aliases, those of patterns too; by each account where there are several."""
    targets = dict.fromkeys(target for route in assembly.router.routes for target in route.targets)
    return {target: runtime.health.describe(target) for target in assembly.turns.expanded(targets)}


def whys_of(health: Mapping[Target, TargetStatus]) -> Whys:
    """By credential, why its targets are not asked now."""
    found: dict[str, set[CooldownReason | None]] = defaultdict(set)
    for target, status in health.items():
        found[target.login].add(status.why)
    return {login: frozenset(whys) for login, whys in found.items()}


def models_of(
    assembly: Assembly,
    runtime: Runtime,
    health: Mapping[Target, TargetStatus],
    accounts: Sequence[Account],
    seen: Mapping[Target, Seen],
) -> Sequence[ModelNow]:
    """Every alias, the patterns last.

    Args:
        assembly: what is served.
        runtime: what outlives it.
        health: of all targets.
        accounts: of the configuration.
        seen: of targets, by all workers.
    """
    without = frozenset(login_name(each.provider, each.account) for each in accounts if each.state in CANNOT_BE_USED)
    view = _Targets(assembly, runtime, health, without, seen)
    return [view.model(route) for route in assembly.router.routes]


class _Targets:
    def __init__(
        self,
        assembly: Assembly,
        runtime: Runtime,
        health: Mapping[Target, TargetStatus],
        without: frozenset[str],
        seen: Mapping[Target, Seen],
    ) -> None:
        self._assembly = assembly
        self._health = health
        self._seen = seen
        self._without = without
        self._now = runtime.clock.wall()

    def model(self, route: Route) -> ModelNow:
        asked = self._assembly.explainer.how_asked(route)
        targets = tuple(
            self._target(target, route.targets.index(target.shared) + 1, how, is_first=number == 0)
            for number, (target, how) in enumerate(asked.items())
        )
        return ModelNow(route.name, STAR in route.name, route.when_limited, targets, len(targets))

    def _target(self, target: Target, place: int, how: HowAsked, *, is_first: bool) -> TargetNow:
        status = self._health[target]
        seen = self._seen.get(target)
        p50, p95, samples = (seen.p50, seen.p95, seen.samples) if seen else (None, None, 0)
        turn: TurnWord = "next" if how == "in order" else how
        return TargetNow(
            provider=target.provider,
            account=target.account,
            model=target.model[:LONGEST],
            place=place,
            turn="first" if is_first and turn == "next" else turn,
            state=status.state,
            why=self._why(target, status, how),
            resting_until_at=round(self._now + status.due, 3) if status.due > 0 else None,
            failures=seen.failures if seen else status.failures,
            wire=self._assembly.bindings[target.provider].resolved.wire,
            first_p50_ms=None if p50 is None else round(p50 * MILLI),
            first_p95_ms=None if p95 is None else round(p95 * MILLI),
            samples=samples,
        )

    def _why(self, target: Target, status: TargetStatus, how: HowAsked) -> Why | None:
        if status.why is not None:
            return status.why
        if target.login in self._without:
            return "login_needed"
        return "no_room" if how == "in line" else None
