"""The configuration loader: what it accepts, its messages for the rest, and no secret in any of them."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.auth.sources import AdcSource, ApiKey, CommandSource, NoCredential, StoredToken, TokenFileSource
from gateway.config import schema as schema_module
from gateway.config.expand import expand
from gateway.config.faults import MAX_FAULTS
from gateway.config.loader import ConfigError, Loaded, Problem, load, parse, resolve, schema
from gateway.config.log_settings import Logging
from gateway.config.schema import Config, Gateway, Provider, Timeouts
from gateway.config.token_files import TokenFile, WatchFile
from gateway.core.secrets import Secret
from gateway.providers import catalog
from gateway.providers.vendors import VENDORS
from tests.support.cases import each_case

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config.example.yaml"
GOLDEN = sorted((ROOT / "tests" / "golden" / "config").glob("*.yaml"))
ENV = {
    "CANARY": "CANARY-from-env",
    "EMPTY": "",
    "TWO_LINES": "CANARY\r\nX-Header: 1",
    "OPENAI_API_KEY": "sk-CANARY",
}
SEED = """
gateway:
  host: "127.0.0.1"
  port: 8080
auth:
  tokenStorePath: "./tokens.json"
  watchFiles:
    - "~/.config/some-tool/tokens.json"
    - "./other/tokens.json"
modelAliases:
  - alias: "my-best-model"
    providers:
      - provider: openai
        model: gpt-4
        priority: 1
      - provider: gemini
        model: gemini-2.5-pro
        priority: 2
rateLimits:
  - provider: openai
    requestsPerMinute: 10
  - provider: gemini
    requestsPerMinute: 5
providers:
  openai:
    clientId: "openai-client"
    clientSecret: "openai-secret"
    authEndpoint: "https://auth.openai.com/authorize"
    tokenEndpoint: "https://auth.openai.com/token"
    apiEndpoint: "https://api.openai.com/v1"
    userAgents: ["Mozilla/5.0 (X11; Linux x86_64)", "Mozilla/5.0 (Macintosh)"]
  gemini:
    clientId: "gemini-client"
    clientSecret: "gemini-secret"
    authEndpoint: "https://accounts.google.com/o/oauth2/v2/auth"
    tokenEndpoint: "https://oauth2.googleapis.com/token"
    apiEndpoint: "https://generativelanguage.googleapis.com/v1"
