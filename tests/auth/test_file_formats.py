"""The token formats of other tools, one by one."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.auth.tokens.file_formats import MAX_JWT, FileFormat, TokenPaths, read_entry, read_tokens, token_of
from gateway.auth.tokens.token import Token
from gateway.core.secrets import Secret
from gateway.core.strict_json import JsonFault, JsonValue
from tests.support.cases import each_case

NEW_YEAR = 1_767_225_600.0  # 2026-01-01T00:00:00Z
WRITTEN = NEW_YEAR - 3600


def jwt(claims: object) -> str:
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (b"{}", dumped(claims), b"sig"))


def dumped(value: object) -> bytes:
    return json.dumps(value).encode()


def seen(token: Token | None) -> tuple[str, float | None] | None:
    return (token.access_token.reveal(), token.expires_at) if token else None


def read(value: JsonValue, form: FileFormat = "auto", paths: TokenPaths | None = None) -> tuple[str, float | None]:
    (token,) = read_tokens(value, "p", form, paths, WRITTEN).values()
    assert token.refresh_token is None
    return token.access_token.reveal(), token.expires_at


def fault(value: JsonValue, form: FileFormat = "auto", provider: str | None = "p") -> str:
    with pytest.raises(JsonFault) as caught:
        read_tokens(value, provider, form)
    return str(caught.value)


GEMINI_CLI: JsonValue = {
    "access_token": "ya29.a",
    "refresh_token": "1//r",
    "scope": "https://www.googleapis.com/auth/cloud-platform",
    "token_type": "Bearer",
    "id_token": "eyJ.x.y",
    "expiry_date": 1_767_225_600_000,
}


def codex(**fields: JsonValue) -> dict[str, JsonValue]:
    return {
        "OPENAI_API_KEY": None,
        "tokens": {
            "id_token": jwt({"exp": 1}),
            "access_token": jwt({"exp": 1_767_225_600}),
            "refresh_token": "r",
            "account_id": "acct",
        },
        "last_refresh": "2025-12-31T00:00:00Z",
        **fields,
    }


# The tools ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["auto", "gemini-cli", "plain"])
def test_gemini_cli_tells_its_expiry_in_milliseconds(form: FileFormat) -> None:
    assert read(GEMINI_CLI, form) == ("ya29.a", NEW_YEAR)


@pytest.mark.parametrize("form", ["auto", "codex"])
def test_codex_tells_its_expiry_inside_the_token(form: FileFormat) -> None:
    assert read(codex(), form) == (jwt({"exp": 1_767_225_600}), NEW_YEAR)


@pytest.mark.parametrize("tokens", [None, {}, {"access_token": ""}])
def test_codex_without_a_login_has_a_key(tokens: JsonValue) -> None:
    assert read(codex(tokens=tokens, OPENAI_API_KEY="sk-1")) == ("sk-1", None)
    assert "no token" in fault(codex(tokens=tokens))


def test_a_login_of_codex_wins_over_its_key() -> None:
    assert read(codex(OPENAI_API_KEY="sk-1"))[1] == NEW_YEAR


@pytest.mark.parametrize("kind", ["authorized_user", "service_account", "external_account"])
def test_googles_default_credentials_hold_no_token_and_the_fault_says_what_to_do(kind: str) -> None:
    assert "authType: adc" in fault({"type": kind, "client_id": "i", "client_secret": "s", "refresh_token": "r"})


def test_googles_own_library_may_keep_a_token_there() -> None:
    value: JsonValue = {"type": "authorized_user", "token": "ya29.a", "expiry": "2026-01-01T00:00:00Z"}
    assert read(value) == read(value, "gcloud") == ("ya29.a", NEW_YEAR)


def test_a_tool_that_tells_a_lifetime_is_counted_from_when_it_wrote() -> None:
    assert read({"access_token": "a", "expires_in": 3600}) == ("a", NEW_YEAR)
    assert read({"access_token": "a", "expires_in": "3600"}) == ("a", NEW_YEAR)
    assert read_tokens({"access_token": "a", "expires_in": 3600}, "p")["p"].expires_at is None


@each_case("access", ["accessToken", "access_token", "token", "apiKey", "api_key"])
@each_case(
    ("expiry", "value"),
    [
        ("expiresAt", "2026-01-01T00:00:00Z"),
        ("expiresAt", 1_767_225_600),
        ("expires_at", 1_767_225_600),
        ("expires_at", "1767225600"),
        ("expiry", "2026-01-01T01:00:00.000000000+01:00"),
        ("expired", "2026-01-01T00:00:00+00:00"),
        ("expires_on", 1_767_225_600),
        ("expirationTimestamp", "2026-01-01T00:00:00"),
        ("expiry_date", 1_767_225_600_000),
    ],
)
def test_the_usual_names(access: str, expiry: str, value: JsonValue) -> None:
    entry: JsonValue = {access: "a", expiry: value, "refreshToken": "r"}
    assert read(entry) == ("a", NEW_YEAR)
    assert read_tokens({"x": entry, "updated": 7}, None)["x"].expires_at == NEW_YEAR


@pytest.mark.parametrize("expiry", [None, "", "tomorrow", True, -1, 1e300, [], {"exp": 1}])
def test_an_expiry_that_is_none_leaves_it_unknown(expiry: JsonValue) -> None:
    assert read({"accessToken": "a", "expiresAt": expiry}) == ("a", None)


def test_a_gateways_own_file_can_be_watched_too() -> None:
    value: JsonValue = {"version": 1, "credentials": {"x": {"accessToken": "a", "refreshToken": "r"}}}
    assert seen(read_tokens(value, None)["x"]) == ("a", None)


# Whose it is -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [GEMINI_CLI, codex(), {"accessToken": "a"}])
def test_a_token_that_nobody_claims_is_offered_to_nobody(value: JsonValue) -> None:
    assert "whose token" in fault(value, provider=None)


def test_a_file_with_entries_by_provider_says_it_itself() -> None:
    value: JsonValue = {"x": {"accessToken": "a"}, "y": {"access_token": "b"}, "z": {}}
    assert {name: seen(token) for name, token in read_tokens(value, "p").items()} == {
        "x": ("a", None),
        "y": ("b", None),
    }


# Places of one's own -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (TokenPaths("a.b", "a.c"), ("t", NEW_YEAR)),
        (TokenPaths("a.b"), ("t", None)),
        (TokenPaths("top"), ("u", NEW_YEAR + 60)),
        (TokenPaths(None, "a.c"), ("k", NEW_YEAR)),
        (TokenPaths("a.jwt"), (jwt({"exp": NEW_YEAR}), NEW_YEAR)),
    ],
)
def test_a_configured_place_wins(paths: TokenPaths, expected: tuple[str, float]) -> None:
    inner: JsonValue = {"b": "t", "c": "2026-01-01T00:00:00Z", "jwt": jwt({"exp": NEW_YEAR})}
    assert read({"a": inner, "top": "u", "token": "k", "expires_at": NEW_YEAR + 60}, "auto", paths) == expected


@pytest.mark.parametrize("place", ["b", "a.x", "a.b.c", "a", "a.", ".", "a..b"])
def test_a_configured_place_with_nothing_there_is_told(place: str) -> None:
    with pytest.raises(JsonFault, match="in the place"):
        read_tokens({"a": {"b": "t"}}, "p", "auto", TokenPaths(place))


# What is no token --------------------------------------------------------------------------------------------------


@each_case("value", [[], "sk-SECRET", 1, None, {}, {"type": []}, {"x": "sk-SECRET"}, {"x": {"accessToken": "a\r\nb"}}])
@each_case("form", ["auto", "plain", "codex", "gemini-cli", "gcloud"])
def test_a_file_without_a_token_is_a_fault_that_quotes_nothing(value: JsonValue, form: FileFormat) -> None:
    assert "SECRET" not in fault(value, form)


@pytest.mark.parametrize(
    "text", ["eyJ.a", "eyJ..b", "eyJ.!!.c", "eyJ.W10.c", "eyJ.bnVsbA.c", "a." + "b" * MAX_JWT + ".c"]
)
def test_what_only_looks_like_a_jwt_has_no_expiry(text: str) -> None:
    assert seen(token_of(text)) == (text, None)


@pytest.mark.parametrize("claims", [{}, {"exp": None}, {"exp": True}, {"exp": -5}, {"exp": 1e300}, {"exp": []}])
def test_a_jwt_without_a_good_exp_has_no_expiry(claims: object) -> None:
    assert seen(token_of(jwt(claims))) == (jwt(claims), None)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text() | st.sampled_from(["tokens", "accessToken", "expiresAt", "expires_in"]), inner)
    ),
    max_leaves=20,
)


@given(json_values, st.sampled_from(["auto", "plain", "codex", "gemini-cli", "gcloud"]), st.text(max_size=5))
def test_any_json_is_tokens_or_a_fault(value: JsonValue, form: FileFormat, place: str) -> None:
    for paths in (None, TokenPaths(place), TokenPaths(None, place)):
        try:
            tokens = read_tokens(value, "p", form, paths, WRITTEN)
        except JsonFault:
            continue
        assert all(token.access_token.reveal().isascii() for token in tokens.values())


@given(st.text())
def test_any_text_is_a_token_or_none(text: str) -> None:
    token = token_of(text)
    assert token is None or token.access_token == Secret(text.strip())
    assert read_entry({"token": text}) == token
