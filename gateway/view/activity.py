"""What a worker has seen that the page shows: its latest calls, the last hour, calls under way, what providers said.

Each worker tells it to whoever is asked, and `merged` makes one of all: of one worker alone it is what that one has.
What all workers know anyway (limits, budgets, rests, tokens, the configuration) is not among it.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Final

import msgspec
from msgspec import Struct

from gateway.assembly import Assembly
from gateway.observe.quota import Key, Quota
from gateway.observe.recent import MAX_CALLS, MinuteCounts, added
from gateway.routing.router import Target
from gateway.runtime import Runtime
from gateway.server.calls_json import CallNow
from gateway.view.calls import call_of


class Seen(Struct, frozen=True):
    """What a worker has seen of a target. `failures`: in a row. The seconds until the first content of its latest
    streams: None where there was none."""

    provider: str
    model: str
    account: str
    failures: int
    p50: float | None
    p95: float | None
    samples: int


class Activity(Struct, frozen=True):
    """What a worker, or all, have seen.

    Attributes:
        calls: the latest, the newest first.
        minutes: of the last hour, those in which calls ended.
        running, streams: calls under way; those among them whose streams have begun.
        dropped: records that the ledger has lost.
        fault: why the ledger cannot be written; None where it can.
        said: what providers say of their own limits.
        targets: of aliases.
    """

    calls: Sequence[CallNow]
    minutes: Sequence[MinuteCounts]
    running: int
    streams: int
    dropped: int
    fault: str | None
    said: Sequence[tuple[Key, Quota]]
    targets: Sequence[Seen]

    def seen(self) -> Mapping[Target, Seen]:
        """By target."""
        return {Target(each.provider, each.model, each.account): each for each in self.targets}


_ACTIVITY: Final = msgspec.msgpack.Decoder(Activity)


def activity_of(assembly: Assembly, runtime: Runtime) -> Activity:
    """What this process has seen."""
    running, streams = runtime.watchdog.counts()
    targets = dict.fromkeys(target for route in assembly.router.routes for target in route.targets)
    return Activity(
        calls=[call_of(each) for each in runtime.recent.calls(0, MAX_CALLS)],
        minutes=runtime.recent.counts(),
        running=running,
        streams=streams,
        dropped=runtime.ledger.dropped,
        fault=runtime.ledger.fault,
        said=list(runtime.quotas.known(runtime.clock.wall()).items()),
        targets=[_seen(target, runtime) for target in assembly.turns.expanded(targets)],
    )


def encoded(activity: Activity) -> bytes:
    """For other workers."""
    return msgspec.msgpack.encode(activity)


def merged(answers: Mapping[int, bytes]) -> Activity:
    """What all have seen.

    Args:
        answers: what `encoded` gave, by worker; under negative numbers what dead ones have left: their calls and what
            providers have told them.
    """
    found = {number: _ACTIVITY.decode(answer) for number, answer in answers.items()}
    alive = [each for number, each in found.items() if number >= 0]
    calls = sorted((call for each in found.values() for call in each.calls), key=lambda call: call.id, reverse=True)
    return Activity(
        calls=calls[:MAX_CALLS],
        minutes=added(chain.from_iterable(each.minutes for each in found.values())),
        running=sum(each.running for each in alive),
        streams=sum(each.streams for each in alive),
        dropped=sum(each.dropped for each in found.values()),
        fault=next((each.fault for each in alive if each.fault is not None), None),
        said=_latest(chain.from_iterable(each.said for each in found.values())),
        targets=_most_seen(chain.from_iterable(each.targets for each in alive)),
    )


def folded(answers: Sequence[bytes]) -> bytes:
    """Of what dead workers have left one. See `Siblings.keep`."""
    return encoded(merged(dict(enumerate(answers, start=-len(answers)))))


def _seen(target: Target, runtime: Runtime) -> Seen:
    p50, p95, samples = runtime.health.first_content(target) or (None, None, 0)
    failures = runtime.health.describe(target).failures
    return Seen(target.provider, target.model, target.account, failures, p50, p95, samples)


def _latest(said: Iterable[tuple[Key, Quota]]) -> Sequence[tuple[Key, Quota]]:
    """What was learned last of each limit, in the order in which it was learned."""
    return list(dict(sorted(said, key=lambda each: each[1].learned_at)).items())


def _most_seen(targets: Iterable[Seen]) -> Sequence[Seen]:
    """Of each target the times of the worker with the most samples, and the most failures in a row of any."""
    found: dict[tuple[str, str, str], Seen] = {}
    for each in targets:
        key = (each.provider, each.model, each.account)
        before = found.get(key, each)
        most = each if each.samples > before.samples else before
        found[key] = msgspec.structs.replace(most, failures=max(before.failures, each.failures))
    return list(found.values())
