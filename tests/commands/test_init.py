"""`init` on made-up machines: what it finds, says and writes, and that its file passes `check`."""

import stat
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.commands.accounts import CommandFailed
from gateway.commands.init import command, discovery
from gateway.commands.init.discovery import Machine
from gateway.commands.init.models import SUGGESTED
from gateway.core.clock import SystemClock
from gateway.providers.vendors import VENDORS
from tests.commands.made_up import CANARY, MadeUp
from tests.commands.test_login import Terminal
from tests.support.served import run_here


@pytest.fixture
def made_up(tmp_path: Path) -> MadeUp:
    return MadeUp(tmp_path)


class TestNothing:
    def test_it_says_what_to_do_and_writes_nothing(self, made_up: MadeUp) -> None:
        with pytest.raises(CommandFailed) as failed:
            made_up.init()
        assert failed.value.exit_code == 1
        for way in ("OPENAI_API_KEY", "Ollama", "config.example.yaml", "`python app.py` serves"):
            assert way in str(failed.value)
        assert not made_up.target.exists()

    def test_a_key_that_cannot_be_used_is_told(self, made_up: MadeUp) -> None:
        made_up.environ["OPENAI_API_KEY"] = f'"{CANARY}"'
        with pytest.raises(CommandFailed):
            made_up.init()
        assert "OPENAI_API_KEY" in made_up.terminal.said
        assert CANARY not in made_up.terminal.said


class TestKeysInTheEnvironment:
    @pytest.fixture(autouse=True)
    def keys(self, made_up: MadeUp) -> None:
        made_up.environ |= dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GROQ_API_KEY"), CANARY)

    def test_each_is_a_provider_whose_key_stays_in_the_environment(self, made_up: MadeUp) -> None:
        said = made_up.init()
        assert "  anthropic  a key in ANTHROPIC_API_KEY\n" in said
        assert 'apiKey: "${GROQ_API_KEY}"' in made_up.text()
        assert CANARY not in said + made_up.text()
        loaded = made_up.checked()
        assert loaded.warnings == ()
        assert set(loaded.config.providers) == {"openai", "anthropic", "groq"}

    def test_the_aliases_ask_the_suggested_models_and_the_patterns_those_of_the_vendor(self, made_up: MadeUp) -> None:
        made_up.init()
        order = [vendor for vendor in SUGGESTED if vendor in ("openai", "anthropic")]
        assert made_up.targets() == {
            "best": [f"{vendor}/{SUGGESTED[vendor].best}" for vendor in order],
            "fast": [f"{vendor}/{SUGGESTED[vendor].fast}" for vendor in order],
            "gpt-*": ["openai/gpt-*"],
            "claude-*": ["anthropic/claude-*"],
        }

    def test_it_checks_the_file_and_says_the_next_command(self, made_up: MadeUp) -> None:
        *_, checked, after = made_up.init().splitlines()
        assert checked.endswith("config.yaml: fine; 4 aliases, 3 of 3 providers enabled")
        assert after == "Next: python app.py"

    @pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
    def test_only_its_owner_may_read_the_file(self, made_up: MadeUp) -> None:
        made_up.init()
        assert stat.S_IMODE(made_up.target.stat().st_mode) == 0o600

    def test_without_a_terminal_it_asks_nothing(self, made_up: MadeUp) -> None:
        made_up.init()
        assert made_up.terminal.asked == []

    @pytest.mark.parametrize(("ask", "answers"), [(True, (True,)), (False, ())])
    def test_a_person_is_asked_unless_they_said_yes(
        self, made_up: MadeUp, ask: bool, answers: tuple[bool, ...]
    ) -> None:
        made_up.terminal = Terminal(person=True, answers=answers)
        made_up.init(ask=ask)
        assert len(made_up.terminal.asked) == len(answers)
        assert made_up.target.exists()

    def test_a_person_who_says_no_gets_no_file(self, made_up: MadeUp) -> None:
        made_up.terminal = Terminal(person=True, answers=(False,))
        with pytest.raises(CommandFailed) as failed:
            made_up.init()
        assert (str(failed.value), failed.value.exit_code) == ("Nothing was written.", 1)
        assert not made_up.target.exists()

    def test_a_folder_that_is_not_there_is_one_line(self, made_up: MadeUp) -> None:
        made_up.target = made_up.home / "none" / "config.yaml"
        with pytest.raises(CommandFailed, match="cannot be written: "):
            made_up.init()


