"""The device flow: when it polls, what each response means, and how it ends."""

import threading
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.auth.oauth.device_flow import (
    LONGEST_BACKOFF,
    CodeExpired,
    Denied,
    Polling,
    run_device_flow,
)
from gateway.auth.oauth.errors import OAuthError, OAuthRefused, OAuthUnreachable
from gateway.auth.oauth.responses import DeviceGrant
from gateway.auth.oauth.token_reply import TokenReply
from gateway.core.secrets import Secret
from tests.support.fakes import FakeClock

GRANT = DeviceGrant(Secret("device-code-canary"), "ABCD-EFGH", "https://example.org/device", None, 900.0, 5.0)
TOKEN = TokenReply(Secret("access"))
PENDING = OAuthRefused("authorization_pending")
GONE = OAuthUnreachable("the server did not answer")


def begin(interval: float = 5.0, expires_in: float = 900.0) -> Polling:
    return Polling.begin(replace(GRANT, interval=interval, expires_in=expires_in), 0.0)


class Server:
    """Gives a code, then these answers, each at most once; the last one for ever. Knows when it was asked."""

    def __init__(
        self, clock: FakeClock, answers: Sequence[TokenReply | OAuthError], grant: DeviceGrant = GRANT
    ) -> None:
        self.asked: list[float] = []
        self._clock = clock
        self._answers = list(answers)
        self._grant = grant

    def start_device(self) -> DeviceGrant:
        return self._grant

    def poll_device(self, device_code: Secret) -> TokenReply:
        assert device_code == self._grant.device_code
        self.asked.append(self._clock.monotonic() - 1000)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, OAuthError):
            raise answer
        return answer


class Person:
    """Sees what is shown."""

    def __init__(self) -> None:
        self.codes: list[DeviceGrant] = []
        self.troubles: list[float] = []

    def trouble(self, fault: OAuthError, pause: float) -> None:
        self.troubles.append(pause)


def run(server: Server, clock: FakeClock, person: Person | None = None) -> TokenReply:
    person = person or Person()
    return run_device_flow(server, clock, person.codes.append, person.trouble)


class TestWhenItAsks:
    def test_it_waits_before_the_first_question_too(self) -> None:
        clock = FakeClock()
        server = Server(clock, [TOKEN])
        assert run(server, clock) == TOKEN
        assert server.asked == [5.0]

    def test_it_asks_at_the_servers_interval_while_the_person_is_awaited(self) -> None:
        clock = FakeClock()
        server = Server(clock, [PENDING, PENDING, TOKEN], replace(GRANT, interval=7.0))
        run(server, clock)
        assert server.asked == [7.0, 14.0, 21.0]

    @pytest.mark.parametrize(("told", "used"), [(0.0, 5.0), (-3.0, 5.0), (0.01, 1.0), (1.0, 1.0), (12.5, 12.5)])
    def test_an_interval_of_nothing_is_five_seconds_and_none_is_under_one(self, told: float, used: float) -> None:
        assert begin(told).interval == used

    def test_slow_down_adds_five_seconds_for_good(self) -> None:
        clock = FakeClock()
        slow = OAuthRefused("slow_down")
        server = Server(clock, [slow, PENDING, slow, PENDING, TOKEN])
        run(server, clock)
        assert server.asked == [5.0, 15.0, 25.0, 40.0, 55.0]

    @pytest.mark.parametrize(("told", "used"), [(None, 10.0), (7.0, 10.0), (30.0, 30.0)])
    def test_slow_down_with_an_interval_takes_the_larger(self, told: float | None, used: float) -> None:
        """GitHub sends the new interval in its response."""
        assert begin().after(OAuthRefused("slow_down", interval=told), 5.0).interval == used

    def test_a_server_that_cannot_be_reached_is_asked_less_and_less_up_to_a_minute(self) -> None:
        clock, person = FakeClock(), Person()
        server = Server(clock, [GONE, GONE, GONE, GONE, GONE, PENDING, TOKEN])
        run(server, clock, person)
        assert person.troubles == [10.0, 20.0, 40.0, 60.0, 60.0]
        assert server.asked == [5.0, 15.0, 35.0, 75.0, 135.0, 195.0, 200.0]

    @pytest.mark.parametrize("code", ["server_error", "temporarily_unavailable"])
    def test_a_server_that_says_later_is_asked_later(self, code: str) -> None:
        assert begin().after(OAuthRefused(code), 5.0).next_at == 15.0

    def test_the_code_is_shown_before_the_wait(self) -> None:
        clock, person = FakeClock(), Person()
        server = Server(clock, [TOKEN])
        times: list[float] = []
        run_device_flow(server, clock, lambda grant: times.append(clock.monotonic() - 1000), person.trouble)
        assert times == [0.0]


