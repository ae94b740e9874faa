"""What the image promises, shown without a container engine: the Dockerfile's own lines are run, and what they have
made serves as uid 10001, without a right, on a tree that nothing can be written to, in a fresh folder."""

import http.client
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.metadata import distributions
from pathlib import Path

import pytest

from tests.packaging.image import build, limited, start
from tests.support.ports import free_port
from tests.support.running import alias, chat, provider
from tests.support.upstream_script import Done, ScriptedUpstream, Sse, WaitFor, sse_events

HANG = 30
MAX_PACKAGES = 25
MAX_MB = 40
"""Of what the image has beside its base."""


def why_not() -> str:
    """Why it cannot be shown here; empty where it can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "needs root on Linux, to become another user and to make the tree read-only"
    if missing := [name for name in ("unshare", "setpriv", "mount") if shutil.which(name) is None]:
        return f"needs {', '.join(missing)}"
    python = str(Path(sys.executable).resolve())
    tried = subprocess.run(limited(Path("/var/tmp"), python, "-c", ""), capture_output=True, text=True, check=False)
    return tried.stderr.strip() if tried.returncode else ""


REASON = why_not()
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(REASON), reason=REASON or "none")]


@pytest.fixture(scope="module")
def opt() -> Iterator[Path]:
    """What the image has. Not in pytest's folder, which no other user may enter."""
    with tempfile.TemporaryDirectory(prefix="llm-gateway-image-") as folder:
        os.chmod(folder, 0o755)
        yield build(Path(folder))


@pytest.fixture
def data() -> Iterator[Path]:
    """A fresh volume, as the Dockerfile makes it."""
    with tempfile.TemporaryDirectory(prefix="llm-gateway-data-") as folder:
        os.chmod(folder, 0o700)
        shutil.chown(folder, 10001, 10001)
        yield Path(folder)


def run(opt: Path, data: Path, *arguments: str, port: int = 1) -> tuple[int, str]:
    """A command in the container, to its end: `docker exec`, or `docker run` of a verb."""
    process = start(opt, data, *arguments, port=port)
    said, _ = process.communicate(timeout=HANG)
    return process.returncode, said


class Container:
    """A gateway that serves in it."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        assert process.stdout is not None
        self.process = process
        self.port = port
        self.said = ""
        while "Try: " not in self.said:
            line = process.stdout.readline()
            assert line, self.said
            self.said += line

    def status(self, path: str, **headers: str) -> int:
        """Of the answer to a GET."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=HANG)) as connection:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status


@contextmanager
def serving(opt: Path, data: Path) -> Iterator[Container]:
    port = free_port()
    process = start(opt, data, "llm-gateway", port=port)
    try:
        yield Container(process, port)
    finally:
        process.kill()
        process.communicate(timeout=HANG)


def key_in(data: Path) -> str:
    return (data / "key").read_text().strip()


def test_its_packages_are_counted_and_so_are_its_bytes(opt: Path) -> None:
    (site,) = opt.glob("lib/python*/site-packages")
    names = sorted(each.name for each in distributions(path=[str(site)]))
    assert "llm-local-gateway" in names and "pip" not in names and "hatchling" not in names
    assert len(names) <= MAX_PACKAGES, names
    files = [each for each in opt.rglob("*") if each.is_file() and not each.is_symlink()]
    assert sum(each.stat().st_size for each in files) < MAX_MB * 1_000_000
    assert any(site.glob("gateway/**/*.pyc")), "compiled when it is built: nothing can be written later"


def test_its_user_can_write_nowhere_else_and_has_no_right(opt: Path, data: Path) -> None:
    code, said = run(opt, data, "sh", "-c", f"id -u; cat /proc/self/status; touch here {opt}/x /x")
    assert code != 0
    assert said.startswith("10001\n")
    assert said.count("cannot touch") == 2 and "'/x': Read-only file system" in said
    assert (data / "here").exists()
    for kind in ("CapPrm", "CapEff", "CapBnd"):
        assert f"{kind}:\t{'0' * 16}\n" in said


def test_without_a_key_nothing_but_its_health_is_served(opt: Path, data: Path) -> None:
    with serving(opt, data) as container:
        key = key_in(data)
        assert stat.S_IMODE((data / "key").stat().st_mode) == 0o600
        assert (data / "key").stat().st_uid == 10001
        assert f"Key: in {data / 'key'}; show it" in container.said and key not in container.said
        assert container.status("/v1/models") == 401
        assert container.status("/v1/models", authorization=f"Bearer {key}") == 200
        assert container.status("/health", host="localhost:9000") == 200
        assert container.status("/health", host="evil.example:9000") == 421
    with serving(opt, data):
        assert key_in(data) == key


def test_an_address_for_all_without_a_key_does_not_start(opt: Path, data: Path) -> None:
    code, said = run(opt, data, "env", "-u", "LLM_GATEWAY_KEY_FILE", "llm-gateway")
    assert code == 2, said
    assert "gateway.apiKeys: must have a key" in said and "llm-gateway key NAME" in said


def test_its_verbs_find_the_gateway_that_runs(opt: Path, data: Path) -> None:
    with serving(opt, data) as container:
        assert run(opt, data, "llm-gateway", "health", port=container.port)[0] == 0
        code, said = run(opt, data, "llm-gateway", "explain", "demo", port=container.port)
        assert code == 0 and "as the running gateway at" in said
    code, said = run(opt, data, "llm-gateway", "health", port=container.port)
    assert (code, said) == (1, f"no gateway runs at http://127.0.0.1:{container.port}\n")


def test_a_stop_drains_a_stream_and_ends_with_0(opt: Path, data: Path) -> None:
    go_on = threading.Event()
    with ScriptedUpstream() as up:
        events = sse_events("one two three")
        up.plays(Sse(events[:2]), WaitFor(go_on), Sse(events[2:]), Done())
        config = {"providers": {"a": provider(up.base_url)}, "modelAliases": [alias("best", "a/m")]}
        (data / "config.yaml").write_text(json.dumps(config))
        (data / "config.yaml").chmod(0o644)
        with serving(opt, data) as container:
            connection = http.client.HTTPConnection("127.0.0.1", container.port, timeout=HANG)
            headers = {"content-type": "application/json", "authorization": f"Bearer {key_in(data)}"}
            connection.request("POST", "/v1/chat/completions", json.dumps(chat("best", stream=True)), headers)
            response = connection.getresponse()
            assert response.status == 200 and response.readline()
            container.process.send_signal(signal.SIGTERM)
            assert container.process.stdout is not None
            while "Stopping" not in container.process.stdout.readline():
                pass
            go_on.set()
            text = response.read()
            connection.close()
            assert b"three" in text and text.rstrip().endswith(b"data: [DONE]")
            assert container.process.wait(HANG) == 0
