"""Load by wrk, where it is installed: a C program takes less of the load's core than Python does.

wrk prints for people; a few lines of Lua make it print for us.
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
    """The program, if it is there."""
    return shutil.which("wrk")


def script(target: Target, body: bytes) -> str:
    """The request in wrk's Lua. JSON's strings are Lua's for ASCII without control characters, which headers are."""
    fields = [f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}" for name, value in target.client_headers]
    escaped = "".join(f"\\{byte:03d}" if byte in b'"\\' or not 32 <= byte < 127 else chr(byte) for byte in body)
    return "\n".join(['wrk.method = "POST"', *fields, f'wrk.body = "{escaped}"', DONE])


def parse(text: str) -> Figures:
    """What a run says: requests a second that were answered by a 2xx, p50 and p99 in microseconds, failures.

    Raises:
        Unmeasurable: it says nothing.
    """
    found = REPORT.search(text)
    if found is None:
        raise Unmeasurable(f"wrk has measured nothing: {text[-300:]!r}")
    requests, microseconds, failed = int(found[1]), int(found[2]), int(found[5])
    good = max(0, requests - failed)
    rate = good * 1e6 / microseconds if microseconds else 0.0
    return {"requests": requests, "rate": rate, "p50": float(found[3]), "p99": float(found[4]), "failed": failed}


def run(program: str, target: Target, body: bytes, connections: int, seconds: float) -> Figures:
    """One run.

    Args:
        program: wrk.
        target: who is asked.
        body: of every request.
        connections: at the same time.
        seconds: for how long; wrk knows whole ones only.
    """
    whole = max(1, round(seconds))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "request.lua")
        path.write_text(script(target, body), encoding="ascii")
        command = [program, "-t1", f"-c{connections}", f"-d{whole}s", "--timeout", "10s", "-s", str(path)]
        command.append(f"http://127.0.0.1:{target.port}{target.path}")
        try:
            told = subprocess.run(command, capture_output=True, text=True, timeout=whole + GRACE_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise Unmeasurable("wrk does not come to its end") from None
    return parse(told.stdout + told.stderr)
