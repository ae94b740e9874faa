"""Who may ask, through the whole application: no name, page or content but the allowed ones reaches anything.

The guard alone is tested in tests/server/test_guard.py; here every route stands behind it, and a provider counts what
it is asked.
"""

import json
from collections.abc import Iterator

import pytest
from werkzeug.test import Client, TestResponse

from tests.support.application import application_of
from tests.support.cases import each_case
from tests.support.running import alias, chat, loaded, provider
from tests.support.upstream_script import ScriptedUpstream

PORT = 8080
OWN_PAGE = f"http://127.0.0.1:{PORT}"
PAGE = "https://app.example"
KEY = "gw-0123456789"


class Gateway:
    """An application and the provider behind it."""

    def __init__(self, wsgi: Client, upstream: ScriptedUpstream) -> None:
        self._wsgi = wsgi
        self.upstream = upstream

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> TestResponse:
        fields = {"Host": f"127.0.0.1:{PORT}", **headers}
        return self._wsgi.open(path, method=method, headers=list(fields.items()), data=body)


def serving(upstream: ScriptedUpstream, **settings: object) -> Iterator[Gateway]:
    config = {
        "gateway": settings,
        "providers": {"a": provider(upstream.base_url)},
        "modelAliases": [alias("best", "a/m")],
    }
    with application_of(loaded(config), port=PORT) as application:
        yield Gateway(Client(application.proxy.wsgi), upstream)


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as scripted:
        yield scripted


@pytest.fixture(scope="module")
def shut(upstream: ScriptedUpstream) -> Iterator[Gateway]:
    """As it comes: no page may call."""
    yield from serving(upstream)


@pytest.fixture(scope="module")
def open_to_a_page(upstream: ScriptedUpstream) -> Iterator[Gateway]:
    yield from serving(upstream, allowedOrigins=[PAGE], allowedHosts=["mybox"])


@pytest.fixture(scope="module")
def locked(upstream: ScriptedUpstream) -> Iterator[Gateway]:
    yield from serving(upstream, apiKeys=[KEY])


ROUTES = [
    ("GET", "/health"),
    ("HEAD", "/health"),
    ("GET", "/v1/models"),
    ("GET", "/models"),
    ("GET", "/v1/models/best"),
    ("GET", "/v1/models/none"),
    ("POST", "/v1/chat/completions"),
    ("POST", "/chat/completions"),
    ("GET", "/v1/chat/completions"),
    ("OPTIONS", "/v1/chat/completions"),
    ("PUT", "/v1/models"),
    ("GET", "/nowhere"),
    ("GET", "/"),
]
HOSTS = [
    ("127.0.0.1:8080", True),
    ("127.0.0.1", True),
    ("localhost:8080", True),
    ("LOCALHOST", True),
    ("localhost.:8080", True),
    ("[::1]:8080", True),
    ("evil.example", False),
    ("evil.example:8080", False),
    ("localhost:8081", False),
    ("127.0.0.2:8080", True),
    ("0.0.0.0:8080", False),
    ("127.1:8080", False),
    ("2130706433:8080", False),
    ("192.168.1.10:8080", False),
    ("[::ffff:127.0.0.1]:8080", False),
    ("localhost.evil.example", False),
    ("mybox", False),
    ("localhost, evil.example", False),
    ("user@localhost:8080", False),
    ("", False),
]


@each_case(("host", "ours"), HOSTS)
@each_case(("method", "path"), ROUTES)
def test_a_foreign_host_reaches_no_route(shut: Gateway, host: str, ours: bool, method: str, path: str) -> None:
    shut.upstream.forget()
    body = json.dumps(chat("best")).encode() if method == "POST" else None
    reply = shut.ask(method, path, {"Host": host, "Content-Type": "application/json"}, body)
    assert (reply.status_code not in (400, 421)) is ours
    assert len(shut.upstream.requests) == (ours and method == "POST")
    assert_fit_for_browsers(reply)


def assert_fit_for_browsers(reply: TestResponse) -> None:
    """What every reply says, whatever was asked: nothing for other sites, nothing to remember."""
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert reply.headers["X-Request-Id"]
    assert "Set-Cookie" not in reply.headers
    assert not any("*" in value for name, value in reply.headers if name.startswith("Access-Control-"))
    if reply.status_code >= 400 and reply.request.environ["REQUEST_METHOD"] != "HEAD":
        assert set(json.loads(reply.data)["error"]) == {"message", "type", "param", "code"}


