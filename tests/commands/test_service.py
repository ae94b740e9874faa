"""The verb `service` on the command line: what it prints, its exit codes, and what it leaves alone."""

import contextlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli import commands
from gateway.service.launchd import LaunchdManager
from gateway.service.manager import Service, ServiceManager
from gateway.service.plan import Plan
from gateway.service.systemd import SystemdManager
from gateway.service.task_scheduler import TaskSchedulerManager
from gateway.upstream.certificates import BUNDLES
from gateway.upstream.proxied.proxies import VARIABLES
from tests.service.systems import LINUX, MACOS, WINDOWS, Launchd, Systemd, TaskScheduler, files
from tests.service.test_documents import GOLDEN
from tests.support.running import running
from tests.support.served import run_here

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="it has systemd in memory")
CONNECTED_DIRECTLY = dict.fromkeys((*BUNDLES, *VARIABLES), "")
KEY = "sk-0123456789abcdef"


def config(folder: Path, **sections: object) -> Path:
    path = folder / "config.yaml"
    path.write_text(json.dumps({"providers": {"demo": {}}, **sections}))
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setattr(Path, "home", lambda: folder)
    return folder


@pytest.fixture
def systemd(home: Path, monkeypatch: pytest.MonkeyPatch) -> Systemd:
    system = Systemd(home)
    monkeypatch.setattr("gateway.service.machine.run", system)
    return system


def service(*arguments: str, cwd: Path, **env: str) -> tuple[int, str, str]:
    done = run_here("service", *arguments, cwd=cwd, **CONNECTED_DIRECTLY, **env)
    return done.returncode, done.stdout, done.stderr


@linux_only
class TestInstall:
    def test_a_dry_run_prints_the_file_and_touches_nothing(self, tmp_path: Path, systemd: Systemd) -> None:
        path = config(tmp_path)
        before = files(tmp_path)
        code, out, err = service("install", "--dry-run", cwd=tmp_path)
        assert code == 0
        assert f'"{sys.executable}" ' in out and f' serve -c "{path}"\n' in out
        assert out.startswith("[Unit]\n") and out.endswith("WantedBy=default.target\n")
        assert err == f"would install {tmp_path}/home/.config/systemd/user/llm-gateway.service\n"
        assert (files(tmp_path), systemd.commands) == (before, [])

    def test_what_is_installed_is_what_a_dry_run_printed(self, tmp_path: Path, systemd: Systemd) -> None:
        path = config(tmp_path)
        _, printed, _ = service("install", "--dry-run", "-c", str(path), cwd=tmp_path)
        code, said, _ = service("install", cwd=tmp_path, LLM_GATEWAY_CONFIG=str(path))
        assert (code, systemd.runs) == (0, printed.encode())
        assert "loginctl enable-linger" in said

    def test_a_dry_run_shows_the_file_where_there_is_no_systemd(self, tmp_path: Path, systemd: Systemd) -> None:
        systemd.missing = True
        config(tmp_path)
        code, out, err = service("install", "--dry-run", cwd=tmp_path)
        assert (code, out[:6]) == (0, "[Unit]")
        assert err == "systemctl cannot be run: No such file or directory\n"
        assert service("install", cwd=tmp_path)[0] == 1

    def test_without_a_file_it_says_how_to_get_one(self, tmp_path: Path, systemd: Systemd) -> None:
        code, _, err = service("install", cwd=tmp_path)
        assert (code, "config.example.yaml" in err) == (1, True)

    def test_a_file_that_check_refuses_is_refused_in_the_same_words(self, tmp_path: Path, systemd: Systemd) -> None:
        config(tmp_path, gateway={"prot": 1})
        checked = run_here("check", cwd=tmp_path)
        assert service("install", cwd=tmp_path) == (2, "", checked.stderr)
        assert systemd.commands == []

    def test_a_key_of_the_terminal_is_named_and_neither_shown_nor_written(
        self, tmp_path: Path, systemd: Systemd
    ) -> None:
        config(tmp_path, providers={"openai": {}})
        code, out, err = service("install", cwd=tmp_path, OPENAI_API_KEY=KEY)
        assert (code, out) == (1, "")
        assert "the service does not see OPENAI_API_KEY of this terminal" in err
        assert "~/.config/llm-gateway/env (chmod 600)" in err
        assert KEY not in err and systemd.commands == []
        file = tmp_path / "home/.config/llm-gateway/env"
        file.parent.mkdir(parents=True)
        file.write_text(f"OPENAI_API_KEY={KEY}\n")
        assert service("install", cwd=tmp_path)[0] == 0, "with the key in its file, and none in the terminal"
        assert KEY.encode() not in (systemd.runs or b"")
        assert service("stop", cwd=tmp_path) == (0, "Stopped.\n", "")

    def test_the_machines_service_is_windows_own(self, tmp_path: Path, systemd: Systemd) -> None:
        config(tmp_path)
        code, _, err = service("install", "--system", cwd=tmp_path)
        assert (code, err.count("\n")) == (2, 1)
        assert "loginctl enable-linger" in err


