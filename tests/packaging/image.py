"""What the Dockerfile builds, on this machine: its own lines, in a folder of their own, and an image's limits.

A container engine is not needed: the image's limits are a user, a read-only tree, no capability and no new privilege,
and Linux gives these to any process that root starts.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.packaging.dockerfile import ENVIRONMENT, ROOT, environment, stages

USER = "10001"
INSTALL_SECONDS = 600
LIMITS = """
set -e
cd /
mount --make-rprivate /
if [ -n "$3" ]; then
  mount --bind "$2" /mnt
  mount -t tmpfs -o mode=0755 tmpfs "$3"
  mkdir -p "$2"
  mount --bind /mnt "$2"
  mount -o remount,ro "$3"
fi
mount --bind "$1" "$1"
mount -o remount,bind,ro /
cd "$1"
shift 3
exec setpriv --reuid 10001 --regid 10001 --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs -- "$@"
"""
"""A root that is read-only but for one folder ($1), then the user without rights. Both end with the process. Where
Python ($2) lies in a folder that no other user may enter ($3), it is shown to them there."""


def limited(data: Path, *command: str) -> list[str]:
    """A command within an image's limits."""
    python = Path(sys.base_prefix).resolve()
    closed = [str(each) for each in reversed(python.parents) if not each.stat().st_mode & 0o001]
    folders = [str(data), str(python), closed[0] if closed else ""]
    return ["unshare", "--mount", "sh", "-c", LIMITS, "sh", *folders, *command]


def run_or_skip(command: Sequence[str], what: str, *, cwd: Path, **more: str) -> None:
    """Run a step of an installation; the test is skipped, with the reason, where no registry can be asked."""
    env = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **more}
    env.pop("PYTHONPATH", None)
    try:
        done = subprocess.run(
            command, cwd=cwd, env=env, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"{what} took longer than {INSTALL_SECONDS} s")
    if done.returncode != 0 and any(
        word in done.stderr for word in ("No matching distribution", "Connection", "resolve")
    ):
        pytest.skip(f"{what}: no registry can be asked: {done.stderr.strip()[-300:]}")
    assert done.returncode == 0, done.stderr[-2000:]


def source(folder: Path, *names: str) -> Path:
    """A copy of these files and folders of the repository, as a build gets them."""
    folder.mkdir()
    for name in names:
        here = ROOT / name
        if here.is_dir():
            shutil.copytree(here, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(here, folder / name)
    return folder


def build(folder: Path) -> Path:
    """Run the lines of the build stage. Returns what the image has as /opt/gateway."""
    stage = stages()[0]
    copied = [name for each in stage if each.name == "COPY" for name in each.rest.split()[:-1]]
    cwd, base, target = source(folder / "build", *copied), folder / "base", folder / "opt"
    run_or_skip([sys.executable, "-m", "venv", str(base)], "an environment like the base image's", cwd=cwd)
    for each in stage:
        if each.name == "RUN":
            command = [word.replace(ENVIRONMENT, str(target)) for word in each.arguments]
            command[0] = str(base / "bin" / command[0])
            run_or_skip(command, each.rest, cwd=cwd)
    return target


def start(opt: Path, data: Path, *arguments: str, port: int) -> subprocess.Popen[str]:
    """A process with the image's variables and limits, and /data as its one folder to write in.

    Args:
        opt: what `build` has made.
        data: in place of /data.
        arguments: the command line.
        port: in place of 8080.
    """
    said = environment(stages()[1])
    env = {name: text.replace("/data", str(data)) for name, text in said.items()}
    env |= {"PATH": f"{opt}/bin:/usr/bin:/bin", "LLM_GATEWAY_PORT": str(port)}
    return subprocess.Popen(
        limited(data, *arguments), env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
