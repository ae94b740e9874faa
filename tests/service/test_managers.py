"""The managers of the three systems, each with its system in memory: all of them run everywhere."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from gateway.service.launchd import LaunchdManager
from gateway.service.machine import DryMachine
from gateway.service.manager import NOT_INSTALLED, Service, ServiceFailed, ServiceManager
from gateway.service.systemd import SystemdManager
from gateway.service.task_scheduler import TaskSchedulerManager
from gateway.service.windows_system import WindowsSystemManager
from gateway.service.windows_variables import SYSTEM, USER
from tests.service.systems import (
    LINUX,
    MACOS,
    WINDOWS,
    Launchd,
    Scm,
    System,
    Systemd,
    TaskScheduler,
    files,
    without_paths,
)
from tests.support.fakes import FakeClock


@dataclass
class Scene:
    """A system, its manager, and a service for it."""

    system: Systemd | Launchd | TaskScheduler
    manager: ServiceManager
    service: Service
    home: Path

    def everything(self) -> object:
        return self.system.state, files(self.home)


def systemd(home: Path) -> Scene:
    system = Systemd(home)
    return Scene(system, SystemdManager(system.machine(home)), LINUX, home)


def launchd(home: Path) -> Scene:
    system = Launchd(home)
    return Scene(system, LaunchdManager(system.machine(home)), MACOS, home)


def task_scheduler(home: Path) -> Scene:
    system = TaskScheduler(home)
    machine = system.machine(home, USERDOMAIN="DESKTOP", USERNAME="me")
    return Scene(system, TaskSchedulerManager(machine, system, home / "gateway.log"), WINDOWS, home)


@pytest.fixture(params=[systemd, launchd, task_scheduler])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Scene:
    made: Scene = request.param(tmp_path)
    return made


class TestEveryManager:
    def test_installs_what_it_shows_and_it_runs(self, scene: Scene) -> None:
        scene.manager.install(scene.service)
        installed = [*files(scene.home).values(), getattr(scene.system, "task", None)]
        assert scene.manager.document(scene.service) in installed
        assert "running" in scene.manager.status() or "실행 중" in scene.manager.status()

    def test_twice_equals_once(self, scene: Scene) -> None:
        scene.manager.install(scene.service)
        once = scene.everything()
        scene.manager.install(scene.service)
        assert scene.everything() == once

    def test_takes_another_configuration_in_place_of_the_first(self, scene: Scene) -> None:
        scene.manager.install(scene.service)
        other = replace(scene.service, config=f"{scene.service.folder}/other.yaml", drain_seconds=60)
        scene.manager.install(other)
        first, second = scene.manager.document(scene.service), scene.manager.document(other)
        everything = repr(scene.everything())
        assert repr(second)[2:-1] in everything and repr(first)[2:-1] not in everything

    def test_uninstalls_without_a_trace_and_once_more_is_no_fault(self, scene: Scene) -> None:
        before = scene.everything()
        scene.manager.install(scene.service)
        scene.manager.uninstall(scene.service)
        assert scene.everything() == before
        assert list(scene.manager.uninstall(scene.service)) == ["It was not installed."]
        assert "not installed" in scene.manager.status()

    def test_stops_and_starts(self, scene: Scene) -> None:
        scene.manager.install(scene.service)
        running = scene.everything()
        scene.manager.stop(scene.service)
        assert scene.everything() != running
        scene.manager.start()
        scene.manager.start()
        assert scene.everything() == running

    def test_starts_nothing_that_is_not_there(self, scene: Scene) -> None:
        with pytest.raises(ServiceFailed, match=r"not installed|not found"):
            scene.manager.start()

    def test_says_what_is_missing_where_the_system_has_no_such_manager(self, scene: Scene) -> None:
        scene.system.missing = True
        with pytest.raises(ServiceFailed, match="cannot be run: No such file or directory"):
            scene.manager.install(scene.service)

    def test_says_what_the_system_said_where_a_command_fails(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        verb = {"Systemd": "_daemon_reload", "Launchd": "_bootstrap", "TaskScheduler": "schtasks"}
        name = type(scene.system).__name__
        monkeypatch.setattr(scene.system, verb[name], lambda *_: (1, "ERROR: Access is denied.\n"))
        with pytest.raises(ServiceFailed, match=r"failed \(exit code 1\): ERROR: Access is denied\.$"):
            scene.manager.install(scene.service)


@pytest.mark.parametrize(
    ("make", "act"),
    [
        (make, act)
        for make in (systemd, launchd, task_scheduler)
        for act in (
            lambda manager, service: manager.install(service),
            lambda manager, service: manager.uninstall(service),
            lambda manager, service: manager.stop(service),
            lambda manager, service: manager.start(),
        )
    ],
)
def test_a_dry_run_changes_nothing_and_says_what_it_would(
    make: Callable[[Path], Scene], act: Callable[[ServiceManager, Service], object], tmp_path: Path
) -> None:
    scene = make(tmp_path)
    scene.manager.install(scene.service)
    before, scene.system.commands[:] = scene.everything(), []
    dry = DryMachine(scene.system, tmp_path, {"USERDOMAIN": "DESKTOP", "USERNAME": "me"}, FakeClock(), 501)
    manager = (
        TaskSchedulerManager(dry, scene.system, tmp_path / "gateway.log")
        if isinstance(scene.system, TaskScheduler)
        else type(scene.manager)(dry)  # type: ignore[call-arg]
    )
    other = replace(scene.service, drain_seconds=1)
    act(manager, other)
    assert scene.everything() == before
    assert scene.system.commands == []
    assert all(line.startswith("would ") for line in dry.would)
    assert dry.would or make is launchd, "launchd starts nothing that runs"


class TestSystemd:
    def test_says_its_commands_in_their_order(self, tmp_path: Path) -> None:
        scene = systemd(tmp_path)
        said = scene.manager.install(scene.service)
        scene.manager.uninstall(scene.service)
        assert scene.system.commands == [
            "systemctl --user daemon-reload",
            "systemctl --user reset-failed llm-gateway.service",
            "systemctl --user enable --now llm-gateway.service",
            "systemctl --user disable --now llm-gateway.service",
            "systemctl --user daemon-reload",
            "systemctl --user reset-failed llm-gateway.service",
        ]
        assert "loginctl enable-linger" in said[1]

    def test_a_unit_that_changes_is_restarted_and_one_that_does_not_runs_on(self, tmp_path: Path) -> None:
        scene = systemd(tmp_path)
        for drain_seconds in (30, 30, 60):
            scene.manager.install(replace(scene.service, drain_seconds=drain_seconds))
        assert [each for each in scene.system.commands if "restart" in each] == [
            "systemctl --user try-restart llm-gateway.service"
        ]
        assert isinstance(scene.system, Systemd) and b"TimeoutStopSec=70\n" in (scene.system.runs or b"")

    def test_one_that_failed_too_often_is_started_all_the_same(self, tmp_path: Path) -> None:
        scene = systemd(tmp_path)
        scene.manager.install(scene.service)
        scene.manager.stop(scene.service)
        assert isinstance(scene.system, Systemd)
        scene.system.failed = True
        scene.manager.start()
        assert "active (running), enabled, process 4711" in scene.manager.status()

    def test_a_service_sees_the_managers_variables_and_those_of_its_file(self, tmp_path: Path) -> None:
        scene = systemd(tmp_path)
        file = tmp_path / ".config/llm-gateway/env"
        file.parent.mkdir(parents=True)
        file.write_text('# keys\n;A=1\nOPENAI_API_KEY=sk-1\nQUOTED="a b"\nEMPTY=\nBROKEN=\'x\n\nLANG=ko\n')
        assert isinstance(scene.system, Systemd)
        scene.system.environment += "PROXY=$'a b'\n"
        names = ["OPENAI_API_KEY", "QUOTED", "EMPTY", "BROKEN", "LANG", "PROXY", "HOME", "A", "NOWHERE"]
        assert scene.manager.visible(names) == {
            "OPENAI_API_KEY": "sk-1",
            "QUOTED": "a b",
            "BROKEN": "'x",
            "LANG": "ko",
            "PROXY": "a b",
            "HOME": "/home/me",
        }

    def test_its_log_is_the_journal(self, tmp_path: Path) -> None:
        assert list(systemd(tmp_path).manager.logs()) == [
            "one",
            "two",
            "More: journalctl --user-unit=llm-gateway.service",
        ]

    def test_everybody_may_read_the_unit_as_systemd_wants_it(self, tmp_path: Path) -> None:
        scene = systemd(tmp_path)
        scene.manager.install(scene.service)
        [path] = tmp_path.rglob("*.service")
        assert path.stat().st_mode & 0o777 in (0o644, 0o666), "Windows knows one mode"


class TestLaunchd:
    def test_says_its_commands_in_their_order(self, tmp_path: Path) -> None:
        scene = launchd(tmp_path)
        scene.manager.install(scene.service)
        scene.manager.uninstall(scene.service)
        assert without_paths(scene.system.commands) == [
            "launchctl enable gui/501/local.llm-gateway",
            "launchctl bootstrap gui/501 local.llm-gateway.plist",
            "launchctl bootout gui/501/local.llm-gateway",
        ]

    def test_a_changed_agent_is_loaded_when_the_old_one_has_drained(self, tmp_path: Path) -> None:
        scene = launchd(tmp_path)
        scene.manager.install(scene.service)
        assert isinstance(scene.system, Launchd)
        scene.system.drains = 50
        scene.manager.install(replace(scene.service, drain_seconds=60))
        assert b"<integer>70</integer>" in (scene.system.loaded or b"")

    def test_one_that_does_not_drain_is_told(self, tmp_path: Path) -> None:
        scene = launchd(tmp_path)
        scene.manager.install(scene.service)
        assert isinstance(scene.system, Launchd)
        scene.system.drains = 1_000_000
        with pytest.raises(ServiceFailed, match=r"does not end it \(exit code 36\): Boot-out failed"):
            scene.manager.stop(scene.service)

    def test_one_that_has_ended_is_started_without_being_loaded_again(self, tmp_path: Path) -> None:
        scene = launchd(tmp_path)
        scene.manager.install(scene.service)
        assert isinstance(scene.system, Launchd)
        scene.system.running = False
        assert scene.manager.status() == "launchd: not running, last exit code 0"
        scene.manager.start()
        assert scene.system.commands[-1] == "launchctl kickstart gui/501/local.llm-gateway"

    def test_its_logs_are_two_files_which_go_with_it(self, tmp_path: Path) -> None:
        scene = launchd(tmp_path)
        scene.manager.install(scene.service)
        logs = tmp_path / "Library/Logs"
        logs.mkdir()
        (logs / "llm-gateway.err.log").write_text("".join(f"{number}\n" for number in range(60)))
        out, missing, err, *lines = scene.manager.logs()
        assert (out, missing, err) == (
            f"{logs / 'llm-gateway.out.log'}:",
            "(No such file or directory)",
            f"{logs / 'llm-gateway.err.log'}:",
        )
        assert lines == [str(number) for number in range(10, 60)]
        scene.manager.uninstall(scene.service)
        assert files(tmp_path) == {}

    def test_a_service_sees_launchds_variables(self, tmp_path: Path) -> None:
        scene = launchd(tmp_path)
        assert isinstance(scene.system, Launchd)
        scene.system.environment["A"] = "1"
        assert scene.manager.visible(["A", "B"]) == {"A": "1"}


class TestTaskScheduler:
    def running(self, home: Path, drains: int) -> tuple[Scene, TaskScheduler]:
        scene = task_scheduler(home)
        scene.manager.install(scene.service)
        assert isinstance(scene.system, TaskScheduler)
        scene.system.drains = drains
        return scene, scene.system

    def test_says_its_commands_in_their_order(self, tmp_path: Path) -> None:
        scene, system = self.running(tmp_path, 1)
        scene.manager.uninstall(scene.service)
        assert without_paths(system.commands) == [
            "schtasks /Create /TN LLM Gateway /XML task.xml /F",
            "schtasks /Run /TN LLM Gateway",
            "schtasks /End /TN LLM Gateway",
            "schtasks /Delete /TN LLM Gateway /F",
        ]

    def test_a_stop_waits_for_the_drain_and_kills_nobody(self, tmp_path: Path) -> None:
        scene, system = self.running(tmp_path, 100)
        assert list(scene.manager.stop(scene.service)) == ["Stopped."]
        assert (system.running, system.killed, system.drains) == (False, False, 0)

    def test_one_that_does_not_drain_is_ended_and_that_is_told(self, tmp_path: Path) -> None:
        scene, system = self.running(tmp_path, 1_000_000)
        assert list(scene.manager.stop(scene.service)) == ["Ended: it had not drained within 40 s."]
        assert system.killed

    def test_one_that_serves_another_port_is_ended_and_that_is_told(self, tmp_path: Path) -> None:
        scene, system = self.running(tmp_path, 1)
        [said] = scene.manager.stop(replace(scene.service, port=9))
        assert said == "No gateway on port 9 could be asked to drain; the task has ended."
        assert system.killed

    def test_another_users_gateway_is_not_ended(self, tmp_path: Path) -> None:
        scene, system = self.running(tmp_path, 1)
        system.refused = OSError("The gateway on port 8080 cannot be asked to stop: Access is denied.")
        with pytest.raises(ServiceFailed, match="cannot be asked to stop"):
            scene.manager.stop(scene.service)
        assert not system.killed

    def test_a_service_sees_what_the_registry_has(self, tmp_path: Path) -> None:
        scene, system = self.running(tmp_path, 1)
        system.registry |= {(USER, "A"): "user's", (SYSTEM, "A"): "system's", (SYSTEM, "B"): "with blanks  "}
        assert scene.manager.visible(["A", "B", "C"]) == {"A": "user's", "B": "with blanks"}

    def test_without_the_users_name_it_says_so(self, tmp_path: Path) -> None:
        system = TaskScheduler(tmp_path)
        manager = TaskSchedulerManager(system.machine(tmp_path), system, tmp_path / "gateway.log")
        with pytest.raises(ServiceFailed, match="USERDOMAIN and USERNAME"):
            manager.install(WINDOWS)

    def test_its_log_is_the_gateways_own(self, tmp_path: Path) -> None:
        scene, _ = self.running(tmp_path, 1)
        (tmp_path / "gateway.log").write_text("why it does not start\n")
        assert list(scene.manager.logs()) == [f"{tmp_path / 'gateway.log'}:", "why it does not start"]


class TestTheWindowsService:
    def manager(self, home: Path, scm: Scm, account: str | None = None) -> WindowsSystemManager:
        return WindowsSystemManager(TaskScheduler(home).machine(home), scm, account, home / "gateway.log")

    def test_is_installed_started_stopped_and_removed(self, tmp_path: Path) -> None:
        scm = Scm()
        manager = self.manager(tmp_path, scm)
        said = manager.install(WINDOWS)
        manager.install(WINDOWS)
        line = (
            r'"C:\Program Files\Python\python.exe" "C:\Users\me\llm gateway\app.py" serve --windows-service'
            r' llm-gateway -c "C:\Users\me\llm gateway\config.yaml"'
        )
        assert scm.installed == ("llm-gateway", "LLM Gateway", line, None)
        assert "LocalSystem" in said[1]
        assert manager.status() == "Windows service: running"
        manager.stop(WINDOWS)
        assert (scm.running, scm.stop_seconds) == (False, 40)
        manager.start()
        assert scm.running
        manager.uninstall(WINDOWS)
        assert scm.state("llm-gateway") is None
        assert list(manager.uninstall(WINDOWS)) == ["It was not installed."]
        assert manager.status() == "Windows service: not installed"

    def test_runs_as_an_account_that_is_named(self, tmp_path: Path) -> None:
        scm = Scm()
        said = self.manager(tmp_path, scm, r"NT AUTHORITY\LocalService").install(WINDOWS)
        assert scm.installed is not None and scm.installed[3] == r"NT AUTHORITY\LocalService"
        assert len(said) == 1

    def test_a_failure_is_told_in_its_words(self, tmp_path: Path) -> None:
        manager = self.manager(tmp_path, Scm(OSError("The service cannot be installed: this needs an administrator")))
        with pytest.raises(ServiceFailed, match="this needs an administrator"):
            manager.install(WINDOWS)

    def test_what_is_not_installed_is_neither_started_nor_stopped(self, tmp_path: Path) -> None:
        manager = self.manager(tmp_path, Scm())
        for act in (manager.start, lambda: manager.stop(WINDOWS)):
            with pytest.raises(ServiceFailed, match=NOT_INSTALLED):
                act()

    def test_a_dry_run_touches_no_service(self, tmp_path: Path) -> None:
        scm, system = Scm(), TaskScheduler(tmp_path)
        dry = DryMachine(system, tmp_path, {}, FakeClock())
        WindowsSystemManager(dry, scm, None, tmp_path / "log").install(WINDOWS)
        assert scm.installed is None
        assert [line[:13] for line in dry.would] == ["would install", "would start i"]

    def test_sees_the_machines_variables_only(self, tmp_path: Path) -> None:
        system = TaskScheduler(tmp_path)
        system.registry |= {(USER, "A"): "1", (SYSTEM, "B"): "2"}
        manager = WindowsSystemManager(system.machine(tmp_path), Scm(), None, tmp_path / "log")
        assert manager.visible(["A", "B"]) == {"B": "2"}
        assert isinstance(system, System)
