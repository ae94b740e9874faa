"""docs/clients.md and README's table of clients say the same of each client, and a test that is named runs it."""

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
IN_README: Final = {
    "`openai` (Python)": "OpenAI's SDKs",
    "`openai` (Node)": "OpenAI's SDKs",
    "`anthropic` (Python)": "Anthropic's SDKs",
    "`@anthropic-ai/sdk` (Node)": "Anthropic's SDKs",
    "AI SDK (`@ai-sdk/openai-compatible`, `@ai-sdk/anthropic`)": "AI SDK",
    "LlamaIndex (`llama-index-embeddings-openai-like`)": None,
    "PowerShell": None,
}
"""README's name of a client where it is another one; None where README has no row for it."""


def _rows() -> list[tuple[str, str, str, str]]:
    return ROW.findall((ROOT / "docs/clients.md").read_text(encoding="utf-8"))


def _readme() -> dict[str, tuple[str, str]]:
    """README's table of clients: by each name in its first column, the setting and how it is known."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition("## Your client")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (?!client)([A-Z\w][^|]*) \| ([^|]+) \| ([^|]+) \|$", section, re.MULTILINE)
    return {name: (setting, run) for names, setting, run in rows for name in names.split(", ")}


def test_every_row_says_how_it_is_known() -> None:
    ways = [run for *_, run in _rows() if not run.startswith(("`tests/", BY_HAND, NOT_RUN))]
    assert len(_rows()) > 15 and ways == []


@pytest.mark.parametrize(("client", "tests"), [(name, run) for name, *_, run in _rows() if run.startswith("`tests/")])
def test_the_tests_that_a_row_names_run_that_client(client: str, tests: str) -> None:
    for path in re.findall(r"`(tests/[^`]+)`", tests):
        text = (ROOT / path).read_text(encoding="utf-8")
        runs_page = "PROGRAMS" in text and not _packages(client).isdisjoint(_programs())
        assert runs_page or any(name in text for name in NAMES[client]), path


@each_case(("client", "address", "run"), [(name, address, run) for name, address, _, run in _rows()])
def test_readme_says_the_same_of_it(client: str, address: str, run: str) -> None:
    """The address, and how it is known. README has one row for some clients together, and none for a few."""
    name = IN_README.get(client, _short(client))
    if name is None:
        return
    setting, known = _readme()[name]
    assert re.search(rf"{re.escape(address)}[`\" ]", setting)
    assert {"`tests/": "by tests", BY_HAND: BY_HAND, NOT_RUN: NOT_RUN}[_way(run)] in known


def test_readme_names_no_client_that_is_not_here() -> None:
    here = {IN_README.get(name, _short(name)) for name, *_ in _rows()}
    assert set(_readme()) - here == set()


def _way(run: str) -> str:
    return next(each for each in ("`tests/", BY_HAND, NOT_RUN) if run.startswith(each))


def _packages(client: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", client))


def _programs() -> set[str]:
    """The packages whose programs stand on the page."""
    text = (ROOT / "docs/clients.md").read_text(encoding="utf-8")
    return set(re.findall(r"^\w+ \(`([\w-]+)`[^)]*\):\n\n```(?:python|js)$", text, re.MULTILINE))


def _short(client: str) -> str:
    """`openai` of "`openai` (Python)"."""
    return re.sub(r" \(.*|`", "", client)
