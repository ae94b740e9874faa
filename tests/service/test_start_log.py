"""A start that fails in a process without standard error is told in the log file."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.cli import commands
from gateway.service.start_log import DEFAULT_NAME, log_path, tell
from tests.support.ports import open_listener


def config(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("logging: {file: gateway.log}\ngateway: {prot: 1}\n", "gateway.log"),
        ("logging: {file: logs/기록.log}\n", "logs/기록.log"),
        ("logging: {level: info}\n", DEFAULT_NAME),
        ("logging: [file]\n", DEFAULT_NAME),
        ("logging: {file: [a]}\n", DEFAULT_NAME),
        ("logging: {file: '${LOG_FOLDER}/a.log'}\n", DEFAULT_NAME),
        ("gateway: {\n", DEFAULT_NAME),
        ("", DEFAULT_NAME),
    ],
)
def test_its_name_is_read_from_a_file_with_faults(tmp_path: Path, text: str, name: str) -> None:
    assert log_path(config(tmp_path, text)) == tmp_path / name


def test_without_a_configuration_it_is_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert log_path(None) == tmp_path / DEFAULT_NAME
    assert log_path(tmp_path / "missing" / "config.yaml") == tmp_path / "missing" / DEFAULT_NAME


def test_each_line_is_appended_and_none_can_be_forged(tmp_path: Path) -> None:
    path = config(tmp_path, "")
    tell(path, "config.yaml:1:1 한국어: unknown key\nsecond\x1b[31m")
    tell(path, "once more")
    lines = (tmp_path / DEFAULT_NAME).read_text(encoding="utf-8").splitlines()
    assert [line.partition("ERROR ")[2].strip() for line in lines] == [
        "config.yaml:1:1 한국어: unknown key",
        "second\\x1b[31m",
        "once more",
    ]


def test_a_fault_has_its_traceback(tmp_path: Path) -> None:
    path, prompt = config(tmp_path, ""), "tell me a secret"
    try:
        os.environ[prompt]
    except KeyError as fault:
        tell(path, "The gateway has ended by a fault.", fault)
    text = (tmp_path / DEFAULT_NAME).read_text(encoding="utf-8")
    assert "test_start_log.py" in text and "KeyError" in text
    assert prompt not in text


def test_a_folder_that_is_not_there_loses_it_without_a_fault(tmp_path: Path) -> None:
    tell(tmp_path / "missing" / "config.yaml", "cannot be read")
    assert list(tmp_path.iterdir()) == []


class TestServe:
    """The verb without standard handles, as under pythonw."""

    @pytest.fixture
    def serve(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., object]:
        monkeypatch.chdir(tmp_path)

        def exit_code(*arguments: str) -> object:
            with monkeypatch.context() as without:
                for name in ("stdin", "stdout", "stderr"):
                    without.setattr(sys, name, None)
                with pytest.raises(SystemExit) as ended:
                    commands(["serve", *arguments], prog_name="python app.py")
            return ended.value.code

        return exit_code

    def test_a_configuration_with_faults_is_told_in_the_log_file(
        self, serve: Callable[..., object], tmp_path: Path
    ) -> None:
        path = config(tmp_path, "logging: {file: gateway.log}\ngateway: {prot: 1}\n")
        assert serve("-c", str(path)) == 2
        assert 'unknown key "prot"' in (tmp_path / "gateway.log").read_text(encoding="utf-8")

    def test_a_port_in_use_is_told_beside_the_configuration(self, serve: Callable[..., object], tmp_path: Path) -> None:
        with open_listener() as other:
            port = other.getsockname()[1]
            assert serve("-c", str(config(tmp_path, f"gateway: {{port: {port}}}\n"))) == 1
        assert f":{port} is in use" in (tmp_path / DEFAULT_NAME).read_text(encoding="utf-8")

    def test_a_service_outside_its_manager_fails(self, serve: Callable[..., object]) -> None:
        assert serve("--windows-service", "llm-gateway-test") == 1
