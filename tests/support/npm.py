"""Programs from npm, for tests that let the real clients judge. Installed once, into pytest's cache."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

INSTALL_SECONDS = 600


def installed(cache: Path, *packages: str) -> Path:
    """The folder `node_modules` that has these packages (`name@version`), beside which an ES module finds them. Skips
    the test, with the reason, where they cannot be installed."""
    npm = shutil.which("npm")
    named = ", ".join(packages)
    if npm is None or shutil.which("node") is None:
        pytest.skip(f"{named} needs node and npm, which are not there")
    folder = cache / hashlib.sha256(named.encode()).hexdigest()[:16]
    complete = folder / ".complete"
    if not complete.exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true, "type": "module"}')
        command = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", *packages]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            pytest.skip(f"npm did not install {named} within {INSTALL_SECONDS} s")
        if done.returncode != 0:
            pytest.skip(f"npm cannot install {named}: {done.stderr.strip()[-300:]}")
        complete.touch()
    return folder / "node_modules"