"""


def read(text: str | bytes, env: Mapping[str, str] = ENV) -> Loaded:
    return parse(text.encode() if isinstance(text, str) else text, "config.yaml", env=env)


def refusal(text: str | bytes, env: Mapping[str, str] = ENV) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text, env)
    return str(caught.value)


def provider(text: str, env: Mapping[str, str] = ENV) -> Provider:
    return read(f"providers: {{p: {text}}}", env).config.providers["p"]


# What is taken ------------------------------------------------------------------------------------------------------


def test_the_seed_configuration_loads() -> None:
    loaded = read(SEED)
    assert loaded.warnings == ()
    assert loaded.config.auth.watch_files == ("~/.config/some-tool/tokens.json", "./other/tokens.json")
    assert loaded.config.model_aliases[0].providers[1].model == "gemini-2.5-pro"
    assert loaded.config.providers["openai"].client_secret == Secret("openai-secret")
    assert loaded.config.providers["gemini"].token_endpoint == "https://oauth2.googleapis.com/token"


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "---\n", "{}", "gateway:\nproviders:\nrateLimits: ~\n", "\ufeff{}"]
)
def test_nothing_given_means_the_defaults(text: str) -> None:
    assert read(text).config == Config()


def test_a_provider_with_nothing_under_it_is_a_provider_with_the_defaults() -> None:
    assert read("providers:\n  openai:\n").config.providers == {"openai": Provider()}


def test_every_kind_of_value_arrives_in_its_type() -> None:
    text = "{enabled: no, streamUsage: True, timeouts: {connectSeconds: 2, firstTokenSeconds: 1.5, stallSeconds: auto}}"
    assert provider(text) == Provider(
        enabled=False, stream_usage=True, timeouts=Timeouts(connect_seconds=2.0, first_token_seconds=1.5)
    )
    watched = read("auth: {watchFiles: [a.json, {path: b.json, format: plain}]}").config.auth.watch_files
    assert watched == ("a.json", WatchFile(path="b.json", format="plain"))


def test_a_shared_yaml_anchor_is_read_at_each_place() -> None:
    config = read("providers:\n  a: &same {enabled: false}\n  b: *same\n").config
    assert config.providers["a"] == config.providers["b"] == Provider(enabled=False)


# The environment ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("${A}", "1"),
        ("x${A}y${B:-z}", "x1yz"),
        ("${EMPTY:-d}", "d"),
        ("${B:-}", ""),
        ("$${A}", "${A}"),
        ("$$${A}", "$${A}"),
        ("$A $ {A} }", "$A $ {A} }"),
        ("${NESTED}", "${A}"),
    ],
)
def test_variables_expand_as_in_a_shell(text: str, expanded: str) -> None:
    assert expand(text, {"A": "1", "EMPTY": "", "NESTED": "${A}"}).text == expanded


@given(st.text())
def test_a_text_without_dollar_brace_stays_what_it_is(text: str) -> None:
    if "${" not in text:
        assert expand(text, {}).text == text


@pytest.mark.parametrize("key", ["apiKey", "clientId", "apiEndpoint", "type"])
def test_an_optional_setting_that_expands_to_nothing_is_absent(key: str) -> None:
    assert provider(f'{{{key}: "${{X:-}}"}}') == Provider()


def test_an_empty_expansion_leaves_no_entry_in_a_list() -> None:
    assert read('gateway: {apiKeys: ["${X:-}", a, "${EMPTY:-}"]}').config.gateway.api_keys == (Secret("a"),)


def test_a_switched_off_provider_needs_no_variables() -> None:
    text = '{enabled: false, apiKey: "${X}", apiEndpoint: "https://${X}/v1", userAgents: ["${X}", b]}'
    assert provider(text) == Provider(enabled=False, user_agents=("b",))


def test_the_space_around_a_secret_is_not_part_of_it() -> None:
    assert provider('{apiKey: "${K}"}', {"K": " sk-1\r\n"}).api_key == Secret("sk-1")


# What is refused, in which words ------------------------------------------------------------------------------------


@each_case("path", GOLDEN, ids=lambda path: path.stem)
def test_a_bad_file_is_refused_in_exactly_these_words(path: Path) -> None:
    assert refusal(path.read_bytes()) + "\n" == path.with_suffix(".txt").read_text(encoding="utf-8")


@each_case("path", GOLDEN, ids=lambda path: path.stem)
def test_no_refusal_shows_a_secret_or_a_value_from_the_environment(path: Path) -> None:
    shown = refusal(path.read_bytes()).replace("${CANARY}", "")
    assert "CANARY" not in shown
    assert "4711" not in shown


BYTES = [
    (b"a: \xff", "config.yaml:1:4: the file is not UTF-8 text; save it as UTF-8"),
    (b"# \xc3\xa4\n\xc3\xa4\xc3", "config.yaml:2:2: the file is not UTF-8 text; save it as UTF-8"),
    ("port: 1".encode("utf-16"), "config.yaml:1:1: the file is not UTF-8 text; it looks like UTF-16; save it as UTF-8"),
    (b"a: 1\nb: \x01", "config.yaml:2:4: the character U+0001 is not allowed in YAML"),
    (b" " * (1024 * 1024 + 1), "config.yaml: the file is larger than 1024 KiB"),
    (b"[" * 100_000, "config.yaml:1:51: nested deeper than 50 levels"),
    (b"- " * 100_000, "config.yaml:1:101: nested deeper than 50 levels"),
    (b"a: &a 1\nb: [" + b"*a, " * 101 + b"]", "config.yaml:2:405: more than 100 YAML aliases (`*name`)"),
    (b"- x\n" * 60_000, "config.yaml:50000:3: more than 50000 keys and values"),
    (b'a: "\\UFFFFFFFF"', "config.yaml:1:7: this is not valid YAML"),
    (b"%YAML 2.0\n---\na: 1", "config.yaml:1:1: found incompatible YAML document (version 1.* is required)"),
]


@pytest.mark.parametrize(("text", "words"), BYTES, ids=[words.split(": ", 1)[1][:30] for _, words in BYTES])
def test_bytes_that_are_no_sound_yaml_are_refused_at_their_place(text: bytes, words: str) -> None:
    assert refusal(text) == words


def test_a_key_given_twice_through_an_alias_is_still_a_duplicate() -> None:
    assert 'duplicate key "openai"; first at line 1, column 13' in refusal("providers: {&a openai: {}, *a : {}}")


def test_aliases_of_aliases_do_not_multiply_without_bound() -> None:
    limits = ", ".join(["{provider: p, requestsPerMinute: 1}"] * 1500)
    aliases = "\n".join(f"- {{alias: a{number}, providers: *many}}" for number in range(90))
    text = f"rateLimits: &many [{limits}]\nmodelAliases:\n{aliases}\n"
    assert "more than 100000 values" in refusal(text) or f"first {MAX_FAULTS} faults" in refusal(text)
    targets = ", ".join(["{provider: p, model: m}"] * 1500)
    text = f"modelAliases:\n- {{alias: a, providers: &many [{targets}]}}\n{aliases}\nproviders: {{p: }}\n"
    assert "more than 100000 values, counting what aliases repeat" in refusal(text)


def test_the_list_of_faults_has_an_end() -> None:
    text = "gateway:\n" + "".join(f"  wrong{number}: 1\n" for number in range(5000))
    lines = refusal(text).splitlines()
    assert len(lines) == MAX_FAULTS + 1
    assert lines[-1] == "config.yaml: these are the first 100 faults; there may be more"


def test_a_very_long_text_is_refused_before_it_is_expanded() -> None:
    assert refusal("gateway: {host: '" + "${CANARY}" * 1000 + "'}").endswith("longer than 8192 characters")


def test_faults_carry_path_line_and_column() -> None:
    with pytest.raises(ConfigError) as caught:
        read("providers:\n  azure.eu:\n    enabled: 7\n")
    (fault,) = caught.value.faults
    assert (fault.path, fault.line, fault.column, fault.file) == ("providers.azure.eu.enabled", 3, 14, "config.yaml")


# Warnings and checks handed in --------------------------------------------------------------------------------------


def test_plain_http_to_another_machine_is_a_warning() -> None:
    loaded = read('providers:\n  lan: {apiEndpoint: "http://192.168.1.2:8000/v1"}\n')
    assert [str(warning) for warning in loaded.warnings] == [
        "config.yaml:2:22 providers.lan.apiEndpoint: plain http to another machine: keys and prompts travel unencrypted"
    ]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "127.0.0.1:11434", "127.8.9.1", "[::1]:80"])
def test_plain_http_to_this_machine_is_fine(host: str) -> None:
    text = f'{{apiEndpoint: "http://{host}/v1", authEndpoint: "http://{host}", tokenEndpoint: "http://{host}/"}}'
    assert read(f"providers: {{p: {text}}}").warnings == ()


@pytest.mark.parametrize("origin", ["http://localhost:3000", "https://[::1]:8443", "vscode-webview://abc-1"])
def test_an_exact_origin_is_taken(origin: str) -> None:
    assert read(f'gateway: {{allowedOrigins: ["{origin}"]}}').config.gateway.allowed_origins == (origin,)


def test_an_alias_that_nobody_can_answer_is_a_warning() -> None:
    text = "modelAliases:\n- {alias: a, providers: [{provider: p, model: m}]}\nproviders: {p: {enabled: false}}\n"
    assert [str(warning) for warning in read(text).warnings] == [
        'config.yaml:2:3 modelAliases[0]: no provider of the alias "a" is enabled; calls to it will fail',
        "config.yaml:3:1 providers: no provider is enabled, so every call will fail: add one under providers",
    ]


def untyped(config: Config) -> Iterator[Problem]:
    """A check as the provider catalog hands it in."""
    for name, entry in config.providers.items():
        if entry.type not in ("openai", "gemini"):
            yield Problem(("providers", name, "type"), f'"{entry.type}" of {entry.api_key} is no type', fatal=True)
        yield Problem(("providers", name, "userAgents", 0), "a warning", fatal=False)


def checked(text: str, env: Mapping[str, str] = ENV) -> list[str]:
    try:
        return [str(warning) for warning in parse(text.encode(), "c.yaml", env=env, checks=[untyped]).warnings]
    except ConfigError as error:
        return str(error).splitlines()


def test_a_check_is_placed_at_the_nearest_setting_that_exists() -> None:
    assert checked("providers:\n  one:\n    apiKey: x\n") == ['c.yaml:2:3 providers.one.type: "None" of *** is no type']
    assert checked("providers:\n  one:\n") == ['c.yaml:2:3 providers.one.type: "None" of None is no type']
    assert checked("providers:\n  one:\n    type: x\n")[0].startswith("c.yaml:3:11 providers.one.type: ")


def test_a_warning_of_a_check_names_the_place_in_the_file_and_not_in_the_data() -> None:
    text = 'providers:\n  one:\n    type: openai\n    userAgents:\n    - "${X:-}"\n    - b\n'
    assert checked(text) == ["c.yaml:6:7 providers.one.userAgents[1]: a warning"]


def test_what_a_check_quotes_from_the_environment_is_masked() -> None:
    assert checked('providers: {one: {type: "${T}"}}', {"T": "s3c"}) == [
        'c.yaml:1:25 providers.one.type: "***" of None is no type'
    ]


def test_a_check_does_not_report_a_faulty_setting_once_more() -> None:
    assert checked("providers: {one: {type: 1}, two: {type: x}}") == [
        "c.yaml:1:25 providers.one.type: expected text, got the integer 1; put it in quotes",
        'c.yaml:1:41 providers.two.type: "x" of None is no type',
    ]


# Files --------------------------------------------------------------------------------------------------------------


def test_a_file_is_loaded_under_its_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_bytes(b"gateway: {port: 0}\r\n")
    loaded = load(Path("config.yaml"), env={})
    assert (loaded.path, loaded.config.gateway.port) == (tmp_path / "config.yaml", 0)
    Path("config.yaml").write_bytes(b"gateway: {port: -1}\r\n")
    with pytest.raises(ConfigError, match=re.escape("config.yaml:1:17 gateway.port: expected an integer")):
        load(Path("config.yaml"), env={})


@pytest.mark.parametrize("name", ["missing.yaml", ".", "no\0name", "x" * 5000])
def test_a_file_that_cannot_be_read_is_one_clear_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / name, env={})
    assert len(caught.value.faults) == 1
    assert ": cannot be read: " in str(caught.value)


def test_paths_start_from_the_folder_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert resolve("./tokens.json", tmp_path / "etc") == tmp_path / "etc" / "tokens.json"
    assert resolve("tokens.json", None) == tmp_path / "tokens.json"
    assert resolve("~/t.json", tmp_path / "etc") == tmp_path / "t.json"
    assert resolve(str(tmp_path / "abs.json"), Path("elsewhere")) == tmp_path / "abs.json"


# The example --------------------------------------------------------------------------------------------------------


def setting_names() -> set[str]:
    return {name for kind in schema_module.sections() for name in kind.__struct_encode_fields__}


def test_the_example_loads_with_one_key_in_the_environment() -> None:
    loaded = load(EXAMPLE, env={"OPENAI_API_KEY": "sk-test"})
    assert loaded.warnings == ()
    assert loaded.config.providers["openai"].api_key == Secret("sk-test")
    assert loaded.config.providers["gemini"].enabled is False


def test_the_example_shows_the_defaults_where_it_says_nothing_else() -> None:
    config = load(EXAMPLE, env={"OPENAI_API_KEY": "sk-test"}).config
    assert (config.gateway, config.logging) == (Gateway(), Logging())
    assert config.providers["openai"].timeouts == Timeouts()


def test_the_example_has_every_setting() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert [name for name in sorted(setting_names()) if not re.search(rf"(?m)^[ #-]*{name}\b:?", text)] == []


def uncommented(block: str) -> str:
    return re.sub(r"(?m)^# ", "", block)


def test_the_settings_that_the_example_comments_out_load_as_well() -> None:
    names = "|".join([*setting_names(), "local", "company", "azure", "borrowed", "printed", "google", "team"])
    text = re.sub(r"(?m)^ +(watchFiles|allowedOrigins): \[\]\n", "", EXAMPLE.read_text(encoding="utf-8"))
    text = re.sub(r"(?ms)^clients: \[\]\n(# clients:.*?)\n\n", lambda found: f"{uncommented(found[1])}\n\n", text)
    text, count = re.subn(rf'(?m)^( +)# ((?: *)(?:- )?(?:(?:{names}):|")(?= |$).*|  - ".*)$', r"\1\2", text)
    env = {"OPENAI_API_KEY": "a", "GEMINI_CLIENT_ID": "b", "GEMINI_CLIENT_SECRET": "c", "GATEWAY_KEY": "d"}
    env |= {
        "COMPANY_SPARE_KEY": "h",
        "COMPANY_CLIENT_SECRET": "e",
        "AZURE_OPENAI_API_KEY": "f",
        "ANTHROPIC_API_KEY": "g",
        "REDIS_PASSWORD": "i",
        "MY_KEY": "a key of twenty characters",
    }
    loaded = parse(text.encode(), "config.yaml", env=env, checks=(catalog.check(env),))
    config = loaded.config
    assert loaded.warnings == ()
    assert count == 98
    assert [(each.name, each.admin, each.models) for each in config.clients] == [
        ("ci", False, ("my-best-model", "openai/gpt-4o*")),
        ("me", True, None),
    ]
    assert config.clients[0].expires == "2099-12-31" and config.clients[0].budget is not None
    assert config.auth.watch_files[1] == WatchFile(
        path="~/.config/other-tool/token.json", provider="openai", format="plain"
    )
    assert config.providers["gemini"].client_secret == Secret("c")
    assert config.providers["local"].type == "openai"
    assert config.providers["company"].extra_auth_params == {"prompt": "consent"}
    assert config.providers["borrowed"].token_file == TokenFile(
        path="~/.company/session.json", access_token_path="session.token", expiry_path="session.validUntil"
    )
    sources = {name: type(catalog.resolve(name, each, env).source) for name, each in config.providers.items()}
    assert sources == {
        "openai": ApiKey,
        "team": StoredToken,
        "gemini": StoredToken,
        "anthropic": ApiKey,
        "company": StoredToken,
        "azure": ApiKey,
        "borrowed": TokenFileSource,
        "printed": CommandSource,
        "google": AdcSource,
        "local": NoCredential,
    }
    assert config.gateway.api_keys == (Secret("d"),)


# The JSON Schema ----------------------------------------------------------------------------------------------------

KINDS: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


def accepts(shape: dict[str, Any], value: Any, defs: dict[str, Any]) -> bool:
    """The part of JSON Schema that the configuration's schema uses."""
    if "$ref" in shape:
        return accepts(defs[shape["$ref"].removeprefix("#/$defs/")], value, defs)
    if "anyOf" in shape:
        return any(accepts(member, value, defs) for member in shape["anyOf"])
    if "enum" in shape:
        return value in shape["enum"]
    if not isinstance(value, KINDS[shape["type"]]) or (isinstance(value, bool) and shape["type"] != "boolean"):
        return False
    if isinstance(value, dict):
        return set(shape.get("required", ())) <= value.keys() and all(
            accepts(rest, item, defs)
            for key, item in value.items()
            for rest in [shape.get("properties", {}).get(key, shape["additionalProperties"]) or {"enum": []}]
        )
    if isinstance(value, list):
        return len(value) >= shape.get("minItems", 0) and all(accepts(shape["items"], item, defs) for item in value)
    if isinstance(value, str):
        return shape.get("minLength", 0) <= len(value) and bool(re.search(shape.get("pattern", ""), value))
    return bool(shape.get("minimum", value) <= value <= shape.get("maximum", value))


