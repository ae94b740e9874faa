"""What a scrape reads of the running gateway: calls under way, limits, targets that rest, logins, the configuration.

Nothing is kept between scrapes. Every label is a name of the configuration that is served now, so a provider that goes
takes its series along; sums of calls are kept elsewhere (gateway.observe.metrics.sums).
"""

import platform
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Final

from gateway import __version__
from gateway.assembly import Assembly
from gateway.bindings import logins_of
from gateway.clients.budget import BudgetView
from gateway.core.records import login_parts
from gateway.dispatch.watchdog import CallWatchdog
from gateway.limits.slots import SHORT_UNITS
from gateway.observe.metrics import families, process
from gateway.observe.metrics.families import Labels, Reading, Value
from gateway.observe.metrics.merged import encoded, folded, merged
from gateway.reload_state import Reloaded
from gateway.runtime import Runtime
from gateway.workers.siblings import ANSWER_SECONDS

TOPIC: Final = "metrics"
REMAINING = frozenset({"requests", "tokens"})
"""The kinds of limits that are shown."""
ONLY_ACCOUNT = ""
"""The account of a provider that has one."""
EVERY_MODEL: Final = ""
"""The pattern of models of a row that counts all of them."""


class Metrics:
    """Every metric of all workers. Safe to use from many threads.

    Args:
        runtime: what outlives a configuration.
        assembly: gives the configuration that is served.
        reloads: of the configuration.
    """

    def __init__(self, runtime: Runtime, assembly: Callable[[], Assembly], reloads: Reloaded) -> None:
        started = runtime.clock.wall()
        self._siblings = runtime.siblings
        self._siblings.answer(TOPIC, lambda _: encoded(read_metrics(assembly(), runtime, reloads, started)))
        self._siblings.keep(TOPIC, folded)

    def read(self) -> Sequence[Reading]:
        """Every metric now; of a worker that does not answer, what it has said last."""
        answers = self._siblings.ask(TOPIC, b"", within=ANSWER_SECONDS)
        return merged(answers, workers=self._siblings.count)


def read_metrics(assembly: Assembly, runtime: Runtime, reloads: Reloaded, started: float) -> Sequence[Reading]:
    """Every metric of this process now: the sums of calls that have ended, and what is read here.

    Args:
        assembly: the configuration that is served.
        runtime: what outlives it.
        reloads: of the configuration.
        started: wall seconds when the gateway was started.
    """
    return [
        *runtime.sums.read(),
        *_calls(runtime.watchdog),
        *_limits(runtime),
        *_clients(runtime),
        *_targets(assembly, runtime),
        (families.PROVIDER_REMAINING, _remaining(assembly, runtime)),
        (families.LOGIN_EXPIRES, _logins(assembly)),
        (families.RELOAD_SUCCESSFUL, _one(reloads.state.succeeded)),
        (families.RELOAD_TIME, _one(reloads.state.succeeded_at)),
        (families.RELOADS, {(result,): count for result, count in reloads.state.counts.items()}),
        (families.LEDGER_DROPPED, _one(runtime.ledger.dropped)),
        (families.LEDGER_FAILING, _one(runtime.ledger.fault is not None)),
        (families.SHARING_UP, _one(runtime.sharing.is_up) if runtime.sharing else {}),
        (families.BUILD_INFO, {(__version__, platform.python_version()): 1}),
        *process.readings(started),
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


def _clients(runtime: Runtime) -> Sequence[Reading]:
    used: dict[Labels, Value] = {}
    largest: dict[Labels, Value] = {}
    budgets: dict[str, BudgetView] = {}
    for client in runtime.clients.status():
        for unit in client.limits.units if client.limits else ():
            labels = (client.name, SHORT_UNITS[unit.unit])
            used[labels], largest[labels] = unit.used, unit.limit
        if client.budget is not None:
            budgets[client.name] = client.budget
    return [
        (families.CLIENT_USED, used),
        (families.CLIENT_MAX, largest),
        (families.BUDGET_SPENT, {(name,): view.spent_usd for name, view in budgets.items()}),
        (families.BUDGET_RESERVED, {(name,): view.reserved_usd for name, view in budgets.items()}),
        (families.BUDGET_MAX, {(name,): view.limit_usd for name, view in budgets.items()}),
    ]


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
        expires_at = assembly.auth.status(login, proven=False).expires_at
        if expires_at is not None:
            found[login_parts(login)] = expires_at
    return found


def _remaining(assembly: Assembly, runtime: Runtime) -> Mapping[Labels, Value]:
    """What providers say is left: the least of all models of an account."""
    found: dict[Labels, Value] = {}
    for key, quota in runtime.quotas.known(runtime.clock.wall()).items():
        if key.provider in assembly.bindings and key.kind in REMAINING and quota.remaining is not None:
            labels = (key.provider, key.account, key.kind)
            found[labels] = min(quota.remaining, found.get(labels, quota.remaining))
    return found
