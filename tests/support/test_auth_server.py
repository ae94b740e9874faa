"""The test authorization server over plain HTTP: it is as strict as the tests that use it assume."""

import base64
import hashlib
import multiprocessing
import threading
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, quote_plus, urlsplit

import pytest
import requests

from gateway.core.strict_json import JsonObject, as_object, loads
from tests.support.auth_grants import DEVICE_GRANT
from tests.support.auth_server import AuthServer
from tests.support.auth_sockets import Raw
from tests.support.fakes import FakeClock

SECRET = "a:b%20+c&=ü"
CLIENT = {"client_id": "client-1", "client_secret": SECRET}
REDIRECT = "http://127.0.0.1:7777/callback"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def server(clock: FakeClock) -> Iterator[AuthServer]:
    with AuthServer(client_secret=SECRET, clock=clock) as running:
        yield running


def post(url: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None) -> requests.Response:
    return requests.post(url, data=fields, headers=headers, timeout=20, allow_redirects=False)


def token(server: AuthServer, **fields: str) -> tuple[int, JsonObject]:
    got = post(server.token_endpoint, {**CLIENT, **fields})
    return got.status_code, as_object(loads(got.content))


def refreshed(server: AuthServer, refresh_token: str) -> tuple[int, JsonObject]:
    return token(server, grant_type="refresh_token", refresh_token=refresh_token)


def login(server: AuthServer) -> tuple[str, str]:
    answer = server.grants.login()
    return str(answer["access_token"]), str(answer["refresh_token"])


def authorize(server: AuthServer, **fields: str) -> dict[str, str]:
    query = {"response_type": "code", "client_id": "client-1", "redirect_uri": REDIRECT, "state": "s t", **fields}
    got = requests.get(server.authorization_endpoint, params=query, timeout=20, allow_redirects=False)
    assert got.status_code == 302
    assert got.headers["Location"].startswith(REDIRECT + "?")
    return dict(parse_qsl(urlsplit(got.headers["Location"]).query))


def device(server: AuthServer) -> dict[str, str]:
    return {name: str(value) for name, value in post(server.device_authorization_endpoint, CLIENT).json().items()}


def polled(server: AuthServer, device_code: str) -> str:
    status, answer = token(server, grant_type=DEVICE_GRANT, device_code=device_code)
    return "token" if status == 200 else str(answer["error"])


def test_a_refresh_token_is_good_once_and_its_reuse_ends_the_whole_login(server: AuthServer) -> None:
    _, first = login(server)
    status, second = refreshed(server, first)
    assert status == 200
    assert server.check(str(second["access_token"]))
    assert refreshed(server, first)[1]["error"] == "invalid_grant"
    assert not server.check(str(second["access_token"]))
    assert refreshed(server, str(second["refresh_token"]))[1]["error"] == "invalid_grant"
    assert server.count("refresh_token") == 3


def test_another_login_survives_that(server: AuthServer) -> None:
    (_, spent), (other_access, other) = login(server), login(server)
    refreshed(server, spent)
    refreshed(server, spent)
    assert server.check(other_access)
    assert refreshed(server, other)[0] == 200


def test_of_many_that_use_a_refresh_token_at_once_one_gets_a_token(server: AuthServer) -> None:
    _, first = login(server)
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(refreshed(server, first)[0])) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(statuses) == [200, *[400] * 15]


def test_without_rotation_a_refresh_token_stays(server: AuthServer) -> None:
    server.grants.rotate = False
    _, first = login(server)
    assert [refreshed(server, first)[0] for _ in range(3)] == [200, 200, 200]
    assert "refresh_token" not in refreshed(server, first)[1]


def test_an_access_token_ends_with_its_lifetime(server: AuthServer, clock: FakeClock) -> None:
    server.grants.token_lifetime = 60
    access, _ = login(server)
    clock.advance(59.9)
    assert server.check(access)
    clock.advance(0.1)
    assert not server.check(access)


def test_the_api_is_open_to_a_valid_token_only(server: AuthServer) -> None:
    access, _ = login(server)
    for header, status in ((f"Bearer {access}", 200), (f"bearer {access}", 200), ("Bearer x", 401), (access, 401)):
        assert requests.get(server.api_url, headers={"Authorization": header}, timeout=20).status_code == status
    server.grants.expire()
    assert not server.check(access)


def test_a_code_is_good_once_for_its_redirect_and_its_verifier(server: AuthServer) -> None:
    verifier = "v" * 43
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    told = authorize(server, code_challenge=challenge, code_challenge_method="S256", scope="chat")
    assert (told["state"], told["iss"]) == ("s t", server.url)
    asking = {"grant_type": "authorization_code", "code": told["code"], "redirect_uri": REDIRECT}
    assert token(server, **asking)[1]["error"] == "invalid_grant"
    assert token(server, **asking, code_verifier="w" * 43)[1]["error"] == "invalid_grant"
    other = {**asking, "redirect_uri": REDIRECT + "/x"}
    assert token(server, **other, code_verifier=verifier)[1]["error"] == "invalid_grant"
    status, answer = token(server, **asking, code_verifier=verifier)
    assert (status, answer["scope"]) == (200, "chat")
    assert token(server, **asking, code_verifier=verifier)[1]["error"] == "invalid_grant"
    assert not server.check(str(answer["access_token"])), "its reuse ends what came of it"


def test_a_verifier_without_a_challenge_does_not_fit(server: AuthServer) -> None:
    told = authorize(server)
    asking = {"grant_type": "authorization_code", "code": told["code"], "redirect_uri": REDIRECT}
    assert token(server, **asking, code_verifier="v" * 43)[1]["error"] == "invalid_grant"


