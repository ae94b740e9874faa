"""What a scrape reads of the running gateway: calls under way, limits, targets that rest, logins, the configuration.

Nothing is kept between scrapes. Every label is a name of the configuration that is served now, so a provider that goes
takes its series along; sums of calls are kept elsewhere (gateway.observe.metrics.sums).
"""

import platform
from collections.abc import Mapping, Sequence
from math import inf
from typing import Final, Protocol

from gateway import __version__
from gateway.assembly import Assembly
from gateway.bindings import logins_of
from gateway.dispatch.watchdog import CallWatchdog
from gateway.observe.metrics import families
from gateway.observe.metrics.families import Labels, Reading, Value
from gateway.runtime import Runtime

ONLY_ACCOUNT = ""
"""The account of a provider that has one."""
EVERY_MODEL: Final = ""
"""The pattern of models of a row that counts all of them."""
SHORT_UNITS: Final = {
    "requestsPerMinute": "rpm",
    "requestsPerDay": "rpd",
    "tokensPerMinute": "tpm",
    "tokensPerDay": "tpd",
    "maxConcurrent": "concurrent",
}


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
        *_limits(runtime),
        *_targets(assembly, runtime),
        (families.PROVIDER_REMAINING, {}),  # providers' own limits are not read yet
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


def _limits(runtime: Runtime) -> Sequence[Reading]:
    """A call that waits stands in the lines of all its rows, so the longest line of a provider is how many wait."""
    waiting: dict[Labels, Value] = {}
    used: dict[Labels, Value] = {}
    largest: dict[Labels, Value] = {}
    rooms: dict[Labels, float] = {}
    for key, row in runtime.limiters.status().items():
        waiting[key.provider,] = max(waiting.get((key.provider,), 0), row.waiting)
        for unit in row.units:
            labels = (key.provider, key.account or ONLY_ACCOUNT, key.model or EVERY_MODEL, SHORT_UNITS[unit.unit])
            room = unit.limit - unit.used
            if room <= rooms.get(labels, inf):  # of two rows the narrower: an account's own, and that of each account
                used[labels], largest[labels], rooms[labels] = unit.used, unit.limit, room
    return [(families.QUEUE_WAITING, waiting), (families.LIMIT_USED, used), (families.LIMIT_MAX, largest)]


def _targets(assembly: Assembly, runtime: Runtime) -> Sequence[Reading]:
    resting: dict[Labels, Value] = {}
    seconds: dict[Labels, Value] = {}
    for target in assembly.turns.expanded(assembly.router.targets):
        labels = (target.provider, target.account, target.model)
        due = runtime.health.describe(target).due
        resting[labels], seconds[labels] = int(due > 0), due
    return [(families.RESTING, resting), (families.REST_SECONDS, seconds)]


def _logins(assembly: Assembly) -> Mapping[Labels, Value]:
    found: dict[Labels, Value] = {}
    for login in logins_of(assembly.bindings):
        expires_at = assembly.auth.status(login).expires_at
        if expires_at is not None:
            provider, _, account = login.partition("@")
            found[provider, account] = expires_at
    return found
