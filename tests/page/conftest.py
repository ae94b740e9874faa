"""What the tests of the page share: one browser a language for all of them, and a stage for each."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.page.browser import Browser
from tests.page.stage import Stage

Open = Callable[..., Browser]


@pytest.fixture
def stage() -> Iterator[Stage]:
    """The page with the gateway's example of a status and of calls."""
    made = Stage()
    yield made
    made.close()


@pytest.fixture(scope="session")
def browsers() -> Iterator[Callable[[str], Browser]]:
    """A browser of a language. It is started once: a start takes longer than most tests."""
    known: dict[str, Browser] = {}
    with ExitStack() as closing:

        def of(language: str) -> Browser:
            if language not in known:
                known[language] = Browser(language)
                closing.callback(known[language].close)
            return known[language]

        yield of


@pytest.fixture
def browser(browsers: Callable[[str], Browser]) -> Iterator[Browser]:
    """An English browser as it is after its start."""
    made = browsers("en")
    yield made
    made.reset()


@pytest.fixture
def korean(browsers: Callable[[str], Browser]) -> Iterator[Browser]:
    """A Korean one."""
    made = browsers("ko")
    yield made
    made.reset()
