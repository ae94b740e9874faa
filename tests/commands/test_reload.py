"""`reload`: what it says of the running gateway's answer, and with which exit code it ends."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.reloading import Edited, config, edited
from tests.support.running import alias
from tests.support.served import run_here
from tests.support.upstream_script import Json, ScriptedUpstream

KEYS = {"threads": 16, "reload": "manual", "apiKeys": ["mine-0123456789"]}


def said(gateway: Edited, **env: str) -> subprocess.CompletedProcess[str]:
    port = str(gateway.served.gateway.port)
    return run_here("reload", "-c", str(gateway.path), "--port", port, cwd=gateway.path.parent, **env)


def test_it_says_what_was_taken_over_and_what_needs_a_restart(tmp_path: Path) -> None:
    with ScriptedUpstream() as up, edited(tmp_path, {**config(up), "gateway": KEYS}) as gateway:
        gateway.write({**config(up), "gateway": {**KEYS, "maxBodyMiB": 2}, "modelAliases": [alias("fast", "acme/m")]})
        done = said(gateway)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == (
            f"{gateway.path}: generation 2 (-modelAliases.best, +modelAliases.fast)\n"
            "needs a restart: gateway.maxBodyMiB\n"
        )
        assert said(gateway).stdout.startswith(f"{gateway.path}: generation 2 (no change)\n")


def test_a_file_with_a_fault_ends_with_2_and_names_it(tmp_path: Path) -> None:
    with ScriptedUpstream() as up, edited(tmp_path, config(up)) as gateway:
        gateway.write(b"gateway: {prot: 1}\n")
        done = said(gateway)
        assert done.returncode == 2
        assert 'unknown key "prot"' in done.stderr
        assert gateway.generation == 1


def test_a_file_that_only_the_gateway_refuses_ends_with_2_too(tmp_path: Path) -> None:
    """Its environment lacks what this one has."""
    with ScriptedUpstream() as up, edited(tmp_path, config(up)) as gateway:
        gateway.write(b"providers: {openai: {apiKey: '${ONLY_HERE}'}}\n")
        done = said(gateway, ONLY_HERE="sk-1")
        assert done.returncode == 2
        assert done.stderr.splitlines()[0] == "not reloaded; still serving generation 1:"
        assert "ONLY_HERE is not set" in done.stderr
        assert done.stdout == ""


def test_without_a_gateway_it_ends_with_1(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("gateway: {port: 1}\nproviders: {demo: {}}\n")
    done = run_here("reload", "--port", str(free_port()), cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("no gateway runs at http://127.0.0.1:")
    assert len(done.stderr.splitlines()) == 1


def test_a_port_that_only_the_gateway_knows(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("gateway: {port: 0}\nproviders: {demo: {}}\n")
    done = run_here("reload", cwd=tmp_path)
    assert (done.returncode, "name it by --port" in done.stderr) == (1, True)


def test_a_gateway_with_another_file_is_named(tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("providers: {demo: {}}\n")
    with ScriptedUpstream() as up, edited(tmp_path, config(up)) as gateway:
        port = str(gateway.served.gateway.port)
        done = run_here("reload", "-c", str(other), "--port", port, cwd=tmp_path)
        assert done.returncode == 0
        assert f"warning: the gateway reads that file, and not {other}" in done.stdout


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Json(401, {"error": {"message": "The key is missing.", "code": "invalid_api_key"}}), "said 401: The key"),
        (Json(404, {"detail": "nothing here"}), "what answers there said 404"),
        (Json(200, {"welcome": True}), "no gateway of this version"),
    ],
)
def test_something_else_that_answers_there(tmp_path: Path, answer: Json, expected: str) -> None:
    (tmp_path / "config.yaml").write_text("providers: {demo: {}}\n")
    with ScriptedUpstream() as other:
        other.plays(answer)
        port = other.base_url.rpartition(":")[2].partition("/")[0]
        done = run_here("reload", "--port", port, cwd=tmp_path)
        assert (done.returncode, expected in done.stderr) == (1, True), done.stderr
        [request] = other.requests
        assert (request.method, request.path, json.loads(request.body)) == ("POST", "/gateway/reload", {})