def accepted(text: str) -> bool:
    whole: dict[str, Any] = schema(VENDORS)
    return accepts(whole, yaml.safe_load(text), whole["$defs"])


def test_the_schema_takes_what_the_loader_takes() -> None:
    assert accepted(EXAMPLE.read_text(encoding="utf-8"))
    assert accepted(SEED)


@pytest.mark.parametrize(
    "text", ["gateway: {prot: 1}", "gateway: {port: '1'}", "gateway: {port: -1}", "modelAliases: [{alias: a}]", "[]"]
)
def test_the_schema_refuses_what_the_loader_refuses(text: str) -> None:
    assert not accepted(text)
    assert refusal(text)


def test_the_schema_names_its_standard_and_marks_secrets() -> None:
    whole: dict[str, Any] = schema(VENDORS)
    assert whole["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert whole["title"] == "LLM Gateway configuration"
    assert set(whole["$defs"]["Gateway"]["properties"]) >= {"maxBodyMiB", "requestTimeoutSeconds"}
    assert whole["$defs"]["Gateway"]["properties"]["port"]["description"].startswith("TCP port")
    key = whole["$defs"]["Gateway"]["properties"]["apiKeys"]["items"]
    assert key == {"type": "string", "format": "password", "writeOnly": True}


# Whatever stands in the file ----------------------------------------------------------------------------------------

SETTINGS = st.sampled_from(sorted(setting_names() | {"openai", "gemini", "p"}))
WORDS = ["openai", "p", "auto", "next", "${CANARY}", "${X:-}", "${X}", "https://h/v1", "http://h", "http://[", "*"]
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.dates(),
    st.text(max_size=8),
    st.binary(max_size=4),
    st.sampled_from(WORDS),
)
DATA = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(SETTINGS, inner, max_size=6)
        | st.dictionaries(LEAVES, inner, max_size=2)
    ),
    max_leaves=30,
)


