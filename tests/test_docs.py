"""What the documents name is there."""

import re
from pathlib import Path

import pytest

from gateway.core import errors, provider_failures

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")
TEST = re.compile(r"`(tests/[\w/]+\.py)`")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_its_links_and_the_tests_it_names_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    missing = [link for link in LINK.findall(text) if not (document.parent / link).exists()]
    missing += [name for name in TEST.findall(text) if not (ROOT / name).is_file()]
    assert missing == []


def test_every_error_code_has_a_row_with_its_status() -> None:
    text = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    kinds = [kind for module in (errors, provider_failures) for kind in vars(module).values() if _is_error(kind)]
    missing = [kind.__name__ for kind in kinds if f"| `{kind.code or 'null'}` | {kind.status} |" not in text]
    assert kinds and missing == []


def _is_error(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, errors.GatewayError) and kind is not errors.GatewayError
