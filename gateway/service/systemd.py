"""A systemd user unit: the gateway runs as the user, from logon on, or from boot on for a user that lingers.

Sources: systemd.unit(5), systemd.service(5) and systemd.exec(5) of version 252; "Command lines" in the second.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Final

from gateway.service.machine import Machine
from gateway.service.manager import DISPLAY_NAME, LAST_LINES, NAME, Service, ServiceFailed

UNIT: Final = f"{NAME}.service"
ENVIRONMENT_FILE: Final = ".config/llm-gateway/env"
"""From the home folder on. For keys; the user writes it, and it is never read by others."""
_SHOWN: Final = ("LoadState", "ActiveState", "SubState", "UnitFileState", "MainPID", "NRestarts", "Result")
_UNSTARTABLE: Final = re.compile(r"[$\"'\\]")
"""What systemd refuses, or cannot be told, in the path of a program."""


def unit(service: Service) -> str:
    """The text of the unit.

    Raises:
        ServiceFailed: systemd cannot be told one of its paths.
    """
    program, *arguments = service.command()
    if _UNSTARTABLE.search(program):
        raise ServiceFailed(f"systemd starts no program whose path has a $, a quote or a backslash: {program}")
    if service.folder != service.folder.strip() or service.folder.endswith("\\"):
        raise ServiceFailed(f"systemd takes no folder with a blank or a backslash at its end: {service.folder}")
    command = " ".join((_quoted(program), *(_argument(each) for each in arguments)))
    return f"""\
[Unit]
Description={DISPLAY_NAME}
StartLimitIntervalSec=300
StartLimitBurst=5

[Service]
Type=exec
WorkingDirectory={_specifiers(service.folder)}
ExecStart={command}
EnvironmentFile=-%h/{ENVIRONMENT_FILE}
Restart=on-failure
RestartSec=2
RestartPreventExitStatus=2
KillMode=mixed
TimeoutStopSec={service.stop_seconds}
ExecReload=/bin/kill -HUP $MAINPID
UMask=0077
NoNewPrivileges=yes
LimitNOFILE=4096

[Install]
WantedBy=default.target
"""


def _specifiers(text: str) -> str:
    return text.replace("%", "%%")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_specifiers(escaped)}"'


def _argument(text: str) -> str:
    """An argument; words such as `serve` stay bare."""
    return text if re.fullmatch(r"-?[A-Za-z-]+", text) else _quoted(text.replace("$", "$$"))


class SystemdManager:
    """The user's systemd."""

    where_variables_go = f"as lines NAME=value in ~/{ENVIRONMENT_FILE} (chmod 600)"
    own_log = True

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._path = machine.home / ".config" / "systemd" / "user" / UNIT
        self.place = str(self._path)

    def document(self, service: Service) -> bytes:
        return unit(service).encode()

    def visible(self, names: Sequence[str]) -> Mapping[str, str]:
        shown = self._machine.ask("systemctl", "--user", "show-environment")
        if shown.code:
            raise ServiceFailed(f"the user's systemd does not answer: {shown.output.strip()}")
        found = dict(_assignments(shown.output)) | self._in_file()
        return {name: found[name] for name in names if found.get(name)}

    def install(self, service: Service) -> Sequence[str]:
        was_there = self._path.exists()
        changed = self._machine.write(self._path, self.document(service))
        self._systemctl("daemon-reload")
        self._machine.attempt("systemctl", "--user", "reset-failed", UNIT)  # fails where nothing has failed
        if changed and was_there:
            self._systemctl("try-restart", UNIT, seconds=service.stop_seconds)
        self._systemctl("enable", "--now", UNIT)
        return (
            f"{self._path}: installed; it runs now, and whenever you are logged in.",
            "To have it run from boot on, logged in or not: loginctl enable-linger",
        )

    def uninstall(self, service: Service) -> Sequence[str]:
        if not self._path.exists():
            return ("It was not installed.",)
        self._systemctl("disable", "--now", UNIT, seconds=service.stop_seconds)
        self._machine.remove(self._path)
        self._systemctl("daemon-reload")
        self._machine.attempt("systemctl", "--user", "reset-failed", UNIT)
        return (f"{self._path}: removed; the service has stopped.",)

    def start(self) -> Sequence[str]:
        self._machine.attempt("systemctl", "--user", "reset-failed", UNIT)  # after five starts that failed
        self._systemctl("start", UNIT)
        return ("Started.",)

    def stop(self, service: Service) -> Sequence[str]:
        self._systemctl("stop", UNIT, seconds=service.stop_seconds)
        return ("Stopped.",)

    def status(self) -> str:
        shown = self._machine.ask("systemctl", "--user", "show", UNIT, f"--property={','.join(_SHOWN)}")
        if shown.code:
            raise ServiceFailed(f"systemd does not tell: {shown.output.strip()}")
        found = dict(_assignments(shown.output))
        if found.get("LoadState") == "not-found":
            return "systemd: not installed"
        state = f"{found.get('ActiveState')} ({found.get('SubState')}), {found.get('UnitFileState')}"
        process = f", process {found['MainPID']}" if found.get("MainPID", "0") != "0" else ""
        restarts = f", {found['NRestarts']} restarts" if found.get("NRestarts", "0") != "0" else ""
        result = f", ended by {found['Result']}" if found.get("Result", "success") != "success" else ""
        return f"systemd: {state}{process}{restarts}{result}"

    def logs(self) -> Sequence[str]:
        command = ("journalctl", f"--user-unit={UNIT}", f"--lines={LAST_LINES}", "--no-pager")
        shown = self._machine.ask(*command)
        if shown.code:
            raise ServiceFailed(f"the journal does not tell: {shown.output.strip()}")
        return (*shown.output.splitlines(), f"More: journalctl --user-unit={UNIT}")

    def _systemctl(self, *arguments: str, seconds: float = 0.0) -> None:
        """With so many seconds more than it takes anyway."""
        self._machine.do("systemctl", "--user", *arguments, seconds=60.0 + seconds)

    def _in_file(self) -> dict[str, str]:
        try:
            text = (self._machine.home / ENVIRONMENT_FILE).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return {}
        return dict(_assignments(text))


def _assignments(text: str) -> list[tuple[str, str]]:
    """The lines NAME=value of a text, unquoted; comments and other lines are passed over."""
    found = []
    for line in text.splitlines():
        name, separator, value = line.strip().partition("=")
        if separator and not name.startswith(("#", ";")):
            found.append((name.strip(), _unquoted(value.strip())))
    return found


def _unquoted(value: str) -> str:
    """As a shell reads it; systemctl quotes what has blanks."""
    try:
        return " ".join(shlex.split(value.removeprefix("$"))) if value.startswith(("'", '"', "$'")) else value
    except ValueError:  # a quote without its end
        return value