def shaped(kind: Any) -> st.SearchStrategy[Any]:
    """Data of about the right shape, so that every branch of the walk is met."""
    match kind:
        case msgspec.inspect.StructType(fields=fields):
            parts = {field.encode_name: shaped(field.type) for field in fields}
            optional = {field.encode_name: parts.pop(field.encode_name) for field in fields if not field.required}
            return st.fixed_dictionaries(parts, optional=optional) | LEAVES
        case msgspec.inspect.DictType(value_type=value):
            return st.dictionaries(st.sampled_from(["openai", "gemini", "p"]), shaped(value), max_size=3)
        case msgspec.inspect.VarTupleType(item_type=item):
            return st.lists(shaped(item), max_size=3)
        case msgspec.inspect.Metadata(type=inner):
            return shaped(inner)
        case msgspec.inspect.UnionType(types=types):
            return st.one_of(*map(shaped, types))
        case msgspec.inspect.LiteralType(values=values):
            return st.sampled_from(values) | LEAVES
        case msgspec.inspect.IntType(ge=low, le=high):
            return st.integers(low, high) | LEAVES
        case msgspec.inspect.FloatType(le=high):
            return st.floats(0, high) | LEAVES
        case _:
            return LEAVES


def outcome(text: bytes) -> Loaded | ConfigError:
    try:
        return parse(text, "c", env=ENV)
    except ConfigError as error:
        assert error.faults
        assert "CANARY-from-env" not in str(error)
        return error


