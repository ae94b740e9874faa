"""The guard lets in whom it should, for every way to spell a Host, an Origin, a content type and a key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import schema
from gateway.core.errors import BadHttp, GatewayError, HostRefused, KeyRefused, NotJsonContent, OriginRefused
from gateway.core.secrets import Secret
from gateway.server.guard import Guard
from tests.support.cases import each_case

PORT = 8080
PAGE = "https://chat.example"
KEY = "gw-0123456789"

OPEN = Guard.of(schema.Gateway(), PORT)
KEYED = Guard.of(schema.Gateway(api_keys=(Secret("gw-other"), Secret(KEY), Secret("schlüssel-키"))), PORT)
WITH_PAGE = Guard.of(schema.Gateway(allowed_origins=(PAGE + "/", "null", "*"), api_keys=(Secret(KEY),)), PORT)
WITH_HOSTS = Guard.of(schema.Gateway(allowed_hosts=("MyBox", "proxy.lan:443")), PORT)


def get(path: str = "/v1/models", /, **more: str) -> dict[str, object]:
    return {"REQUEST_METHOD": "GET", "PATH_INFO": path, "HTTP_HOST": "127.0.0.1:8080", **more}


def post(**more: str) -> dict[str, object]:
    return get("/v1/chat/completions", **{"REQUEST_METHOD": "POST", "CONTENT_TYPE": "application/json", **more})


def preflight(origin: str) -> dict[str, object]:
    asked = {"HTTP_ACCESS_CONTROL_REQUEST_METHOD": "POST", "HTTP_SEC_FETCH_SITE": "cross-site"}
    return get(REQUEST_METHOD="OPTIONS", HTTP_ORIGIN=origin, **asked)


# Host ---------------------------------------------------------------------------------------------------------------

OURS = [
    "127.0.0.1:8080",
    "127.0.0.1",
    "localhost:8080",
    "localhost",
    "LocalHost:8080",
    "localhost.:8080",
    "localhost.",
    "localhost:",
    "[::1]:8080",
    "[::1]",
    "127.0.0.2:8080",
    "127.8.9.1",
    "[0:0::1]:8080",
]
FOREIGN = [
    "evil.example",
    "evil.example:8080",
    "localhost.evil.example:8080",
    "127.0.0.1.evil.example",
    "localhost:8081",
    "127.0.0.1:80",
    "localhost..",
    "0.0.0.0:8080",
    "127.1:8080",
    "2130706433:8080",
    "192.168.1.10:8080",
    "[::]:8080",
    "[::ffff:127.0.0.1]:8080",
    "mybox:8080",
]
MALFORMED = [
    "",
    ":8080",
    ".",
    "::1",
    "[::1",
    "localhost:x",
    "localhost:80:80",
    "user@localhost:8080",
    "http://localhost:8080",
    "localhost/path",
    "localhost evil.example",
    "localhost:8080, localhost:8080",
    "evil.example,localhost",
    "loc\xe4lhost",
]


@pytest.mark.parametrize("host", OURS)
def test_a_loopback_host_with_our_port_or_none_is_ours(host: str) -> None:
    OPEN.check(get(HTTP_HOST=host))


@pytest.mark.parametrize("host", FOREIGN)
def test_a_foreign_host_is_refused(host: str) -> None:
    with pytest.raises(HostRefused):
        OPEN.check(get(HTTP_HOST=host))


@pytest.mark.parametrize("host", MALFORMED)
def test_a_malformed_or_repeated_host_is_a_bad_request(host: str) -> None:
    with pytest.raises(BadHttp):
        OPEN.check(get(HTTP_HOST=host))


def test_a_request_without_host_is_a_bad_request() -> None:
    environ = get("/health")
    del environ["HTTP_HOST"]
    with pytest.raises(BadHttp):
        OPEN.check(environ)


@pytest.mark.parametrize("host", ["mybox", "MYBOX:8080", "mybox.:8080", "proxy.lan:443", "127.0.0.1"])
def test_configured_hosts_are_accepted_too(host: str) -> None:
    WITH_HOSTS.check(get(HTTP_HOST=host))


@pytest.mark.parametrize("host", ["mybox:8081", "proxy.lan", "proxy.lan:8080", "a.mybox"])
def test_a_configured_host_means_exactly_what_it_says(host: str) -> None:
    with pytest.raises(HostRefused):
        WITH_HOSTS.check(get(HTTP_HOST=host))


@pytest.mark.parametrize("entry", ["", " ", "a b", ":8080", "http://mybox"])
def test_a_malformed_configured_host_accepts_nothing(entry: str) -> None:
    guard = Guard.of(schema.Gateway(allowed_hosts=(entry,)), PORT)
    for host in (entry, "", ":8080"):
        with pytest.raises(BadHttp):
            guard.check(get(HTTP_HOST=host))


@pytest.mark.parametrize(("configured", "host"), [("127.0.0.2", "127.0.0.2:8080"), ("::1", "[::1]:8080")])
def test_the_address_that_is_listened_on_is_ours(configured: str, host: str) -> None:
    Guard.of(schema.Gateway(host=configured), PORT).check(get(HTTP_HOST=host))


EXPOSED = Guard.of(schema.Gateway(host="0.0.0.0", exposed=True, allowed_hosts=("box",), api_keys=(Secret(KEY),)), PORT)


@pytest.mark.parametrize(
    "host", [*OURS, "localhost:9000", "127.0.0.1:1", "[::1]:65000", "127.0.0.2:9000", "localhost.:9000"]
)
def test_an_exposed_gateway_answers_to_this_machine_on_any_port(host: str) -> None:
    """A published port need not be the one inside the container."""
    EXPOSED.check(get("/health", HTTP_HOST=host))


FOREIGN_TO_ALL = [each for each in FOREIGN if each not in ("localhost:8081", "127.0.0.1:80")]


@pytest.mark.parametrize("host", [*FOREIGN_TO_ALL, "0.0.0.0", "box:9000", "localhost..:9000", "evil.example:9000"])
def test_an_exposed_gateway_answers_to_no_other_name(host: str) -> None:
    with pytest.raises(HostRefused):
        EXPOSED.check(get("/health", HTTP_HOST=host))


@pytest.mark.parametrize("host", ["box", "box:8080", "BOX:8080"])
def test_an_exposed_gateway_answers_to_the_names_it_was_given(host: str) -> None:
    EXPOSED.check(get("/health", HTTP_HOST=host))


@pytest.mark.parametrize(("listens", "named"), [("192.168.1.10", "192.168.1.10:8080"), ("fe80::1", "[fe80::1]:8080")])
def test_one_exposed_address_is_a_name_of_the_gateway(listens: str, named: str) -> None:
    Guard.of(schema.Gateway(host=listens, exposed=True, api_keys=(Secret(KEY),)), PORT).check(
        get("/health", HTTP_HOST=named)
    )


def test_an_exposed_gateway_answers_nothing_but_its_health_and_the_empty_page_without_a_key() -> None:
    for path in ("/health", "/"):
        EXPOSED.check(get(path))
    for path in ("/v1/models", "/gateway/explain", "/gateway/status.json", "/gateway/login", "/v1/health"):
        with pytest.raises(KeyRefused):
            EXPOSED.check(get(path))


def test_the_authority_of_an_absolute_target_replaces_the_host() -> None:
    OPEN.check(get(HTTP_HOST="evil.example", **{"gateway.authority": "localhost:8080"}))
    with pytest.raises(HostRefused):
        OPEN.check(get(HTTP_HOST="localhost:8080", **{"gateway.authority": "evil.example"}))


@pytest.mark.parametrize("authority", ["", "user@localhost:8080", "[::1"])
def test_a_malformed_authority_is_a_bad_request(authority: str) -> None:
    with pytest.raises(BadHttp):
        OPEN.check(get(**{"gateway.authority": authority}))


def test_an_absolute_target_does_not_excuse_a_malformed_host() -> None:
    with pytest.raises(BadHttp):
        OPEN.check(get(HTTP_HOST="localhost, localhost", **{"gateway.authority": "localhost:8080"}))


# Web pages ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "origin", ["null", "", "*", "https://evil.example", "http://127.0.0.1:8081", "http://localhost:8080", PAGE]
)
def test_no_page_may_call_unless_configured(origin: str) -> None:
    for environ in (post(HTTP_ORIGIN=origin), get("/health", HTTP_ORIGIN=origin), preflight(origin)):
        with pytest.raises(OriginRefused):
            OPEN.check(environ)
        assert OPEN.cors_headers(environ) == []


@pytest.mark.parametrize(
    "origin", ["null", "*", "http://chat.example", PAGE + ":444", PAGE + ".evil.example", PAGE + ", " + PAGE]
)
def test_only_the_exact_configured_origin_may_call(origin: str) -> None:
    with pytest.raises(OriginRefused):
        WITH_PAGE.check(post(HTTP_ORIGIN=origin, HTTP_AUTHORIZATION=f"Bearer {KEY}"))
    assert WITH_PAGE.cors_headers(post(HTTP_ORIGIN=origin)) == [("Vary", "Origin")]


@pytest.mark.parametrize("site", ["cross-site", "same-site", "cross-site, none"])
def test_what_a_browser_calls_another_site_is_refused_even_without_origin(site: str) -> None:
    with pytest.raises(OriginRefused):
        OPEN.check(get(HTTP_SEC_FETCH_SITE=site))


@pytest.mark.parametrize("site", ["none", "same-origin"])
def test_what_the_user_typed_is_let_in(site: str) -> None:
    OPEN.check(get(HTTP_SEC_FETCH_SITE=site))


def test_a_configured_page_may_call_across_sites_and_read_the_reply() -> None:
    environ = post(HTTP_ORIGIN=PAGE, HTTP_SEC_FETCH_SITE="cross-site", HTTP_AUTHORIZATION=f"Bearer {KEY}")
    WITH_PAGE.check(environ)
    headers = dict(WITH_PAGE.cors_headers(environ))
    assert headers["Access-Control-Allow-Origin"] == PAGE
    assert headers["Vary"] == "Origin"
    assert "x-gateway-attempts" in headers["Access-Control-Expose-Headers"]


def test_a_preflight_of_a_configured_page_needs_no_key() -> None:
    WITH_PAGE.check(preflight(PAGE))
    headers = dict(WITH_PAGE.cors_headers(preflight(PAGE)))
    assert headers["Access-Control-Allow-Methods"] == "GET, POST, DELETE, OPTIONS"
    assert headers["Access-Control-Max-Age"] == "600"
    named = headers["Access-Control-Allow-Headers"].split(", ")
    assert {"authorization", "content-type", "x-api-key", "x-request-id", "x-stainless-retry-count"} <= set(named)
    assert not any("*" in value for value in headers.values())


def test_a_preflight_is_still_checked_for_its_host() -> None:
    with pytest.raises(HostRefused):
        WITH_PAGE.check({**preflight(PAGE), "HTTP_HOST": "evil.example"})


def test_an_options_request_that_is_no_preflight_needs_the_key() -> None:
    with pytest.raises(KeyRefused):
        WITH_PAGE.check(get(REQUEST_METHOD="OPTIONS", HTTP_ORIGIN=PAGE))


def test_a_reply_without_origin_varies_by_origin_only_where_one_is_configured() -> None:
    assert WITH_PAGE.cors_headers(get()) == [("Vary", "Origin")]
    assert OPEN.cors_headers(get()) == []


# Content ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON", "application/json; charset=utf-8", "application/json ;x=1"]
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_json_is_taken_with_parameters(kind: str, method: str) -> None:
    OPEN.check(post(REQUEST_METHOD=method, CONTENT_TYPE=kind))


@each_case(
    "kind",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/vnd.api+json",
        "text/json",
        "application/jsonx",
        "text/plain; application/json",
        "text/plain, application/json",
        "application/json, text/plain",
        "application/json; a=b, text/plain",
    ],
)
@each_case("method", ["POST", "PUT", "PATCH"])
def test_whatever_a_page_could_send_unasked_is_refused(kind: str, method: str) -> None:
    with pytest.raises(NotJsonContent, match="curl"):
        OPEN.check(post(REQUEST_METHOD=method, CONTENT_TYPE=kind))


def test_a_post_without_content_type_is_refused() -> None:
    environ = post()
    del environ["CONTENT_TYPE"]
    with pytest.raises(NotJsonContent):
        OPEN.check(environ)


@pytest.mark.parametrize("coding", ["gzip", "br", "gzip, identity", "deflate"])
def test_a_compressed_body_is_refused(coding: str) -> None:
    with pytest.raises(NotJsonContent):
        OPEN.check(post(HTTP_CONTENT_ENCODING=coding))


def test_a_get_needs_no_content_type_and_identity_is_no_compression() -> None:
    OPEN.check(get(CONTENT_TYPE="text/plain"))
    OPEN.check(post(HTTP_CONTENT_ENCODING="Identity"))


# Keys ---------------------------------------------------------------------------------------------------------------


def on_the_wire(key: str) -> str:
    """As WSGI shows the UTF-8 bytes of a header."""
    return key.encode().decode("latin-1")


@pytest.mark.parametrize(
    "shown",
    [
        {"HTTP_AUTHORIZATION": f"Bearer {KEY}"},
        {"HTTP_AUTHORIZATION": f"bearer  {KEY}"},
        {"HTTP_X_API_KEY": KEY},
        {"HTTP_X_API_KEY": "gw-other"},
        {"HTTP_AUTHORIZATION": "Bearer sk-of-the-client", "HTTP_X_API_KEY": KEY},
        {"HTTP_AUTHORIZATION": f"Bearer {on_the_wire('schlüssel-키')}"},
    ],
)
def test_any_configured_key_opens(shown: dict[str, str]) -> None:
    KEYED.check(post(**shown))


@pytest.mark.parametrize(
    "shown",
    [
        {},
        {"HTTP_AUTHORIZATION": ""},
        {"HTTP_AUTHORIZATION": "Bearer"},
        {"HTTP_AUTHORIZATION": "Bearer "},
        {"HTTP_AUTHORIZATION": KEY},
        {"HTTP_AUTHORIZATION": f"Basic {KEY}"},
        {"HTTP_AUTHORIZATION": f"Bearer {KEY[:-1]}"},
        {"HTTP_AUTHORIZATION": f"Bearer {KEY}x"},
        {"HTTP_AUTHORIZATION": f"Bearer {KEY}, Bearer {KEY}"},
        {"HTTP_AUTHORIZATION": f"Bearer {KEY.upper()}"},
        {"HTTP_AUTHORIZATION": "Bearer \xff\xfe\x80"},
        {"HTTP_X_API_KEY": "\xe4\xf6\xfc"},
        {"HTTP_X_API_KEY": ""},
        {"HTTP_X_API_KEY": "gw-"},
    ],
)
def test_no_other_key_opens(shown: dict[str, str]) -> None:
    with pytest.raises(KeyRefused) as caught:
        KEYED.check(post(**shown))
    assert KEY not in caught.value.message


def test_health_needs_no_key_and_everything_else_does() -> None:
    KEYED.check(get("/health"))
    for path in ("/v1/health", "/health/", "/HEALTH", "//", "/gateway/status.json", "/v1/models", "/nowhere"):
        with pytest.raises(KeyRefused):
            KEYED.check(get(path))


def test_an_empty_configured_key_never_opens_and_never_leaves_the_door_open() -> None:
    guard = Guard.of(schema.Gateway(api_keys=(Secret(""),)), PORT)
    for shown in ({}, {"HTTP_X_API_KEY": ""}, {"HTTP_AUTHORIZATION": "Bearer "}):
        with pytest.raises(KeyRefused):
            guard.check(post(**shown))


def test_a_guard_shows_no_key() -> None:
    assert KEY not in repr(KEYED)
    assert "digest" not in repr(KEYED)


# Anything -----------------------------------------------------------------------------------------------------------

NAMES = [
    "HTTP_HOST",
    "HTTP_ORIGIN",
    "HTTP_SEC_FETCH_SITE",
    "HTTP_AUTHORIZATION",
    "HTTP_X_API_KEY",
    "HTTP_CONTENT_ENCODING",
    "HTTP_ACCESS_CONTROL_REQUEST_METHOD",
    "CONTENT_TYPE",
    "PATH_INFO",
    "REQUEST_METHOD",
    "gateway.authority",
]
TEXTS = st.one_of(st.text(), st.sampled_from(["localhost", "OPTIONS", "POST", PAGE, "Bearer \xff", "application/json"]))


@given(st.dictionaries(st.sampled_from(NAMES), TEXTS), st.sampled_from([OPEN, KEYED, WITH_PAGE, WITH_HOSTS]))
def test_whatever_the_headers_say_the_answer_is_yes_or_an_error_of_ours(
    environ: dict[str, object], guard: Guard
) -> None:
    try:
        guard.check(environ)
    except GatewayError as error:
        assert 400 <= error.status < 500
    for name, value in guard.cors_headers(environ):
        assert f"{name}: {value}".isprintable()


@given(st.text())
def test_no_text_but_a_key_is_a_key(text: str) -> None:
    keys = {KEY, "gw-other", on_the_wire("schlüssel-키")}
    if text.strip(" \t") in keys:
        return
    with pytest.raises(KeyRefused):
        KEYED.check(get(HTTP_AUTHORIZATION=f"Bearer {text}"))
    with pytest.raises(KeyRefused):
        KEYED.check(get(HTTP_X_API_KEY=text))


# Metrics ------------------------------------------------------------------------------------------------------------

SCRAPER = "gw-scraper-0123456789"
WITH_SCRAPER = Guard.of(schema.Gateway(api_keys=(Secret(KEY),), metrics_key=Secret(SCRAPER)), PORT)
SCRAPER_ALONE = Guard.of(schema.Gateway(metrics_key=Secret(SCRAPER)), PORT)


def bearing(key: str) -> dict[str, str]:
    return {"HTTP_AUTHORIZATION": f"Bearer {key}"}


def lets_in(guard: Guard, environ: dict[str, object]) -> bool:
    try:
        guard.check(environ)
    except KeyRefused:
        return False
    return True


@pytest.mark.parametrize("path", ["/metrics", "/metrics/"])
def test_a_scrapers_key_opens_the_metrics_and_nothing_else(path: str) -> None:
    assert lets_in(WITH_SCRAPER, get(path, **bearing(SCRAPER)))
    assert lets_in(WITH_SCRAPER, get(path, **bearing(KEY)))
    assert not lets_in(WITH_SCRAPER, get(path, **bearing("gw-wrong")))
    assert not lets_in(WITH_SCRAPER, get(path))
    for other in ("/v1/models", "/metric", "/metricsx", "/metrics/x", "/v1/metrics", "/gateway/explain"):
        assert not lets_in(WITH_SCRAPER, get(other, **bearing(SCRAPER)))
        assert lets_in(WITH_SCRAPER, get(other, **bearing(KEY)))


def test_a_scrapers_key_is_needed_where_it_is_the_only_one() -> None:
    assert lets_in(SCRAPER_ALONE, get("/metrics", **bearing(SCRAPER)))
    assert not lets_in(SCRAPER_ALONE, get("/metrics"))
    assert lets_in(SCRAPER_ALONE, get("/v1/models"))


def test_without_any_key_the_metrics_are_as_open_as_the_api() -> None:
    assert lets_in(OPEN, get("/metrics")) and lets_in(OPEN, get("/v1/models"))


def test_a_scrapers_key_is_no_client() -> None:
    assert WITH_SCRAPER.owner(get("/metrics", **bearing(SCRAPER))) == ""


def test_a_scrapers_key_opens_nothing_where_the_metrics_are_off() -> None:
    off = Guard.of(schema.Gateway(api_keys=(Secret(KEY),), metrics_key=Secret(SCRAPER), metrics=False), PORT)
    assert not lets_in(off, get("/metrics", **bearing(SCRAPER)))


@pytest.mark.parametrize("path", ["/metrics", "/metrics/"])
@pytest.mark.parametrize("origin", [PAGE, "https://other.example"])
def test_no_page_reads_the_metrics_not_even_an_allowed_one(path: str, origin: str) -> None:
    asked = get(path, HTTP_ORIGIN=origin, **bearing(KEY))
    for environ in (asked, {**preflight(origin), "PATH_INFO": path}):
        with pytest.raises(OriginRefused):
            WITH_PAGE.check(environ)
        assert not [name for name, _ in WITH_PAGE.cors_headers(environ) if name.startswith("Access-Control-")]


def test_no_scrapers_key_is_printed() -> None:
    assert SCRAPER not in repr(WITH_SCRAPER) and "metrics_digest" not in repr(WITH_SCRAPER)


# The page of our own ------------------------------------------------------------------------------------------------

TOKEN = "0123456789abcdef0123456789abcdef"
OURS_ALONE = ["/", "/gateway/status.json", "/gateway/login", "/gateway/page/0/page.js", "/gateway", "/metrics"]
WITH_TOKEN = Guard.of(schema.Gateway(), PORT, page_token=Secret(TOKEN))
WITH_BOTH = Guard.of(schema.Gateway(api_keys=(Secret(KEY),), allowed_origins=(PAGE,)), PORT, page_token=Secret(TOKEN))


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "LocalHost:8080", "[::1]:8080", "localhost"])
def test_a_page_of_our_own_may_call_by_the_host_that_it_was_loaded_from(host: str) -> None:
    for environ in (post(HTTP_HOST=host), get("/gateway/status.json", HTTP_HOST=host), get("/", HTTP_HOST=host)):
        OPEN.check({**environ, "HTTP_ORIGIN": f"http://{host.lower()}"})


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost:8080",
        "https://127.0.0.1:8080",
        "http://127.0.0.1",
        "http://127.0.0.1:8080/",
        "null",
        "http://",
    ],
)
def test_what_only_looks_like_our_own_page_may_not(origin: str) -> None:
    for environ in (post(HTTP_ORIGIN=origin), get("/gateway/status.json", HTTP_ORIGIN=origin)):
        with pytest.raises(OriginRefused):
            OPEN.check(environ)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_our_own_origin_does_not_excuse_what_a_browser_calls_another_site(site: str) -> None:
    with pytest.raises(OriginRefused):
        OPEN.check(post(HTTP_ORIGIN="http://127.0.0.1:8080", HTTP_SEC_FETCH_SITE=site))


def test_a_page_on_a_re_pointed_name_is_refused_by_its_host() -> None:
    with pytest.raises(HostRefused):
        OPEN.check(get("/", HTTP_HOST="evil.example:8080", HTTP_ORIGIN="http://evil.example:8080"))


@pytest.mark.parametrize("path", OURS_ALONE)
def test_an_allowed_page_was_let_in_to_ask_models_and_for_nothing_of_our_own(path: str) -> None:
    shown = {"HTTP_ORIGIN": PAGE, "HTTP_AUTHORIZATION": f"Bearer {KEY}", "HTTP_X_GATEWAY_TOKEN": TOKEN}
    for method in ("GET", "POST", "OPTIONS"):
        environ = get(path, REQUEST_METHOD=method, CONTENT_TYPE="application/json", **shown)
        with pytest.raises(OriginRefused):
            WITH_BOTH.check(environ)
        assert WITH_BOTH.cors_headers(environ) == [("Vary", "Origin")]
    WITH_BOTH.check(post(**shown))


@pytest.mark.parametrize("path", ["/", "/gateway/page/0/page.js", "/health"])
def test_the_page_and_its_files_are_open_where_keys_are_configured(path: str) -> None:
    WITH_BOTH.check(get(path))


@pytest.mark.parametrize("path", ["/gateway/status.json", "/gateway/calls.json", "/gateway/usage.json", "/v1/models"])
def test_the_pages_token_stands_for_a_key(path: str) -> None:
    assert not lets_in(WITH_BOTH, get(path))
    assert not lets_in(WITH_BOTH, get(path, HTTP_X_GATEWAY_TOKEN=TOKEN[:-1]))
    assert lets_in(WITH_BOTH, get(path, HTTP_X_GATEWAY_TOKEN=TOKEN))


@pytest.mark.parametrize("path", ["/gateway/login", "/gateway/login/x", "/gateway/login/x/cancel", "/gateway/logout"])
def test_to_act_takes_the_pages_token_or_a_key(path: str) -> None:
    for guard in (OPEN, WITH_TOKEN, WITH_BOTH):
        assert not lets_in(guard, get(path))
        assert not lets_in(guard, get(path, HTTP_X_GATEWAY_TOKEN=""))
        assert not lets_in(guard, get(path, HTTP_X_GATEWAY_TOKEN=TOKEN.upper()))
        assert not lets_in(guard, get(path, HTTP_X_GATEWAY_TOKEN="\xff"))
    assert lets_in(WITH_TOKEN, get(path, HTTP_X_GATEWAY_TOKEN=TOKEN))
    assert lets_in(WITH_BOTH, get(path, HTTP_X_GATEWAY_TOKEN=TOKEN))
    assert lets_in(WITH_BOTH, get(path, **bearing(KEY)))
    assert not lets_in(WITH_TOKEN, get(path, **bearing(TOKEN))), "it is no key"


def test_a_scrapers_key_acts_nowhere() -> None:
    assert not lets_in(WITH_SCRAPER, get("/gateway/login", **bearing(SCRAPER)))


def test_a_guard_does_not_show_the_pages_token() -> None:
    assert TOKEN not in repr(WITH_TOKEN) and "page_digest" not in repr(WITH_TOKEN)
