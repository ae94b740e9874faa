"""What a scrape reads of the running gateway: calls under way, limits, targets that rest, logins, the configuration.

Nothing is kept between scrapes. Every label is a name of the configuration that is served now, so a provider that goes
takes its series along; sums of calls are kept elsewhere (gateway.observe.metrics.sums).
"""

import platform
from collections.abc import Mapping, Sequence
from typing import Protocol

from gateway import __version__
from gateway.assembly import Assembly
from gateway.dispatch.watchdog import CallWatchdog
from gateway.observe.metrics import families
from gateway.observe.metrics.families import Labels, Reading, Value
from gateway.runtime import Runtime

REMAINING = frozenset({"requests", "tokens"})
"""The kinds of limits that are shown."""
ONLY_ACCOUNT = ""
"""The account of a provider that has one."""


class Reloads(Protocol):
    """How reloads have ended (gateway.reload.Reloader)."""

    @property
    def counts(self) -> Mapping[str, int]:
        """By result, `success` and `failed`: how many."""

    @property
    def succeeded(self) -> bool:
        """Whether the latest one was taken over; True before the first."""

    @property
    def succeeded_at(self) -> float:
        """Wall seconds of the latest one that was, or of the start."""


def read_metrics(assembly: Assembly, runtime: Runtime, reloads: Reloads) -> Sequence[Reading]:
    """Every metric now: the sums of calls that have ended, and what is read here.

    Args:
        assembly: the configuration that is served.
        runtime: what outlives it.
        reloads: of the configuration.
    """
    return [
        *runtime.sums.read(),
        *_calls(runtime.watchdog),
        *_limits(assembly, runtime),
        *_targets(assembly, runtime),
        (families.PROVIDER_REMAINING, _remaining(assembly, runtime)),
        (families.LOGIN_EXPIRES, _logins(assembly)),
        (families.RELOAD_SUCCESSFUL, _one(reloads.succeeded)),
        (families.RELOAD_TIME, _one(reloads.succeeded_at)),
        (families.RELOADS, {(result,): count for result, count in reloads.counts.items()}),
        (families.LEDGER_DROPPED, _one(runtime.ledger.dropped)),
        (families.LEDGER_FAILING, _one(runtime.ledger.fault is not None)),
        (families.BUILD_INFO, {(__version__, platform.python_version()): 1}),
    ]


def _one(value: float) -> Mapping[Labels, Value]:
    return {(): float(value)}


def _calls(watchdog: CallWatchdog) -> Sequence[Reading]:
    calls, streams = watchdog.counts()
    return [(families.ACTIVE_REQUESTS, _one(calls)), (families.ACTIVE_STREAMS, _one(streams))]


def _limits(assembly: Assembly, runtime: Runtime) -> Sequence[Reading]:
    waiting: dict[Labels, Value] = {}
    used: dict[Labels, Value] = {}
    largest: dict[Labels, Value] = {}
    for provider in assembly.bindings:
        limiter = runtime.limiters.of(provider)
        if limiter is not None:
            status = limiter.status()
            waiting[provider,] = status.waiting
            used[provider, ONLY_ACCOUNT, "rpm"] = status.used
            largest[provider, ONLY_ACCOUNT, "rpm"] = status.requests
    return [(families.QUEUE_WAITING, waiting), (families.LIMIT_USED, used), (families.LIMIT_MAX, largest)]


def _targets(assembly: Assembly, runtime: Runtime) -> Sequence[Reading]:
    resting: dict[Labels, Value] = {}
    seconds: dict[Labels, Value] = {}
    for target in assembly.router.targets:
        labels = (target.provider, ONLY_ACCOUNT, target.model)
        due = runtime.health.describe(target).due
        resting[labels], seconds[labels] = int(due > 0), due
    return [(families.RESTING, resting), (families.REST_SECONDS, seconds)]


def _logins(assembly: Assembly) -> Mapping[Labels, Value]:
    found: dict[Labels, Value] = {}
    for provider in assembly.bindings:
        expires_at = assembly.auth.status(provider, proven=False).expires_at
        if expires_at is not None:
            found[provider, ONLY_ACCOUNT] = expires_at
    return found


def _remaining(assembly: Assembly, runtime: Runtime) -> Mapping[Labels, Value]:
    """What providers say is left: the least of all models of an account."""
    found: dict[Labels, Value] = {}
    for key, quota in runtime.quotas.known(runtime.clock.wall()).items():
        if key.provider in assembly.bindings and key.kind in REMAINING and quota.remaining is not None:
            labels = (key.provider, key.account, key.kind)
            found[labels] = min(quota.remaining, found.get(labels, quota.remaining))
    return found
