"""A login is one worker's, and every worker finds it by its id."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from gateway.auth.logins import Logins
from gateway.auth.tokens.token_store import TokenStore
from gateway.core.clock import SystemClock
from gateway.server.login_books import LoginBooks
from tests.support.auth_server import AuthServer
from tests.support.edge import until


class Neighbours:
    """Siblings in one process: what one is asked, it answers at once. A silent one does not."""

    def __init__(self, number: int, all: "dict[int, Neighbours]") -> None:
        self.number = number
        self.count = 2
        self.silent = False
        self._all = all
        self._handlers: dict[str, Callable[[bytes], bytes]] = {}
        all[number] = self

    def answer(self, topic: str, handler: Callable[[bytes], bytes]) -> None:
        self._handlers[topic] = handler

    def ask(self, topic: str, body: bytes, *, within: float) -> Mapping[int, bytes]:
        others = [each for each in self._all.values() if each is not self and not each.silent]
        return {each.number: each._handlers[topic](body) for each in others}

    def ask_one(self, number: int, topic: str, body: bytes, *, within: float) -> bytes | None:
        return self.ask(topic, body, within=within).get(number)

    def keep(self, topic: str, fold: object) -> None:
        raise AssertionError("logins are not kept")


@pytest.fixture
def server() -> Iterator[AuthServer]:
    with AuthServer() as running:
        running.grants.interval = 1
        yield running


@pytest.fixture
def logins(server: AuthServer) -> Iterator[tuple[Logins, Logins]]:
    both = tuple(
        Logins({}, SystemClock(), lambda secret: None, lambda text: text, prefix=f"{number}.") for number in range(2)
    )
    assert len(both) == 2
    yield both
    for each in both:
        each.close()


@pytest.fixture
def neighbours() -> dict[int, Neighbours]:
    found: dict[int, Neighbours] = {}
    for number in range(2):
        Neighbours(number, found)
    return found


@pytest.fixture
def books(logins: tuple[Logins, Logins], neighbours: dict[int, Neighbours]) -> tuple[LoginBooks, LoginBooks]:
    return LoginBooks(logins[0], neighbours[0]), LoginBooks(logins[1], neighbours[1])


def test_every_worker_finds_it_goes_on_with_it_and_ends_it(
    server: AuthServer, books: tuple[LoginBooks, LoginBooks], tmp_path: Path
) -> None:
    store = TokenStore(tmp_path / "tokens.json", SystemClock())
    login = books[1].begin(server.settings(), store)
    assert login.id.startswith("1.")
    assert login.user_code
    assert books[0].look(login.id) == books[1].look(login.id) == login
    assert books[0].begin(server.settings(), store) == login, "another one would need a second code"
    ended = books[0].cancel(login.id)
    assert ended is not None
    assert (ended.state, ended.user_code) == ("cancelled", None)
    assert books[1].look(login.id) == ended


@pytest.mark.usefixtures("asked_soon")
def test_what_is_done_there_is_done_here(
    server: AuthServer, books: tuple[LoginBooks, LoginBooks], tmp_path: Path
) -> None:
    store = TokenStore(tmp_path / "tokens.json", SystemClock())
    login = books[1].begin(server.settings(), store)
    server.approve(login.user_code or "")
    until(lambda: (found := books[0].look(login.id)) is not None and found.state == "done")


@pytest.mark.parametrize("id", ["1.no-such-login", "0.no-such-login", "7.x", "99999999.x", "x", "", "²."])
def test_an_id_of_no_login_is_told_so(id: str, books: tuple[LoginBooks, LoginBooks]) -> None:
    assert books[0].look(id) is None
    assert books[0].cancel(id) is None


def test_a_worker_that_is_silent_has_no_login(
    server: AuthServer, books: tuple[LoginBooks, LoginBooks], neighbours: dict[int, Neighbours], tmp_path: Path
) -> None:
    login = books[1].begin(server.settings(), TokenStore(tmp_path / "tokens.json", SystemClock()))
    neighbours[1].silent = True
    assert books[0].look(login.id) is None
