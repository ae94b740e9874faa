"""The wheel, installed into an empty environment by pip and by pipx: its command serves, and names itself."""

import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.packaging.image import run_or_skip, source
from tests.support.served import HANG, ROOT, environment

pytestmark = pytest.mark.slow

SCRIPTS = "Scripts" if sys.platform == "win32" else "bin"
SOURCES = ("gateway", "pyproject.toml", "README.md", "LICENSE")
SMOKE_SECONDS = 120


def python_of(venv: Path) -> str:
    return str(venv / SCRIPTS / "python")


def empty(folder: Path) -> Path:
    """An environment with pip and nothing else."""
    run_or_skip([sys.executable, "-m", "venv", str(folder)], "an empty environment", cwd=folder.parent)
    return folder


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing is left in the repository."""
    folder = tmp_path_factory.mktemp("wheel")
    venv = empty(folder / "builder")
    command = [python_of(venv), "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder / "dist"), "."]
    run_or_skip(command, "building the wheel", cwd=source(folder / "source", *SOURCES))
    (built,) = (folder / "dist").iterdir()
    return built


def by_pip(wheel: Path, folder: Path) -> Path:
    venv = empty(folder / "venv")
    run_or_skip([python_of(venv), "-m", "pip", "install", "--quiet", str(wheel)], "pip install", cwd=folder)
    return venv / SCRIPTS


def by_pipx(wheel: Path, folder: Path) -> Path:
    pipx = empty(folder / "pipx")
    run_or_skip([python_of(pipx), "-m", "pip", "install", "--quiet", "pipx"], "installing pipx", cwd=folder)
    homes = {"PIPX_HOME": str(folder / "home"), "PIPX_BIN_DIR": str(folder / "commands"), "PIPX_DEFAULT_BACKEND": "pip"}
    command = [python_of(pipx), "-m", "pipx", "install", "--quiet", "--python", sys.executable, str(wheel)]
    run_or_skip(command, "pipx install", cwd=folder, **homes)
    return folder / "commands"


@pytest.fixture(scope="module", params=[by_pip, by_pipx], ids=["pip", "pipx"])
def commands(request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the installed command."""
    folder: Path = request.param(wheel, tmp_path_factory.mktemp("installed"))
    return folder


def run(commands: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [str(commands / "llm-gateway"), *arguments]
    return subprocess.run(
        command, cwd=cwd, env=environment(), capture_output=True, text=True, timeout=HANG, check=False
    )


def test_its_command_says_how_it_is_called(commands: Path, tmp_path: Path) -> None:
    assert run(commands, "--help", cwd=tmp_path).stdout.startswith("Usage: llm-gateway [OPTIONS] COMMAND")
    assert run(commands, "--version", cwd=tmp_path).stdout.startswith("llm-gateway ")
    assert run(commands, "login", "acme", cwd=tmp_path).stderr.rstrip().endswith(": llm-gateway login acme")
    done = run(commands, "check", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "") and "fine" in done.stdout


def test_it_serves_and_says_so(commands: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as out:
        command = [str(commands / "llm-gateway"), "--port", "0"]
        process = subprocess.Popen(command, cwd=tmp_path, env=environment(), stdout=out, stderr=subprocess.STDOUT)
    try:
        smoke = [sys.executable, str(ROOT / ".ci/smoke.py"), str(log), str(process.pid)]
        done = subprocess.run(smoke, capture_output=True, text=True, timeout=SMOKE_SECONDS, check=False)
        assert done.returncode == 0, done.stderr + log.read_text()
        address = log.read_text().partition("/v1 ")[0].rpartition("//")[2]
        health = run(commands, "health", "--port", address.rpartition(":")[2], cwd=tmp_path)
        assert (health.returncode, health.stdout) == (0, f"ok: http://{address}\n")
        process.terminate()
        assert process.wait(HANG) == (0 if os.name == "posix" else 1)
    finally:
        process.kill()
        process.wait(HANG)


def test_it_brings_nothing_that_is_not_in_its_file(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    assert all(name.startswith(("gateway/", "llm_local_gateway-")) for name in names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    here = {each.relative_to(ROOT).as_posix() for each in (ROOT / "gateway").rglob("*") if each.is_file()}
    assert {name for name in here if "__pycache__" not in name} == {
        name for name in names if name.startswith("gateway/")
    }
