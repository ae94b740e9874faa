"""What is handed to systemd, launchd and Task Scheduler: the same bytes everywhere, and what the three make of them."""

import os
import plistlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.service.launchd import property_list
from gateway.service.manager import Service, ServiceFailed
from gateway.service.systemd import unit
from gateway.service.task_scheduler import task
from tests.service.systems import LINUX, MACOS, ODD_FOLDER, WINDOWS

GOLDEN = Path(__file__).parent.parent / "golden" / "service"
HANG = 60
Verify = Callable[[str], str]
USER = r"DESKTOP\me"
NAMESPACE = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"


def windows_task(service: Service = WINDOWS, *, pythonw: bool = True) -> bytes:
    return task(service, USER, lambda path: pythonw and path.endswith("pythonw.exe"))


def installed(service: Service, program: tuple[str, ...]) -> Service:
    return replace(service, program=program)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("llm-gateway.service", unit(LINUX).encode()),
        ("installed.service", unit(installed(LINUX, ("/opt/venv/bin/python", "-P", "-m", "gateway"))).encode()),
        ("local.llm-gateway.plist", property_list(MACOS, "/Users/me")),
        ("task.xml", windows_task()),
    ],
)
def test_each_has_the_bytes_of_its_golden_file(name: str, content: bytes) -> None:
    assert content == (GOLDEN / name).read_bytes()


class TestTheUnit:
    @pytest.fixture
    def verify(self, tmp_path: Path) -> Verify:
        """What systemd-analyze says of a unit."""
        tool = shutil.which("systemd-analyze")
        if tool is None:
            pytest.skip("systemd-analyze is not installed")

        def said(text: str) -> str:
            path = tmp_path / "llm-gateway.service"
            path.write_text(text, encoding="utf-8")
            done = subprocess.run(
                [tool, "--user", "verify", str(path)],
                env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
                capture_output=True,
                text=True,
                timeout=HANG,
                check=False,
            )
            return done.stderr + done.stdout + ("" if done.returncode == 0 else f"exit code {done.returncode}")

        return said

    def test_systemd_has_nothing_to_say_of_it(self, verify: Verify, tmp_path: Path) -> None:
        service = Service(
            (sys.executable, str(tmp_path / "app.py")), str(tmp_path / "c.yaml"), str(tmp_path), 8080, 0.5
        )
        assert verify(unit(service)) == ""

    def test_it_would_say_something_of_a_key_that_it_does_not_know(self, verify: Verify, tmp_path: Path) -> None:
        service = Service((sys.executable,), "/c.yaml", "/", 8080, 30)
        assert "Unknown key" in verify(unit(service).replace("UMask=", "UMsak="))

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such file names")
    def test_it_starts_what_has_odd_letters_in_its_path(self, verify: Verify, tmp_path: Path) -> None:
        """systemd-analyze says it where the program is not there."""
        folder = tmp_path / "100% Größe 한국어"
        folder.mkdir()
        (folder / "python").symlink_to(sys.executable)
        service = Service((str(folder / "python"), f"{ODD_FOLDER}/app.py"), "/c.yaml", ODD_FOLDER, 8080, 30)
        assert verify(unit(service)) == ""

    def test_what_systemd_would_replace_is_escaped(self) -> None:
        lines = unit(replace(LINUX, config=f"{ODD_FOLDER}/config.yaml", folder=ODD_FOLDER)).splitlines()
        assert 'WorkingDirectory=/home/me/100%% "of" $HOME\\한국어 & <more>' in lines
        assert any(
            line.endswith(' serve -c "/home/me/100%% \\"of\\" $$HOME\\\\한국어 & <more>/config.yaml"') for line in lines
        )

    @pytest.mark.parametrize("letter", list("$\"'\\"))
    def test_a_python_that_systemd_cannot_start_is_refused(self, letter: str) -> None:
        with pytest.raises(ServiceFailed, match="systemd starts no program"):
            unit(installed(LINUX, (f"/opt/a{letter}b/python", "app.py")))

    @pytest.mark.parametrize("end", [" ", "\\"])
    def test_a_folder_that_systemd_would_read_as_another_is_refused(self, end: str) -> None:
        with pytest.raises(ServiceFailed, match="at its end"):
            unit(replace(LINUX, folder=f"/home/me{end}"))

    @given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1))
    def test_a_path_comes_out_of_it_as_it_went_in(self, name: str) -> None:
        """Read back as systemd.service(5) says."""
        [line] = [
            each for each in unit(replace(LINUX, config=f"/{name}")).splitlines() if each.startswith("ExecStart=")
        ]
        quoted = line.rpartition(' -c "')[2][:-1]
        read, rest = "", quoted
        while rest:
            known = {"%%": "%", "$$": "$", '\\"': '"', "\\\\": "\\"}
            step = 2 if rest[:2] in known else 1
            assert step == 2 or rest[0] not in '%$"\\', "it would have a meaning"
            read, rest = read + known.get(rest[:2], rest[0]), rest[step:]
        assert read == f"/{name}"