ORIGINS = [None, "", "null", "*", "https://evil.example", f"http://127.0.0.1:{PORT}", PAGE, PAGE.upper(), f"{PAGE}:443"]
SITES = [None, "none", "same-origin", "same-site", "cross-site", "cross-site, none"]
KINDS = [None, "application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]


def expected(origin: str | None, site: str | None, kind: str | None) -> int:
    """The rule, said once more: an allowed page, our own, or no page; and then JSON."""
    from_elsewhere = origin not in (None, OWN_PAGE) or site not in (None, "none", "same-origin")
    if from_elsewhere and origin != PAGE:
        return 403
    return 200 if kind == "application/json" else 415


@each_case("origin", ORIGINS)
@each_case("site", SITES)
@each_case("kind", KINDS)
def test_only_an_allowed_page_or_no_page_reaches_a_provider_and_only_with_json(
    open_to_a_page: Gateway, origin: str | None, site: str | None, kind: str | None
) -> None:
    gateway = open_to_a_page
    gateway.upstream.forget()
    told = {"Origin": origin, "Sec-Fetch-Site": site, "Content-Type": kind}
    headers = {name: value for name, value in told.items() if value is not None}
    reply = gateway.ask("POST", "/v1/chat/completions", headers, json.dumps(chat("best")).encode())
    assert reply.status_code == expected(origin, site, kind)
    assert len(gateway.upstream.requests) == (reply.status_code == 200)
    assert reply.headers.get("Access-Control-Allow-Origin") == (PAGE if origin == PAGE else None)
    assert "Origin" in reply.headers["Vary"]
    assert_fit_for_browsers(reply)


@each_case("origin", ORIGINS)
@each_case("site", SITES)
@each_case("path", ["/health", "/v1/models", "/nowhere"])
def test_where_no_page_is_allowed_none_reads_anything(
    shut: Gateway, origin: str | None, site: str | None, path: str
) -> None:
    told = {"Origin": origin, "Sec-Fetch-Site": site}
    reply = shut.ask("GET", path, {name: value for name, value in told.items() if value is not None})
    from_elsewhere = origin not in (None, OWN_PAGE) or site not in (None, "none", "same-origin")
    assert (reply.status_code == 403) is from_elsewhere
    assert not any(name.startswith("Access-Control-") for name, _ in reply.headers)
    assert_fit_for_browsers(reply)


@each_case("origin", [each for each in ORIGINS if each is not None])
@each_case("path", ["/v1/chat/completions", "/health", "/nowhere"])
def test_a_preflight_is_answered_for_an_allowed_page_alone(open_to_a_page: Gateway, origin: str, path: str) -> None:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST", "Sec-Fetch-Site": "cross-site"}
    reply = open_to_a_page.ask("OPTIONS", path, asked)
    assert reply.status_code == (204 if origin == PAGE else 403)
    allowed = [name for name, _ in reply.headers if name.startswith("Access-Control-")]
    assert bool(allowed) is (origin == PAGE)
    assert_fit_for_browsers(reply)


def test_options_without_a_page_tells_nothing_about_pages(shut: Gateway, open_to_a_page: Gateway) -> None:
    for gateway in (shut, open_to_a_page):
        reply = gateway.ask("OPTIONS", "/v1/chat/completions", {})
        assert reply.status_code == 204
        assert not any(name.startswith("Access-Control-") for name, _ in reply.headers)


SHOWN = [
    ({}, False),
    ({"Authorization": f"Bearer {KEY}"}, True),
    ({"X-Api-Key": KEY}, True),
    ({"Authorization": "Bearer"}, False),
    ({"Authorization": "Bearer "}, False),
    ({"X-Api-Key": ""}, False),
    ({"Authorization": f"Bearer {KEY[:-1]}"}, False),
    ({"Authorization": f"Bearer {KEY}0"}, False),
    ({"Authorization": f"Basic {KEY}"}, False),
    ({"Authorization": "Bearer \xff\xfe"}, False),
    ({"X-Api-Key": "\xe4"}, False),
    ({"X-Api-Key": KEY, "Authorization": "Bearer \xe4"}, True),
]


@pytest.mark.parametrize(("shown", "right"), SHOWN)
def test_only_a_key_opens(locked: Gateway, shown: dict[str, str], right: bool) -> None:
    locked.upstream.forget()
    body = json.dumps(chat("best")).encode()
    reply = locked.ask("POST", "/v1/chat/completions", {"Content-Type": "application/json", **shown}, body)
    assert reply.status_code == (200 if right else 401)
    assert ("WWW-Authenticate" in reply.headers) is not right
    assert len(locked.upstream.requests) == right
    assert_fit_for_browsers(reply)
