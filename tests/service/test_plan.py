"""What `service install` would install, and what a service would not see."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.loader import ConfigError, Loaded, load
from gateway.providers import catalog
from gateway.service.command_line import program, windows_quoted
from gateway.service.manager import Service, ServiceFailed
from gateway.service.plan import Plan, as_served, plan

KEY = "sk-0123456789abcdef"
PROGRAM = ("/usr/bin/python3", "/srv/app.py")


@dataclass
class Manager:
    """One that gives its services these variables."""

    variables: Mapping[str, str] = field(default_factory=dict)
    own_log: bool = True
    fault: str = ""
    where_variables_go: str = "in a file"
    place: str = "nowhere"

    def visible(self, names: Sequence[str]) -> Mapping[str, str]:
        if self.fault:
            raise ServiceFailed(self.fault)
        return {name: self.variables[name] for name in names if name in self.variables}

    def document(self, service: Service) -> bytes:
        raise NotImplementedError

    def install(self, service: Service) -> Sequence[str]:
        raise NotImplementedError

    uninstall = stop = install

    def start(self) -> Sequence[str]:
        raise NotImplementedError

    logs = start

    def status(self) -> str:
        raise NotImplementedError


def planned(path: Path, manager: Manager, **environ: str) -> Plan:
    def check(env: Mapping[str, str]) -> Loaded:
        return load(path, env=env, checks=[catalog.check(env)])

    return plan(PROGRAM, check, manager, environ)


def config(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text)
    return path


def test_it_is_the_configurations(tmp_path: Path) -> None:
    path = config(tmp_path, "gateway: {port: 9090, drainSeconds: 5}\nproviders: {demo: {}}\n")
    assert planned(path, Manager()) == Plan(Service(PROGRAM, str(path), str(tmp_path), 9090, 5.0))


@pytest.mark.skipif(sys.platform == "win32", reason="a link needs a right there")
def test_its_path_is_whole_and_a_link_stays_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config(tmp_path, "providers: {demo: {}}\n").rename(tmp_path / "real.yaml")
    (tmp_path / "config.yaml").symlink_to("real.yaml")
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path / "folder")
    assert planned(Path("../config.yaml"), Manager()).service.config == str(tmp_path / "config.yaml")


def test_a_file_with_faults_is_refused_with_them(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="prot"):
        planned(config(tmp_path, "gateway: {prot: 1}\n"), Manager())


class TestAVariableOfTheTerminal:
    """Written out, a vendor's own, and one with a default; beside one that stands in the terminal and is not read."""

    @pytest.mark.parametrize("text", ['openai: {apiKey: "${OPENAI_API_KEY}"}', "openai: {}"])
    def test_without_which_the_service_cannot_start_keeps_it_from_being_installed(
        self, text: str, tmp_path: Path
    ) -> None:
        path = config(tmp_path, f"providers: {{{text}}}\n")
        found = planned(path, Manager(), OPENAI_API_KEY=KEY, OTHER="x")
        assert found.warnings == ("the service does not see OPENAI_API_KEY of this terminal; give it to it in a file",)
        assert found.refusal is not None
        assert found.refusal.startswith("not installed, because the service could not start:\n")
        assert "OPENAI_API_KEY" in found.refusal and KEY not in found.refusal

    def test_that_the_service_sees_too_is_not_named(self, tmp_path: Path) -> None:
        path = config(tmp_path, "providers: {openai: {}}\n")
        found = planned(path, Manager({"OPENAI_API_KEY": KEY}), OPENAI_API_KEY=KEY)
        assert (found.warnings, found.refusal) == ((), None)

    def test_that_only_the_service_sees_is_enough(self, tmp_path: Path) -> None:
        path = config(tmp_path, "providers: {openai: {}}\n")
        found = planned(path, Manager({"OPENAI_API_KEY": KEY}))
        assert (found.warnings, found.refusal) == ((), None)

    def test_that_has_a_default_is_named_and_no_more(self, tmp_path: Path) -> None:
        path = config(tmp_path, 'providers: {demo: {}}\nlogging: {level: "${LEVEL:-info}"}\n')
        found = planned(path, Manager(), LEVEL="debug")
        assert (len(found.warnings), "LEVEL" in found.warnings[0], found.refusal) == (1, True, None)

    @pytest.mark.parametrize("name", ["HTTPS_PROXY", "no_proxy", "REQUESTS_CA_BUNDLE"])
    def test_about_connections_is_named_too(self, name: str, tmp_path: Path) -> None:
        found = planned(config(tmp_path, "providers: {demo: {}}\n"), Manager(), **{name: "x"})
        assert [name in warning for warning in found.warnings] == [True]


