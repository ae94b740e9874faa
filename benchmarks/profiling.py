"""Where the gateway's time goes: its functions by their own processor time, under a load of small whole answers.

Processor time of each thread, so that waiting for a provider, for a lock, or for other programs counts nothing.
Reading that clock costs more than most calls do: a profiled request takes several times what it should. So the same
load goes to a gateway without a profiler first, and what a call costs the profiler is the amount that, taken off for
every call from the function called and from its caller, makes the profile add up to what was used without one. An
estimate: read it for the order of things.
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
"""pstats' own form: primitive calls, calls, own seconds, seconds with what it calls, callers likewise."""


def run(options: Options) -> int:
    """Profile and print. Raises Unmeasurable."""
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
    """The requests that it has answered, the processor seconds for each where the system tells, its last words."""
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
    """The kinds of threads and the functions in Markdown, in microseconds a request.

    Args:
        profiles: by the kind of thread.
        requests: answered under the profiler.
        used: processor seconds a request without it; None leaves what the profiler took in the figures.
    """
    everything = pstats.Stats()
    for stats in profiles.values():
        everything.add(stats)
    functions = table(everything)
    toll = 0.0 if used is None else fitted(functions, used * requests)
    told = f"{used * 1e6:.0f} us a request without the profiler" if used is not None else "not corrected"
    lines = [
        f"{requests} small whole answers; {told}; {toll * 1e6:.2f} us taken off for each end of a call.",
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
    """What a call costs the profiler, at either end, if the functions took so many seconds in all without it."""
    low, high = 0.0, MOST_TOLL
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if sum(own_times(functions, middle).values()) > seconds:
            low = middle
        else:
            high = middle
    return high if low else 0.0


def own_times(functions: Table, toll: float) -> dict[Function, float]:
    """Own seconds of each function without what the profiler took: for its calls, and for those that it made."""
    made: dict[Function, int] = {}
    for _, _, _, _, callers in functions.values():
        for caller, told in callers.items():
            made[caller] = made.get(caller, 0) + told[0]
    return {each: max(0.0, told[2] - toll * (told[1] + made.get(each, 0))) for each, told in functions.items()}


def table(stats: pstats.Stats) -> Table:
    """What is behind pstats' printing, which has no public name in its types."""
    functions: Table = stats.stats  # type: ignore[attr-defined]
    return functions


def named(function: Function) -> str:
    """`gateway/handler/call.py:70 __init__`; what is written in C has no file."""
    file, line, name = function
    if file == "~":
        return name
    path = Path(file)
    bases = (*(Path(each) for each in sys.path if each.endswith("site-packages")), ROOT)
    base = next((each for each in bases if path.is_relative_to(each)), path.parent.parent)
    return f"{path.relative_to(base).as_posix()}:{line} {name}" if path.is_absolute() else f"{file}:{line} {name}"