class TestAnExistingFile:
    def test_it_stays_as_it_is(self, made_up: MadeUp) -> None:
        made_up.environ["OPENAI_API_KEY"] = CANARY
        made_up.target.write_text("mine")
        with pytest.raises(CommandFailed, match="is there already") as failed:
            made_up.init()
        assert failed.value.exit_code == 2
        assert made_up.text() == "mine"

    def test_one_that_came_meanwhile_stays_too(self, made_up: MadeUp) -> None:
        made_up.environ["OPENAI_API_KEY"] = CANARY
        found = discovery.look(made_up.machine)
        made_up.target.write_text("mine")
        with pytest.raises(CommandFailed, match="is there already"):
            command.write(found, made_up.target, made_up.machine, made_up.terminal, ask=False)
        assert made_up.text() == "mine"

    @pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
    def test_a_link_to_nothing_is_a_file_too(self, made_up: MadeUp) -> None:
        made_up.target.symlink_to(made_up.home / "none")
        with pytest.raises(CommandFailed, match="is there already"):
            command.refuse_existing(made_up.target)


class TestTheLineForEditors:
    def test_it_stands_where_the_schema_is(self, tmp_path: Path) -> None:
        root = tmp_path / "pro gram"
        (root / "docs").mkdir(parents=True)
        assert command.schema_for(tmp_path / "config.yaml", root) is None
        (root / command.SCHEMA).write_text("{}")
        assert command.schema_for(root / "config.yaml", root) == "docs/config.schema.json"
        elsewhere = command.schema_for(tmp_path / "other" / "config.yaml", root)
        assert elsewhere == (root / command.SCHEMA).as_uri()
        assert command.schema_for(tmp_path / "config.yaml", root) == elsewhere, "a space ends the address"
        assert " " not in elsewhere


class TestTheVerb:
    """On this machine, at the servers' usual ports nobody is asked: they stand in for by none."""

    @pytest.fixture(autouse=True)
    def nobody_listens(self, monkeypatch: pytest.MonkeyPatch) -> None:
        real = discovery.this_machine

        def without_servers(environ: Mapping[str, str], clock: SystemClock) -> Machine:
            found = real(environ, clock)
            return Machine(found.environ, None, {}, clock)

        monkeypatch.setattr(discovery, "this_machine", without_servers)

    def env(self, folder: Path) -> dict[str, str]:
        return {"OPENAI_API_KEY": CANARY, "CLOUDSDK_CONFIG": str(folder), "CODEX_HOME": str(folder)}

    def test_it_writes_checks_and_says_the_next_command(self, tmp_path: Path) -> None:
        done = run_here("init", cwd=tmp_path, **self.env(tmp_path))
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines()[:3] == [
            "Found on this machine:",
            "  openai  a key in OPENAI_API_KEY",
            "Written: config.yaml",
        ]
        assert done.stdout.splitlines()[-1] == "Next: python app.py"
        assert run_here("check", cwd=tmp_path, **self.env(tmp_path)).returncode == 0
        again = run_here("init", "--yes", cwd=tmp_path, **self.env(tmp_path))
        assert (again.returncode, again.stdout) == (2, "")

    def test_another_file_is_named_in_the_next_command(self, tmp_path: Path) -> None:
        done = run_here("init", "-c", "my gateway.yaml", cwd=tmp_path, **self.env(tmp_path))
        assert done.stdout.splitlines()[-1] == 'Next: python app.py -c "my gateway.yaml"'
        assert [each.name for each in tmp_path.iterdir()] == ["my gateway.yaml"]

    def test_the_variable_names_the_file_too(self, tmp_path: Path) -> None:
        done = run_here("init", cwd=tmp_path, **self.env(tmp_path), LLM_GATEWAY_CONFIG="here.yaml")
        assert done.stdout.splitlines()[-1] == "Next: python app.py"
        assert [each.name for each in tmp_path.iterdir()] == ["here.yaml"]

    def test_printed_it_is_the_file_alone_and_nothing_is_written(self, tmp_path: Path) -> None:
        done = run_here("init", "--print", cwd=tmp_path, **self.env(tmp_path))
        assert done.returncode == 0
        assert "Found on this machine:" in done.stderr
        assert list(tmp_path.iterdir()) == []
        (tmp_path / "config.yaml").write_text(done.stdout)
        assert run_here("check", cwd=tmp_path, **self.env(tmp_path)).returncode == 0

    def test_nothing_found_is_exit_code_1(self, tmp_path: Path) -> None:
        done = run_here("init", cwd=tmp_path, **self.env(tmp_path) | {"OPENAI_API_KEY": ""})
        assert (done.returncode, done.stdout) == (1, "")
        assert "config.example.yaml" in done.stderr


def test_each_suggestion_is_for_a_vendor_that_is_known() -> None:
    assert set(SUGGESTED) <= set(VENDORS)
