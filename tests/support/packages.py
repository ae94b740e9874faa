"""Other people's clients, installed from npm or PyPI for a test that runs them; where that cannot be, it skips."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

INSTALL_SECONDS = 300


def from_npm(folder: Path, *packages: str) -> Path:
    """A folder with these packages (`name@version`) in node_modules."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    _install([npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", *packages], folder, packages)
    return folder


def from_pypi(folder: Path, *packages: str) -> Path:
    """A folder for PYTHONPATH with these packages (`name==version`)."""
    _install([sys.executable, "-m", "pip", "install", "-q", "--target", str(folder), *packages], folder, packages)
    return folder


def _install(command: Sequence[str], folder: Path, packages: Sequence[str]) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"{' '.join(packages)} could not be installed in {INSTALL_SECONDS} s")
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        pytest.skip(f"{' '.join(packages)} could not be installed: {last}")
