"""A terminal whose reader pauses (Ctrl-S, a selection in a Windows console, a stuck pager) stops neither calls nor the
stop of the gateway."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

from tests.support.running import chat
from tests.support.served import HANG, ROOT, Served, environment, posix_only

CALLS = 1_600
DRAIN_SECONDS = 1


@contextmanager
def paused(folder: Path, *, stderr: int) -> Iterator[Served]:
    """A gateway whose output nobody reads after its first line."""
    config = {"gateway": {"drainSeconds": DRAIN_SECONDS}, "providers": {"demo": {}}, "logging": {"format": "json"}}
    (folder / "config.yaml").write_text(json.dumps(config))
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "app.py"), "--port", "0"],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )
    try:
        yield Served(process)
    finally:
        process.kill()
        process.communicate(timeout=HANG)


def statuses(gateway: Served, model: str, calls: int) -> set[int]:
    """The statuses of so many calls, one after the other."""
    found = set()
    body = json.dumps(chat(model))
    with closing(gateway.connect()) as connection:
        for _ in range(calls):
            connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
            response = connection.getresponse()
            response.read()
            found.add(response.status)
    return found


def told_until(log: IO[str], calls: int) -> tuple[int, int]:
    """Read log lines until each call is told or counted as dropped; how many were told, and how many dropped."""
    told = dropped = 0
    while told + dropped < calls:
        line = json.loads(log.readline())
        told += line["event"] == "call"
        dropped += line.get("dropped_lines", 0)
    return told, dropped


def test_calls_go_on_and_the_lines_that_are_lost_are_counted(tmp_path: Path) -> None:
    with paused(tmp_path, stderr=subprocess.PIPE) as gateway, ThreadPoolExecutor(1) as reader:
        assert statuses(gateway, "demo/demo", CALLS) == {200}
        assert gateway.process.stderr is not None
        told, dropped = reader.submit(told_until, gateway.process.stderr, CALLS).result(HANG)
    assert told + dropped == CALLS
    assert dropped > 0


@posix_only
def test_a_stop_ends_in_its_time_where_nobody_reads_what_it_says(tmp_path: Path) -> None:
    with paused(tmp_path, stderr=subprocess.STDOUT) as gateway:
        assert statuses(gateway, "nobody", CALLS) == {404}
        gateway.process.send_signal(signal.SIGTERM)
        assert gateway.process.wait(DRAIN_SECONDS + 5) == 0
