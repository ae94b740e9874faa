"""Paths of a configuration: an unknown home folder is a fault, a watched file that is missing a warning."""

import os
from pathlib import Path

import pytest

from gateway.config.loader import ConfigError, load, resolve


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's user without an entry in passwd and without HOME: os.path leaves `~` as it is."""
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)


def config(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text("providers: {openai: {apiKey: k}}\n" + text)
    return path


def fault(path: Path) -> str:
    with pytest.raises(ConfigError) as found:
        load(path, env={})
    return str(found.value)


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("auth: {tokenStorePath: ~/.gw/tokens.json}", "auth.tokenStorePath"),
        ("auth: {tokenStorePath: '~'}", "auth.tokenStorePath"),
        ("auth: {watchFiles: [./a.json, ~/b.json]}", "auth.watchFiles[1]"),
        ("auth: {watchFiles: [{path: ~/b.json}]}", "auth.watchFiles[0]"),
    ],
)
@pytest.mark.usefixtures("homeless")
def test_without_a_home_folder_a_tilde_is_a_fault(tmp_path: Path, text: str, setting: str) -> None:
    said = fault(config(tmp_path, text))
    assert f"{setting}: `~` is your home folder, and none is known here: set HOME, or give the whole path" in said


@pytest.mark.usefixtures("homeless")
def test_a_token_file_is_a_path_too_unless_its_provider_is_off(tmp_path: Path) -> None:
    text = "providers: {{p: {{type: openai, enabled: {}, tokenFile: ~/t.json}}}}\n"
    path = tmp_path / "config.yaml"
    path.write_text(text.format("true"))
    assert "providers.p.tokenFile: `~` is your home folder" in fault(path)
    path.write_text(text.format("false"))
    assert load(path, env={}).config.providers["p"].token_file == "~/t.json"


def test_a_user_that_is_unknown_is_a_fault(tmp_path: Path) -> None:
    if os.path.expanduser("~no-such-user-0/x") != "~no-such-user-0/x":
        pytest.skip("Windows makes a folder's name of every user's")
    assert "is no user here" in fault(config(tmp_path, "auth: {tokenStorePath: ~no-such-user-0/x}"))


def test_a_known_home_folder_and_a_tilde_within_a_path_are_fine(tmp_path: Path) -> None:
    loaded = load(config(tmp_path, "auth: {tokenStorePath: ~/t.json, watchFiles: [./a~b.json]}"), env={})
    assert resolve(loaded.config.auth.token_store_path, tmp_path) == Path.home() / "t.json"


def test_a_watched_file_that_is_not_there_is_a_warning_at_its_place(tmp_path: Path) -> None:
    (tmp_path / "there.json").write_text("{}")
    path = config(tmp_path, "auth:\n  watchFiles:\n    - ./there.json\n    - ./mising.json\n    - {path: gone.json}\n")
    warnings = [str(warning) for warning in load(path, env={}).warnings]
    assert warnings == [
        f"{path}:5:7 auth.watchFiles[1]: there is no such file (yet)",
        f"{path}:6:7 auth.watchFiles[2]: there is no such file (yet)",
    ]
