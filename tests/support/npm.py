"""Programs from npm, for tests that let the real clients judge. Installed once, into pytest's cache."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

INSTALL_SECONDS = 600


def installed(package: str, version: str, cache: Path) -> Path:
    """The folder `node_modules` that has the package. Skips the test, with the reason, where it cannot be installed."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip(f"{package} {version} needs node and npm, which are not there")
    folder = cache / f"{package.rpartition('/')[2]}-{version}"
    modules = folder / "node_modules"
    found = modules / package / "package.json"
    if not (found.exists() and json.loads(found.read_text("utf-8"))["version"] == version):
        folder.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", f"{package}@{version}"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            pytest.skip(f"npm did not install {package} {version} within {INSTALL_SECONDS} s")
        if done.returncode != 0:
            pytest.skip(f"npm cannot install {package} {version}: {done.stderr.strip()[-300:]}")
    return modules