def test_a_port_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    found = planned(config(tmp_path, "gateway: {port: 0}\nproviders: {demo: {}}\n"), Manager())
    assert found.refusal == "not installed: a service needs a gateway.port that is not 0"


@pytest.mark.parametrize(("text", "warned"), [("", True), ("logging: {file: gateway.log}\n", False)])
def test_without_any_log_it_warns(text: str, warned: bool, tmp_path: Path) -> None:
    path = config(tmp_path, f"providers: {{demo: {{}}}}\n{text}")
    assert ("logging.file" in "".join(planned(path, Manager(own_log=False)).warnings)) is warned


def test_a_manager_that_does_not_answer_is_a_refusal_and_the_file_can_be_shown(tmp_path: Path) -> None:
    found = planned(config(tmp_path, "providers: {demo: {}}\n"), Manager(fault="nobody there"))
    assert (found.refusal, found.service.port) == ("nobody there", 8080)


def test_to_stop_it_the_variables_of_the_service_count_too(tmp_path: Path) -> None:
    path = config(tmp_path, "gateway: {port: 9090}\nproviders: {openai: {}}\n")

    def check(env: Mapping[str, str]) -> Loaded:
        return load(path, env=env, checks=[catalog.check(env)])

    assert as_served(check, Manager({"OPENAI_API_KEY": KEY}), {}).config.gateway.port == 9090
    for manager in (Manager(), Manager(fault="nobody there")):
        with pytest.raises(ConfigError):
            as_served(check, manager, {})


class TestTheCommandLine:
    def test_is_app_py_where_that_stands_beside_the_package(self) -> None:
        python, door = program("/usr/bin/python3")
        assert (python, Path(door).name, Path(door).is_absolute()) == ("/usr/bin/python3", "app.py", True)

    def test_is_the_module_where_the_package_is_installed(self, tmp_path: Path) -> None:
        assert program("/usr/bin/python3", tmp_path / "app.py") == ("/usr/bin/python3", "-P", "-m", "gateway")

    @given(st.lists(st.text(st.characters(exclude_characters='"', exclude_categories=["C"]), min_size=1)))
    def test_a_program_of_windows_takes_it_apart_as_it_was(self, arguments: list[str]) -> None:
        assert taken_apart(windows_quoted(arguments)) == arguments

    def test_paths_are_quoted_and_words_are_not(self) -> None:
        assert windows_quoted([r"C:\a\app.py", "serve", "-c", "C:\\x\\"]) == r'"C:\a\app.py" serve -c "C:\x\\"'


def taken_apart(text: str) -> list[str]:
    """As Microsoft's C library does it: backslashes count before a quote only."""
    found, current, quoted, begun = list[str](), "", False, False
    index = 0
    while index < len(text):
        backslashes = 0
        while index < len(text) and text[index] == "\\":
            backslashes, index = backslashes + 1, index + 1
        if index < len(text) and text[index] == '"':
            current += "\\" * (backslashes // 2)
            if backslashes % 2:
                current += '"'
            else:
                quoted, begun = not quoted, True
            index += 1
            continue
        current += "\\" * backslashes
        if index < len(text):
            if text[index] in " \t" and not quoted:
                found, current, begun = [*found, *([current] if begun or current else [])], "", False
            else:
                current, begun = current + text[index], True
            index += 1
    return [*found, *([current] if begun or current else [])]
