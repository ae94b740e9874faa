"""A gateway of two workers from its banner to its end, as real processes."""

import json
import os
import signal
import stat
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.edge import until
from tests.support.other_processes import is_running
from tests.support.ports import open_listener
from tests.support.running import alias
from tests.support.served import ROOT, run_here
from tests.support.several_workers import configuration, workers
from tests.support.upstream_script import ScriptedUpstream

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="several workers are POSIX's")


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as scripted:
        yield scripted


def test_two_workers_serve_die_reload_and_end(upstream: ScriptedUpstream, tmp_path: Path) -> None:
    """One walk, because a start takes a second: what the other files look at closely, seen from outside."""
    content = configuration(upstream.base_url)
    with workers(tmp_path, content) as gateway:
        assert f"on http://127.0.0.1:{gateway.port}/v1, 2 workers (Ctrl-C stops it)" in gateway.said
        assert gateway.said.count("LLM Gateway") == 1
        [shared] = gateway.shared
        assert shared.name == f"llm-gateway-{gateway.port}"
        assert stat.S_IMODE(shared.stat().st_mode) == 0o700

        if sys.platform == "linux":  # elsewhere the system gives all connections to whoever is first
            gateway.until_serving()
        assert gateway.get("/health") == (200, b'{"status":"ok"}')

        assert len({gateway.get("/v1/models")[1] for _ in range(10)}) == 1, "they were started at one time"

        before = dict(gateway.processes)
        assert sorted(before) == [0, 1]
        os.kill(before[0], signal.Signals["SIGKILL"])
        assert [gateway.call() for _ in range(10)] == [200] * 10, "the other one accepts what would be its"
        until(lambda: gateway.processes.get(0, before[0]) != before[0])
        assert gateway.processes[1] == before[1]
        until(lambda: gateway.events("ended") == ["Worker 0 has ended by signal 9."])

        aliases = [alias("best", "a/m"), alias("fast", "a/m")]
        gateway.write({**content, "modelAliases": aliases})
        assert gateway.reload()[1]["generation"] == 2
        until(lambda: gateway.generations() == {2})
        assert gateway.call("fast") == 200

        gateway.write({**content, "modelAliases": "none"})
        status, answer = gateway.reload()
        assert (status, answer["generation"]) == (422, 2)
        assert gateway.generations() == {2}

        last = list(gateway.processes.values())
        assert gateway.stop() == 0
        assert not any(map(is_running, last))
        assert gateway.shared == []
        assert not (tmp_path / "page-token").exists()
        assert gateway.said.endswith("Stopped.\n")


def test_a_port_of_another_program_is_refused_as_by_one_process(upstream: ScriptedUpstream, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(json.dumps(configuration(upstream.base_url)))
    with open_listener() as taken:
        port = str(taken.getsockname()[1])
        done = run_here("--port", port, "-c", "config.yaml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        1,
        f"127.0.0.1:{port} is in use by another program; choose another port with --port.\n",
    )


def test_a_run_directory_that_cannot_be_had_is_one_line(upstream: ScriptedUpstream, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(json.dumps(configuration(upstream.base_url)))
    away = str(tmp_path / "nowhere")
    done = run_here("--port", "0", "-c", "config.yaml", cwd=tmp_path, XDG_RUNTIME_DIR=away)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{away}/llm-gateway-")
    assert done.stderr.endswith(" cannot be made or opened: No such file or directory.\n")


@pytest.mark.parametrize("options", [(), ("--hub", "9999")])
def test_a_worker_that_nobody_has_started_says_so(options: tuple[str, ...], tmp_path: Path) -> None:
    done = run_here("serve", "--worker", "0", *options, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "Only a gateway starts its workers: Bad file descriptor.\n")


@pytest.mark.slow
@pytest.mark.parametrize("door", [("-m", "gateway"), ("-X", "utf8", str(ROOT / "app.py"), "serve")])
def test_the_workers_come_in_by_the_same_door(
    door: tuple[str, ...], upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    with workers(tmp_path, configuration(upstream.base_url), door=door, cwd=ROOT) as gateway:
        assert sorted(gateway.processes) == [0, 1]
        assert gateway.call() == 200
        assert gateway.stop() == 0


@pytest.mark.slow
def test_a_second_gateway_on_another_address_of_the_port_shares_nothing(
    upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    with workers(tmp_path, configuration(upstream.base_url)) as gateway:
        with closing(gateway.connect()) as connection:
            connection.request("GET", "/health")
            assert connection.getresponse().status == 200
        [first] = gateway.shared
        again = run_here("--port", str(gateway.port), "-c", "config.yaml", cwd=tmp_path)
        assert "in use by another program" in again.stderr, "SO_REUSEPORT does not let a second one join"
        assert gateway.shared == [first]
