"""docs/configuration.md says what the schema says, and its examples are files that can be served."""

import re
from pathlib import Path

import pytest

from gateway.config.loader import load_text
from gateway.config.schema import SETTING_NAMES
from gateway.providers import catalog
from scripts.configuration_examples import EXAMPLES
from scripts.configuration_page import TARGET, page

VARIABLES = ("ANTHROPIC_API_KEY", "AZURE_OPENAI_API_KEY", "GATEWAY_KEY", "GROQ_API_KEY", "OPENAI_API_KEY")
KEYS = dict.fromkeys(VARIABLES, "a-key-of-a-test")
EXPECTED = "there is no such file|no provider is enabled"
"""Warnings that an example may have: no other tool's file is there, and some sections stand without providers."""


def test_the_page_is_what_the_script_makes() -> None:
    advice = "run: python -m scripts.configuration_page"
    assert TARGET.read_text(encoding="utf-8") == page(), advice


def test_every_setting_has_a_row() -> None:
    text = TARGET.read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    sections = set(re.findall(r"^#{2,3} `(\w+)", text, re.MULTILINE))
    assert rows | sections == SETTING_NAMES


def test_every_row_says_what_it_means() -> None:
    cells = [line.split(" | ") for line in page().splitlines() if line.startswith("| `")]
    assert cells and [row for row in cells if not row[3].rstrip(" |")] == []


@pytest.mark.parametrize("section", EXAMPLES)
def test_an_example_is_a_file_without_a_fault(section: str, tmp_path: Path) -> None:
    loaded = load_text(EXAMPLES[section].encode(), tmp_path / "config.yaml", env=KEYS, checks=[catalog.check(KEYS)])
    surprising = [str(each) for each in loaded.warnings if not re.search(EXPECTED, str(each))]
    assert surprising == []
    assert f"```yaml\n{EXAMPLES[section].strip()}\n```" in page()


def test_readmes_example_is_a_file_without_a_fault(tmp_path: Path) -> None:
    text = (TARGET.parents[1] / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    loaded = load_text(example.encode(), tmp_path / "config.yaml", env=KEYS, checks=[catalog.check(KEYS)])
    assert loaded.warnings == () and len(loaded.config.model_aliases) == 2
