"""docs/clients.md and README's section on clients say the same of each client, and a test that is named runs it."""

import re
from pathlib import Path
from typing import Final

import pytest

from tests.support.cases import each_case

ROOT: Final = Path(__file__).parent.parent
ROW: Final = re.compile(r"^\| ([^|]+) \| `(http://[^`]+)` \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
BY_HAND, NOT_RUN = "by hand", "not run"
NAMES: Final = {
    "`openai` (Python)": ("import openai", "from openai"),
    "`openai` (Node)": ("openai@",),
    "`anthropic` (Python)": ("import anthropic", "PROGRAMS"),
    "`@anthropic-ai/sdk` (Node)": ("@anthropic-ai/sdk",),
    "LangChain (`langchain-openai`)": ("langchain-openai==",),
    "LlamaIndex (`llama-index-embeddings-openai-like`)": ("llama-index-embeddings-openai-like==",),
    "openai-agents": ("openai-agents==",),
    "AI SDK (`@ai-sdk/openai`)": ("@ai-sdk/openai@",),
    "Codex": ("@openai/codex@",),
    "Claude Code": ("@anthropic-ai/claude-code",),
}
"""How a test that runs the client names it."""


def _rows() -> list[tuple[str, str, str, str]]:
    return ROW.findall((ROOT / "docs/clients.md").read_text(encoding="utf-8"))


def _readme() -> tuple[str, str]:
    """README's section: what was run, and what was not."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition("## Point your client at it")[2].partition("\n## ")[0]
    ran, marker, not_run = section.partition("were not run")
    assert marker
    return ran, not_run


def test_every_row_says_how_it_is_known() -> None:
    ways = [run for *_, run in _rows() if not run.startswith(("`tests/", BY_HAND, NOT_RUN))]
    assert len(_rows()) > 15 and ways == []


@pytest.mark.parametrize(("client", "tests"), [(name, run) for name, *_, run in _rows() if run.startswith("`tests/")])
def test_the_tests_that_a_row_names_run_that_client(client: str, tests: str) -> None:
    for path in re.findall(r"`(tests/[^`]+)`", tests):
        text = (ROOT / path).read_text(encoding="utf-8")
        runs_readme = "PROGRAMS" in text and f"{_short(client)}" in _readme()[0]
        assert runs_readme or any(name in text for name in NAMES[client]), path


def test_readme_says_of_the_same_clients_that_they_were_not_run() -> None:
    ran, not_run = _readme()
    listed = set(re.findall(r"^\| (?!client)([A-Za-z][^|]*) \|", not_run, re.MULTILINE))
    here = {name for name, *_, run in _rows() if run == NOT_RUN and not name.startswith("AI SDK")}
    assert listed == here
    assert [name for name, *_, run in _rows() if run.startswith(BY_HAND) and _short(name) not in ran] == []


@each_case(("client", "address"), [(name, address) for name, address, *_ in _rows()])
def test_readme_gives_the_same_address(client: str, address: str) -> None:
    """README's line for a client, where it has one, has the address of the row."""
    lines = [line for line in "".join(_readme()).splitlines() if line.startswith(f"| {client} |")]
    assert [line for line in lines if not re.search(rf"{re.escape(address)}([`\" ]|/chat)", line)] == []


def _short(client: str) -> str:
    """`openai` of "`openai` (Python)"."""
    return re.sub(r" \(.*|`", "", client)
