"""`logging.file`: the log lines of a whole gateway in a file."""

import http.client
import json
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.edge import until
from tests.support.ports import free_port
from tests.support.reloading import config, edited
from tests.support.running import chat
from tests.support.served import HANG, ROOT, Served, environment, posix_only, run_here, serving
from tests.support.upstream_script import ScriptedUpstream


def written(folder: Path, **settings: object) -> Path:
    """A configuration in `folder` whose log is a file."""
    path = folder / "config.yaml"
    path.write_text(json.dumps({"providers": {"demo": {}}, "logging": {"format": "json", **settings}}))
    return path


def call(gateway: Served) -> int:
    with closing(gateway.connect()) as connection:
        body = json.dumps(chat("demo/demo"))
        connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
        response = connection.getresponse()
        response.read()
        return response.status


@posix_only
def test_its_lines_go_there_and_not_to_standard_error(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    path, log = written(folder, file="gateway.log"), tmp_path / "stderr"
    with serving("-c", str(path), cwd=elsewhere, log=log) as gateway:
        assert call(gateway) == 200
        gateway.process.send_signal(signal.SIGTERM)
        assert gateway.process.wait(HANG) == 0
    assert [json.loads(line)["event"] for line in (folder / "gateway.log").read_text().splitlines()] == ["call"]
    assert log.read_text() == ""


@posix_only
def test_a_disk_that_is_full_stops_no_call_and_is_told(tmp_path: Path) -> None:
    if sys.platform == "darwin":
        pytest.skip("it has no /dev/full")
    path = written(tmp_path, file="/dev/full")
    with serving("-c", str(path), cwd=tmp_path) as gateway:
        assert [call(gateway) for _ in range(3)] == [200] * 3
        gateway.process.send_signal(signal.SIGTERM)
        said, _ = gateway.process.communicate(timeout=HANG)
    assert gateway.process.returncode == 0
    assert said.count("Log lines are lost: /dev/full: No space left on device.\n") == 1


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("nowhere/gateway.log", "its folder is not there: make it, or name another"),
        (".", "is a folder: name a file in it"),
    ],
)
def test_a_file_that_cannot_be_is_a_fault(name: str, fault: str, tmp_path: Path) -> None:
    done = run_here("check", "-c", str(written(tmp_path, file=name)), cwd=tmp_path)
    assert (done.returncode, "logging.file" in done.stderr, fault in done.stderr) == (2, True, True)


def test_a_reload_that_changes_it_says_that_it_needs_a_restart(tmp_path: Path) -> None:
    with ScriptedUpstream() as up, edited(tmp_path, config(up)) as gateway:
        done = gateway.reload(config(up, logging={"file": "gateway.log"}))
    assert (done["status"], done["needsRestart"]) == (200, ["logging.file"])


@posix_only
def test_a_process_without_standard_handles_serves_and_stops(tmp_path: Path) -> None:
    """As under pythonw of Windows."""
    port = free_port()
    path, log = written(tmp_path, file="gateway.log"), tmp_path / "gateway.log"
    log.touch()
    command = ["/bin/sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-', sys.executable, str(ROOT / "app.py")]
    process = subprocess.Popen([*command, "-c", str(path), "--port", str(port)], cwd=tmp_path, env=environment())
    try:
        until(lambda: process.poll() is not None or _answers(port))
        process.send_signal(signal.Signals["SIGHUP"])
        until(lambda: "no change; generation 1" in log.read_text())
        process.terminate()
        assert process.wait(HANG) == 0
    finally:
        process.kill()
        process.wait(HANG)


def _answers(port: int) -> bool:
    """By then it has taken the signals over."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=HANG)) as connection:
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except ConnectionError:
            return False
