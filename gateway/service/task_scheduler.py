"""A task of Windows Task Scheduler: the gateway runs as the user from logon on, with their logins and home folder.

It needs no administrator. Task Scheduler ends a task by killing it, so the gateway is asked to drain first, through a
named event. Source: "Task Scheduler Schema Elements" of Microsoft's documentation. Two of its defaults end a server on
a laptop, one ends it after three days, and one gives it the priority of a background job: all four are set.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path, PureWindowsPath
from tempfile import TemporaryDirectory
from typing import Final

from gateway.service.command_line import windows_quoted
from gateway.service.log_tail import last_lines
from gateway.service.machine import Machine
from gateway.service.manager import (
    DISPLAY_NAME,
    LAST_LINES,
    NOT_INSTALLED,
    Service,
    ServiceFailed,
    StopEvent,
)
from gateway.service.windows_variables import SYSTEM, USER, registered

_TEMPLATE: Final = r"""<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>One local server between LLM clients and providers.</Description>
  </RegistrationInfo>
  <Triggers>
    <LogonTrigger>
      <Enabled>true</Enabled>
      <UserId>{user}</UserId>
    </LogonTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <UserId>{user}</UserId>
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <StartWhenAvailable>true</StartWhenAvailable>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <Priority>5</Priority>
    <RestartOnFailure>
      <Interval>PT1M</Interval>
      <Count>10</Count>
    </RestartOnFailure>
    <Enabled>true</Enabled>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>{command}</Command>
      <Arguments>{arguments}</Arguments>
      <WorkingDirectory>{folder}</WorkingDirectory>
    </Exec>
  </Actions>
</Task>
"""
_VARIABLE: Final = re.compile(r"%[^%]+%")


def task(service: Service, user: str, has_file: Callable[[str], bool]) -> bytes:
    """The task's XML, in UTF-16 with its byte order mark, as schtasks wants it.

    Args:
        service: what runs.
        user: whose logon starts it, as DOMAIN\\NAME.
        has_file: whether there is such a file: without pythonw.exe, python.exe runs in a window of its own.

    Raises:
        ServiceFailed: Task Scheduler would read one of the paths as something else.
    """
    python, *arguments = service.command()
    without_window = str(PureWindowsPath(python).with_name("pythonw.exe"))
    for path in (python, *arguments, service.folder):
        if _VARIABLE.search(path):
            raise ServiceFailed(f"Task Scheduler would read the name between two % as a variable: {path}")
    text = _TEMPLATE.format(
        user=escape(user),
        command=escape(without_window if has_file(without_window) else python, quote=False),
        arguments=escape(windows_quoted(arguments), quote=False),
        folder=escape(service.folder, quote=False),
    )
    return b"\xff\xfe" + text.replace("\n", "\r\n").encode("utf-16-le")


class TaskSchedulerManager:
    """The user's task.

    Args:
        machine: where.
        stop_event: asks the gateway to drain.
        log: the file with the gateway's log lines, or with why it has not started.
    """

    place = f"Task Scheduler, {DISPLAY_NAME}"
    where_variables_go = "by `setx NAME value`, or write the value into the configuration itself"
    own_log = False

    def __init__(self, machine: Machine, stop_event: StopEvent, log: Path) -> None:
        self._machine = machine
        self._stop_event = stop_event
        self._log = log

    def document(self, service: Service) -> bytes:
        return task(service, self._user(), lambda path: Path(path).is_file())

    def visible(self, names: Sequence[str]) -> Mapping[str, str]:
        return registered(self._machine, names, USER, SYSTEM)

    def install(self, service: Service) -> Sequence[str]:
        content, was_there = self.document(service), self._is_installed()
        with TemporaryDirectory() as folder:
            path = Path(folder) / "task.xml"
            path.write_bytes(content)
            self._machine.do("schtasks", "/Create", "/TN", DISPLAY_NAME, "/XML", str(path), "/F")
        self._machine.do("schtasks", "/Run", "/TN", DISPLAY_NAME)
        runs = f"{self.place}: installed; it runs now, and whenever you are logged in."
        again = "A gateway that was running goes on as it was started: `service stop`, then `service start`."
        return (runs, again) if was_there else (runs,)

    def uninstall(self, service: Service) -> Sequence[str]:
        if not self._is_installed():
            return ("It was not installed.",)
        stopped = self.stop(service)
        self._machine.do("schtasks", "/Delete", "/TN", DISPLAY_NAME, "/F")
        return (*stopped, f"{self.place}: removed.")

    def start(self) -> Sequence[str]:
        self._check_installed()
        self._machine.do("schtasks", "/Run", "/TN", DISPLAY_NAME)
        return ("Started.",)

    def stop(self, service: Service) -> Sequence[str]:
        self._check_installed()
        asks = f"ask the gateway on port {service.port} to drain"
        asked = self._machine.perform(asks, lambda: self._asked(service), False)
        drained = asked and self._machine.until(lambda: not self._asked(service), service.stop_seconds)
        self._machine.attempt("schtasks", "/End", "/TN", DISPLAY_NAME)  # fails where it has ended
        if asked and not drained:
            return (f"Ended: it had not drained within {service.stop_seconds} s.",)
        return (
            "Stopped." if asked else f"No gateway on port {service.port} could be asked to drain; the task has ended.",
        )

    def status(self) -> str:
        shown = self._machine.ask("schtasks", "/Query", "/TN", DISPLAY_NAME, "/FO", "CSV", "/NH")
        if shown.code:
            return "Task Scheduler: not installed"
        fields = re.findall(r'"([^"]*)"', shown.output)
        return f"Task Scheduler: {fields[-1] if fields else 'installed'}"

    def logs(self) -> Sequence[str]:
        return (f"{self._log}:", *last_lines(self._log, LAST_LINES))

    def _asked(self, service: Service) -> bool:
        """The event lives as long as the process, so that asking again tells whether it has ended."""
        try:
            return self._stop_event.set_event(service.port)
        except OSError as fault:
            raise ServiceFailed(f"{fault}") from None

    def _user(self) -> str:
        domain, name = self._machine.environ.get("USERDOMAIN"), self._machine.environ.get("USERNAME")
        if not domain or not name:
            raise ServiceFailed("the variables USERDOMAIN and USERNAME, which Windows sets at logon, are not there")
        return f"{domain}\\{name}"

    def _is_installed(self) -> bool:
        return self._machine.ask("schtasks", "/Query", "/TN", DISPLAY_NAME).code == 0

    def _check_installed(self) -> None:
        if not self._is_installed():
            raise ServiceFailed(NOT_INSTALLED)
