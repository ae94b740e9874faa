"""`health`: 0 where the gateway serves, 1 where it does not, whatever its file says by now."""

import subprocess
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.running import running
from tests.support.served import run_here
from tests.support.upstream_script import Cut, Json, ScriptedUpstream, Stall, Step


def health(*arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return run_here("health", *arguments, cwd=cwd, **env)


def test_a_gateway_that_serves(tmp_path: Path) -> None:
    with running({"gateway": {"apiKeys": ["gw-0123456789"]}, "providers": {"demo": {}}}) as served:
        port = str(served.gateway.port)
        (tmp_path / "config.yaml").write_text(f"gateway: {{port: {port}}}\nproviders: {{demo: {{}}}}\n")
        for done in (
            health("--port", port, cwd=tmp_path),
            health(cwd=tmp_path),
            health(cwd=tmp_path, LLM_GATEWAY_PORT=port),
            health("--port", port, cwd=tmp_path, LLM_GATEWAY_PORT="1"),
            health(cwd=tmp_path, LLM_GATEWAY_PORT=port, LLM_GATEWAY_HOST="0.0.0.0"),
        ):
            assert (done.returncode, done.stdout, done.stderr) == (0, f"ok: http://127.0.0.1:{port}\n", "")


def test_a_gateway_that_drains(tmp_path: Path) -> None:
    with running() as served:
        served.gateway.runtime.drain_state.draining = True
        done = health("--port", str(served.gateway.port), cwd=tmp_path)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"the gateway at {served.url} does not serve: draining\n"


def test_nobody_answers(tmp_path: Path) -> None:
    port = free_port()
    done = health("--port", str(port), cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"no gateway runs at http://127.0.0.1:{port}\n")


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (Json(200, {"hello": "world"}), "what answers there is no gateway of this version"),
        (Json(200, []), "what answers there is no gateway of this version"),
        (Cut(), "no gateway runs at"),
        (Stall(), "no gateway runs at"),
    ],
)
def test_somebody_else_answers_or_does_not(tmp_path: Path, step: Step, said: str) -> None:
    with ScriptedUpstream() as other:
        other.plays(step)
        done = health("--port", other.base_url.rpartition(":")[2].partition("/")[0], cwd=tmp_path)
    assert done.returncode == 1
    assert said in done.stderr


def test_a_fault_of_the_file_is_no_fault_of_a_gateway_whose_address_is_said(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("gateway: {prot: 1}\n")
    with running() as served:
        port = str(served.gateway.port)
        assert health(cwd=tmp_path, LLM_GATEWAY_HOST="0.0.0.0", LLM_GATEWAY_PORT=port).returncode == 0
        assert health("--host", "127.0.0.1", "--port", port, cwd=tmp_path).returncode == 0
    done = health(cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert 'config.yaml:1:11 gateway: unknown key "prot"' in done.stderr


def test_a_port_that_only_the_gateway_knows(tmp_path: Path) -> None:
    done = health("--port", "0", cwd=tmp_path)
    assert (done.returncode, "name it by --port" in done.stderr) == (1, True)


def test_a_variable_that_cannot_be_is_bad_usage(tmp_path: Path) -> None:
    done = health(cwd=tmp_path, LLM_GATEWAY_PORT="http")
    assert (done.returncode, "LLM_GATEWAY_PORT: expected a number" in done.stderr) == (2, True)


def test_a_gateway_whose_workers_keep_dying_serves_and_says_so(tmp_path: Path) -> None:
    with running() as served:
        served.gateway.runtime.drain_state.degraded = True
        assert (served.get("/health").status_code, served.get("/health").json()) == (200, {"status": "degraded"})
        done = health("--port", str(served.gateway.port), cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"degraded: {served.url}: workers keep dying")
