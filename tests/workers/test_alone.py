"""A process that serves alone pays nothing for workers, and a parent nothing for what serves."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.served import HANG, ROOT, environment

ALONE = """
import sys
from contextlib import closing
from gateway.cli import commands
from gateway.config.overrides import Overrides
from gateway.default_config import without_file
from gateway.run import run
from gateway.serve import Gateway
with closing(Gateway(without_file({}, Overrides(port=0)), {})) as gateway:
    gateway.start()
print(*sys.modules)
"""
PARENT = """
import sys
from gateway.cli import commands
from gateway.parent import run_parent
print(*sys.modules)
"""


def modules(program: str, folder: Path) -> set[str]:
    """What a process has imported at its end."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=environment(PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        timeout=HANG,
        check=True,
    )
    return set(done.stdout.split())


def test_one_process_imports_the_contract_and_nothing_else_of_workers(tmp_path: Path) -> None:
    found = modules(ALONE, tmp_path)
    assert {each for each in found if each.startswith("gateway.workers")} == {
        "gateway.workers",
        "gateway.workers.siblings",
    }
    assert found.isdisjoint({"mmap", "multiprocessing", "redis", "gateway.parent", "gateway.worker"})


@pytest.mark.skipif(sys.platform == "win32", reason="several workers are POSIX's")
def test_a_parent_imports_nothing_that_serves(tmp_path: Path) -> None:
    found = modules(PARENT, tmp_path)
    heavy = {"flask", "waitress", "requests", "mmap", "multiprocessing", "gateway.assembly", "gateway.serve"}
    assert found.isdisjoint(heavy)
    assert "gateway.workers.parent_hub" in found
