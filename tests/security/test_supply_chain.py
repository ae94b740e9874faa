"""What is installed is what was looked at, and importing it asks nobody."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PIN = re.compile(r"[a-z0-9][a-z0-9._-]*(\[[a-z0-9,._-]+\])?==[0-9][0-9a-z.+!-]*( ; [^\\]+)?")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
FORBID = """
import socket, sys, tracemalloc
def forbidden(*args, **kwargs):
    raise AssertionError("the network was asked for at import")
for name in ("socket", "create_connection", "create_server", "getaddrinfo", "gethostbyname", "socketpair"):
    setattr(socket, name, type(name, (), {"__init__": forbidden}) if name == "socket" else forbidden)
sys.addaudithook(lambda event, args: forbidden() if event.startswith(("socket.", "subprocess.", "os.system")) else None)
import importlib, pkgutil, threading, gateway
for found in pkgutil.walk_packages(gateway.__path__, "gateway."):
    importlib.import_module(found.name)
assert threading.active_count() == 1, threading.enumerate()
print("imported", len([name for name in sys.modules if name.startswith("gateway.")]))
"""


@pytest.mark.parametrize(
    "name",
    [
        "requirements.txt",
        "requirements-dev.txt",
        "requirements-build.txt",
        "requirements-browser.txt",
        "requirements-redis.txt",
    ],
)
def test_every_requirement_has_one_version_and_the_hashes_of_its_files(name: str) -> None:
    text = (ROOT / name).read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert len(lines) >= 2
    for line in lines:
        requirement, *hashes = re.split(r"\s+(?=--hash)", line.strip())
        assert PIN.fullmatch(requirement), requirement
        assert hashes and all(HASH.fullmatch(each) for each in hashes), requirement


@pytest.mark.parametrize(
    "name",
    [
        "requirements.in",
        "requirements-dev.in",
        "requirements-build.in",
        "requirements-browser.in",
        "requirements-redis.in",
    ],
)
def test_what_is_asked_for_is_pinned(name: str) -> None:
    pinned = {
        line.partition("==")[0].partition("[")[0].lower()
        for line in (ROOT / name.replace(".in", ".txt")).read_text().splitlines()
        if "==" in line and not line.startswith((" ", "#"))
    }
    asked = [line.strip().lower() for line in (ROOT / name).read_text().splitlines() if line[:1].isalpha()]
    assert asked and {re.sub("[-_.]+", "-", each) for each in asked} <= {re.sub("[-_.]+", "-", each) for each in pinned}


def test_no_import_opens_a_socket_runs_a_program_or_starts_a_thread() -> None:
    command = [sys.executable, "-c", FORBID]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[1]) > 80