class TestHowItEnds:
    @pytest.mark.parametrize("code", ["access_denied", "authorization_declined"])
    def test_a_no_is_a_no(self, code: str) -> None:
        clock = FakeClock()
        server = Server(clock, [PENDING, OAuthRefused(code, "not today")])
        with pytest.raises(Denied, match="not today"):
            run(server, clock)
        assert len(server.asked) == 2

    @pytest.mark.parametrize("code", ["expired_token", "bad_verification_code"])
    def test_a_code_that_the_server_calls_dead_has_expired_whatever_it_had_promised(self, code: str) -> None:
        """Entra sends 900 s and means 300."""
        clock = FakeClock()
        with pytest.raises(CodeExpired):
            run(Server(clock, [PENDING, OAuthRefused(code)]), clock)

    def test_an_unknown_code_has_expired_after_the_deadline_and_is_refused_before(self) -> None:
        polling = begin(expires_in=60.0)
        with pytest.raises(CodeExpired):
            polling.after(OAuthRefused("invalid_grant"), 60.0)
        with pytest.raises(OAuthRefused):
            polling.after(OAuthRefused("invalid_grant"), 59.9)

    @pytest.mark.parametrize(
        "code", ["invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope", "new_word"]
    )
    def test_what_no_waiting_mends_stops_at_once(self, code: str) -> None:
        clock = FakeClock()
        server = Server(clock, [OAuthRefused(code)])
        with pytest.raises(OAuthRefused, match=code):
            run(server, clock)
        assert len(server.asked) == 1

    def test_our_own_clock_ends_a_login_that_the_server_leaves_pending(self) -> None:
        clock = FakeClock()
        server = Server(clock, [PENDING], replace(GRANT, expires_in=28.0))
        with pytest.raises(CodeExpired):
            run(server, clock)
        assert server.asked == [5.0, 10.0, 15.0, 20.0, 25.0]
        assert clock.monotonic() == 1028.0

    def test_a_server_that_is_gone_ends_a_login_only_by_the_deadline(self) -> None:
        clock = FakeClock()
        with pytest.raises(CodeExpired):
            run(Server(clock, [GONE]), clock)
        assert clock.monotonic() == 1900.0

    def test_ctrl_c_leaves_at_once(self) -> None:
        class Interrupted(FakeClock):
            def wait(self, condition: threading.Condition, timeout: float) -> bool:
                assert timeout <= 1.0, "on Windows, Ctrl-C is seen only between two waits"
                raise KeyboardInterrupt

        clock = Interrupted()
        server = Server(clock, [TOKEN])
        with pytest.raises(KeyboardInterrupt):
            run(server, clock)
        assert server.asked == []


answers = st.one_of(
    st.just(PENDING),
    st.just(GONE),
    st.builds(
        lambda told: OAuthRefused("slow_down", interval=told),
        st.none() | st.floats(allow_nan=False, min_value=-10, max_value=200),
    ),
)


@given(st.floats(0.5, 30.0), st.lists(answers, max_size=12))
def test_it_never_asks_sooner_than_it_was_told(interval: float, said: list[OAuthError]) -> None:
    polling, allowed, now = begin(interval), max(interval, 1.0), 0.0
    for answer in said:
        assert polling.next_at - now >= allowed - 1e-6
        now = polling.next_at
        if isinstance(answer, OAuthRefused) and answer.code == "slow_down":
            allowed += 5.0
        polling = polling.after(answer, now)
        assert polling.interval >= allowed - 1e-6
        assert polling.next_at - now <= max(LONGEST_BACKOFF, polling.interval) + 1e-6
