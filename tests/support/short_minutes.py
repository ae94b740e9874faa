"""`python -m tests.support.short_minutes SECONDS WALL ...`: a gateway whose minute of limits has so many seconds, on a
machine whose wall clock is so many seconds off. For tests that look at several windows."""

import sys
from typing import cast

from gateway.core import clock
from gateway.limits import gauges, redis_engine, slots_commands
from gateway.sharing import shared_server


def main() -> None:
    seconds, ahead = float(sys.argv[1]), float(sys.argv[2])
    del sys.argv[1:3]
    script = slots_commands.script_text().replace("DAY = 60000000,", f"DAY = {seconds * 1e6:.0f},")
    redis_engine.script_text = lambda: script  # type: ignore[attr-defined]
    redis_engine.MINUTE = shared_server.GUARD = seconds  # type: ignore[misc,attr-defined]
    gauges.RequestsPerMinute.__init__.__defaults__ = (seconds,)
    wall = clock.SystemClock.wall
    clock.SystemClock.wall = staticmethod(lambda: wall() + ahead)
    from gateway.__main__ import main as gateway  # noqa: PLC0415 - after the changes

    cast("object", gateway())


if __name__ == "__main__":
    main()
