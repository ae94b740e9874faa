"""What the documents name is there."""

import re
from pathlib import Path

from tests.support.cases import each_case

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")
TEST = re.compile(r"`(tests/[\w/]+\.py)`")


@each_case("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_its_links_and_the_tests_it_names_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    missing = [link for link in LINK.findall(text) if not (document.parent / link).exists()]
    missing += [name for name in TEST.findall(text) if not (ROOT / name).is_file()]
    assert missing == []