@given(st.binary())
@example(b"\xef\xbb\xbf\xef\xbb\xbf")
@example(b"\x85\x00")
def test_no_bytes_raise_anything_but_a_config_error(text: bytes) -> None:
    outcome(text)


@given(st.text() | st.text(alphabet="ab:-?[]{},&*!|>'\"%@`#~<=. \n\t\\${}01eU", max_size=60))
@example("? ? ?")
@example("&a [*a]")
@example("!<tag:yaml.org,2002:int> [1]")
@example("gateway: {port: !!int [1]}")
@example("%TAG ! tag:x,2000:\n---\na: !b c")
@example("=: =")
def test_no_text_raises_anything_but_a_config_error(text: str) -> None:
    outcome(text.encode("utf-8", "surrogatepass"))


@given(st.data())
def test_no_damage_to_a_good_file_raises_anything_but_a_config_error(data: st.DataObject) -> None:
    text = SEED.encode()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    outcome(text[:start] + data.draw(st.binary(max_size=8)) + text[end:])


@given(st.text(alphabet="htps:/[]1.@%x-?#", max_size=20))
@example("https://[1.2.3.4]/v1")
@example("http://[v1.x]")
def test_no_address_raises_anything_but_a_config_error(address: str) -> None:
    for key in ("apiEndpoint", "tokenEndpoint"):
        for start in ("", "http://", "https://"):
            outcome(yaml.safe_dump({"providers": {"p": {key: start + address}}}).encode())
    outcome(yaml.safe_dump({"gateway": {"allowedOrigins": [address, "http://" + address]}}).encode())


