"""The book of logins as a state machine: every way in which threads may come to it, and what always holds."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from msgspec.structs import asdict

from gateway.auth.login_book import KEPT_SECONDS, MOST_ENDED, MOST_OPEN, AccountName, Login, LoginBook, TooManyLogins
from gateway.auth.oauth.responses import DeviceGrant
from gateway.core.secrets import Secret
from tests.support.examples import examples

NAMES = [AccountName(f"p{number}") for number in range(MOST_OPEN + 2)]
GRANT = DeviceGrant(Secret("device"), "ABCD", "https://login.example", None, 600.0, 5.0)


class Logins(RuleBasedStateMachine):
    """Threads that log in, people who cancel, and time that passes, in any order."""

    logins = Bundle("logins")

    def __init__(self) -> None:
        super().__init__()
        self.book = LoginBook()
        self.now = 0.0
        self.ids: list[str] = []
        self.ended: dict[str, Login] = {}
        self.kept: set[str] = set()
        self.cancelled: set[str] = set()

    def look(self, id: str) -> Login | None:
        return self.book.get(id, self.now)

    def is_open(self, id: str) -> bool:
        login = self.look(id)
        return login is not None and login.ended is None

    @rule(target=logins, account=st.sampled_from(NAMES))
    def begin(self, account: AccountName) -> str:
        before = self.book.under_way(account)
        try:
            login, is_new = self.book.begin(account, f"login-{len(self.ids)}", self.now)
        except TooManyLogins:
            assert before is None
            assert sum(map(self.is_open, self.ids)) == MOST_OPEN
            return self.ids[-1]
        assert is_new == (before is None)
        assert is_new or login == before, "a second click goes on with the same login"
        if is_new:
            self.ids.append(login.id)
        return login.id

    @rule(id=logins)
    def the_code_comes(self, id: str) -> None:
        if (login := self.look(id)) is not None and login.step == "asking":
            was_open = self.is_open(id)
            assert self.book.wait_for_person(id, GRANT, self.now + 600) == was_open

    @rule(id=logins)
    def the_token_comes(self, id: str) -> None:
        if (login := self.look(id)) is not None and login.step == "waiting":
            was_open = self.is_open(id)
            assert self.book.keep_token(id) == was_open
            if was_open:
                self.kept.add(id)

    @rule(id=consumes(logins))
    def the_token_is_stored(self, id: str) -> None:
        if (login := self.look(id)) is not None and login.step == "keeping":
            self.book.done(id, self.now)

    @rule(id=logins, how=st.sampled_from(["denied", "expired", "failed"]))
    def the_server_refuses(self, id: str, how: str) -> None:
        if self.look(id) is not None:
            self.book.failed(id, how, "no", self.now)  # type: ignore[arg-type]

    @rule(id=logins)
    def the_person_cancels(self, id: str) -> None:
        before = self.look(id)
        after = self.book.cancel(id, self.now)
        if before is not None and before.ended is None and before.step == "keeping":
            assert after == before, "nothing interrupts a token that is being stored"
        elif before is not None and before.ended is None:
            assert after is not None and after.state == "cancelled"
            self.cancelled.add(id)

    @rule(seconds=st.sampled_from([0.0, 1.0, KEPT_SECONDS / 2, KEPT_SECONDS]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def an_end_is_an_end(self) -> None:
        for id in self.ids:
            login = self.look(id)
            if login is not None and login.ended is not None:
                assert self.ended.setdefault(id, login) == login
                assert login.state != "pending"
            elif login is not None:
                assert login.state == "pending" and id not in self.ended

    @invariant()
    def a_cancelled_login_leaves_no_token_and_one_that_is_done_has_left_one(self) -> None:
        assert not self.cancelled & self.kept
        assert {id for id, login in self.ended.items() if login.state == "done"} <= self.kept

    @invariant()
    def there_are_never_too_many(self) -> None:
        open_ones = [login for id in self.ids if (login := self.look(id)) is not None and login.ended is None]
        assert len(open_ones) <= MOST_OPEN
        assert len({login.account for login in open_ones}) == len(open_ones)
        assert sum(self.look(id) is not None for id in self.ids) <= MOST_OPEN + MOST_ENDED

    @invariant()
    def the_code_is_known_only_while_it_is_of_use(self) -> None:
        for id in self.ids:
            login = self.look(id)
            if login is not None and (login.ended is not None or login.step == "asking"):
                assert login.grant is None


TestLogins = Logins.TestCase
TestLogins.settings = settings(max_examples=examples(150), stateful_step_count=40, deadline=None)


def test_a_login_is_forgotten_some_minutes_after_its_end() -> None:
    book = LoginBook()
    book.begin(NAMES[0], "a", 0.0)
    book.failed("a", "denied", "no", 10.0)
    assert book.get("a", 10.0 + KEPT_SECONDS - 1) is not None
    assert book.get("a", 10.0 + KEPT_SECONDS) is None


def test_a_login_does_not_show_its_code_in_a_log() -> None:
    book = LoginBook()
    book.begin(NAMES[0], "a", 0.0)
    book.wait_for_person("a", GRANT, 600.0)
    login = book.get("a", 0.0)
    assert login is not None and "ABCD" not in repr(login) and asdict(login)["grant"] is GRANT
