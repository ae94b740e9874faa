"""`python -m benchmarks`: see `--help`."""

import signal
import sys
from types import FrameType
from typing import NoReturn

from benchmarks import profiling, rounds
from benchmarks.faults import Unmeasurable
from benchmarks.limits import raise_descriptor_limit
from benchmarks.options import Options, read
from benchmarks.others import ALL
from benchmarks.scenarios import plan


def main() -> int:
    """Run the command line. Returns the exit code."""
    options = read(sys.argv[1:])
    unknown = _unknown(options)
    if unknown:
        print(f"Unknown: {', '.join(unknown)}; --list says what there is.", file=sys.stderr)
        return 2
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell may have set SIGINT to be ignored
        signal.signal(number, _stop)
    raise_descriptor_limit()
    try:
        if options.verb == "list":
            rounds.listed(options)
            return 0
        return profiling.run(options) if options.verb == "profile" else rounds.run(options)
    except Unmeasurable as fault:
        print(f"Nothing measured: {fault}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130


def _unknown(options: Options) -> list[str]:
    """The names on the command line that no contender or scenario has."""
    names = {contender.name for contender in ALL}
    scenarios = {scenario.name for scenario in plan(quick=options.quick, threads=options.threads)}
    return [*(each for each in options.only if each not in names), *(set(options.scenarios) - scenarios)]


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    """Turn a signal into KeyboardInterrupt, so that the run ends the processes that it started."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
