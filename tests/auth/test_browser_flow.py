"""The browser flow: the address, the callback, and the callback server."""

import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.auth.oauth.browser_flow import (
    BrowserFlow,
    BrowserTimeout,
    InvalidCallback,
    PendingCallback,
    run_browser_flow,
)
from gateway.auth.oauth.callback_server import MAX_CONNECTIONS, CallbackServer
from gateway.auth.oauth.errors import OAuthRefused
from gateway.auth.oauth.pkce import challenge_of
from gateway.auth.oauth.settings import OAuthSettings
from gateway.auth.oauth.token_reply import TokenReply
from gateway.core.clock import SystemClock
from gateway.core.secrets import Secret
from tests.support.fakes import FakeClock

SETTINGS = OAuthSettings(
    provider="example",
    client_id="client 1",
    issuer="https://auth.example",
    authorization_endpoint="https://auth.example/authorize?tenant=t",
    token_endpoint="https://auth.example/token",
    scopes=("openid", "api:access"),
    audience="api",
    resource="https://api.example/",
    extra_auth_params={"prompt": "consent", "state": "ours to choose"},
)
REDIRECT = "http://127.0.0.1:4711/callback"
HANG = 30.0


def flow(**changed: object) -> BrowserFlow:
    return BrowserFlow(replace(SETTINGS, **changed), REDIRECT)  # type: ignore[arg-type]


def sent(address: str) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(urlsplit(address).query).items()}


def answer(to: BrowserFlow, **fields: str) -> str:
    return urlencode({"code": "the-code", "state": sent(to.url)["state"], **fields})


class TestTheAddress:
    def test_it_has_all_that_the_server_needs(self) -> None:
        login = flow()
        fields = sent(login.url)
        assert login.url.startswith("https://auth.example/authorize?tenant=t&")
        assert login.verifier is not None
        assert fields.pop("code_challenge") == challenge_of(login.verifier)
        assert len(fields.pop("state")) >= 43
        assert fields == {
            "tenant": "t",
            "response_type": "code",
            "client_id": "client 1",
            "redirect_uri": REDIRECT,
            "scope": "openid api:access",
            "audience": "api",
            "resource": "https://api.example/",
            "prompt": "consent",
            "code_challenge_method": "S256",
        }

    def test_the_verifier_is_not_in_it(self) -> None:
        login = flow()
        assert login.verifier is not None and login.verifier.reveal() not in login.url

    def test_without_pkce_nothing_is_said_of_it(self) -> None:
        login = flow(pkce=False)
        assert login.verifier is None and "code_challenge" not in login.url

    def test_each_login_has_a_state_of_its_own(self) -> None:
        assert len({sent(flow().url)["state"] for _ in range(50)}) == 50

    def test_what_is_not_configured_is_not_sent(self) -> None:
        fields = sent(flow(scopes=(), audience=None, resource=None, extra_auth_params={}).url)
        assert not {"scope", "audience", "resource"} & fields.keys()


class TestTheAnswer:
    def test_a_code_with_our_state_is_taken(self) -> None:
        login = flow()
        assert login.code_in(answer(login)) == Secret("the-code")

    @pytest.mark.parametrize(
        "query",
        [
            "",
            "code=x",
            "code=x&state=",
            "code=x&state=other",
            "code=x&state=%C3%A4",
            "error=access_denied&state=x",
            "&&=",
        ],
    )
    def test_what_does_not_bear_our_state_is_not_the_answer(self, query: str) -> None:
        with pytest.raises(InvalidCallback):
            flow().code_in(query)

    @pytest.mark.parametrize("more", ["&code=b", "&state=b", "&error=x&error=y"])
    def test_a_field_that_stands_twice_is_not_the_answer(self, more: str) -> None:
        login = flow()
        with pytest.raises(InvalidCallback):
            login.code_in(answer(login) + more)

    def test_an_error_is_told_in_the_servers_words_cut_short(self) -> None:
        login = flow()
        with pytest.raises(OAuthRefused) as refused:
            login.code_in(answer(login, error="access_denied", error_description="no " * 1000))
        assert refused.value.code == "access_denied"
        assert len(refused.value.description) <= 300

    @pytest.mark.parametrize("issuer", ["https://auth.example", "https://auth.example/"])
    def test_the_issuer_may_end_in_a_slash(self, issuer: str) -> None:
        login = flow()
        assert login.code_in(answer(login, iss=issuer)) == Secret("the-code")

    def test_an_answer_of_another_issuer_is_refused(self) -> None:
        login = flow()
        with pytest.raises(OAuthRefused, match="issuer_mismatch"):
            login.code_in(answer(login, iss="https://evil.example"))

    def test_an_issuer_that_we_do_not_know_is_not_compared(self) -> None:
        login = flow(issuer=None)
        assert login.code_in(answer(login, iss="https://anyone.example")) == Secret("the-code")

    def test_an_answer_without_a_code_is_none(self) -> None:
        login = flow()
        with pytest.raises(InvalidCallback):
            login.code_in(answer(login, code=""))


