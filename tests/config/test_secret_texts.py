"""Keys that cannot be meant, and the hints of their messages: none leads to the next fault."""

import re
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.loader import ConfigError, Loaded, parse
from gateway.config.secret_texts import secret_fault
from gateway.providers import catalog

ANOTHER_TOOLS = "this is another tool's way to name a variable: write ${OPENAI_API_KEY}"
REFERENCES = [
    "$OPENAI_API_KEY",
    "$env:OPENAI_API_KEY",
    "%OPENAI_API_KEY%",
    "os.environ/OPENAI_API_KEY",
    "os.environ['OPENAI_API_KEY']",
    'os.environ["OPENAI_API_KEY"]',
    "process.env.OPENAI_API_KEY",
    "env:OPENAI_API_KEY",
    "env/OPENAI_API_KEY",
    "{env:OPENAI_API_KEY}",
    "{{ OPENAI_API_KEY }}",
    "{{ .OPENAI_API_KEY }}",
    "{{env.OPENAI_API_KEY}}",
    "!ENV OPENAI_API_KEY",
]
WRAPPED = [
    ('"abcdefgh"', "begins and ends with quotes"),
    ("'abcdefgh'", "begins and ends with quotes"),
    ("`abcdefgh`", "begins and ends with quotes"),
    ("Bearer abcdefgh", "begins with the name of a scheme such as Bearer"),
    ("bearer abcdefgh", "begins with the name of a scheme such as Bearer"),
    ("abc defgh", "has a space in it"),
    ("abc\tdefgh", "must be one line of printable ASCII"),
    ("<your key>", "is a placeholder"),
]
MEANT = [
    "sk-proj-abc_DEF-123",
    "AIzaSyA1234567890",
    "gsk_0123",
    "none",
    "EMPTY",
    "$ecret-of-mine",
    "$ecret1",
    "pa$$word",
    "100%sure",
    "%41%42",
    "a/b+c==",
    "{json}",
    "env",
    '"',
    "it's",
    "Bearer",
]


def check(config: str, env: Mapping[str, str]) -> Loaded:
    return parse(config.encode(), "config.yaml", env=env, checks=(catalog.check(env),))


def faults(config: str, env: Mapping[str, str]) -> str:
    try:
        check(config, env)
    except ConfigError as found:
        return str(found)
    return ""


def with_key(key: str) -> str:
    return "providers: {openai: {apiKey: '" + key.replace("'", "''") + "'}}"


@pytest.mark.parametrize("key", REFERENCES)
def test_another_tools_reference_is_a_fault_that_writes_ours(key: str) -> None:
    said = faults(with_key(key), {"OPENAI_API_KEY": "sk-1"})
    assert f"config.yaml:1:30 providers.openai.apiKey: {ANOTHER_TOOLS}" in said
    hint = re.search(r"write (\$\{\w+\})", said)
    assert hint is not None
    assert faults(with_key(hint[1]), {"OPENAI_API_KEY": "sk-1"}) == ""


@pytest.mark.parametrize(("key", "fault"), WRAPPED)
def test_a_key_with_its_wrapping_is_a_fault_that_does_not_quote_it(key: str, fault: str) -> None:
    said = faults(with_key(key), {})
    assert f"providers.openai.apiKey: {fault}" in said
    assert "defgh" not in said


@pytest.mark.parametrize("place", ["apiKey: '${K}'", "apiKeyEnv: K"])
@pytest.mark.parametrize(("key", "fault"), [each for each in WRAPPED if "\t" not in each[0]])
def test_a_variable_with_such_a_value_is_named(place: str, key: str, fault: str) -> None:
    said = faults("providers: {openai: {" + place + "}}", {"K": key})
    assert f"the environment variable K {fault}" in said
    assert "defgh" not in said


@pytest.mark.parametrize(("key", "fault"), WRAPPED)
def test_the_vendors_own_variable_is_named_too(key: str, fault: str) -> None:
    said = faults("providers: {openai: {}}", {"OPENAI_API_KEY": key})
    fault = "has a space in it" if "\t" in key else fault
    assert f"the environment variable OPENAI_API_KEY {fault}" in said
    assert "defgh" not in said


def test_a_variable_that_holds_a_reference_is_a_fault_too() -> None:
    said = faults("providers: {openai: {}}", {"OPENAI_API_KEY": "$MY_KEY"})
    assert "the environment variable OPENAI_API_KEY names another variable" in said


@pytest.mark.parametrize("key", MEANT)
def test_what_may_be_a_key_is_one(key: str) -> None:
    assert faults(with_key(key), {}) == ""


@given(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1), st.sampled_from("-_.+/=:~"))
def test_no_key_of_usual_letters_is_refused(text: str, mark: str) -> None:
    assert secret_fault(f"sk{mark}{text}") == ""


def test_secrets_that_people_choose_may_have_spaces() -> None:
    assert faults("gateway: {apiKeys: ['open sesame']}", {}) == ""
    assert faults("providers: {openai: {apiKey: k, clientId: i, clientSecret: 'two words'}}", {}) == ""


@pytest.mark.parametrize("key", ["$GATEWAY_KEY", '"abcdefgh"', "Bearer abcdefgh"])
def test_the_gateways_own_keys_are_looked_at_too(key: str) -> None:
    assert "gateway.apiKeys[0]: " in faults(f"gateway: {{apiKeys: ['{key}']}}", {})


# A hint leads to a file that is fine -------------------------------------------------------------------------------

KEYED = "providers: {openai: {apiKey: k}}\n"


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("providers: {openai: {apiKey: '${X}'}}", "apiKey"),
        ("providers: {openai: {apiKey: k, apiEndpoint: '${X}'}}", "apiEndpoint"),
        ("providers: {openai: {authType: device, clientId: '${X}', issuer: 'https://a.example'}}", "clientId"),
        ("providers: {p: {type: openai, tokenFile: {path: '${X}'}}}", "path"),
        (KEYED + "gateway: {host: '${X}'}", "host"),
        (KEYED + "gateway: {apiKeys: ['${X}']}", "apiKeys"),
        (KEYED + "auth: {tokenStorePath: '${X}'}", "tokenStorePath"),
        (KEYED + "auth: {watchFiles: ['${X}']}", "watchFiles"),
        (KEYED + "auth: {watchFiles: [{path: '${X}'}]}", "path"),
        (KEYED + "modelAliases: [{alias: '${X}', providers: [{provider: openai, model: m}]}]", "alias"),
        (KEYED + "modelAliases: [{alias: a, providers: [{provider: openai, model: '${X}'}]}]", "model"),
        (KEYED + "logging: {level: '${X}'}", "level"),
    ],
)
def test_to_follow_the_hint_for_an_unset_variable_is_no_fault(text: str, setting: str) -> None:
    said = faults(text, {})
    assert "the environment variable X is not set (or empty); set it" in said
    assert setting in said
    if hint := re.search(r"write (\$\{X:-\}) to do without", said):
        assert faults(text.replace("${X}", hint[1]), {}) == ""
    if "`enabled: false`" in said:
        assert faults(re.sub(r"(openai|p): \{", r"\1: {enabled: false, ", text), {}) == ""
