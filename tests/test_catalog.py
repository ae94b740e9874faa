"""The vendors known by name: what a provider's settings leave out, and what is said of settings that cannot work."""

import json
from collections.abc import Mapping

import pytest

from gateway.auth.auth_manager import ApiKey, NoCredential, StoredToken
from gateway.config import schema
from gateway.config.loader import ConfigError, Problem, parse
from gateway.core.secrets import Secret
from gateway.providers.catalog import VENDORS, CannotResolve, Resolved, Vendor, check, from_environment, resolve

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


@pytest.mark.parametrize(("name", "vendor"), WITH_KEY.items(), ids=str)
def test_a_vendor_is_resolved_with_the_key_of_its_environment_variable(name: str, vendor: Vendor) -> None:
    resolved = found(name, EVERY_KEY)
    assert (resolved.name, resolved.type, resolved.endpoint) == (name, name, vendor.endpoint)
    assert key_of(resolved) == f"key-of-{name}"
    assert resolved.stream_usage is vendor.stream_usage


@pytest.mark.parametrize(("name", "vendor"), KEYLESS.items(), ids=str)
def test_a_server_on_this_machine_needs_no_key(name: str, vendor: Vendor) -> None:
    resolved = found(name, EVERY_KEY)
    assert resolved.endpoint == vendor.endpoint
    assert resolved.source == NoCredential()


@pytest.mark.parametrize(("name", "vendor"), VENDORS.items(), ids=str)
def test_every_row_is_well_formed(name: str, vendor: Vendor) -> None:
    address = vendor.endpoint or "https://demo"
    assert (
        address.startswith("https://") if vendor.key_env else address.startswith(("http://127.0.0.1:", "https://demo"))
    )
    assert not address.endswith("/")
    assert name == name.lower()


@pytest.mark.parametrize("name", WITH_KEY)
@pytest.mark.parametrize("value", [None, "", " ", "\t\n"])
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
    "settings",
    [{"client_id": "id"}, {"auth_endpoint": "https://a.example/o"}, {"token_endpoint": "https://a.example/t"}],
)
def test_oauth_settings_mean_a_stored_token(settings: dict[str, object]) -> None:
    assert found("gemini", EVERY_KEY, **settings).source == StoredToken()
    assert key_of(found("gemini", {}, api_key=Secret("own"), **settings)) == "own"


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
    ("given", "used"),
    [
        ("https://generativelanguage.googleapis.com/v1beta", "/v1beta/openai"),
        ("https://generativelanguage.googleapis.com/v1beta/", "/v1beta/openai"),
        ("https://generativelanguage.googleapis.com/v1beta/openai", "/v1beta/openai"),
        ("https://generativelanguage.googleapis.com/v1beta/openai/", "/v1beta/openai"),
    ],
)
def test_googles_native_address_becomes_the_compatible_one(given: str, used: str) -> None:
    resolved = found("gemini", EVERY_KEY, api_endpoint=given)
    assert resolved.endpoint == f"https://generativelanguage.googleapis.com{used}"
    assert key_of(resolved) == "key-of-gemini"


def test_another_address_of_type_gemini_stays_as_it_is() -> None:
    assert found("gemini", {}, api_endpoint="http://127.0.0.1:9/v1").endpoint == "http://127.0.0.1:9/v1"


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


def test_googles_v1_gets_a_warning() -> None:
    settings = schema.Provider(api_endpoint="https://generativelanguage.googleapis.com/v1")
    (problem,) = problems(EVERY_KEY, gemini=settings)
    assert problem.fatal is False
    assert "/v1beta" in problem.message
    fine = schema.Provider(api_endpoint="https://generativelanguage.googleapis.com/v1beta")
    assert problems(EVERY_KEY, gemini=fine) == []


def test_oauth_without_a_key_gets_a_warning_of_what_this_version_does() -> None:
    (problem,) = problems({}, gemini=schema.Provider(client_id="id"))
    assert (problem.path, problem.fatal) == (("providers", "gemini"), False)
    assert "tokenStorePath" in problem.message


def test_no_message_holds_a_key() -> None:
    secret = "sk-canary-0123456789"
    environ = dict.fromkeys(EVERY_KEY, secret)
    told = problems(
        environ,
        port=1,
        x=schema.Provider(api_key=Secret(secret)),
        openai=schema.Provider(api_endpoint="http://127.0.0.1:1", api_key=Secret(secret)),
        gemini=schema.Provider(client_id="id", client_secret=Secret(secret)),
    )
    assert len(told) == 3
    assert secret not in repr(told)
    assert secret not in repr(resolve("openai", schema.Provider(), environ))
