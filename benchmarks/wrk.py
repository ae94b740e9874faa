"""A load by wrk, if it is installed: a C program takes less of the load's core than Python does.

wrk prints for people, and a few lines of Lua make it print for this module.
"""

import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.faults import Unmeasurable
from benchmarks.figures import Figures
from benchmarks.traffic import Target

GRACE_SECONDS: Final = 30.0
REPORT: Final = re.compile(r"^MEASURED requests=(\d+) us=(\d+) p50=([\d.]+) p99=([\d.]+) failed=(\d+)$", re.MULTILINE)
DONE: Final = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("MEASURED requests=%d us=%d p50=%.1f p99=%.1f failed=%d\\n",
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


def find() -> str | None:
    """The path of the program; None if it is not installed."""
    return shutil.which("wrk")


def script(target: Target, body: bytes) -> str:
    """The request in wrk's Lua. A JSON string in ASCII without control characters is a Lua string, too."""
    fields = [f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}" for name, value in target.client_headers]
    escaped = "".join(f"\\{byte:03d}" if byte in b'"\\' or not 32 <= byte < 127 else chr(byte) for byte in body)
    return "\n".join(['wrk.method = "POST"', *fields, f'wrk.body = "{escaped}"', DONE])


def parse(text: str) -> Figures:
    """The figures in wrk's output: answers of 2xx a second, p50 and p99 in microseconds, failures.

    Raises:
        Unmeasurable: there are none.
    """
    found = REPORT.search(text)
    if found is None:
        raise Unmeasurable(f"wrk has measured nothing: {text[-300:]!r}")
    requests, microseconds, failed = int(found[1]), int(found[2]), int(found[5])
    good = max(0, requests - failed)
    rate = good * 1e6 / microseconds if microseconds else 0.0
    return {"requests": requests, "rate": rate, "p50": float(found[3]), "p99": float(found[4]), "failed": failed}


def run(  # noqa: PLR0913 - what wrk is told, by name
    program: str, target: Target, body: bytes, *, path: str, connections: int, seconds: float
) -> Figures:
    """Run wrk once.

    Args:
        program: wrk's path.
        target: the contender.
        body: the body of every request.
        path: where it is sent.
        connections: the number of connections at the same time.
        seconds: the length of the run; wrk takes only whole seconds.

    Raises:
        Unmeasurable: wrk does not end, or prints no figures.
    """
    whole = max(1, round(seconds))
    with tempfile.TemporaryDirectory() as folder:
        lua = Path(folder, "request.lua")
        lua.write_text(script(target, body), encoding="ascii")
        command = [program, "-t1", f"-c{connections}", f"-d{whole}s", "--timeout", "10s", "-s", str(lua)]
        command.append(f"http://127.0.0.1:{target.port}{path}")
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=whole + GRACE_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise Unmeasurable("wrk does not come to its end") from None
    return parse(done.stdout + done.stderr)
