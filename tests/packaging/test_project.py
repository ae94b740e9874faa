"""The package says what the repository says: its dependencies, its version, its doors."""

import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import gateway
from gateway.upstream.proxied.proxies import VARIABLES
from tests.support.served import HANG, ROOT, environment

WHOLE: Mapping[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT: Mapping[str, Any] = WHOLE["project"]
RANGES = [Requirement(each) for each in PROJECT["dependencies"]]
DOORS = {
    "python app.py": [str(ROOT / "app.py")],
    "python -m gateway": ["-m", "gateway"],
}


def pins(name: str) -> dict[str, Version]:
    """The exact versions of a requirements file."""
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)", (ROOT / name).read_text(), re.MULTILINE)
    return {canonicalize_name(package): Version(version) for package, version in found}


def through(door: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *DOORS[door], *arguments]
    env = environment(PYTHONPATH=str(ROOT))
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=HANG, check=False)


def test_the_package_needs_what_the_repository_needs() -> None:
    lines = (ROOT / "requirements.in").read_text().splitlines()
    asked = {canonicalize_name(line.strip()) for line in lines if line[:1].isalpha()}
    assert {canonicalize_name(each.name) for each in RANGES} == asked


@pytest.mark.parametrize("needed", RANGES, ids=str)
def test_the_exact_version_is_the_lowest_of_its_range_and_the_range_ends(needed: Requirement) -> None:
    exact = pins("requirements.txt")[canonicalize_name(needed.name)]
    assert exact in needed.specifier
    bounds = {each.operator: Version(each.version) for each in needed.specifier}
    assert set(bounds) == {">=", "<"}
    assert bounds[">="] <= exact < bounds["<"]


def test_the_backend_that_the_image_builds_with_is_one_that_the_package_takes() -> None:
    (backend,) = [Requirement(each) for each in WHOLE["build-system"]["requires"]]
    assert pins("requirements-build.txt")[canonicalize_name(backend.name)] in backend.specifier


def test_its_version_and_licence_are_the_repositorys() -> None:
    assert PROJECT["dynamic"] == ["version"]
    text = (ROOT / WHOLE["tool"]["hatch"]["version"]["path"]).read_text()
    assert f'__version__ = "{gateway.__version__}"' in text
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")
    assert (PROJECT["license"], PROJECT["license-files"]) == ("MIT", ["LICENSE"])


def test_its_command_is_there() -> None:
    ((command, target),) = PROJECT["scripts"].items()
    module, _, name = target.partition(":")
    assert command == "llm-gateway"
    assert callable(getattr(importlib.import_module(module), name))


@pytest.mark.parametrize("door", DOORS)
def test_help_names_the_door_by_which_it_came(door: str, tmp_path: Path) -> None:
    done = through(door, "--help", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: {door} [OPTIONS] COMMAND")
    assert through(door, "login", "acme", cwd=tmp_path).stderr.rstrip().endswith(f"{door} login acme")
    assert through(door, "--version", cwd=tmp_path).stdout == f"llm-gateway {gateway.__version__}\n"


def test_the_door_itself_imports_nothing_that_takes_a_moment(tmp_path: Path) -> None:
    """Ctrl-C ends the process quietly from the first import that takes one."""
    code = "import sys, gateway.__main__; print(sorted({'click', 'msgspec', 'gateway.cli'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
    )
    assert done.stdout == "[]\n"


def test_the_version_is_the_newest_of_the_changelog() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    newest, *_ = re.findall(r"^## \[([\d.]+)\] - \d{4}-\d\d-\d\d$", text, re.MULTILINE)
    assert newest == gateway.__version__


def test_a_gateway_that_needs_no_proxy_and_no_login_starts_without_their_libraries(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from gateway.default_config import without_file\n"
        "from gateway.serve import Gateway\n"
        "Gateway(without_file({}), {}).close()\n"
        "print(sorted({'mmap', 'multiprocessing', 'redis', 'requests', 'urllib3'} & set(sys.modules)))"
    )
    proxies = dict.fromkeys(VARIABLES, "")
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(PYTHONPATH=str(ROOT), **proxies),
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_the_extra_for_redis_takes_the_version_that_is_tested() -> None:
    (needed,) = [Requirement(each) for each in PROJECT["optional-dependencies"]["redis"]]
    assert pins("requirements-redis.txt")[canonicalize_name(needed.name)] in needed.specifier
