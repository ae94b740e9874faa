"""Service managers of the three systems as they behave towards commands: small, in memory, and the same everywhere."""

import re
from pathlib import Path

from gateway.service.machine import Machine, Ran
from gateway.service.manager import Service, ServiceFailed
from tests.support.fakes import FakeClock

LINUX = Service(
    program=("/opt/python/bin/python3", "/home/me/llm-gateway/app.py"),
    config="/home/me/llm-gateway/config.yaml",
    folder="/home/me/llm-gateway",
    port=8080,
    drain_seconds=30.0,
)
MACOS = Service(
    program=("/usr/local/bin/python3", "/Users/me/llm-gateway/app.py"),
    config="/Users/me/llm-gateway/config.yaml",
    folder="/Users/me/llm-gateway",
    port=8080,
    drain_seconds=30.0,
)
WINDOWS = Service(
    program=(r"C:\Program Files\Python\python.exe", r"C:\Users\me\llm gateway\app.py"),
    config=r"C:\Users\me\llm gateway\config.yaml",
    folder=r"C:\Users\me\llm gateway",
    port=8080,
    drain_seconds=30.0,
)
ODD_FOLDER = '/home/me/100% "of" $HOME\\한국어 & <more>'
"""With what the files of the managers have a meaning for."""


class System:
    """A system whose commands are methods, `systemctl` for systemctl."""

    def __init__(self) -> None:
        self.commands: list[str] = []
        self.missing = False

    def __call__(self, *command: str, seconds: float) -> Ran:
        assert seconds > 0
        if self.missing:
            raise ServiceFailed(f"{command[0]} cannot be run: No such file or directory")
        code, output = getattr(self, command[0])(*command[1:])
        if not self.only_tells(command):
            self.commands.append(" ".join(command))
        return Ran(code, output)

    def only_tells(self, command: tuple[str, ...]) -> bool:
        words = {"show-environment", "show", "print", "getenv", "query", "/Query", "journalctl"}
        return bool(words.intersection(command[:3]))

    def machine(self, home: Path, **environ: str) -> Machine:
        return Machine(self, home, environ, FakeClock(), user=501)


class Systemd(System):
    """A user's systemd. Its state is what must be equal after an installation is repeated."""

    def __init__(self, home: Path) -> None:
        super().__init__()
        self._path = home / ".config/systemd/user/llm-gateway.service"
        self.environment = "HOME=/home/me\nLANG=C.UTF-8\n"
        self.loaded: bytes | None = None
        self.enabled = self.failed = False
        self.runs: bytes | None = None

    @property
    def state(self) -> tuple[object, ...]:
        return self.loaded, self.enabled, self.runs

    def systemctl(self, user: str, verb: str, *rest: str) -> tuple[int, str]:
        assert user == "--user"
        return getattr(self, f"_{verb.replace('-', '_')}")(*rest)  # type: ignore[no-any-return]

    def journalctl(self, *options: str) -> tuple[int, str]:
        return 0, "one\ntwo\n"

    def _show_environment(self) -> tuple[int, str]:
        return 0, self.environment

    def _daemon_reload(self) -> tuple[int, str]:
        self.loaded = self._path.read_bytes() if self._path.exists() else None
        return 0, ""

    def _reset_failed(self, unit: str) -> tuple[int, str]:
        was, self.failed = self.failed, False
        return (0, "") if was else (1, f"Unit {unit} not loaded.\n")

    def _enable(self, now: str, unit: str) -> tuple[int, str]:
        self.enabled = True
        return self._start(unit)

    def _disable(self, now: str, unit: str) -> tuple[int, str]:
        self.enabled, self.runs = False, None
        return 0, ""

    def _start(self, unit: str) -> tuple[int, str]:
        if self.failed or self.loaded is None:
            return 1, "start of the service was attempted too often" if self.failed else f"Unit {unit} not found."
        self.runs = self.runs or self.loaded
        return 0, ""

    def _try_restart(self, unit: str) -> tuple[int, str]:
        self.runs = self.loaded if self.runs else None
        return 0, ""

    def _stop(self, unit: str) -> tuple[int, str]:
        self.runs = None
        return 0, ""

    def _show(self, unit: str, properties: str) -> tuple[int, str]:
        values = {
            "LoadState": "loaded" if self.loaded else "not-found",
            "ActiveState": "active" if self.runs else "inactive",
            "SubState": "running" if self.runs else "dead",
            "UnitFileState": "enabled" if self.enabled else "disabled",
            "MainPID": "4711" if self.runs else "0",
            "NRestarts": "0",
            "Result": "success",
        }
        asked = properties.removeprefix("--property=").split(",")
        return 0, "".join(f"{name}={values[name]}\n" for name in asked)


