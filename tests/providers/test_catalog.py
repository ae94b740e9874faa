"""The vendors known by name: what a provider's settings leave out, and what is said of settings that cannot work."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pytest

from gateway.auth.oauth.settings import OAuthSettings
from gateway.auth.sources import (
    AdcSource,
    ApiKey,
    CommandSource,
    NoCredential,
    StoredToken,
    TokenFileSource,
)
from gateway.auth.tokens.file_formats import TokenPaths
from gateway.config import schema
from gateway.config.loader import ConfigError, Problem, parse
from gateway.config.token_files import TokenFile
from gateway.core.secrets import Secret
from gateway.providers.catalog import CannotResolve, Resolved, check, from_environment, resolve
from gateway.providers.vendors import VENDORS, Vendor
from gateway.wires.openai_chat.outbound.dialect import Dialect
from tests.support.cases import each_case

GUIDE = (Path(__file__).parents[2] / "docs" / "providers.md").read_text(encoding="utf-8")
WITH_KEY = {name: vendor for name, vendor in VENDORS.items() if vendor.key_env}
KEYLESS = {name: vendor for name, vendor in VENDORS.items() if not vendor.key_env}
EVERY_KEY = {vendor.key_env: f"key-of-{name}" for name, vendor in VENDORS.items() if vendor.key_env}


def found(name: str, environ: Mapping[str, str] | None = None, **settings: object) -> Resolved:
    return resolve(name, schema.Provider(**settings), environ or {})  # type: ignore[arg-type]


def key_of(resolved: Resolved) -> str | None:
    return resolved.source.secret.reveal() if isinstance(resolved.source, ApiKey) else None


def problems(environ: Mapping[str, str] | None = None, *, port: int = 8080, **providers: object) -> list[Problem]:
    config = schema.Config(gateway=schema.Gateway(port=port), providers=providers)  # type: ignore[arg-type]
    return list(check(environ or {})(config))


# The rows ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "vendor"), WITH_KEY.items(), ids=list(WITH_KEY))
def test_a_vendor_is_resolved_with_the_key_of_its_environment_variable(name: str, vendor: Vendor) -> None:
    resolved = found(name, EVERY_KEY)
    assert (resolved.name, resolved.type, resolved.endpoint) == (name, name, vendor.endpoint)
    assert key_of(resolved) == f"key-of-{name}"
    assert (resolved.wire, resolved.dialect) == (vendor.wire, vendor.dialect)
    assert resolved.stream_usage is vendor.stream_usage


@pytest.mark.parametrize(("name", "vendor"), KEYLESS.items(), ids=list(KEYLESS))
def test_a_server_on_this_machine_needs_no_key(name: str, vendor: Vendor) -> None:
    resolved = found(name, EVERY_KEY)
    assert resolved.endpoint == vendor.endpoint
    assert resolved.source == NoCredential()


@pytest.mark.parametrize(("name", "vendor"), VENDORS.items(), ids=list(VENDORS))
def test_every_row_is_well_formed(name: str, vendor: Vendor) -> None:
    address = vendor.endpoint or "https://demo"
    assert (
        address.startswith("https://") if vendor.key_env else address.startswith(("http://127.0.0.1:", "https://demo"))
    )
    assert not address.endswith("/")
    assert name == name.lower()


@each_case("name", WITH_KEY)
@each_case("value", [None, "", " ", "\t\n"])
def test_an_empty_variable_counts_as_absent(name: str, value: str | None) -> None:
    variable = WITH_KEY[name].key_env or ""
    environ = {} if value is None else {variable: value}
    with pytest.raises(CannotResolve, match=variable) as caught:
        found(name, environ)
    assert caught.value.key == "apiKey"
    assert from_environment(environ) == {}


def test_a_key_from_the_environment_is_stripped() -> None:
    assert key_of(found("openai", {"OPENAI_API_KEY": " sk-1\n"})) == "sk-1"


def test_what_is_served_without_a_file_is_every_vendor_with_a_key() -> None:
    assert list(from_environment(EVERY_KEY)) == list(WITH_KEY)
    assert list(from_environment({"GROQ_API_KEY": "k", "GEMINI_API_KEY": "", "HOME": "/"})) == ["groq"]


# Settings go before the row ----------------------------------------------------------------------------------------


def test_a_key_in_the_configuration_wins_over_the_environment() -> None:
    assert key_of(found("openai", EVERY_KEY, api_key=Secret("own"))) == "own"


def test_an_empty_key_in_the_configuration_is_none() -> None:
    assert key_of(found("openai", EVERY_KEY, api_key=Secret(""))) == "key-of-openai"


def test_a_name_of_ones_own_has_the_type_it_says() -> None:
    resolved = found("work", EVERY_KEY, type="groq")
    assert (resolved.name, resolved.type, resolved.endpoint) == ("work", "groq", VENDORS["groq"].endpoint)
    assert key_of(resolved) == "key-of-groq"


@pytest.mark.parametrize("told", [True, False])
def test_stream_usage_can_be_told(told: bool) -> None:
    assert found("openai", EVERY_KEY, stream_usage=told).stream_usage is told
    assert found("mistral", EVERY_KEY, stream_usage=told).stream_usage is told


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://127.0.0.1:9/v1",
        "https://proxy.example/openai",
        "https://api.openai.com.evil.example/v1",
        "https://evil.example/api.openai.com/v1",
        "https://openai.com/v1",
    ],
)
def test_another_host_never_gets_the_vendors_key(endpoint: str) -> None:
    resolved = found("openai", EVERY_KEY, api_endpoint=endpoint)
    assert resolved.source == NoCredential()
    assert resolved.endpoint == endpoint


def test_the_vendors_own_host_gets_its_key_at_any_path() -> None:
    assert key_of(found("openai", EVERY_KEY, api_endpoint="https://API.openai.com/v2")) == "key-of-openai"


def test_a_trailing_slash_does_not_become_two() -> None:
    assert found("openai", EVERY_KEY, api_endpoint="https://proxy.example/v1/").endpoint == "https://proxy.example/v1"


@pytest.mark.parametrize(
    ("name", "strict"), [("openai", True), ("groq", True), ("mistral", True), ("deepseek", False), ("gemini", False)]
)
def test_who_refuses_the_fields_of_others_is_known_and_can_be_told(name: str, strict: bool) -> None:
    assert (found(name, EVERY_KEY).dialect.history == "strict") is strict
    assert found(name, EVERY_KEY, message_extras="strip").dialect.history == "strict"
    assert found(name, EVERY_KEY, message_extras="keep").dialect.history == "as_is"


def test_a_compatible_server_at_another_address_keeps_what_it_wrote() -> None:
    assert found("mine", type="openai", api_endpoint="http://127.0.0.1:9/v1").dialect == Dialect()


@each_case("host", ["https://generativelanguage.googleapis.com", "http://127.0.0.1:9"])
@each_case(
    ("given", "api", "wire", "used"),
    [
        ("/v1beta", None, "gemini", "/v1beta"),
        ("/v1beta/", None, "gemini", "/v1beta"),
        ("/v1beta/openai", None, "openai_chat", "/v1beta/openai"),
        ("/v1beta/openai/", None, "openai_chat", "/v1beta/openai"),
        ("/v1beta", "native", "gemini", "/v1beta"),
        ("/v1beta/openai", "native", "gemini", "/v1beta"),
        ("/v1beta/openai/", "native", "gemini", "/v1beta"),
        ("/v1beta", "openai", "openai_chat", "/v1beta/openai"),
        ("/v1beta/", "openai", "openai_chat", "/v1beta/openai"),
        ("/v1beta/openai", "openai", "openai_chat", "/v1beta/openai"),
        ("", None, "gemini", ""),
        ("/openai-proxy", None, "gemini", "/openai-proxy"),
    ],
)
def test_gemini_is_asked_in_its_own_wire_unless_the_compatible_one_is_named(
    host: str, given: str, api: str | None, wire: str, used: str
) -> None:
    resolved = found("gemini", EVERY_KEY, api_endpoint=host + given, api=api)
    assert (resolved.wire, resolved.endpoint) == (wire, host + used)
    assert key_of(resolved) == ("key-of-gemini" if "google" in host else None)


def test_without_an_address_gemini_is_asked_at_google() -> None:
    google = "https://generativelanguage.googleapis.com/v1beta"
    assert found("gemini", EVERY_KEY).endpoint == google
    compatible = found("work", EVERY_KEY, type="gemini", api="openai")
    assert (compatible.wire, compatible.endpoint) == ("openai_chat", google + "/openai")


# What cannot work --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("opneai", {}, ["is missing", 'did you mean "openai"?', "type: openai"]),
        ("my-server", {}, ["is missing", "type: openai"]),
        ("x", {"type": "opena"}, ["must be one of", "groq", 'did you mean "openai"?']),
        ("openai", {"type": "qqqq"}, ["must be one of"]),
    ],
)
def test_an_unknown_type_gets_a_hint(name: str, settings: dict[str, object], words: list[str]) -> None:
    with pytest.raises(CannotResolve) as caught:
        found(name, EVERY_KEY, **settings)
    assert caught.value.key == "type"
    assert [word for word in words if word not in caught.value.message] == []
    (problem,) = problems(EVERY_KEY, **{name: schema.Provider(**settings)})  # type: ignore[arg-type]
    assert (problem.path, problem.fatal) == (("providers", name, "type"), True)


@pytest.mark.parametrize("endpoint", ["https://[", "http://127.0.0.1:99999/v1", "http://h:port/v1", "https://[::1/v1"])
def test_a_malformed_address_is_a_fault_and_never_a_crash(endpoint: str) -> None:
    with pytest.raises(CannotResolve) as caught:
        found("openai", EVERY_KEY, api_endpoint=endpoint)
    assert caught.value.key == "apiEndpoint"
    assert endpoint not in caught.value.message
    text = json.dumps({"providers": {"openai": {"apiKey": "k", "apiEndpoint": endpoint}}}).encode()
    with pytest.raises(ConfigError) as told:
        parse(text, "config.yaml", env={}, checks=(check({}),))
    assert [fault.path for fault in told.value.faults] == ["providers.openai.apiEndpoint"], "said once"


def test_a_missing_key_is_a_fault_that_says_what_to_do() -> None:
    (problem,) = problems({}, openai=schema.Provider())
    assert (problem.path, problem.fatal) == (("providers", "openai", "apiKey"), True)
    assert "OPENAI_API_KEY" in problem.message
    assert "enabled: false" in problem.message


def test_a_disabled_provider_is_not_checked() -> None:
    assert problems({}, openai=schema.Provider(enabled=False), nobody=schema.Provider(enabled=False)) == []


def test_every_provider_is_checked() -> None:
    told = problems({}, openai=schema.Provider(), groq=schema.Provider(), ollama=schema.Provider())
    assert [problem.path[1] for problem in told] == ["openai", "groq"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "LOCALHOST"])
def test_the_gateways_own_address_is_a_fault(host: str) -> None:
    (problem,) = problems(port=1234, me=schema.Provider(type="openai", api_endpoint=f"http://{host}:1234/v1"))
    assert (problem.path, problem.fatal) == (("providers", "me", "apiEndpoint"), True)
    assert "own address" in problem.message


def test_a_known_server_at_the_gateways_own_port_is_a_fault_too() -> None:
    (problem,) = problems(port=8080, llamacpp=schema.Provider())
    assert problem.fatal
    assert problems(port=8081, llamacpp=schema.Provider()) == []


def test_port_0_is_nobodys_address() -> None:
    assert problems(port=0, me=schema.Provider(type="openai", api_endpoint="http://127.0.0.1/v1")) == []


@pytest.mark.parametrize(
    ("endpoint", "warned"),
    [
        ("https://generativelanguage.googleapis.com/v1", True),
        ("https://generativelanguage.googleapis.com/v1/", True),
        ("https://generativelanguage.googleapis.com/v1/openai", True),
        ("https://proxy.example/google/v1", True),
        ("http://127.0.0.1:9/v1", True),
        ("https://generativelanguage.googleapis.com/v1beta", False),
        ("https://generativelanguage.googleapis.com/v1beta/openai", False),
        ("https://proxy.example/google", False),
        ("https://aiplatform.googleapis.com/v1", False),
        ("https://europe-west4-aiplatform.googleapis.com/v1", False),
        ("https://evil-aiplatform.googleapis.com.example/v1", True),
    ],
)
def test_a_gemini_at_v1_gets_a_warning_that_says_what_it_lacks(endpoint: str, warned: bool) -> None:
    told = problems(EVERY_KEY, gemini=schema.Provider(api_endpoint=endpoint))
    assert [(problem.path[-1], problem.fatal) for problem in told] == [("apiEndpoint", False)] * warned
    lacks = ("system instruction", "tools", "JSON output", "thinking", "/v1beta")
    assert all(word in problem.message for problem in told for word in lacks)


def test_gemini_under_another_type_gets_a_warning() -> None:
    google = "https://generativelanguage.googleapis.com/v1beta/openai"
    (problem,) = problems({}, mine=schema.Provider(type="openai", api_key=Secret("k"), api_endpoint=google))
    assert (problem.path[-1], problem.fatal) == ("apiEndpoint", False)
    assert "type: gemini" in problem.message


def test_v1_is_right_for_every_other_vendor() -> None:
    assert problems({}, mine=schema.Provider(type="openai", api_endpoint="https://proxy.example/v1")) == []


@each_case("name", sorted(VENDORS.keys() - {"gemini", "openai"}))
@each_case("api", ["native", "openai", "chat", "responses"])
def test_who_has_one_api_gives_no_choice(name: str, api: str) -> None:
    (problem,) = problems(EVERY_KEY, port=1, **{name: schema.Provider(api=api)})  # type: ignore[arg-type]
    assert (problem.path, problem.fatal) == (("providers", name, "api"), True)
    assert f"{name} has only one" in problem.message


@pytest.mark.parametrize(("name", "api"), [("openai", "native"), ("openai", "openai"), ("gemini", "responses")])
def test_an_api_of_another_vendor_is_a_fault_that_names_those_there_are(name: str, api: str) -> None:
    (problem,) = problems(EVERY_KEY, port=1, **{name: schema.Provider(api=api)})  # type: ignore[arg-type]
    assert (problem.path, problem.fatal) == (("providers", name, "api"), True)
    assert problem.message.startswith("must be ")


@pytest.mark.parametrize(
    ("api", "wire"), [(None, "openai_chat"), ("chat", "openai_chat"), ("responses", "openai_responses")]
)
def test_openai_has_two_apis_at_one_address(api: Literal["chat", "responses"] | None, wire: str) -> None:
    settings = schema.Provider(api=api)
    assert not problems(EVERY_KEY, port=1, openai=settings)
    resolved = resolve("openai", settings, EVERY_KEY)
    assert (resolved.wire, resolved.endpoint) == (wire, "https://api.openai.com/v1")


def test_settings_of_chat_apis_are_no_settings_of_the_responses_api() -> None:
    settings = schema.Provider(api="responses", message_extras="keep")
    (problem,) = problems(EVERY_KEY, port=1, openai=settings)
    assert problem.path == ("providers", "openai", "messageExtras")
    assert "api: chat" in problem.message


@pytest.mark.parametrize("api", ["native", "openai"])
def test_gemini_gives_a_choice(api: str) -> None:
    assert problems(EVERY_KEY, gemini=schema.Provider(api=api)) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "key", "fatal"),
    [
        ({"message_extras": "strip"}, "messageExtras", True),
        ({"stream_usage": False}, "streamUsage", False),
        ({"quota_project": "my-project"}, "quotaProject", False),
    ],
)
def test_what_geminis_own_api_has_no_use_for_is_told(settings: Mapping[str, object], key: str, fatal: bool) -> None:
    (problem,) = problems(EVERY_KEY, gemini=schema.Provider(**settings))  # type: ignore[arg-type]
    assert (problem.path, problem.fatal) == (("providers", "gemini", key), fatal)
    assert problems(EVERY_KEY, gemini=schema.Provider(api="openai", **settings)) == []  # type: ignore[arg-type]


def test_no_message_holds_a_key() -> None:
    secret = "sk-canary-0123456789"
    environ = dict.fromkeys(EVERY_KEY, secret)
    told = problems(
        environ,
        port=1,
        x=schema.Provider(api_key=Secret(secret)),
        openai=schema.Provider(api_endpoint="http://127.0.0.1:1", api_key=Secret(secret)),
        gemini=schema.Provider(client_id="id", client_secret=Secret(secret)),
        env=schema.Provider(type="openai", api_key_env=secret),
    )
    assert [problem.path[1] for problem in told] == ["x", "openai", "gemini", "env"]
    assert secret not in repr(told)
    assert secret not in repr(resolve("openai", schema.Provider(), environ))


# Where the credential comes from -----------------------------------------------------------------------------------

LOGIN: Mapping[str, object] = {
    "client_id": "id",
    "auth_endpoint": "https://a.example/authorize",
    "token_endpoint": "https://a.example/token",
}
EVERYTHING: Mapping[str, object] = {
    **LOGIN,
    "api_key": Secret("own"),
    "token_file": "~/token.json",
    "command": ("print-token",),
}


def login(environ: Mapping[str, str] | None = None, **settings: object) -> OAuthSettings:
    source = found("gemini", environ, **{**LOGIN, **settings}).source
    assert isinstance(source, StoredToken)
    assert source.oauth is not None
    return source.oauth


def missing(environ: Mapping[str, str] | None = None, **settings: object) -> tuple[str, str]:
    with pytest.raises(CannotResolve) as caught:
        found("gemini", environ, **settings)
    (problem,) = problems(environ, gemini=schema.Provider(**settings))  # type: ignore[arg-type]
    assert (problem.path, problem.fatal) == (("providers", "gemini", caught.value.key), True)
    return caught.value.key, caught.value.message


@pytest.mark.parametrize(
    ("settings", "source"),
    [
        ({"api_key": Secret("own")}, ApiKey(Secret("own"))),
        ({"api_key_env": "MINE"}, ApiKey(Secret("of-mine"))),
        ({"api_key": Secret("own"), **LOGIN}, ApiKey(Secret("own"))),
        ({"token_file": "~/t.json"}, TokenFileSource("~/t.json")),
        ({"token_file": "~/t.json", **LOGIN}, TokenFileSource("~/t.json")),
        (
            {"token_file": TokenFile(path="t", format="codex", access_token_path="a.b", expiry_path="c")},
            TokenFileSource("t", "codex", TokenPaths("a.b", "c")),
        ),
        (
            {"command": ("gcloud", "auth", "print-access-token")},
            CommandSource(("gcloud", "auth", "print-access-token")),
        ),
        ({}, ApiKey(Secret("key-of-gemini"))),
    ],
)
def test_what_is_given_says_where_the_credential_comes_from(settings: dict[str, object], source: object) -> None:
    assert found("gemini", {**EVERY_KEY, "MINE": " of-mine\n"}, **settings).source == source


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        ("api_key", ApiKey(Secret("own"))),
        ("token_file", TokenFileSource("~/token.json")),
        ("command", CommandSource(("print-token",))),
        ("adc", AdcSource()),
        ("none", NoCredential()),
    ],
)
def test_the_auth_type_wins_over_what_else_is_given(kind: str, source: object) -> None:
    assert found("gemini", EVERY_KEY, auth_type=kind, **EVERYTHING).source == source


@pytest.mark.parametrize("kind", ["device", "authorization_code"])
def test_a_login_may_be_preferred_in_one_of_its_ways(kind: str) -> None:
    source = found("xai", EVERY_KEY, auth_type=kind, **EVERYTHING).source
    assert isinstance(source, StoredToken)
    assert source.oauth is not None
    assert source.oauth.prefers == kind


def test_a_login_has_all_its_settings() -> None:
    settings = login(
        {"S": "from-env"},
        client_secret_env="S",
        issuer="https://a.example",
        device_authorization_endpoint="https://a.example/device",
        revocation_endpoint="https://a.example/revoke",
        scopes=("one", "two"),
        audience="aud",
        resource="https://r.example",
        extra_auth_params={"prompt": "consent"},
        extra_token_params={"x": "y"},
        token_request_format="json",
        pkce=False,
        redirect_host="localhost",
        redirect_port=1455,
        redirect_path="/auth/callback",
    )
    assert settings == OAuthSettings(
        provider="gemini",
        client_id="id",
        client_secret=Secret("from-env"),
        issuer="https://a.example",
        authorization_endpoint="https://a.example/authorize",
        token_endpoint="https://a.example/token",
        device_authorization_endpoint="https://a.example/device",
        revocation_endpoint="https://a.example/revoke",
        scopes=("one", "two"),
        audience="aud",
        resource="https://r.example",
        extra_auth_params={"prompt": "consent"},
        extra_token_params={"x": "y"},
        auth_method="client_secret_post",
        request_format="json",
        pkce=False,
        redirect_host="localhost",
        redirect_port=1455,
        redirect_path="/auth/callback",
        prefers=None,
    )


def test_the_seeds_settings_are_enough_for_a_login() -> None:
    settings = login(client_secret=Secret("s"))
    assert (settings.client_secret, settings.auth_method) == (Secret("s"), "client_secret_post")
    assert problems({}, gemini=schema.Provider(**LOGIN)) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(("scopes", "expected"), [("a  b\tc", ("a", "b", "c")), (("a b", "c"), ("a b", "c")), ((), ())])
def test_scopes_are_a_list_or_a_text(scopes: object, expected: tuple[str, ...]) -> None:
    assert login(scopes=scopes).scopes == expected
    assert found("gemini", auth_type="adc", scopes=scopes).source == AdcSource(expected)


@pytest.mark.parametrize(
    ("settings", "method"),
    [
        ({}, "none"),
        ({"client_secret": Secret("")}, "none"),
        ({"client_secret": Secret("s")}, "client_secret_post"),
        ({"client_secret": Secret("s"), "token_endpoint_auth_method": "client_secret_basic"}, "client_secret_basic"),
    ],
)
def test_a_client_with_a_secret_shows_it_in_the_body_unless_told_otherwise(
    settings: dict[str, object], method: str
) -> None:
    assert login({}, **settings).auth_method == method


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"auth_type": "device"}, "deviceAuthorizationEndpoint"),
        ({"auth_type": "device", "client_id": "id"}, "deviceAuthorizationEndpoint"),
        ({"auth_type": "device", "issuer": "https://a.example"}, "clientId"),
        ({"auth_type": "device", "device_authorization_endpoint": "https://a/d", "client_id": "i"}, "tokenEndpoint"),
        ({"auth_type": "authorization_code", "client_id": "id", "token_endpoint": "https://a/t"}, "authEndpoint"),
        ({"auth_type": "authorization_code", "issuer": "https://a.example"}, "clientId"),
        ({"client_id": "id"}, "tokenEndpoint"),
        ({"auth_endpoint": "https://a.example/authorize"}, "clientId"),
        ({"token_endpoint": "https://a.example/token"}, "clientId"),
        ({"auth_type": "token_file"}, "tokenFile"),
        ({"auth_type": "command"}, "command"),
        ({"auth_type": "api_key"}, "apiKey"),
        ({"auth_type": "api_key", "api_endpoint": "https://other.example"}, "apiKey"),
        ({"api_key_env": "NOT_SET"}, "apiKeyEnv"),
        ({**LOGIN, "client_secret_env": "NOT_SET"}, "clientSecretEnv"),
        ({**LOGIN, "token_endpoint_auth_method": "client_secret_basic"}, "clientSecret"),
    ],
)
def test_the_setting_that_is_missing_is_named(settings: dict[str, object], key: str) -> None:
    told, message = missing({}, **settings)
    assert told == key
    assert message.startswith("is missing") or ("NOT_SET" in message and "not set" in message)


def test_a_key_in_place_of_a_variables_name_is_not_shown() -> None:
    _, message = missing({}, api_key_env="sk-canary-0123456789abcdef")
    assert "canary" not in message


def test_another_host_gets_a_key_that_is_given_for_it() -> None:
    resolved = found("openai", {"MINE": "k"}, api_endpoint="https://proxy.example/v1", api_key_env="MINE")
    assert key_of(resolved) == "k"


@pytest.mark.parametrize(
    ("settings", "warned"),
    [
        ({"auth_type": "device", "auth_endpoint": "https://accounts.google.com/o/oauth2/v2/auth"}, True),
        ({"auth_type": "device", "device_authorization_endpoint": "https://oauth2.googleapis.com/device/code"}, True),
        ({"auth_type": "device", "issuer": "https://accounts.google.com"}, True),
        ({"auth_type": "authorization_code"}, False),
        ({}, False),
        ({"auth_type": "device", "issuer": "https://notgoogle.com"}, False),
    ],
)
def test_googles_device_login_cannot_reach_gemini_and_the_check_says_so(
    settings: dict[str, object], warned: bool
) -> None:
    told = problems({}, gemini=schema.Provider(**{**LOGIN, **settings}))  # type: ignore[arg-type]
    assert [(problem.path[-1], problem.fatal) for problem in told] == [("authType", False)] * warned
    assert problems({}, work=schema.Provider(type="openai", **{**LOGIN, **settings})) == []  # type: ignore[arg-type]


# What the guide says -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", re.findall(r"(?ms)^```yaml\n(.*?)^```$", GUIDE))
def test_an_example_of_the_guide_works_as_it_stands(text: str) -> None:
    names = re.findall(r"\$\{(\w+)\}|Env: (\w+)", text)
    environ = {one or other: "a-value" for one, other in names}
    loaded = parse(text.encode(), "config.yaml", env=environ, checks=(check(environ),))
    assert loaded.warnings == ()
    assert all(
        not isinstance(resolve(name, each, environ).source, NoCredential)
        for name, each in loaded.config.providers.items()
    )
