"""Profiles the gateway: its functions by their own processor time, under a load of small whole answers.

It measures the processor time of each thread, so that waiting for a provider, a lock or other programs counts nothing.
Reading that clock costs more than most calls do: a profiled request takes several times as long. So the same load goes
to a gateway without a profiler first. The profiler's toll for a call is then the amount that makes both add up: taken
off for every call, from the called function and from its caller, it reduces the profile to the time used without a
profiler. That is an estimate, good for the order of the functions.
"""

import pstats
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from benchmarks import machine
from benchmarks.contenders import Gateway, Place
from benchmarks.faults import Unmeasurable
from benchmarks.options import Options
from benchmarks.processes import ROOT, healthy
from benchmarks.rounds import check, start_upstream
from benchmarks.scenarios import cpu
from benchmarks.traffic import small_chat
from benchmarks.whole_load import Load

CONNECTIONS: Final = 4
MOST: Final = 25
MOST_TOLL: Final = 1e-3
HALVINGS: Final = 40

Function = tuple[str, int, str]
"""File, line, name."""
Callers = Mapping[Function, tuple[int, int, float, float]]
Table = Mapping[Function, tuple[int, int, float, float, Callers]]
"""The format of pstats: primitive calls, calls, own seconds, seconds with its callees, and the same for its callers."""


def run(options: Options) -> int:
    """Profile and print the report. Raises Unmeasurable."""
    cores = machine.Cores()
    with ExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="benchmarks-")))
        port = start_upstream(folder, cores, closing)
        place = Place(folder, port, options)
        _, used, _ = _loaded(Gateway(), place, cores)
        requests, _, words = _loaded(Gateway(("-m", "benchmarks.profiled", str(folder))), place, cores)
        profiles = {path.stem: pstats.Stats(str(path)) for path in sorted(folder.glob("*.profile"))}
    if not profiles:
        raise Unmeasurable(f"no profile was left: {words}")
    print(report(profiles, requests, used))
    return 0


def _loaded(gateway: Gateway, place: Place, cores: machine.Cores) -> tuple[int, float | None, str]:
    """Run the load. Returns the answered requests, the processor seconds for each (None if unknown), the log's end."""
    with cores.first():
        served = gateway.start(place)
    child, target = served.child, served.target
    if child is None:
        raise Unmeasurable("the gateway has no process")
    try:
        child.wait_until(lambda: healthy(target.port, target.health))
        check(target)
        before = cpu(served)
        with cores.second():
            load = Load(target.port, target.post(small_chat(target.model)), CONNECTIONS)
            requests = int(load.run(place.options.seconds)["requests"])
        after = cpu(served)
    finally:
        child.stop()
    if not requests or load.failed:
        raise Unmeasurable(f"{load.failed} of {requests} requests failed: {child.last_words()}")
    return requests, None if before is None or after is None else (after - before) / requests, child.last_words()


def report(profiles: Mapping[str, pstats.Stats], requests: int, used: float | None) -> str:
    """A table of the kinds of threads and a table of the functions in Markdown, in microseconds a request.

    Args:
        profiles: by the kind of thread.
        requests: the number answered under the profiler.
        used: processor seconds a request without the profiler; None leaves the profiler's toll in the figures.
    """
    everything = pstats.Stats()
    for stats in profiles.values():
        everything.add(stats)
    functions = table(everything)
    toll = 0.0 if used is None else fitted(functions, used * requests)
    basis = f"{used * 1e6:.0f} us a request without the profiler" if used is not None else "not corrected"
    lines = [
        f"{requests} small whole answers; {basis}; {toll * 1e6:.2f} us taken off for each end of a call.",
        "",
        *("| threads | us a request |", "| --- | ---: |"),
    ]
    for kind, stats in profiles.items():
        lines.append(f"| {kind} | {sum(own_times(table(stats), toll).values()) * 1e6 / requests:.1f} |")
    lines += ["", "| own us | calls | function |", "| ---: | ---: | --- |"]
    ranked = sorted(own_times(functions, toll).items(), key=lambda item: item[1], reverse=True)
    for function, own in ranked[:MOST]:
        lines.append(f"| {own * 1e6 / requests:.1f} | {functions[function][1] / requests:.1f} | {named(function)} |")
    return "\n".join(lines)


def fitted(functions: Table, seconds: float) -> float:
    """The profiler's toll in seconds for each end of a call, if all functions took `seconds` without the profiler."""
    low, high = 0.0, MOST_TOLL
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if sum(own_times(functions, middle).values()) > seconds:
            low = middle
        else:
            high = middle
    return high if low else 0.0


def own_times(functions: Table, toll: float) -> dict[Function, float]:
    """Own seconds of each function, less the profiler's toll for the calls to it and for the calls it made."""
    made: dict[Function, int] = {}
    for _, _, _, _, callers in functions.values():
        for caller, row in callers.items():
            made[caller] = made.get(caller, 0) + row[0]
    return {each: max(0.0, row[2] - toll * (row[1] + made.get(each, 0))) for each, row in functions.items()}


def table(stats: pstats.Stats) -> Table:
    """The table inside pstats, which its types do not name."""
    functions: Table = stats.stats  # type: ignore[attr-defined]
    return functions


def named(function: Function) -> str:
    """A function's name with its place: `gateway/handler/call.py:70 __init__`. Functions in C have no file."""
    file, line, name = function
    if file == "~":
        return name
    path = Path(file)
    bases = (*(Path(each) for each in sys.path if each.endswith("site-packages")), ROOT)
    base = next((each for each in bases if path.is_relative_to(each)), path.parent.parent)
    return f"{path.relative_to(base).as_posix()}:{line} {name}" if path.is_absolute() else f"{file}:{line} {name}"
