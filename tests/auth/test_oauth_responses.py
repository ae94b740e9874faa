"""Properties of reading an authorization server's responses: the result is a reply, a refusal or OAuthUnreachable."""

import json
import math

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.auth.oauth.endpoint import OAuthResponse, trusted_address
from gateway.auth.oauth.errors import OAuthRefused, OAuthUnreachable
from gateway.auth.oauth.responses import read_device_grant, read_fields, read_token_reply
from gateway.core.secrets import Secret

ENDPOINT = "https://acme.example/token"
NAMES = ["error", "error_description", "interval", "access_token", "refresh_token", "expires_in", "token_type"]
NAMES += ["device_code", "user_code", "verification_uri", "verification_url", "verification_uri_complete"]

printable = st.characters(exclude_categories=["C", "Z"], include_characters=" ")
texts = st.text() | st.sampled_from(
    ["slow_down", "bearer", "3600", "nan", "at-1", "https://acme.example/d", "https://["]
)
values = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | texts | st.lists(st.text())
objects = st.dictionaries(
    st.sampled_from(NAMES), values | st.dictionaries(st.sampled_from(["code", "message"]), values)
)
bodies = st.binary() | objects.map(lambda fields: json.dumps(fields).encode("utf-8", "replace"))
answers = st.builds(
    OAuthResponse,
    status=st.sampled_from([200, 201, 204, 400, 401, 403, 404, 418, 428, 429, 500, 503]),
    content_type=st.sampled_from(["application/json", "text/html", "application/x-www-form-urlencoded", "", "x;y"]),
    body=bodies,
)


@given(answer=answers)
@example(OAuthResponse(400, "", b'{"error": "\\u0000"}'))
def test_an_answer_is_a_token_a_no_or_none(answer: OAuthResponse) -> None:
    try:
        reply = read_token_reply(read_fields(answer, ENDPOINT, ()))
    except OAuthRefused as refused:
        assert refused.code
        assert str(refused).isprintable()
        assert len(str(refused)) <= 402
        assert answer.status < 500
    except OAuthUnreachable as unreachable:
        assert str(unreachable).isprintable()
    else:
        assert 200 <= answer.status < 300
        assert f"Bearer {reply.access_token.reveal()}".isascii()
        assert reply.expires_in is None or 0 < reply.expires_in < math.inf


@given(answer=answers)
def test_an_answer_is_a_code_to_show_a_no_or_none(answer: OAuthResponse) -> None:
    try:
        grant = read_device_grant(read_fields(answer, ENDPOINT, ()))
    except (OAuthRefused, OAuthUnreachable):
        return
    assert grant.user_code.isprintable()
    assert grant.verification_uri.startswith(("http://", "https://"))
    assert grant.expires_in > 0
    assert grant.interval > 0


@given(secret=st.text(printable, min_size=6), before=st.text(), after=st.text())
@example(secret="ends in a blank ", before="", after="")
def test_a_secret_that_comes_back_is_masked_wherever_it_stands(secret: str, before: str, after: str) -> None:
    words = f"canary-{secret}"
    body = json.dumps({"error": f"{before[:9]}{words}", "error_description": f"{before}{words}{after}"}).encode()
    try:
        read_fields(OAuthResponse(400, "", body), ENDPOINT, [Secret(words)])
    except OAuthRefused as refused:
        assert words not in str(refused)
        assert "canary" not in str(refused)


@given(
    url=texts
    | st.tuples(st.sampled_from(["https://", "http://localhost", "http://127.0.0.1:"]), st.text()).map("".join)
)
def test_whether_an_address_is_safe_can_be_asked_of_any_text(url: str) -> None:
    assert trusted_address(url) in (True, False)
    if trusted_address(url):
        assert url.isascii()
