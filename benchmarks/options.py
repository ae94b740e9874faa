"""The command line of the benchmarks."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

MOST: Final = 1024
FEWEST_THREADS: Final = 4
SHORTEST: Final = 0.1
LONGEST: Final = 600.0
ROUNDS: Final = 3
SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a run.

    Attributes:
        verb: what to do.
        only: contenders by name; empty for all that are installed.
        scenarios: by name; empty for all.
        rounds: in each of them every contender has one turn.
        seconds: the length of one turn.
        quick: run few scenarios with small numbers, which shows whether they work and not how fast.
        threads: the gateway's `gateway.threads`.
        json: a file for the figures of every round.
        before: another checkout of this project.
        litellm: LiteLLM's program.
        portkey: the folder of Portkey's package, or the folder in which it is installed.
        tensorzero: a Python that has TensorZero's package.
    """

    verb: Literal["run", "profile", "list"]
    only: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = ()
    rounds: int = ROUNDS
    seconds: float = SECONDS
    quick: bool = False
    threads: int = 64
    json: Path | None = None
    before: Path | None = None
    litellm: Path | None = None
    portkey: Path | None = None
    tensorzero: Path | None = None


def read(arguments: Sequence[str]) -> Options:
    """Parse the options. Ends the process if they are wrong, as argparse does."""
    given = _parser().parse_args(arguments)
    quick = bool(given.quick)
    return Options(
        verb="list" if given.list else given.verb,
        only=given.only,
        scenarios=given.scenarios,
        rounds=given.rounds or (1 if quick else ROUNDS),
        seconds=given.seconds or (0.5 if quick else SECONDS),
        quick=quick,
        threads=given.threads,
        json=given.json,
        before=given.before,
        litellm=given.litellm,
        portkey=given.portkey,
        tensorzero=given.tensorzero,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks", description="What the gateway costs, beside others.")
    add = parser.add_argument
    add("verb", nargs="?", choices=("run", "profile"), default="run", help="profile: where the gateway's time goes")
    add("--only", type=_names, default=(), metavar="A,B", help="these contenders; all that are installed otherwise")
    add("--scenarios", type=_names, default=(), metavar="A,B", help="these scenarios only")
    add("--rounds", type=_whole, metavar="N", help="turns of every contender (default 3)")
    add("--seconds", type=_duration, metavar="S", help="length of a turn (default 3)")
    add("--quick", action="store_true", help="small numbers and few scenarios: whether it works, not how fast it is")
    add("--threads", type=_threads, default=64, metavar="N", help="gateway.threads (default 64)")
    add("--json", type=Path, metavar="FILE", help="write every round's figures there, too")
    add("--list", action="store_true", help="say which contenders and scenarios there are")
    add("--before", type=Path, metavar="PATH", help="another checkout of this project, to be measured beside this one")
    add("--litellm", type=Path, metavar="PATH", help="LiteLLM's program, where it is not on PATH")
    add("--portkey", type=Path, metavar="PATH", help="the folder that @portkey-ai/gateway is installed in")
    add("--tensorzero", type=Path, metavar="PATH", help="a Python that has the package tensorzero")
    return parser


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _whole(text: str) -> int:
    """A number of rounds or threads."""
    number = int(text)
    if not 1 <= number <= MOST:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and {MOST}")
    return number


def _threads(text: str) -> int:
    """A value of `gateway.threads`."""
    number = _whole(text)
    if number < FEWEST_THREADS:
        raise argparse.ArgumentTypeError(f"{text} is less than {FEWEST_THREADS}, the least that the gateway takes")
    return number


def _duration(text: str) -> float:
    seconds = float(text)
    if not SHORTEST <= seconds <= LONGEST:
        raise argparse.ArgumentTypeError(f"{text} is not between {SHORTEST} and {LONGEST:g} seconds")
    return seconds
