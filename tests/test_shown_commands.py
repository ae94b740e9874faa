"""The commands of README and of the pages in docs are run as they stand there.

Before a block of commands may stand one comment:
- `<!-- ci: NAME -->`: `.ci/run` runs the block of this name, in a fresh copy; it is the same on every page.
- `<!-- in: FILE -->`: each of its lines stands in that script of CI.
- `<!-- run by: TEST, ... -->`: tests of their own run the program, which needs more than a line.
- `<!-- not run: REASON -->`: it is not run. NOT_RUN counts these.

Every other block is run here, line by line, in a folder that looks like a copy of the repository (slow).
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.support import npm, pypi
from tests.support.cases import each_case
from tests.support.running import Running, running

ROOT: Final = Path(__file__).parent.parent
PAGES: Final = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md")))
SHELLS: Final = frozenset({"sh", "powershell"})
NOT_RUN: Final = Counter({"README.md": 2, "docs/install.md": 1})
"""In README PowerShell and a login; Docker where the gateway is installed."""

BLOCK: Final = re.compile(r"(?:^<!-- ([\w ]+): ([^\n]+) -->\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ADDRESS: Final = re.compile(r"http://(?:localhost|127\.0\.0\.1):8080")
RUN_SECONDS: Final = 60
LANGCHAIN: Final = "langchain-openai==1.7.4"
OPENAI_NODE: Final = "openai@6.49.0"


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: the file that it stands in.
        mark, value: the comment before it; empty where there is none.
        language: as the fence says.
        text: the lines.
        shown: the block after it, where that has no language: what the commands print.
    """

    page: str
    mark: str
    value: str
    language: str
    text: str
    shown: str = ""

    @property
    def lines(self) -> list[str]:
        """The commands, without what is said about them."""
        return [re.sub(r"\s+# .*", "", line) for line in self.text.splitlines()]


def _blocks() -> Iterator[Block]:
    for page in PAGES:
        found = BLOCK.findall(page.read_text(encoding="utf-8"))
        following = [*found[1:], ("", "", "sh", "")]
        for (mark, value, language, text), (_, _, next_language, printed) in zip(found, following, strict=False):
            shown = "" if next_language else printed
            yield Block(page.relative_to(ROOT).as_posix(), mark, value, language, text, shown)


BLOCKS: Final = tuple(_blocks())
COMMANDS: Final = tuple(block for block in BLOCKS if block.language in SHELLS)
WITH_PROGRAMS: Final = ("README.md", "docs/clients.md")
PROGRAMS: Final = tuple(block for block in BLOCKS if block.page in WITH_PROGRAMS and block.language in ("python", "js"))


def test_what_is_not_run_is_marked_and_counted() -> None:
    assert Counter(block.page for block in BLOCKS if block.mark == "not run") == NOT_RUN
    assert [block.text for block in COMMANDS if block.language == "powershell" and block.mark != "not run"] == []
    assert {block.mark for block in COMMANDS} == {"", "ci", "in", "run by", "not run"}


def test_every_comment_about_a_block_stands_before_a_block() -> None:
    written = sum(
        len(re.findall(r"<!-- (?:ci|in|run by|not run):", page.read_text(encoding="utf-8"))) for page in PAGES
    )
    assert written == len([block for block in BLOCKS if block.mark])


@each_case("page", PAGES, ids=lambda page: page.name)
def test_no_command_stands_outside_a_fence(page: Path) -> None:
    """Where it would not be run. A synopsis, with what may be left out in brackets, is no command."""
    prose = BLOCK.sub("", page.read_text(encoding="utf-8"))
    programs = r"(?:\.venv/bin/|python|pip|pipx|uv|curl|docker|bash|llm-gateway)\b"
    assert re.findall(rf"^ {{4,}}{programs}[^\[\n]*$", prose, re.MULTILINE) == []


@pytest.mark.parametrize(
    "block", [block for block in COMMANDS if block.mark == "ci"], ids=lambda block: f"{block.page}: {block.value}"
)
def test_the_continuous_integration_runs_what_says_so(block: Block) -> None:
    assert {each.text for each in COMMANDS if (each.mark, each.value) == ("ci", block.value)} == {block.text}
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    (variable,) = re.findall(rf"^(\w+)=\$\(shown_command {re.escape(block.value)}\)$", script, re.MULTILINE)
    assert re.search(rf'^step .* "\${variable}"$', script, re.MULTILINE)


