"""A launchd agent: the gateway runs as the user while they are logged in to macOS.

Sources: launchd.plist(5) and launchctl(1). launchd knows no exit code that it does not start again after, only success:
with `--managed` a bad configuration ends with 0, once it is told.
"""

import plistlib
import re
from collections.abc import Mapping, Sequence
from typing import Final

from gateway.service.log_tail import last_lines
from gateway.service.machine import Machine
from gateway.service.manager import LAST_LINES, NAME, NOT_INSTALLED, SECONDS_BEYOND_DRAIN, Service, ServiceFailed

LABEL: Final = f"local.{NAME}"
MANAGED: Final = "--managed"
_RUNNING: Final = re.compile(r"(?m)^\s*state = running$")
UMASK: Final = 0o077
"""launchd wants the decimal number, 63."""


def property_list(service: Service, home: str) -> bytes:
    """The agent's property list.

    Args:
        service: what runs.
        home: the user's home folder, with `/` between folders.
    """
    return plistlib.dumps(
        {
            "Label": LABEL,
            "ProgramArguments": list(service.command(MANAGED)),
            "WorkingDirectory": service.folder,
            "EnvironmentVariables": {"PYTHONUNBUFFERED": "1"},
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ThrottleInterval": 10,
            "ExitTimeOut": service.stop_seconds,
            "Umask": UMASK,
            "ProcessType": "Interactive",
            "StandardOutPath": f"{home}/Library/Logs/{NAME}.out.log",
            "StandardErrorPath": f"{home}/Library/Logs/{NAME}.err.log",
        },
        sort_keys=False,
    )


class LaunchdManager:
    """The user's launchd."""

    where_variables_go = "in the configuration itself, which only you should be able to read (chmod 600)"
    own_log = True

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._path = machine.home / "Library" / "LaunchAgents" / f"{LABEL}.plist"
        self.place = str(self._path)
        logs = machine.home / "Library" / "Logs"
        self._logs = (logs / f"{NAME}.out.log", logs / f"{NAME}.err.log")
        self._domain = f"gui/{machine.user}"
        self._target = f"{self._domain}/{LABEL}"

    def document(self, service: Service) -> bytes:
        return property_list(service, self._machine.home.as_posix())

    def visible(self, names: Sequence[str]) -> Mapping[str, str]:
        told = {name: self._machine.ask("launchctl", "getenv", name) for name in names}
        return {name: each.output.strip() for name, each in told.items() if each.code == 0 and each.output.strip()}

    def install(self, service: Service) -> Sequence[str]:
        if self._machine.write(self._path, self.document(service)):
            self._unload(service)
        self._run()
        return (f"{self._path}: installed; it runs now, and whenever you are logged in.",)

    def uninstall(self, service: Service) -> Sequence[str]:
        self._unload(service)
        removed = [path for path in (self._path, *self._logs) if self._machine.remove(path)]
        return [f"{path}: removed" for path in removed] or ["It was not installed."]

    def start(self) -> Sequence[str]:
        if not self._path.exists():
            raise ServiceFailed(NOT_INSTALLED)
        self._run()
        return ("Started.",)

    def stop(self, service: Service) -> Sequence[str]:
        self._unload(service)
        return ("Stopped, until `service start` or the next logon.",)

    def status(self) -> str:
        shown = self._print()
        if shown is None:
            return "launchd: not running" if self._path.exists() else "launchd: not installed"
        state = re.search(r"(?m)^\s*state = (.+)$", shown)
        process = re.search(r"(?m)^\s*pid = (\d+)$", shown)
        ended = re.search(r"(?m)^\s*last exit code = (\d+.*)$", shown)
        parts = [
            state[1] if state else "installed",
            f"process {process[1]}" if process else "",
            f"last exit code {ended[1]}" if ended else "",
        ]
        return f"launchd: {', '.join(filter(None, parts))}"

    def logs(self) -> Sequence[str]:
        return [line for path in self._logs for line in (f"{path}:", *last_lines(path, LAST_LINES))]

    def _run(self) -> None:
        shown = self._print()
        if shown is None:
            self._machine.do("launchctl", "enable", self._target)
            self._machine.do("launchctl", "bootstrap", self._domain, str(self._path))
        elif not _RUNNING.search(shown):
            self._machine.do("launchctl", "kickstart", self._target)

    def _unload(self, service: Service) -> None:
        """Have launchd end it, which takes as long as its drain, and forget it."""
        if not self._is_loaded():
            return
        done = self._machine.attempt("launchctl", "bootout", self._target, seconds=60.0 + service.stop_seconds)
        if not self._machine.until(lambda: not self._is_loaded(), service.stop_seconds + SECONDS_BEYOND_DRAIN):
            raise ServiceFailed(f"launchd does not end it (exit code {done.code}): {done.output.strip()}")

    def _is_loaded(self) -> bool:
        return self._print() is not None

    def _print(self) -> str | None:
        shown = self._machine.ask("launchctl", "print", self._target)
        return None if shown.code else shown.output
