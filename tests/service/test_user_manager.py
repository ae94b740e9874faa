"""The service under a real systemd user manager, in a mount and process namespace of its own. Linux, and root there."""

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.service.systems import files
from tests.support.edge import until
from tests.support.ports import free_port
from tests.support.running import alias, provider
from tests.support.served import HANG, ROOT, Served, environment
from tests.support.upstream_script import Done, ScriptedUpstream, Sse, WaitFor, sse_events

pytestmark = pytest.mark.slow

SYSTEMD = "/lib/systemd/systemd"
BOOTED = f"mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system && {SYSTEMD} --user --log-target=console; exit $?"
"""A user manager starts only where the system has one, which this folder tells; and not as the first process."""
UNIT = "llm-gateway.service"


class User:
    """A user with a systemd.

    Attributes:
        folder: with the configuration.
        process: the first in the manager's namespaces.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.env = {"XDG_RUNTIME_DIR": str(folder / "run"), "HOME": str(self.home)}
        self.process = 0
        self.home.mkdir()
        (folder / "run").mkdir(mode=0o700)

    def service(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._inside(sys.executable, str(ROOT / "app.py"), "service", *arguments)

    def systemctl(self, *arguments: str) -> str:
        return self._inside("systemctl", "--user", *arguments).stdout.strip()

    def _inside(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command in the manager's namespaces."""
        enter = ["nsenter", f"--target={self.process}", "--mount", "--pid", f"--wd={self.folder}"]
        env = environment(**self.env)
        return subprocess.run([*enter, *command], env=env, capture_output=True, text=True, timeout=HANG, check=False)

    def shown(self, name: str) -> str:
        return self.systemctl("show", UNIT, f"--property={name}", "--value")

    def until_it_answers(self) -> None:
        until(lambda: self.service("status").returncode == 0)


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    if not sys.platform.startswith("linux") or not Path(SYSTEMD).exists() or shutil.which("unshare") is None:
        pytest.skip("there is no systemd")
    made = User(tmp_path)
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", BOOTED]
    log = tmp_path / "systemd.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, env={**environment(), **made.env}, stdout=output, stderr=output)
    try:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        until(lambda: process.poll() is not None or children.read_text() != "")
        made.process = int(children.read_text())
        until(lambda: process.poll() is not None or "HOME=" in made.systemctl("show-environment"))
        if process.poll() is not None:
            pytest.skip(f"no user manager can be started here: {log.read_text().strip()}")
        yield made
    finally:
        process.kill()
        process.wait(HANG)


@contextmanager
def configured(user: User, **settings: object) -> Iterator[tuple[ScriptedUpstream, int]]:
    port = free_port()
    with ScriptedUpstream() as upstream:
        content = {
            "gateway": {"port": port, **settings},
            "providers": {"a": provider(upstream.base_url)},
            "modelAliases": [alias("best", "a/m")],
        }
        (user.folder / "config.yaml").write_text(json.dumps(content))
        yield upstream, port


def test_it_is_installed_once_stopped_after_its_stream_and_removed_without_a_trace(user: User) -> None:
    go_on = threading.Event()
    with configured(user) as (upstream, port):
        upstream.plays(Sse(sse_events("one two")[:2]), WaitFor(go_on), Sse(sse_events("one two")[2:]), Done())
        assert user.service("install").returncode == 0
        user.until_it_answers()
        process = user.shown("MainPID")
        assert user.service("install").returncode == 0
        user.systemctl("reload", UNIT)
        assert user.shown("MainPID") == process, "neither a second installation nor a reload starts it anew"
        connection, response = Served.at(port).stream("best")
        assert b"role" in response.readline()
        stopping = threading.Thread(target=user.service, args=("stop",))
        stopping.start()
        until(lambda: user.shown("ActiveState") == "deactivating")
        go_on.set()
        assert response.read().rstrip().endswith(b"data: [DONE]")
        connection.close()
        stopping.join(HANG)
        assert (user.shown("ActiveState"), user.shown("Result")) == ("inactive", "success")
        assert user.service("start").returncode == 0
        user.until_it_answers()
        assert user.service("uninstall").returncode == 0
        assert files(user.home) == {}
        assert "not installed" in user.service("status").stdout


def test_after_a_crash_it_is_started_again_and_after_a_bad_configuration_not(user: User) -> None:
    with configured(user):
        user.service("install")
        user.until_it_answers()
        user.systemctl("kill", "--signal=KILL", UNIT)
        until(lambda: user.shown("NRestarts") == "1")
        user.until_it_answers()
        (user.folder / "config.yaml").write_text("gateway: {prot: 1}\n")
        user.systemctl("restart", UNIT)
        until(lambda: user.shown("ActiveState") == "failed")
        assert (user.shown("ExecMainStatus"), user.shown("NRestarts")) == ("2", "0")
