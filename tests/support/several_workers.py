"""A gateway of several workers as real processes: the parent, its workers, and what they say."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from tests.support.edge import until
from tests.support.other_processes import is_running
from tests.support.ports import free_port
from tests.support.running import alias, chat, provider
from tests.support.served import HANG, ROOT, environment

DOOR = str(ROOT / "app.py")
JSON = {"content-type": "application/json"}


def configuration(base_url: str, workers: int = 2, **gateway: object) -> dict[str, object]:
    """A provider, an alias for it, and so many workers."""
    return {
        "gateway": {"workers": workers, "threads": 8, "drainSeconds": 20, "reload": "manual", **gateway},
        "providers": {"a": provider(base_url)},
        "modelAliases": [alias("best", "a/m")],
        "logging": {"format": "json"},
    }


class Workers:
    """The gateway.

    Attributes:
        parent: its process.
        port: where it listens.
        folder: of its configuration.
    """

    def __init__(self, parent: "subprocess.Popen[bytes]", port: int, folder: Path) -> None:
        self.parent = parent
        self.port = port
        self.folder = folder

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def said(self) -> str:
        """What it has said on both outputs."""
        return (self.folder / "said").read_text()

    @property
    def lines(self) -> Sequence[Mapping[str, object]]:
        """Its log lines; the last one may be cut."""
        whole = [each for each in self.said.splitlines(keepends=True) if each.startswith("{") and each.endswith("\n")]
        return [json.loads(each) for each in whole]

    def events(self, text: str) -> Sequence[str]:
        """The log lines whose event has this text."""
        return [str(each["event"]) for each in self.lines if text in str(each["event"])]

    @property
    def processes(self) -> Mapping[int, int]:
        """The workers that run: their processes, by number."""
        return processes_of(self.parent.pid)

    @property
    def shared(self) -> Sequence[Path]:
        """What there is of run directories."""
        return list((self.folder / "run").iterdir())

    def until_said(self, text: str) -> None:
        until(lambda: text in self.said)

    def until_serving(self, count: int = 2) -> None:
        """Wait until so many workers have answered: each has logged a call."""
        seen = {each.get("worker") for each in self.lines}

        def all_have() -> bool:
            self.call()
            return len(seen | {each.get("worker") for each in self.lines if "worker" in each}) >= count

        until(all_have)

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=HANG)

    def call(self, model: str = "best") -> int:
        """One call on a connection of its own; its status."""
        with closing(self.connect()) as connection:
            connection.request("POST", "/v1/chat/completions", json.dumps(chat(model)), JSON)
            response = connection.getresponse()
            response.read()
            return response.status

    def get(self, path: str) -> tuple[int, bytes]:
        with closing(self.connect()) as connection:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()

    def reload(self) -> tuple[int, Mapping[str, object]]:
        with closing(self.connect()) as connection:
            connection.request("POST", "/gateway/reload", "{}", JSON)
            response = connection.getresponse()
            found: Mapping[str, object] = json.loads(response.read())
            return response.status, found

    def generations(self, tries: int = 12) -> set[object]:
        """The generations that are served now, as connections tell that come to any worker."""
        return {json.loads(self.get("/gateway/explain?model=best")[1])["generation"] for _ in range(tries)}

    def stream(self) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection = self.connect()
        connection.request("POST", "/v1/chat/completions", json.dumps(chat("best", stream=True)), JSON)
        return connection, connection.getresponse()

    def write(self, content: Mapping[str, object]) -> None:
        """Put another content into the file. It is old, so that a reload need not wait for its end."""
        beside = self.folder / "beside.yaml"
        beside.write_text(json.dumps(content))
        os.utime(beside, (1, 1))
        beside.replace(self.config)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Its exit code."""
        self.parent.send_signal(number)
        return self.parent.wait(HANG)


def processes_of(parent: int) -> Mapping[int, int]:
    """The workers of a parent that run, by their number."""
    listed = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,stat=,args="], capture_output=True, text=True, check=True
    )
    found = {}
    for line in listed.stdout.splitlines():
        pid, ppid, state, *words = line.split()
        if int(ppid) == parent and "--worker" in words and not state.startswith("Z"):
            found[int(words[words.index("--worker") + 1])] = int(pid)
    return found


@contextmanager
def workers(
    folder: Path,
    content: Mapping[str, object],
    door: Sequence[str] = (DOOR,),
    cwd: Path | None = None,
    serving: bool = True,
    **env: str,
) -> Iterator[Workers]:
    """A gateway that serves; its processes are ended with this.

    Args:
        folder: for its configuration, what it says and what its workers share.
        content: of its configuration.
        door: the arguments of Python up to the verb.
        cwd: its working folder; `folder` by default.
        serving: whether to wait until it serves.
        env: more of its environment.
    """
    port = free_port()
    (folder / "config.yaml").write_text(json.dumps(content))
    os.utime(folder / "config.yaml", (1, 1))
    (folder / "run").mkdir(mode=0o700)
    with (folder / "said").open("wb") as said:
        parent = subprocess.Popen(
            [sys.executable, *door, "--port", str(port), "-c", str(folder / "config.yaml")],
            cwd=cwd or folder,
            env=environment(XDG_RUNTIME_DIR=str(folder / "run"), **env),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
    gateway = Workers(parent, port, folder)
    begun: set[int] = set()
    try:
        if serving:
            until(lambda: "Try: curl" in gateway.said or parent.poll() is not None)
            assert parent.poll() is None, gateway.said
        begun.update(gateway.processes.values())
        yield gateway
    finally:
        begun.update(gateway.processes.values())
        parent.kill()
        parent.wait(HANG)
        for pid in begun:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.Signals["SIGKILL"])
        until(lambda: not any(map(is_running, begun)))
