"""The page's words: the same ones in both languages, and no file of it has any beside."""

import json
import re
from html.parser import HTMLParser
from typing import Any

from tests.page.stage import FILES
from tests.support.cases import each_case

LANGUAGES = ("en", "ko")
MOST_BYTES = 120_000
MOST_LINES = 300
MARKUP = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function")
Words = dict[str, Any]


def words(language: str) -> Words:
    """The words of a language, which are strict JSON in a module of one line more."""
    text = (FILES / f"words_{language}.js").read_text(encoding="utf-8")
    found: Words = json.loads(text[text.index("{\n") :].rstrip().removesuffix(";"))
    return found


def forms(value: str | dict[str, str]) -> list[str]:
    """The texts of a key: one, or one a plural."""
    return [value] if isinstance(value, str) else list(value.values())


def test_both_languages_have_the_same_keys_in_the_same_order() -> None:
    assert list(words("en")) == list(words("ko"))


@each_case("key", words("en"))
def test_both_languages_put_the_same_values_in(key: str) -> None:
    used = [{name for form in forms(words(each)[key]) for name in re.findall(r"\{(\w+)\}", form)} for each in LANGUAGES]
    assert used[0] == used[1]


def test_every_key_is_used() -> None:
    scripts = [each for each in FILES.glob("*.js") if not each.name.startswith("words_")]
    sources = "".join(each.read_text(encoding="utf-8") for each in (*scripts, FILES / "page.html"))
    made = {match.removesuffix("${") for match in re.findall(r"`([\w.]+\.)\$\{", sources)} | {"remaining."}
    unused = [key for key in words("en") if f'"{key}"' not in sources and not key.startswith(tuple(made))]
    assert unused == []


class VisibleWords(HTMLParser):
    """Collects the texts of a page that a browser with JavaScript shows."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("noscript", "title", "script", "style"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open and tag == self.open[-1]:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if not self.open and data.strip():
            self.texts.append(data.strip())


def test_the_document_itself_has_no_word_but_the_name() -> None:
    reader = VisibleWords()
    reader.feed((FILES / "page.html").read_text(encoding="utf-8"))
    assert reader.texts == ["LLM Gateway"]


def test_without_script_the_page_says_what_to_ask_with_curl_in_both_languages() -> None:
    document = (FILES / "page.html").read_text(encoding="utf-8")
    shown = document.partition("<noscript>")[2].partition("</noscript>")[0]
    assert shown.count("curl http://127.0.0.1:8080/gateway/status.json") == len(LANGUAGES)
    assert 'lang="ko"' in shown


def test_every_module_is_asked_for_at_once() -> None:
    document = (FILES / "page.html").read_text(encoding="utf-8")
    named = re.findall(r'(?:href|src)="/gateway/page/(\w+\.js)"', document)
    assert sorted(named) == sorted(each.name for each in FILES.glob("*.js") if not each.name.startswith("words_"))


def test_all_of_the_page_fits() -> None:
    sizes = {each.name: each.stat().st_size for each in FILES.iterdir()}
    assert sum(sizes.values()) <= MOST_BYTES, sizes


def test_no_script_makes_markup_of_a_text() -> None:
    for each in FILES.glob("*.js"):
        source = each.read_text(encoding="utf-8")
        assert not MARKUP.search(source), each
        assert source.count("\n") <= MOST_LINES, each
