"""What the documents name is there."""

import re
from pathlib import Path
from xml.etree import ElementTree

from tests.support.cases import each_case

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
ANCHOR = re.compile(r"\]\((?!https?://)([^)#]*)#([^)]+)\)")
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")
NAMED = re.compile(r"`((?:gateway|tests|scripts|benchmarks|docs|\.ci)/[\w./-]+)`")


@each_case("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_its_links_and_the_files_it_names_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    missing = [link for link in LINK.findall(text) if not (document.parent / link).exists()]
    missing += [name for name in NAMED.findall(text) if not (ROOT / name).exists()]
    assert missing == []


@each_case("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_its_links_to_sections_find_them(document: Path) -> None:
    linked = [
        (document.parent / name if name else document, anchor)
        for name, anchor in ANCHOR.findall(document.read_text("utf-8"))
    ]
    assert [(page.name, anchor) for page, anchor in linked if anchor not in _anchors(page)] == []


def _anchors(page: Path) -> set[str]:
    """Those of its headings, as forges make them: small letters, no signs, hyphens for spaces."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_readme_links_to_every_page() -> None:
    linked = set(LINK.findall((ROOT / "README.md").read_text("utf-8")))
    assert [page.name for page in sorted(ROOT.glob("docs/*.md")) if f"docs/{page.name}" not in linked] == []


@each_case("picture", sorted(ROOT.glob("docs/**/*.svg")), ids=lambda path: path.name)
def test_a_picture_has_words_both_schemes_and_nothing_from_elsewhere(picture: Path) -> None:
    text = picture.read_text(encoding="utf-8")
    root = ElementTree.fromstring(text)
    named = {root.find(f"{{*}}{kind}") for kind in ("title", "desc")}
    assert root.get("role") == "img" and root.get("viewBox")
    assert {each.get("id") for each in named if each is not None and each.text} == set(
        root.attrib["aria-labelledby"].split()
    )
    assert "@media (prefers-color-scheme: dark)" in text
    assert (
        re.findall(r"https?://(?!www\.w3\.org/2000/svg\")|@import|@font-face|url\(|<(?:script|image|use|a)\b", text)
        == []
    )


DECISIONS = sorted(ROOT.glob("docs/decisions/*.md"))
PARTS = ("Context", "Decision", "Consequences", "Figures")


@each_case("decision", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_the_form_of_all(decision: Path) -> None:
    """Number, subject, status and date, then four parts in one order."""
    lines = decision.read_text(encoding="utf-8").splitlines()
    number = int(decision.stem[:4])
    assert re.fullmatch(rf"# {number}\. [A-Z].+", lines[0])
    assert re.match(r"Status: accepted, \d{4}-\d\d-\d\d[.;]", lines[2])
    assert tuple(re.findall(r"^\*\*(\w+)\b", "\n".join(lines), re.MULTILINE)) == PARTS


def test_no_number_of_a_decision_is_given_twice() -> None:
    numbers = [decision.stem[:4] for decision in DECISIONS]
    assert len(numbers) > 30 and sorted(set(numbers)) == numbers