@given(DATA)
def test_no_data_raises_anything_but_a_config_error(data: object) -> None:
    outcome(yaml.safe_dump(data, allow_unicode=True).encode("utf-8", "surrogatepass"))


@given(shaped(msgspec.inspect.type_info(Config)))
def test_every_fault_in_data_of_the_right_shape_has_its_place(data: object) -> None:
    result = outcome(yaml.safe_dump(data, allow_unicode=True).encode("utf-8", "surrogatepass"))
    faults = result.faults if isinstance(result, ConfigError) else result.warnings
    assert all(fault.line for fault in faults[:MAX_FAULTS])


CANARY = "sk-CANARY-0123456789abcdef"
PLACES = [
    "providers: {p: {apiKey: KEY, enabled: 1}}",
    "providers: {p: {clientSecret: KEY, clientSecret: KEY}}",
    "gateway: {apiKeys: [KEY, KEY], port: x}",
    "gateway: {apiKeys: KEY}",
    "gateway: {apiKeys: {KEY: 1}}",
    "gateway: {KEY: 1}",
    "KEY: 1",
    "KEY",
    "[KEY]",
    "providers: KEY",
    "providers: {KEY: 1}",
    "providers: {p: {KEY: {a: 1, a: 2}}}",
    "providers: {p: {apiKey:KEY}}",
    "providers:\n  p:\n    apiKey:KEY\n",
    "providers:\n  p:\n    apiKey:KEY\n    enabled: true\n",
    "providers:\n  p:\n    apiKey: KEY: x\n",
    "providers:\n  p:\n    apiKey: !KEY\n",
    "providers:\n  p:\n    apiKey: !KEY!x y\n",
    "providers:\n  p:\n    apiKey: *KEY\n",
    "providers:\n  p:\n    apiKey: [&KEY a, &KEY b]\n",
    "providers:\n  p:\n    apiKey: 'KEY\n",
    'providers:\n  p:\n    apiKey: "\\KEY"\n',
    "providers:\n  p:\n    apiKey: %KEY\n",
    "providers:\n  p:\n    apiKey: ${KEY}\n",
    "providers:\n  p:\n    apiKey: 'KEY\n\n x'\n",
    "providers:\n  p:\n    apiEndpoint: https://KEY@host/v1\n",
    "providers:\n  p:\n    apiEndpoint: https://host/v1?key=KEY\n",
    "providers:\n  p:\n    apiEndpoint: https://host:KEY/v1\n",
    "providers:\n  p:\n    enabled: KEY\n",
    "providers:\n  p:\n    timeouts: {connectSeconds: KEY}\n",
    "logging: {level: KEY}",
    "auth: {watchFiles: [{path: a, provider: ' KEY'}]}",
    "%YAML KEY\n---\na",
    "%TAG !KEY! KEY\n---\n!KEY! a",
]


@each_case("place", PLACES)
def test_a_secret_is_not_shown_wherever_it_was_put_by_mistake(place: str) -> None:
    assert CANARY not in refusal(place.replace("KEY", CANARY))
    assert "CANARY" not in refusal(place.replace("KEY", CANARY))