def test_an_authorization_may_be_denied_or_wrong(server: AuthServer) -> None:
    assert authorize(server, code_challenge="x", code_challenge_method="plain")["error"] == "invalid_request"
    assert authorize(server, response_type="token")["error"] == "unsupported_response_type"
    server.denies = True
    assert authorize(server)["error"] == "access_denied"


@pytest.mark.parametrize("wrong", [{"client_id": "x"}, {"redirect_uri": "https://evil.example/"}])
def test_an_unknown_client_is_not_sent_anywhere(server: AuthServer, wrong: dict[str, str]) -> None:
    query = {"response_type": "code", "client_id": "client-1", "redirect_uri": REDIRECT, **wrong}
    got = requests.get(server.authorization_endpoint, params=query, timeout=20, allow_redirects=False)
    assert (got.status_code, got.headers.get("Location")) == (400, None)


def test_a_device_code_waits_for_the_person(server: AuthServer) -> None:
    grant = device(server)
    assert server.grants.user_codes == [grant["user_code"]]
    assert polled(server, grant["device_code"]) == "authorization_pending"
    server.approve(grant["user_code"])
    assert polled(server, grant["device_code"]) == "token"
    assert polled(server, grant["device_code"]) == "invalid_grant"
    assert polled(server, "unknown") == "invalid_grant"


def test_a_device_code_may_be_denied_or_expire(server: AuthServer, clock: FakeClock) -> None:
    denied, late = device(server), device(server)
    server.deny(denied["user_code"])
    assert polled(server, denied["device_code"]) == "access_denied"
    clock.advance(900)
    assert polled(server, late["device_code"]) == "expired_token"
    with pytest.raises(KeyError):
        server.approve("unknown")


def test_a_script_says_what_a_device_is_answered(server: AuthServer) -> None:
    grant = device(server)
    server.approve(grant["user_code"])
    server.grants.device_script = ["pending", "slow_down", "pending"]
    said = [polled(server, grant["device_code"]) for _ in range(4)]
    assert said == ["authorization_pending", "slow_down", "authorization_pending", "token"]


def test_the_person_may_confirm_by_opening_the_complete_address(server: AuthServer) -> None:
    grant = device(server)
    assert requests.get(grant["verification_uri_complete"], timeout=20).status_code == 200
    assert polled(server, grant["device_code"]) == "token"


def test_a_revoked_refresh_token_ends_the_login(server: AuthServer) -> None:
    access, refresh = login(server)
    assert post(server.revocation_endpoint, {**CLIENT, "token": refresh}).status_code == 200
    assert not server.check(access)
    assert refreshed(server, refresh)[0] == 400
    other, other_refresh = login(server)
    post(server.revocation_endpoint, {**CLIENT, "token": other})
    assert not server.check(other)
    assert refreshed(server, other_refresh)[0] == 200


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.mark.parametrize(
    ("headers", "fields", "status"),
    [
        (basic("client-1", quote_plus(SECRET)), {}, 200),
        (basic("client-1", SECRET), {}, 401),  # as most libraries send it
        (basic("client-1", "wrong"), {}, 401),
        ({"Authorization": "Basic ???"}, {}, 401),
        ({"Authorization": "Bearer x"}, {}, 401),
        (basic("client-1", quote_plus(SECRET)), CLIENT, 400),
        ({}, CLIENT, 200),
        ({}, {"client_id": "client-1"}, 401),
        ({}, {}, 401),
    ],
)
def test_a_client_is_checked_one_way_at_a_time(
    server: AuthServer, headers: dict[str, str], fields: dict[str, str], status: int
) -> None:
    _, refresh = login(server)
    asking = {**fields, "grant_type": "refresh_token", "refresh_token": refresh}
    assert post(server.token_endpoint, asking, headers).status_code == status


def test_an_unknown_grant_type_is_refused(server: AuthServer) -> None:
    assert token(server, grant_type="password")[1]["error"] == "unsupported_grant_type"


def test_answers_can_be_scripted(server: AuthServer) -> None:
    _, refresh = login(server)
    server.next_token_answers = [Raw(503, {"Retry-After": "1"}, b"later"), (418, {}, b""), "cut", "lost"]
    asking = {**CLIENT, "grant_type": "refresh_token", "refresh_token": refresh}
    assert [post(server.token_endpoint, asking).status_code for _ in range(2)] == [503, 418]
    for _ in range(2):
        with pytest.raises(requests.ConnectionError):
            post(server.token_endpoint, asking)
    assert refreshed(server, refresh)[1]["error"] == "invalid_grant", "the lost answer had spent it"


def test_an_answer_can_be_held_back(server: AuthServer) -> None:
    _, refresh = login(server)
    go_on = threading.Event()
    server.next_token_answers = [go_on]
    statuses: list[int] = []
    asking = threading.Thread(target=lambda: statuses.append(refreshed(server, refresh)[0]))
    asking.start()
    server.wait_for("/token", 1)
    assert not statuses
    go_on.set()
    asking.join(20)
    assert statuses == [200]


def refresh_elsewhere(url: str, refresh_token: str) -> int:
    return post(f"{url}/token", {**CLIENT, "grant_type": "refresh_token", "refresh_token": refresh_token}).status_code


def test_other_processes_may_use_it(server: AuthServer) -> None:
    _, refresh = login(server)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        statuses = pool.starmap(refresh_elsewhere, [(server.url, refresh)] * 2)
    assert sorted(statuses) == [200, 400]


def test_a_fault_of_the_server_itself_fails_the_test() -> None:
    failed = pytest.raises(AssertionError, match="KeyError")
    with failed, AuthServer() as server, pytest.raises(requests.ConnectionError):
        post(server.revocation_endpoint, {"client_id": "client-1"})
