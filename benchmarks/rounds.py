"""A run: starts everything, gives every contender a turn in every round of every scenario, and ends everything."""

import datetime
import http.client
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks import machine, wrk
from benchmarks.contenders import Contender, Place, Served
from benchmarks.faults import Unmeasurable
from benchmarks.figures import Figures, medians
from benchmarks.options import Options
from benchmarks.others import ALL
from benchmarks.processes import Child, healthy
from benchmarks.report import BASE, Head, Row, render
from benchmarks.scenarios import ColdStart, Scenario, Tools, plan
from benchmarks.traffic import HEALTH_PATH, SPEECH, STAMP, Target, small_chat, streamed_chat

STARTS: Final = 5
CHECK_SECONDS: Final = 30
CHECK_CHUNKS: Final = 3
MOST_TOLD: Final = 300


@dataclass
class Contest:
    """The contenders that run, and why the others do not."""

    running: dict[str, Served] = field(default_factory=dict)
    contenders: dict[str, Contender] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    no_streams: dict[str, str] = field(default_factory=dict)


def run(options: Options) -> int:
    """Measure and print the report. Returns 1 if the gateway could not be measured in every scenario, otherwise 0."""
    scenarios = chosen(options)
    cores = machine.Cores()
    others = machine.others_load()
    with ExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="benchmarks-")))
        port = start_upstream(folder, cores, closing)
        contest = start_all(options, Place(folder, port, options), cores, closing)
        closing.enter_context(cores.second())
        tools = Tools(options.seconds, wrk.find(), cores)
        results = [(scenario, _turns(scenario, contest, tools, options)) for scenario in scenarios]
    when = datetime.datetime.now(datetime.UTC)
    head = Head(machine.describe(), when, options.rounds, options.seconds, _notes(tools, contest, options, others))
    print(render(head, results))
    if options.json:
        options.json.write_text(json.dumps(as_json(head, results), indent=1) + "\n", encoding="utf-8")
    return int(BASE in contest.faults or any(row.fault for _, rows in results for row in rows if row.contender == BASE))


def chosen(options: Options) -> tuple[Scenario, ...]:
    """The scenarios of the options; all by default."""
    known = plan(quick=options.quick, threads=options.threads)
    return tuple(each for each in known if not options.scenarios or each.name in options.scenarios)


def start_upstream(folder: Path, cores: machine.Cores, closing: ExitStack) -> int:
    """Start the upstream. Returns its port."""
    with cores.second():
        child = Child([sys.executable, "-m", "benchmarks.upstream"], folder / "upstream.log", piped=True)
    closing.callback(child.stop)
    port = int(child.line())
    child.wait_until(lambda: healthy(port, HEALTH_PATH))
    return port


def start_all(options: Options, at: Place, cores: machine.Cores, closing: ExitStack) -> Contest:
    """Start every contender that is wanted and installed, and check that each answers correctly."""
    contest = Contest()
    for contender in ALL:
        if options.only and contender.name not in options.only:
            continue
        missing = contender.missing(options)
        if missing:
            contest.faults[contender.name] = missing
            continue
        place = Place(at.folder / contender.name, at.upstream, options)
        place.folder.mkdir()
        try:
            with cores.first():
                served = contender.start(place)
            _admit(served, closing)
        except (Unmeasurable, OSError) as fault:
            contest.faults[contender.name] = f"not measured: {fault}"
            continue
        try:
            check_stream(served.target)
        except Unmeasurable as fault:
            contest.no_streams[contender.name] = f"streams not measured: {fault}"
        contest.running[contender.name] = served
        contest.contenders[contender.name] = contender
        contest.places[contender.name] = place
    return contest


def _admit(served: Served, closing: ExitStack) -> None:
    target = served.target
    if served.child:
        closing.callback(served.child.stop)
        served.child.wait_until(lambda: healthy(target.port, target.health))
    check(target)