class Launchd(System):
    """A user's launchd. A gateway that was booted out is still seen for as many looks as its drain takes."""

    def __init__(self, home: Path) -> None:
        super().__init__()
        self.environment: dict[str, str] = {}
        self.loaded: bytes | None = None
        self.running = False
        self.drains = 0
        self._looks = 0

    @property
    def state(self) -> tuple[object, ...]:
        return self.loaded, self.running

    def launchctl(self, verb: str, *rest: str) -> tuple[int, str]:
        return getattr(self, f"_{verb}")(*rest)  # type: ignore[no-any-return]

    def _getenv(self, name: str) -> tuple[int, str]:
        return (0, self.environment[name] + "\n") if name in self.environment else (0, "")

    def _enable(self, target: str) -> tuple[int, str]:
        assert target == "gui/501/local.llm-gateway"
        return 0, ""

    def _bootstrap(self, domain: str, path: str) -> tuple[int, str]:
        assert domain == "gui/501"
        if self.loaded is not None:
            return 5, "Bootstrap failed: 5: Input/output error"
        self.loaded, self.running = Path(path).read_bytes(), True
        return 0, ""

    def _bootout(self, target: str) -> tuple[int, str]:
        self._looks = self.drains
        if not self._looks:
            self.loaded, self.running = None, False
        return (36, "Boot-out failed: 36: Operation now in progress") if self._looks else (0, "")

    def _kickstart(self, target: str) -> tuple[int, str]:
        self.running = True
        return 0, ""

    def _print(self, target: str) -> tuple[int, str]:
        if self._looks:
            self._looks -= 1
            if not self._looks:
                self.loaded, self.running = None, False
        if self.loaded is None:
            return 113, f'Could not find service "{target}"'
        state = "running" if self.running else "not running"
        process = "\tpid = 4711\n" if self.running else "\tlast exit code = 0\n"
        return 0, f"{target} = {{\n\tstate = {state}\n{process}}}\n"


class TaskScheduler(System):
    """A Windows session: its tasks, its registry, and the gateway that a task runs, with the event it waits for."""

    def __init__(self, home: Path) -> None:
        super().__init__()
        self.registry: dict[tuple[str, str], str] = {}
        self.task: bytes | None = None
        self.running = False
        self.killed = False
        self.drains = 0
        self.refused: OSError | None = None
        self._draining = False

    @property
    def state(self) -> tuple[object, ...]:
        return self.task, self.running

    def set_event(self, port: int) -> bool:
        """As `gateway.service.stop_event`; the process ends after as many looks as its drain takes."""
        if self.refused:
            raise self.refused
        if not self.running or port != WINDOWS.port:
            return False
        if self._draining:
            self.drains -= 1
        self._draining = True
        self.running = self.drains > 0
        return True

    def reg(self, query: str, key: str, v: str, name: str) -> tuple[int, str]:
        value = self.registry.get((key, name))
        return (1, "ERROR: not found") if value is None else (0, f"\n{key}\n    {name}    REG_SZ    {value}\n\n")

    def schtasks(self, verb: str, tn: str, name: str, *rest: str) -> tuple[int, str]:
        assert (tn, name) == ("/TN", "LLM Gateway")
        if verb == "/Create":
            self.task = Path(rest[rest.index("/XML") + 1]).read_bytes()
            return 0, ""
        if self.task is None:
            return 1, "ERROR: The system cannot find the file specified."
        if verb == "/Run":
            self.running = True
        elif verb == "/End":
            self.killed, self.running = self.killed or self.running, False
        elif verb == "/Delete":
            self.task = None
        status = "실행 중" if self.running else "준비"
        return 0, f'"\\{name}","N/A","{status}"\r\n'


class Scm:
    """The Service Control Manager, as `gateway.service.windows_service`."""

    def __init__(self, refused: OSError | None = None) -> None:
        self.installed: tuple[str, str, str, str | None] | None = None
        self.running = False
        self.stop_seconds = 0.0
        self.refused = refused

    def install(self, name: str, display: str, command_line: str, account: str | None = None) -> None:
        if self.refused:
            raise self.refused
        self.installed = name, display, command_line, account

    def uninstall(self, name: str) -> None:
        self.installed = None

    def start(self, name: str) -> None:
        self.running = True

    def stop(self, name: str, timeout: float) -> None:
        self.running, self.stop_seconds = False, timeout

    def state(self, name: str) -> str | None:
        return None if self.installed is None else "running" if self.running else "stopped"


def files(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {each.relative_to(folder).as_posix(): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def without_paths(commands: list[str]) -> list[str]:
    """The commands, with only the names of files."""
    return [re.sub(r"\S*[/\\](?=[^ /\\]+\.(?:xml|plist))", "", command) for command in commands]
