"""The page for every reader, in every state: sizes, schemes, languages, and what axe-core finds."""

from typing import Any, Final

import pytest

from tests.page.browser import Browser
from tests.page.stage import Stage
from tests.page.states import CODE, State, each_state, where_a_key_is_needed, while_unreachable
from tests.support.npm import installed

pytestmark = pytest.mark.slow
AXE: Final = "axe-core"
AXE_VERSION: Final = "4.14.1"
NAMES: Final = {
    *CODE.split("-"),
    *[
        "API",
        "SDK",
        "Google",
        "Anthropic",
        "Claude",
        "Code",
        "Continue",
        "openai",
        "gateway",
        "apiKeys",
        "codex",
        "config",
        "toml",
        "yaml",
        "chat",
        "mjs",
    ],
    *["Linux", "macOS", "gemini", "qwen", "together", "deepseek", "ms", "m", "h", "s", "MB", "kB", "K"],
}
"""Words that are the same in every language: products, files, settings, units, and providers of the example."""
WINDOWS: Final = ((320, 640, 1), (640, 450, 2), (1280, 900, 1))
"""Width and height in CSS pixels, and how many of the screen's each is: a narrow one, 1280 pixels at 200 %, and as it
is."""
CHART_FITS: Final = "(each) => Math.abs(each.clientWidth - each.parentElement.clientWidth) <= 1"
PRESSED: Final = "a, button, summary, select, label.check, input:not([type=checkbox])"
SMALL: Final = """(each) => {
  const { width, height } = each.getBoundingClientRect();
  return width && (width < 44 || height < 44);
}"""
HTML: Final = "(each) => each.outerHTML"
RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@pytest.fixture(scope="session")
def axe(pytestconfig: pytest.Config) -> str:
    """The source of axe-core."""
    assert pytestconfig.cache is not None
    modules = installed(pytestconfig.cache.mkdir("npm"), f"{AXE}@{AXE_VERSION}")
    return (modules / AXE / "axe.min.js").read_text(encoding="utf-8")


@each_state
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(axe: str, stage: Stage, browser: Browser, state: State, scheme: str) -> None:
    browser.command("Page.setBypassCSP", enabled=True)
    browser.media(prefers_color_scheme=scheme)
    state(stage, browser)
    browser.run(axe)
    found: Any = browser.driver.execute_async_script(
        "axe.run(document, {runOnly: {type: 'tag', values: arguments[0]}}).then(arguments[1])", RULES
    )
    browser.command("Page.setBypassCSP", enabled=False)
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]] == []
    assert "color-contrast" in {each["id"] for each in found["passes"]}


@each_state
def test_it_fits_into_every_window(stage: Stage, browser: Browser, state: State) -> None:
    """Nothing has to be scrolled sideways, and what is pressed has 44 pixels."""
    browser.size(320, 640)
    state(stage, browser)
    for width, height, scale in WINDOWS:
        browser.size(width, height, scale)
        assert browser.until("return innerWidth === arguments[0]", width)
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth"), width
        browser.until(f"return [...document.querySelectorAll('.drawing svg')].every({CHART_FITS})")
        assert browser.run(f"return [...document.querySelectorAll({PRESSED!r})].filter({SMALL}).map({HTML})") == []


def test_light_and_dark_follow_the_system(stage: Stage, browser: Browser) -> None:
    papers = []
    for scheme in ("light", "dark"):
        browser.media(prefers_color_scheme=scheme)
        browser.open(stage.url)
        papers.append(browser.run("return getComputedStyle(document.documentElement).backgroundColor"))
    assert papers == ["rgb(251, 251, 250)", "rgb(20, 23, 26)"]


def test_forced_colours_tell_the_outcomes_apart(stage: Stage, browser: Browser) -> None:
    browser.media(forced_colors="active")
    browser.open(stage.url)
    colours = browser.run(
        "const swatches = document.querySelectorAll('figure:first-child .swatch');"
        "return [...swatches].map((each) => getComputedStyle(each).color)"
    )
    assert len(set(colours)) == 4


def test_reduced_motion_moves_nothing(stage: Stage, browser: Browser) -> None:
    moving = (
        "return [...document.querySelectorAll('*')].map((each) => getComputedStyle(each))"
        ".some((each) => each.transitionDuration !== '0s' || each.animationName !== 'none')"
    )
    browser.open(stage.url)
    assert browser.run(moving)
    browser.media(prefers_reduced_motion="reduce")
    assert not browser.run(moving)


def latin_words(browser: Browser) -> set[str]:
    """Words of Latin letters that are no data, no code and no name, and are not spoken of as English."""
    script = (
        "const skip = '[translate=no], code, pre, [lang=en], noscript, script, title, svg';"
        "const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT); const found = [];"
        "while (walker.nextNode()) { const each = walker.currentNode;"
        "  if (!each.parentElement.closest(skip)) found.push(each.data); } return found"
    )
    texts: list[str] = browser.run(script)
    return {word for text in texts for word in "".join(c if c.isascii() and c.isalpha() else " " for c in text).split()}


@each_state
def test_a_korean_browser_reads_korean(stage: Stage, korean: Browser, state: State) -> None:
    state(stage, korean)
    assert korean.run("return document.documentElement.lang") == "ko"
    assert latin_words(korean) - NAMES == set()
    assert korean.complaints() == [] or state in (while_unreachable, where_a_key_is_needed)


def test_the_other_language_is_a_link_away(stage: Stage, korean: Browser) -> None:
    korean.open(stage.url)
    korean.element("#language").click()
    korean.says("#state", "Serving")
    assert korean.run("return document.documentElement.lang") == "en"