def check(target: Target) -> None:
    """Check that a contender passes on the upstream's answer.

    Raises:
        Unmeasurable: it answers something else.
    """
    whole = _ask(target, small_chat(target.model))
    if SPEECH.encode() not in whole:
        raise Unmeasurable(f"its answer is not the upstream's: {whole[:MOST_TOLD]!r}")


def check_stream(target: Target) -> None:
    """Check that a contender passes on the upstream's stream.

    Raises:
        Unmeasurable: it streams something else.
    """
    stream = _ask(target, streamed_chat(target.model, CHECK_CHUNKS, 100))
    stamps = [int(each) for each in STAMP.findall(stream)]
    if len(stamps) != CHECK_CHUNKS or stamps != sorted(stamps) or b"data: [DONE]" not in stream:
        raise Unmeasurable(f"its stream is not the upstream's: {stream[-MOST_TOLD:]!r}")


def _ask(target: Target, body: bytes) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=CHECK_SECONDS)
    try:
        connection.request("POST", target.path, body, {**dict(target.client_headers), "Connection": "close"})
        reply = connection.getresponse()
        content = reply.read()
    except (OSError, http.client.HTTPException) as error:
        raise Unmeasurable(f"no answer: {error!r}") from None
    finally:
        connection.close()
    if reply.status != 200:
        raise Unmeasurable(f"it answers {reply.status}: {content[:MOST_TOLD]!r}")
    return content


def _turns(scenario: Scenario, contest: Contest, tools: Tools, options: Options) -> list[Row]:
    """Give each contender one turn in every round, so that other load on the machine affects all of them."""
    found: dict[str, list[Figures]] = {name: [] for name in contest.running}
    faults: dict[str, str] = {}
    rounds = options.rounds if not isinstance(scenario, ColdStart) or options.quick else max(STARTS, options.rounds)
    for number in range(rounds):
        for name, served in contest.running.items():
            if scenario.kind in ("streams", "bulk") and name in contest.no_streams:
                faults[name] = contest.no_streams[name]
                continue
            print(f"{scenario.name} {number + 1}/{rounds} {name}   ", end="\r", file=sys.stderr, flush=True)
            try:
                figures = dict(scenario.measure(served, tools))
                if isinstance(scenario, ColdStart):
                    again = scenario.measure_start(contest.contenders[name], contest.places[name], tools.cores)
                    figures.update(again)
                found[name].append(figures)
            except (Unmeasurable, OSError) as fault:
                faults[name] = f"{fault}"
    return [Row(name, tuple(rows), faults.get(name)) for name, rows in found.items()]


def _notes(tools: Tools, contest: Contest, options: Options, others: str) -> tuple[str, ...]:
    load = "wrk" if tools.wrk else "the benchmark's own generator in Python (no wrk on PATH), which limits the rates"
    where = tools.cores.warning or "contenders on one core, upstream and load on another"
    return (
        f"Whole answers asked for by {load}; streams by the benchmark's own client.",
        f"Cores: {where}. {others}",
        f"The gateway: {options.threads} threads, a key, a limit that never binds, an alias of two targets, JSON logs.",
        *(f"{name}: {fault}" for name, fault in contest.faults.items()),
    )


def as_json(head: Head, results: Sequence[tuple[Scenario, Sequence[Row]]]) -> dict[str, object]:
    """The whole report for machines."""
    return {
        "machine": head.machine,
        "when": head.when.isoformat(timespec="seconds"),
        "rounds": head.rounds,
        "seconds": head.seconds,
        "notes": head.notes,
        "scenarios": {
            scenario.name: {
                row.contender: {"median": medians(row.rounds), "rounds": row.rounds, "fault": row.fault} for row in rows
            }
            for scenario, rows in results
        },
    }


def listed(options: Options, say: Callable[[str], object] = print) -> None:
    """List the contenders and the scenarios."""
    for contender in ALL:
        say(f"contender  {contender.name:10} {contender.missing(options) or 'found'}")
    for scenario in plan(quick=options.quick, threads=options.threads):
        say(f"scenario   {scenario.name:16} {scenario.title}")
