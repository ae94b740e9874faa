"""The gateway as a service manager runs it: how it ends, and what that makes the manager do."""

import json
import signal
import threading
from pathlib import Path

import pytest

from gateway.service.launchd import MANAGED
from tests.support.running import alias, provider
from tests.support.served import HANG, posix_only, run_here, serving
from tests.support.upstream_script import Done, ScriptedUpstream, Sse, WaitFor, sse_events

BAD = "gateway: {prot: 1}\n"


def test_a_bad_configuration_ends_with_two_after_which_systemd_does_not_start_it_again(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(BAD)
    done = run_here("serve", "-c", "config.yaml", cwd=tmp_path)
    assert (done.returncode, "prot" in done.stderr) == (2, True)


def test_for_launchd_it_ends_with_zero_once_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(BAD)
    done = run_here("serve", MANAGED, "-c", "config.yaml", cwd=tmp_path)
    assert (done.returncode, "prot" in done.stderr) == (0, True)


def test_what_may_pass_ends_with_one_for_launchd_too(tmp_path: Path) -> None:
    """A port that another process still has."""
    with ScriptedUpstream() as up:
        port = int(up.base_url.rpartition(":")[2].partition("/")[0])
        (tmp_path / "config.yaml").write_text(json.dumps({"gateway": {"port": port}, "providers": {"demo": {}}}))
        done = run_here("serve", MANAGED, "-c", "config.yaml", cwd=tmp_path)
    assert (done.returncode, str(port) in done.stderr) == (1, True)


def test_the_option_is_not_shown(tmp_path: Path) -> None:
    assert MANAGED not in run_here("serve", "--help", cwd=tmp_path).stdout


@posix_only
@pytest.mark.parametrize("managed", [(), (MANAGED,)], ids=["systemd", "launchd"])
def test_a_stop_lets_a_stream_end_whole_and_ends_with_zero(managed: tuple[str, ...], tmp_path: Path) -> None:
    go_on = threading.Event()
    path = tmp_path / "config.yaml"
    with ScriptedUpstream() as upstream:
        upstream.plays(Sse(sse_events("one two")[:2]), WaitFor(go_on), Sse(sse_events("one two")[2:]), Done())
        path.write_text(
            json.dumps({"providers": {"a": provider(upstream.base_url)}, "modelAliases": [alias("best", "a/m")]})
        )
        with serving(*managed, "-c", str(path), cwd=tmp_path) as gateway:
            connection, response = gateway.stream("best")
            assert b"role" in response.readline()
            gateway.process.send_signal(signal.SIGTERM)
            assert gateway.process.stdout is not None
            while "Stopping" not in gateway.process.stdout.readline():
                pass
            go_on.set()
            assert response.read().rstrip().endswith(b"data: [DONE]")
            connection.close()
            assert gateway.process.wait(HANG) == 0
