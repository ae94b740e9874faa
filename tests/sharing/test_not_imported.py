"""A gateway that shares nothing loads nothing of what sharing needs."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
CODE = """
import sys
from gateway import serve
from gateway.config.loader import parse
from gateway.together import together
together(parse(b"providers: {demo: {}}", "c", env={}))
foreign = {"redis", "mmap", "multiprocessing"}
own = ("gateway.limits.redis", "gateway.limits.slots_commands", "gateway.sharing.redis_link", "gateway.sharing.shared")
print([each for each in sys.modules if each.split(".")[0] in foreign or each.startswith(own)])
"""


def test_without_sharing_nothing_of_it_is_imported() -> None:
    command = [sys.executable, "-c", CODE]
    done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
