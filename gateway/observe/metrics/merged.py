"""The metrics of all workers as one: their readings as bytes, and what makes one reading of several.

Sums are added in whole parts of their unit, so that it makes no difference which worker has seen a call and in which
order workers are added: the result is what one process would have that had seen all calls. Of one worker alone it is
what that worker has. Pure.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

import msgspec

from gateway.observe.metrics import families, process
from gateway.observe.metrics.families import Family, Labels, Merge, Reading, Value

WORKER: Final = "worker"
"""The label of what each worker has for itself."""
BY_NAME: Final[Mapping[str, Family]] = {
    each.name: each for each in (*families.SUMMED, *families.READ, *process.FAMILIES)
}
EACH_WORKERS: Final[Mapping[str, Family]] = {
    name: replace(each, labels=(*each.labels, WORKER)) for name, each in BY_NAME.items() if each.merged_by == "worker"
}

_Coded: TypeAlias = list[tuple[str, list[tuple[Labels, int | float | tuple[int | float, ...]]]]]
_DECODER: Final = msgspec.msgpack.Decoder(_Coded)
_ENCODER: Final = msgspec.msgpack.Encoder()


def encoded(readings: Sequence[Reading]) -> bytes:
    """The readings of one worker, for others. Labels have no lone surrogate."""
    return _ENCODER.encode([(family.name, list(series.items())) for family, series in readings])


def merged(answers: Mapping[int, bytes], *, workers: int) -> Sequence[Reading]:
    """One reading of every metric.

    Args:
        answers: what `encoded` gave, by worker; under negative numbers what dead ones have left, of which only sums
            count.
        workers: how many there are to be. With several, what each has for itself gets its number as a label.
    """
    found: dict[str, dict[Labels, Value]] = {}
    for number in sorted(answers, key=lambda each: (each < 0, each)):
        for name, series in _DECODER.decode(answers[number]):
            family = BY_NAME[name]
            if number < 0 and family.kind == "gauge":
                continue
            into = found.setdefault(name, {})
            if workers > 1 and name in EACH_WORKERS:
                into |= {(*labels, str(number)): value for labels, value in series}
            else:
                _add(family, into, series)
    named = EACH_WORKERS if workers > 1 else {}
    return [(named.get(name) or BY_NAME[name], series) for name, series in found.items()]


def folded(answers: Sequence[bytes]) -> bytes:
    """Of what dead workers have left one: their sums. See `Siblings.keep`."""
    return encoded(merged(dict(enumerate(answers, start=-len(answers))), workers=1))


def _add(family: Family, into: dict[Labels, Value], series: Sequence[tuple[Labels, Value]]) -> None:
    make = _MAKERS[family.merged_by]
    for labels, value in series:
        before = into.get(labels)
        if before is None:
            into[labels] = value
        elif isinstance(before, tuple) and isinstance(value, tuple):
            counts = (own + other for own, other in zip(before[:-1], value[:-1], strict=True))
            into[labels] = (*counts, _sum(before[-1], value[-1], family.parts))
        elif not isinstance(before, tuple) and not isinstance(value, tuple):
            into[labels] = make(before, value, family.parts)


def _sum(one: float, other: float, parts: int) -> float:
    return (round(one * parts) + round(other * parts)) / parts


_MAKERS: Final[Mapping[Merge, Callable[[float, float, int], float]]] = {
    "add": _sum,
    "least": lambda one, other, _: min(one, other),
    "most": lambda one, other, _: max(one, other),
    "worker": lambda one, other, _: max(one, other),  # of one worker there is one
}