@linux_only
class TestTheInstalledService:
    def test_is_started_stopped_and_removed(self, tmp_path: Path, systemd: Systemd) -> None:
        config(tmp_path)
        service("install", cwd=tmp_path)
        assert service("stop", cwd=tmp_path) == (0, "Stopped.\n", "")
        assert service("start", cwd=tmp_path) == (0, "Started.\n", "")
        unit = tmp_path / "home/.config/systemd/user/llm-gateway.service"
        assert service("uninstall", cwd=tmp_path) == (0, f"{unit}: removed; the service has stopped.\n", "")
        assert files(tmp_path / "home") == {}

    def test_is_removed_where_the_configuration_is_gone_or_has_faults(self, tmp_path: Path, systemd: Systemd) -> None:
        path = config(tmp_path)
        service("install", cwd=tmp_path)
        path.write_text("gateway: {prot: 1}\n")
        code, _, err = service("stop", cwd=tmp_path)
        assert (code, err) == (
            0,
            "warning: the configuration cannot be used: port 8080 and 30 s to drain are assumed\n",
        )
        path.unlink()
        assert service("uninstall", cwd=tmp_path)[0] == 0
        assert files(tmp_path) == {}

    @pytest.mark.parametrize("verb", ["uninstall", "start", "stop"])
    def test_a_dry_run_says_what_it_would_do_and_does_not(self, verb: str, tmp_path: Path, systemd: Systemd) -> None:
        config(tmp_path)
        service("install", cwd=tmp_path)
        before, systemd.commands[:] = (systemd.state, files(tmp_path)), []
        code, out, _ = service(verb, "--dry-run", cwd=tmp_path)
        assert code == 0 and all(line.startswith("would ") for line in out.splitlines())
        assert ((systemd.state, files(tmp_path)), systemd.commands) == (before, [])


@linux_only
class TestStatus:
    def test_says_what_the_manager_says_and_whether_the_gateway_answers(self, tmp_path: Path, systemd: Systemd) -> None:
        with running({"providers": {"demo": {}}}) as gateway:
            config(tmp_path, gateway={"port": gateway.gateway.port, "apiKeys": ["a-key-of-the-callers"]})
            service("install", cwd=tmp_path)
            assert service("status", cwd=tmp_path) == (
                0,
                f"systemd: active (running), enabled, process 4711\n{gateway.gateway.url}: ok\n",
                "",
            )
        code, out, _ = service("status", cwd=tmp_path)
        assert (code, out.splitlines()[1]) == (1, f"{gateway.gateway.url}: nobody answers")

    def test_asks_the_gateway_where_the_manager_does_not_tell(self, tmp_path: Path, systemd: Systemd) -> None:
        systemd.missing = True
        with running({"providers": {"demo": {}}}) as gateway:
            config(tmp_path, gateway={"port": gateway.gateway.port})
            code, out, _ = service("status", cwd=tmp_path)
        assert (code, out) == (
            0,
            f"systemctl cannot be run: No such file or directory\n{gateway.gateway.url}: ok\n",
        )


@linux_only
def test_logs_are_the_managers_or_the_gateways_own_file(tmp_path: Path, systemd: Systemd) -> None:
    config(tmp_path)
    assert service("logs", cwd=tmp_path)[1].splitlines()[:2] == ["one", "two"]
    config(tmp_path, logging={"file": "gateway.log"})
    (tmp_path / "gateway.log").write_text("a line\n\x1b[31mred\n")
    assert service("logs", cwd=tmp_path)[1].splitlines() == [f"{tmp_path}/gateway.log:", "a line", "\\x1b[31mred"]


def task_scheduler(home: Path) -> ServiceManager:
    system = TaskScheduler(home)
    machine = system.machine(home, USERDOMAIN="DESKTOP", USERNAME="me")
    return TaskSchedulerManager(machine, system, home / "gateway.log")


@pytest.mark.parametrize(
    ("name", "service", "make"),
    [
        ("llm-gateway.service", LINUX, lambda home: SystemdManager(Systemd(home).machine(home))),
        ("local.llm-gateway.plist", MACOS, lambda home: LaunchdManager(Launchd(home).machine(Path("/Users/me")))),
        ("task.xml", WINDOWS, task_scheduler),
    ],
)
def test_a_dry_run_prints_the_bytes_of_the_golden_file_on_every_system(
    name: str,
    service: Service,
    make: Callable[[Path], ServiceManager],
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config(tmp_path)
    monkeypatch.setattr("gateway.service.choice.manager_of", lambda *_, **__: make(home))
    monkeypatch.setattr("gateway.service.plan.plan", lambda *_: Plan(service))
    monkeypatch.setattr(Path, "is_file", lambda path: str(path).endswith("pythonw.exe") or os.path.isfile(path))
    with contextlib.chdir(tmp_path):
        done = CliRunner().invoke(commands, ["service", "install", "--dry-run"], prog_name="python app.py")
    assert done.exit_code == 0
    assert done.stdout_bytes == (GOLDEN / name).read_bytes()
    assert files(home) == {}
