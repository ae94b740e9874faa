"""What `GET /gateway/status.json` and `GET /gateway/calls.json` say.

Everything is read when it is asked for, from parts that know it anyway; only the sums of days, which stand in the
ledger's file, are kept for a moment. It asks no provider.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from gateway import __version__
from gateway.assembly import Assembly
from gateway.observe.recent import MINUTE, MinuteCounts, minutes_of
from gateway.reload_state import Reloaded
from gateway.runtime import Runtime
from gateway.server.calls_json import Calls
from gateway.server.status_json import (
    LONGEST,
    MAX_ACCOUNTS,
    MAX_CLIENTS,
    MAX_FAULTS,
    MAX_MODELS,
    MAX_NEEDS,
    MAX_SETTINGS,
    MAX_STATUS,
    MAX_TARGETS,
    ConfigurationNow,
    FaultNow,
    LedgerNow,
    ModelNow,
    Need,
    PricesNow,
    Reload,
    Series,
    Status,
)
from gateway.view.accounts import accounts_of
from gateway.view.activity import Activity, activity_of, encoded, folded, merged
from gateway.view.clients import clients_of
from gateway.view.days import DaySums
from gateway.view.models import health_of, models_of, whys_of
from gateway.view.needs import needs_of, needs_of_sharing
from gateway.workers.siblings import ANSWER_SECONDS

TOPIC: Final = "activity"
OLD_PRICES_SECONDS: Final = 120 * 86_400


class StatusView:
    """The two answers. Safe to use from many threads.

    Args:
        runtime: what outlives a configuration.
        assembly: gives the configuration that is served.
        reloads: of the configuration.
        url: where the gateway listens.
    """

    def __init__(self, runtime: Runtime, assembly: Callable[[], Assembly], reloads: Reloaded, url: str) -> None:
        self._runtime = runtime
        self._assembly = assembly
        self._reloads = reloads
        self._url = url
        self._siblings = runtime.siblings
        self._siblings.answer(TOPIC, lambda _: encoded(activity_of(assembly(), runtime)))
        self._siblings.keep(TOPIC, folded)
        self._days = DaySums(runtime.ledger.store, runtime.clock)

    def status(self) -> bytes:
        """All but the calls, as JSON of at most MAX_STATUS bytes: where there is more, lists end earlier."""
        whole, share = self._status(), 1
        while len(encoded := msgspec.json.encode(_cut(whole, share))) > MAX_STATUS:
            share *= 2
        return encoded

    def calls(self, after: int, limit: int) -> bytes:
        """The latest calls with an id above `after`, at most `limit`, as JSON."""
        last = self._runtime.recent.last  # before the workers are asked, who have told their calls up to it then
        after = after if after <= last else 0  # the number of a call from before a restart
        found = [each for each in self._activity().calls if after < each.id <= last]
        return msgspec.json.encode(Calls(self._runtime.recent.numbers.started_at, last, tuple(found[:limit])))

    def _activity(self) -> Activity:
        """Of all workers; of one that does not answer, what it has said last."""
        return merged(self._siblings.ask(TOPIC, b"", within=ANSWER_SECONDS))

    def _status(self) -> Status:
        runtime, assembly = self._runtime, self._assembly()
        last, activity = runtime.recent.last, self._activity()
        health = health_of(assembly, runtime)
        accounts = accounts_of(assembly, runtime, whys_of(health), dict(activity.said))
        models = models_of(assembly, runtime, health, accounts, activity.seen())
        clients = clients_of(runtime.clients.status())
        configuration, ledger = self._configuration(assembly), self._ledger(activity)
        sharing = runtime.shared()
        found = (*needs_of(accounts, models, configuration, ledger), *needs_of_sharing(sharing))
        needs = [self._masked(each) for each in found]
        days = self._days.days(last)
        return Status(
            now=round(runtime.clock.wall(), 3),
            started_at=runtime.recent.numbers.started_at,
            version=__version__,
            state="draining" if runtime.drain_state.draining else "serving",
            base_url=f"{self._url}/v1",
            key_needed=assembly.guard.keyed,
            first_run=not last and not any(day.calls for day in days or ()),
            running_calls=activity.running,
            running_streams=activity.streams,
            waiting_calls=sum(max((limit.waiting for limit in each.limits), default=0) for each in accounts),
            last_call=last,
            needs=tuple(needs),
            need_count=len(needs),
            models=tuple(models),
            model_count=len(models),
            accounts=tuple(accounts),
            account_count=len(accounts),
            clients=tuple(clients),
            client_count=len(clients),
            series=series_of(activity.minutes, runtime.clock.wall()),
            days=days,
            configuration=configuration,
            ledger=ledger,
            prices=self._prices(),
            sharing=sharing,
        )

    def _masked(self, need: Need) -> Need:
        return replace(need, message=self._runtime.masker.mask(need.message)[:LONGEST])

    def _configuration(self, assembly: Assembly) -> ConfigurationNow:
        path = assembly.loaded.path
        return ConfigurationNow(
            path=str(path) if path else None,
            generation=assembly.generation or 1,
            reload=assembly.loaded.config.gateway.reload,
            last_reload=self._reload(),
            needs_restart=tuple(self._reloads.state.needs_restart[:MAX_SETTINGS]),
        )

    def _reload(self) -> Reload | None:
        if self._reloads.state.latest is None:
            return None
        at, outcome = self._reloads.state.latest
        mask = self._runtime.masker.mask
        faults = tuple(
            FaultNow(each.path[:LONGEST], each.line, each.column, mask(each.message)[:LONGEST])
            for each in outcome.faults[:MAX_FAULTS]
        )
        result: Literal["success", "failed"] = "failed" if outcome.faults else "success"
        return Reload(at, result, tuple(outcome.changed[:MAX_SETTINGS]), faults, len(outcome.faults))

    def _ledger(self, activity: Activity) -> LedgerNow:
        store, fault, dropped = self._runtime.ledger.store, activity.fault, activity.dropped
        if store is None:
            return LedgerNow("off", None, None, None, dropped)
        if store.path is None:
            return LedgerNow("memory", None, None, None, dropped)
        state: Literal["failing", "ok"] = "failing" if fault else "ok"
        return LedgerNow(state, str(store.path), _size(store.path), fault and fault[:LONGEST], dropped)

    def _prices(self) -> PricesNow:
        known = self._runtime.price_table.known_date
        if known is None:
            return PricesNow(None, old=False)
        since = datetime.fromisoformat(known).replace(tzinfo=UTC).timestamp()
        return PricesNow(known, old=self._runtime.clock.wall() - since > OLD_PRICES_SECONDS)


def series_of(counts: Sequence[MinuteCounts], now: float) -> Series:
    """The last hour by minute."""
    minutes = minutes_of(counts, now)
    return Series(
        from_at=float(minutes[0].number * MINUTE),
        answered=tuple(each.answered for each in minutes),
        failed=tuple(each.failed for each in minutes),
        refused=tuple(each.refused for each in minutes),
        cancelled=tuple(each.cancelled for each in minutes),
        first_p50_ms=tuple(each.first_p50_ms for each in minutes),
        first_p95_ms=tuple(each.first_p95_ms for each in minutes),
        input=tuple(each.input for each in minutes),
        output=tuple(each.output for each in minutes),
    )


def _cut(whole: Status, share: int) -> Status:
    """A status whose lists end at a share of their usual ends."""
    models: list[ModelNow] = []
    room = MAX_TARGETS // share
    for model in whole.models[: MAX_MODELS // share]:
        shown = model.targets[:room]
        room -= len(shown)
        models.append(model if len(shown) == len(model.targets) else replace(model, targets=shown))
    needs, accounts = whole.needs[: MAX_NEEDS // share], whole.accounts[: MAX_ACCOUNTS // share]
    clients = whole.clients[: MAX_CLIENTS // share]
    return replace(whole, models=tuple(models), needs=needs, accounts=accounts, clients=clients)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