@pytest.mark.parametrize(
    "block", [block for block in COMMANDS if block.mark == "in"], ids=lambda block: block.text[:20]
)
def test_a_line_that_stands_in_a_script_is_the_same_there(block: Block) -> None:
    script = (ROOT / block.value).read_text(encoding="utf-8")
    missing = [
        line for line in block.lines if not re.search(rf"(^|[ `]){re.escape(line)}($|[ `])", script, re.MULTILINE)
    ]
    assert block.value.startswith(".ci/") and missing == []


@pytest.mark.parametrize("block", [block for block in COMMANDS if block.mark == "run by"], ids=lambda block: block.page)
def test_the_test_that_a_block_names_sets_what_the_block_sets(block: Block) -> None:
    test = "".join((ROOT / path).read_text(encoding="utf-8") for path in block.value.split(", "))
    words = re.findall(r"\b([A-Z][A-Z_]+)=", block.text)
    for line in block.lines:
        words += line.partition("app.py ")[2].split()
    assert words and [word for word in words if word not in test] == []


@pytest.fixture(scope="module")
def gateway() -> Iterator[Running]:
    """What README starts: a gateway without a configuration file."""
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository as its commands see it, with an environment in `.venv`."""
    made = tmp_path_factory.mktemp("copy")
    (made / "docs").mkdir()
    for name in ("app.py", "gateway", "scripts"):
        (made / name).symlink_to(ROOT / name)
    program = made / ".venv/bin/python"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    program.chmod(0o755)
    return made


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the commands are for a POSIX shell")
def test_every_other_block_runs(folder: Path, gateway: Running) -> None:
    """In their order, because one command writes the file that the next one reads."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    blocks = [block for block in COMMANDS if not block.mark]
    assert len(blocks) >= 4
    for block in blocks:
        printed = "".join(_run(line, folder, gateway.url) for line in block.lines if line)
        missing = [line for line in block.shown.splitlines() if line not in printed.splitlines()]
        assert missing == [], f"{block.text} printed:\n{printed}"


@pytest.mark.slow
@pytest.mark.parametrize("block", PROGRAMS, ids=lambda block: f"{block.page}: {block.text.splitlines()[0]}")
def test_each_program_prints_an_answer(
    block: Block, gateway: Running, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    program = ["node", "chat.mjs"] if block.language == "js" else [sys.executable, "chat.mjs"]
    path, environ = tmp_path, _environ(tmp_path)
    if block.language == "js":
        path = npm.installed(pytestconfig.cache.mkdir("npm"), OPENAI_NODE).parent
    elif "langchain" in block.text:
        environ["PYTHONPATH"] = str(pypi.installed(pytestconfig.cache.mkdir("pypi"), LANGCHAIN))
    (path / "chat.mjs").write_text(ADDRESS.sub(gateway.url, block.text), encoding="utf-8")
    done = subprocess.run(
        program, cwd=path, env=environ, capture_output=True, text=True, timeout=RUN_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Hello" in done.stdout


def _environ(home: Path) -> dict[str, str]:
    """Two keys, as README's example of `init` has them, and nothing else of this machine's."""
    keys = {"OPENAI_API_KEY": "key-of-a-test", "ANTHROPIC_API_KEY": "key-of-a-test"}
    return {"PATH": os.environ["PATH"], "HOME": str(home), "NO_PROXY": "*", "LC_ALL": "C.UTF-8", **keys}


def _run(line: str, folder: Path, address: str) -> str:
    """Run one line; what it has printed. A gateway that it starts is stopped as soon as it serves."""
    command = ADDRESS.sub(address, line)
    if re.search(r"app\.py .*--port", command):
        return _start_and_stop(re.sub(r"--port \d+", "--port 0", command), folder)
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", command],
        cwd=folder,
        env=_environ(folder),
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
    return f"{done.stdout}\n".replace("\r", "")


def _start_and_stop(command: str, folder: Path) -> str:
    with subprocess.Popen(
        ["bash", "-c", f"exec {command}"],
        cwd=folder,
        env=_environ(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        served = next((line for line in process.stdout if "http://127.0.0.1:" in line), "")
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
        assert served and process.wait(RUN_SECONDS) == 0, rest
    return served
