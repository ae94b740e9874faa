"""Packages from PyPI that are no requirement of the tests, for tests that let the real clients judge. Installed once,
into pytest's cache."""

import subprocess
import sys
from pathlib import Path

import pytest

INSTALL_SECONDS = 600


def installed(cache: Path, *packages: str) -> Path:
    """A folder for PYTHONPATH with these packages (`name==version`). Skips the test, with the reason, where they cannot
    be installed."""
    folder = cache / "-".join(each.replace("==", "-") for each in packages)
    complete = folder / ".complete"
    if not complete.exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--upgrade", "--target", str(folder), *packages]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            pytest.skip(f"pip did not install {', '.join(packages)} within {INSTALL_SECONDS} s")
        if done.returncode != 0:
            pytest.skip(f"pip cannot install {', '.join(packages)}: {done.stderr.strip()[-300:]}")
        complete.touch()
    return folder