class TestPasting:
    @pytest.mark.parametrize(
        "form",
        [
            f"{REDIRECT}?{{}}",
            "  http://127.0.0.1:4711/callback?{}#_=_ \r\n",
            "?{}",
            "{}",
            '"http://localhost:1/x?{}"',
            "<https://elsewhere.example/?{}>",
        ],
    )
    def test_the_address_or_its_query_will_do(self, form: str) -> None:
        login = flow()
        assert login.code_from_pasted(form.format(answer(login))) == Secret("the-code")

    @pytest.mark.parametrize("text", ["hello", "", REDIRECT, "the-code", f"{REDIRECT}?code=x&state=y", "y"])
    def test_anything_else_is_explained(self, text: str) -> None:
        with pytest.raises(InvalidCallback) as fault:
            flow().code_from_pasted(text)
        assert str(fault.value)

    @given(st.text())
    def test_no_text_breaks_it_or_passes_for_an_answer(self, text: str) -> None:
        with pytest.raises(InvalidCallback):
            flow().code_from_pasted(text)


@pytest.fixture(autouse=True)
def noticed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A listener sees soon that it is to close."""
    monkeypatch.setattr("gateway.auth.oauth.callback_server.POLL_SECONDS", 0.002)


@contextmanager
def listening(login: BrowserFlow | None = None) -> Iterator[tuple[CallbackServer, BrowserFlow, PendingCallback]]:
    before = set(threading.enumerate())
    with CallbackServer("127.0.0.1", 0, "/callback") as listener:
        login = login or flow()
        callback = PendingCallback(login)
        listener.start(callback.redirected)
        yield listener, login, callback
    assert set(threading.enumerate()) == before


def get(listener: CallbackServer, path: str, host: str | None = None, method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", listener.port, timeout=HANG)
    try:
        connection.request(method, path, headers={"Host": host} if host else {})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def raw(listener: CallbackServer, request: bytes) -> bytes:
    """What comes back, up to the end or a reset: for a request that is cut off, the server may hang up early."""
    received = b""
    with socket.create_connection(("127.0.0.1", listener.port), timeout=HANG) as connection, suppress(ConnectionError):
        connection.sendall(request)
        while chunk := connection.recv(4096):
            received += chunk
    return received


class TestTheListener:
    def test_it_takes_one_answer_and_shows_a_page_before_the_wait_is_over(self) -> None:
        with listening() as (listener, login, callback):
            status, page = get(listener, "/callback?" + answer(login))
            assert status == 200 and "Answer received" in page
            assert callback.wait(SystemClock(), HANG) == Secret("the-code")
            assert get(listener, "/callback?" + answer(login, code="second"))[0] == 410
            assert callback.wait(SystemClock(), HANG) == Secret("the-code")

    def test_a_wrong_answer_leaves_the_login_waiting(self) -> None:
        with listening() as (listener, login, callback):
            assert get(listener, "/callback?code=evil&state=guess")[0] == 400
            assert get(listener, "/callback")[0] == 400
            assert get(listener, "/callback?" + answer(login))[0] == 200
            assert callback.wait(SystemClock(), HANG) == Secret("the-code")

    def test_a_refusal_ends_the_wait(self) -> None:
        with listening() as (listener, login, callback):
            assert "Not logged in" in get(listener, "/callback?" + answer(login, error="access_denied"))[1]
            with pytest.raises(OAuthRefused, match="access_denied"):
                callback.wait(SystemClock(), HANG)

    @pytest.mark.parametrize("path", ["/", "/favicon.ico", "/callback/", "/callback/../callback"])
    def test_other_paths_are_not_found(self, path: str) -> None:
        with listening() as (listener, login, _):
            assert get(listener, f"{path}?{answer(login)}")[0] == 404

    @pytest.mark.parametrize("host", ["evil.example", "evil.example:{}", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.x:{}"])
    def test_other_hosts_are_refused(self, host: str) -> None:
        with listening() as (listener, login, _):
            assert get(listener, "/callback?" + answer(login), host.format(listener.port))[0] == 421

    def test_localhost_is_a_name_of_ours(self) -> None:
        with listening() as (listener, login, _):
            assert get(listener, "/callback?" + answer(login), f"LocalHost:{listener.port}")[0] == 200

    @pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "CANARY"])
    def test_other_methods_are_refused(self, method: str) -> None:
        with listening() as (listener, login, _):
            status, page = get(listener, "/callback?" + answer(login), method=method)
            assert status == 501 and "CANARY" not in page

    @pytest.mark.parametrize(
        "request_line",
        [
            b"CANARY\r\n\r\n",
            b"GET /CANARY HTTP/9.9\r\n\r\n",
            b"GET /callback?CANARY\r\n\r\n",
            b"GET /" + b"CANARY" * 20_000,
        ],
    )
    def test_nothing_of_a_broken_request_comes_back(self, request_line: bytes) -> None:
        with listening() as (listener, _, _):
            assert b"CANARY" not in raw(listener, request_line)

    @pytest.mark.parametrize("path", ["/callback", "/other"])
    def test_nothing_of_the_query_comes_back_and_nothing_is_printed(
        self, path: str, capfd: pytest.CaptureFixture[str]
    ) -> None:
        with listening() as (listener, login, _):
            for query in ("x=CANARY&state=CANARY", answer(login, code="CANARY", iss="https://auth.example")):
                reply = raw(
                    listener, f"GET {path}?{query} HTTP/1.1\r\nHost: {listener.redirect_uri[7:22]}\r\n\r\n".encode()
                )
                assert reply.startswith(b"HTTP/1.") and b"CANARY" not in reply
        assert "CANARY" not in "".join(capfd.readouterr())

    def test_the_page_loads_nothing_and_is_kept_nowhere(self) -> None:
        with listening() as (listener, _, _):
            host = f"127.0.0.1:{listener.port}".encode()
            head = raw(listener, b"GET /callback HTTP/1.1\r\nHost: " + host + b"\r\n\r\n").lower()
            for header in (b"cache-control: no-store", b"default-src 'none'", b"no-referrer", b"nosniff"):
                assert header in head
            assert b"python" not in head

    def test_connections_that_say_nothing_do_not_keep_it_from_closing(self) -> None:
        """Browsers open some in advance."""
        with listening() as (listener, login, _):
            silent = [socket.create_connection(("127.0.0.1", listener.port), timeout=HANG) for _ in range(5)]
            assert get(listener, "/callback?" + answer(login))[0] == 200
        for connection in silent:
            assert connection.recv(1) == b""
            connection.close()

    def test_it_holds_a_bounded_number_of_connections(self) -> None:
        with listening() as (listener, _, _):
            silent = [
                socket.create_connection(("127.0.0.1", listener.port), timeout=HANG) for _ in range(MAX_CONNECTIONS + 1)
            ]
            assert silent[-1].recv(1) == b""
            for connection in silent:
                connection.close()

    def test_a_port_that_is_taken_is_an_error(self) -> None:
        with CallbackServer("127.0.0.1", 0, "/callback") as first, pytest.raises(OSError, match=r"."):
            CallbackServer("127.0.0.1", first.port, "/callback")

    def test_after_the_end_nobody_listens(self) -> None:
        with listening() as (listener, _, _):
            pass
        listener.close()
        with pytest.raises(ConnectionError):
            socket.create_connection(("127.0.0.1", listener.port), timeout=HANG)

    def test_a_configured_address_is_used(self) -> None:
        with CallbackServer("127.0.0.1", 0, "/x") as free:
            port = free.port
        with CallbackServer("localhost", port, "/auth/callback") as listener:
            assert listener.redirect_uri == f"http://localhost:{port}/auth/callback"


def port_of(address: str) -> int:
    """Where the answer to this authorization request is awaited."""
    return urlsplit(sent(address)["redirect_uri"]).port or 0


class Client:
    """Takes the code."""

    def __init__(self) -> None:
        self.exchanged: list[tuple[Secret, str, Secret | None]] = []

    def exchange(self, code: Secret, redirect_uri: str, code_verifier: Secret | None) -> TokenReply:
        self.exchanged.append((code, redirect_uri, code_verifier))
        return TokenReply(Secret("access"))


class TestTheWholeFlow:
    def test_the_code_is_exchanged_with_its_verifier_and_address(self) -> None:
        client = Client()
        addresses: list[str] = []

        def browser(address: str, pasted: Callable[[str], None]) -> None:
            addresses.append(address)
            fields = sent(address)
            query = urlencode({"code": "abc", "state": fields["state"]})
            target = urlsplit(fields["redirect_uri"])
            connection = http.client.HTTPConnection(target.netloc, timeout=HANG)
            connection.request("GET", f"{target.path}?{query}")
            assert connection.getresponse().status == 200
            connection.close()

        reply = run_browser_flow(client, SETTINGS, SystemClock(), browser)
        assert reply.access_token == Secret("access")
        [(code, redirect_uri, verifier)] = client.exchanged
        fields = sent(addresses[0])
        assert (code, redirect_uri) == (Secret("abc"), fields["redirect_uri"])
        assert verifier is not None and challenge_of(verifier) == fields["code_challenge"]

    def test_a_person_on_another_machine_pastes_the_address(self) -> None:
        client = Client()

        def person(address: str, pasted: Callable[[str], None]) -> None:
            with pytest.raises(InvalidCallback):
                pasted("what?")
            fields = sent(address)
            pasted(f"{fields['redirect_uri']}?code=abc&state={fields['state']}")
            pasted(f"{fields['redirect_uri']}?code=second&state={fields['state']}")

        run_browser_flow(client, SETTINGS, SystemClock(), person)
        assert client.exchanged[0][0] == Secret("abc")

    def test_a_pasted_refusal_is_one(self) -> None:
        def person(address: str, pasted: Callable[[str], None]) -> None:
            pasted(f"error=access_denied&state={sent(address)['state']}")

        client = Client()
        with pytest.raises(OAuthRefused, match="access_denied"):
            run_browser_flow(client, SETTINGS, SystemClock(), person)
        assert client.exchanged == []

    def test_after_five_minutes_nothing_listens_any_more(self) -> None:
        clock = FakeClock()
        ports: list[int] = []
        with pytest.raises(BrowserTimeout):
            run_browser_flow(
                Client(),
                SETTINGS,
                clock,
                lambda address, _: ports.append(urlsplit(sent(address)["redirect_uri"]).port or 0),
            )
        assert clock.monotonic() == 1300.0
        with pytest.raises(ConnectionError):
            socket.create_connection(("127.0.0.1", ports[0]), timeout=HANG)

    def test_ctrl_c_leaves_nothing_behind(self) -> None:
        before = set(threading.enumerate())

        class Interrupted(FakeClock):
            def wait(self, condition: threading.Condition, timeout: float) -> bool:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run_browser_flow(Client(), SETTINGS, Interrupted(), lambda *_: None)
        assert set(threading.enumerate()) == before
