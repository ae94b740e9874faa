"""Where the gateway's time goes: its functions by their own time, under a load of small whole answers.

One request at a time, so that threads do not wait for each other's turn, and without the functions that only wait. A
clock of processor time would leave those out by itself, but reading it for every call costs more than most calls. A
profile makes short functions look dearer than they are: read it for the order, and take sums from `python -m
benchmarks`.
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
from benchmarks.traffic import small_chat
from benchmarks.whole_load import Load

CONNECTIONS: Final = 1
WAITING: Final = ("'acquire'", "'recv'", "'recv_into'", "'poll'", "'select'", "'accept'")
"""Methods written in C that mostly wait; what they cost themselves is a system call."""
MOST: Final = 25

Function = tuple[str, int, str]
"""File, line, name."""
Profile = Mapping[Function, tuple[int, int, float, float, object]]
"""pstats' own form: primitive calls, calls, own seconds, seconds with what it calls, callers."""


def run(options: Options) -> int:
    """Profile and print."""
    cores = machine.Cores()
    with ExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="benchmarks-")))
        port = start_upstream(folder, cores, closing)
        with cores.first():
            served = Gateway(("-m", "benchmarks.profiled", str(folder))).start(Place(folder, port, options))
        child, target = served.child, served.target
        if child is None:
            raise Unmeasurable("the gateway has no process")
        closing.callback(child.stop)
        child.wait_until(lambda: healthy(target.port, target.health))
        check(target)
        with cores.second():
            figures = Load(target.port, target.post(small_chat(target.model)), CONNECTIONS).run(options.seconds)
        child.stop()
        profiles = {path.stem: pstats.Stats(str(path)) for path in sorted(folder.glob("*.profile"))}
    if not profiles or not figures["requests"]:
        raise Unmeasurable(f"no profile was left: {child.last_words()}")
    print(report(profiles, int(figures["requests"])))
    return 0


def report(profiles: Mapping[str, pstats.Stats], requests: int) -> str:
    """The kinds of threads and the functions in Markdown, in microseconds a request."""
    everything = pstats.Stats()
    lines = [f"{requests} small whole answers; time under the profiler without waiting, for each of them.", ""]
    lines += ["| threads | us a request |", "| --- | ---: |"]
    for kind, stats in profiles.items():
        everything.add(stats)
        own = sum(each[2] for each in entries(stats).values())
        lines.append(f"| {kind} | {own * 1e6 / requests:.1f} |")
    lines += ["", "| own us | calls | function |", "| ---: | ---: | --- |"]
    ranked = sorted(entries(everything).items(), key=lambda item: item[1][2], reverse=True)
    for function, (_, calls, own, _, _) in ranked[:MOST]:
        lines.append(f"| {own * 1e6 / requests:.1f} | {calls / requests:.1f} | {named(function)} |")
    return "\n".join(lines)


def entries(stats: pstats.Stats) -> Profile:
    """The table behind pstats' printing, which has no public name in its types; without what only waits."""
    table: Profile = stats.stats  # type: ignore[attr-defined]
    return {each: told for each, told in table.items() if each[0] != "~" or not any(w in each[2] for w in WAITING)}


def named(function: Function) -> str:
    """`gateway/handler/call.py:70 __init__`; what is written in C has no file."""
    file, line, name = function
    if file == "~":
        return name
    path = Path(file)
    for base in (ROOT, *(Path(each) for each in sys.path if each)):
        if path.is_relative_to(base) and base.name not in ("lib", ""):
            path = path.relative_to(base)
            break
    return f"{path.as_posix()}:{line} {name}"