class TestThePropertyList:
    def test_plistlib_reads_every_field(self) -> None:
        assert plistlib.loads(property_list(replace(MACOS, drain_seconds=0.5), "/Users/me")) == {
            "Label": "local.llm-gateway",
            "ProgramArguments": [*MACOS.program, "serve", "--managed", "-c", MACOS.config],
            "WorkingDirectory": MACOS.folder,
            "EnvironmentVariables": {"PYTHONUNBUFFERED": "1"},
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ThrottleInterval": 10,
            "ExitTimeOut": 11,
            "Umask": 63,
            "ProcessType": "Interactive",
            "StandardOutPath": "/Users/me/Library/Logs/llm-gateway.out.log",
            "StandardErrorPath": "/Users/me/Library/Logs/llm-gateway.err.log",
        }

    @pytest.mark.parametrize(
        "command", [["plistutil", "-i"], ["xmllint", "--nonet", "--noout"]], ids=lambda each: each[0]
    )
    def test_other_readers_take_it_too(self, command: list[str], tmp_path: Path) -> None:
        if shutil.which(command[0]) is None:
            pytest.skip(f"{command[0]} is not installed")
        path = tmp_path / "agent.plist"
        path.write_bytes(property_list(replace(MACOS, folder=ODD_FOLDER), "/Users/me"))
        done = subprocess.run([*command, str(path)], capture_output=True, timeout=HANG, check=False)
        assert (done.returncode, done.stderr) == (0, b"")

    def test_odd_letters_come_out_as_they_went_in(self) -> None:
        read = plistlib.loads(property_list(replace(MACOS, folder=ODD_FOLDER), "/Users/me"))
        assert read["WorkingDirectory"] == ODD_FOLDER


class TestTheTask:
    def fields(self, content: bytes) -> dict[str, str | None]:
        """Every element with a text, by its path."""
        found: dict[str, str | None] = {}

        def walk(element: ElementTree.Element, path: str) -> None:
            for each in element:
                name = f"{path}{each.tag.removeprefix(NAMESPACE)}"
                if len(each):
                    walk(each, f"{name}/")
                else:
                    found[name] = each.text

        walk(ElementTree.fromstring(content), "")
        return found

    def test_it_is_utf_16_with_its_mark_and_lines_of_windows(self) -> None:
        content = windows_task()
        assert content.startswith(b"\xff\xfe")
        text = content.decode("utf-16")
        assert text.startswith('<?xml version="1.0" encoding="UTF-16"?>\r\n')
        assert text.count("\n") == text.count("\r\n")

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("Triggers/LogonTrigger/Enabled", "true"),
            ("Triggers/LogonTrigger/UserId", USER),
            ("Principals/Principal/UserId", USER),
            ("Principals/Principal/LogonType", "InteractiveToken"),
            ("Principals/Principal/RunLevel", "LeastPrivilege"),
            ("Settings/MultipleInstancesPolicy", "IgnoreNew"),
            ("Settings/DisallowStartIfOnBatteries", "false"),
            ("Settings/StopIfGoingOnBatteries", "false"),
            ("Settings/StartWhenAvailable", "true"),
            ("Settings/ExecutionTimeLimit", "PT0S"),
            ("Settings/Priority", "5"),
            ("Settings/RestartOnFailure/Interval", "PT1M"),
            ("Settings/RestartOnFailure/Count", "10"),
            ("Settings/Enabled", "true"),
            ("Actions/Exec/Command", r"C:\Program Files\Python\pythonw.exe"),
            (
                "Actions/Exec/Arguments",
                r'"C:\Users\me\llm gateway\app.py" serve -c "C:\Users\me\llm gateway\config.yaml"',
            ),
            ("Actions/Exec/WorkingDirectory", r"C:\Users\me\llm gateway"),
        ],
    )
    def test_every_field(self, field: str, value: str) -> None:
        assert self.fields(windows_task())[field] == value

    def test_its_root_is_the_schemas(self) -> None:
        root = ElementTree.fromstring(windows_task())
        assert (root.tag, root.get("version")) == (f"{NAMESPACE}Task", "1.2")

    def test_without_pythonw_it_runs_python(self) -> None:
        assert self.fields(windows_task(pythonw=False))["Actions/Exec/Command"] == WINDOWS.program[0]

    def test_odd_letters_come_out_as_they_went_in(self) -> None:
        folder = r"C:\한국어 & 'more' 100%"
        fields = self.fields(windows_task(replace(WINDOWS, folder=folder, config=f"{folder}\\config.yaml")))
        assert fields["Actions/Exec/WorkingDirectory"] == folder
        assert (fields["Actions/Exec/Arguments"] or "").endswith(f' -c "{folder}\\config.yaml"')

    def test_a_path_with_the_name_of_a_variable_is_refused(self) -> None:
        with pytest.raises(ServiceFailed, match="as a variable"):
            windows_task(replace(WINDOWS, folder=r"C:\%TEMP%\x"))
