"""`python app.py` as a process of its own, for the tests that look at it from outside."""

import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli import commands
from tests.support.running import chat

ROOT = Path(__file__).parent.parent.parent
HANG = 30
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals to a process are POSIX's")


def environment(**more: str) -> dict[str, str]:
    """The process's environment without any provider's key."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    return {**kept, "LLM_GATEWAY_CONFIG": "", "PYTHONUNBUFFERED": "1", **more}


def run(*arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """The process, run to its end."""
    command = [sys.executable, str(ROOT / "app.py"), *arguments]
    return subprocess.run(
        command, cwd=cwd, env=environment(**env), capture_output=True, text=True, timeout=HANG, check=False
    )


def run_here(*arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """The command in this process, where what it says and its exit code are all that matters: it starts at once."""
    told = {**dict.fromkeys(os.environ), **environment(**env)}
    with contextlib.chdir(cwd):
        done = CliRunner().invoke(commands, arguments, env=told, prog_name="python app.py")
    if not isinstance(done.exception, SystemExit | None):
        raise done.exception
    return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)


class Served:
    """A gateway process that has said where it listens."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        self.said = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/v1", self.said)
        assert found, f"the first line tells no address: {self.said!r}"
        self.port = int(found[1])

    @classmethod
    def at(cls, port: int) -> "Served":
        """A gateway that something else has started."""
        served = cls.__new__(cls)
        served.port = port
        return served

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=HANG)

    def stream(self, model: str) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection = self.connect()
        body = json.dumps(chat(model, stream=True))
        connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
        return connection, connection.getresponse()


@contextmanager
def serving(
    *arguments: str,
    cwd: Path,
    log: Path | None = None,
    descriptors: int | None = None,
    stdin: int = subprocess.DEVNULL,
    nohup: bool = False,
    program: Sequence[str] = (str(ROOT / "app.py"),),
) -> Iterator[Served]:
    """A gateway that serves until the end. `log`: where its log lines go, instead of among what it says. `descriptors`:
    how many it may have, if not as many as this process; POSIX's. `stdin`: its standard input. `nohup`: it is started
    to ignore SIGHUP; POSIX's. `program`: what Python runs in place of app.py."""
    command = [sys.executable, *program, "--port", "0", *arguments]
    if descriptors is not None:
        command = ["/bin/sh", "-c", f'ulimit -n {descriptors}; exec "$0" "$@"', *command]
    if nohup:
        command = ["/bin/sh", "-c", 'trap "" HUP; exec "$0" "$@"', *command]
    with ExitStack() as closing:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=environment(),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=closing.enter_context(log.open("wb")) if log else subprocess.STDOUT,
            text=True,
        )
        try:
            yield Served(process)
        finally:
            process.kill()
            process.communicate(timeout=HANG)
