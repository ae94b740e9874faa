"""Settings under their old names: read with a warning that gives the new line, and a fault where both are given."""

import pytest

from gateway.config import schema
from gateway.config.loader import ConfigError, Loaded, parse
from gateway.config.renamed import RENAMED, Renamed
from gateway.config.setting_types import Struct as Section

OLD = (
    Renamed(schema.Gateway, "maxBody", "maxBodyMiB"),
    Renamed(schema.Gateway, "answerAs", "responseModel"),
    Renamed(schema.Provider, "key", "apiKey"),
    Renamed(schema.Timeouts, "connect", "connectSeconds"),
    Renamed(schema.Target, "rank", "priority"),
)
FILE = """\
gateway: {maxBody: 3, answerAs: upstream}
providers:
  acme: {type: openai, key: sk-canary-0123456789, timeouts: {connect: 2.5}}
modelAliases:
  - alias: best
    providers: [{provider: acme, model: m, rank: 7}]
"""
TIMEOUTS = "config.yaml:3:62 providers.acme.timeouts"


def read(text: str) -> Loaded:
    return parse(text.encode(), "config.yaml", env={"NUMBER": "9"}, renamed=OLD)


def test_every_rename_names_a_section_and_a_setting_of_the_schema() -> None:
    for each in (*RENAMED, *OLD):
        assert each.new in schema.SETTING_NAMES
        assert issubclass(each.section, Section)
    assert not {each.old for each in RENAMED} & schema.SETTING_NAMES


def test_old_names_have_the_effect_of_the_new_ones_at_any_depth() -> None:
    config = read(FILE).config
    assert (config.gateway.max_body_mib, config.gateway.response_model) == (3, "upstream")
    assert config.providers["acme"].api_key is not None
    assert config.providers["acme"].timeouts.connect_seconds == 2.5
    assert config.model_aliases[0].providers[0].priority == 7


def test_each_is_a_warning_at_its_place_with_the_new_line_and_no_secret() -> None:
    said = [str(warning) for warning in read(FILE).warnings]
    ending = "and the old name will not be read for much longer; write"
    assert said == [
        f'config.yaml:1:11 gateway: "maxBody" is now called "maxBodyMiB", {ending} `maxBodyMiB: 3`',
        f'config.yaml:1:23 gateway: "answerAs" is now called "responseModel", {ending} `responseModel: upstream`',
        f'config.yaml:3:24 providers.acme: "key" is now called "apiKey", {ending} `apiKey: ...`',
        f'{TIMEOUTS}: "connect" is now called "connectSeconds", {ending} `connectSeconds: 2.5`',
        f'config.yaml:6:44 modelAliases[0].providers[0]: "rank" is now called "priority", {ending} `priority: 7`',
    ]


def test_both_names_are_a_fault() -> None:
    with pytest.raises(ConfigError) as caught:
        read("gateway: {maxBody: 3, maxBodyMiB: 4}\n")
    assert str(caught.value) == (
        'config.yaml:1:11 gateway: "maxBody" is the old name of "maxBodyMiB", which is given too: take "maxBody" out'
    )


def test_a_fault_of_the_value_names_the_new_setting_at_the_old_ones_place() -> None:
    with pytest.raises(ConfigError) as caught:
        read("gateway: {maxBody: much}\n")
    assert (
        str(caught.value)
        == "config.yaml:1:20 gateway.maxBodyMiB: expected an integer from 1 to 1024, got the text 'much'"
    )


def test_a_check_of_the_whole_finds_the_place_too() -> None:
    text = "providers: {acme: {type: openai, key: sk-1, apiKeyEnv: NUMBER}}\n"
    with pytest.raises(ConfigError, match=r"config.yaml:1:56 providers.acme.apiKeyEnv: apiKey and apiKeyEnv are both"):
        read(text)


def test_an_anchor_that_is_used_often_is_walked_and_told_once() -> None:
    text = "providers:\n  a: &x {type: openai, timeouts: {connect: 2}}\n  b: *x\n  c: *x\n"
    loaded = read(text)
    assert [each.timeouts.connect_seconds for each in loaded.config.providers.values()] == [2.0, 2.0, 2.0]
    assert len([each for each in loaded.warnings if "connect" in each.message]) == 1


@pytest.mark.parametrize("text", ["gateway: [maxBody]\n", "gateway: maxBody\n", "[1]\n", "gateway: {maxBdy: 1}\n"])
def test_another_shape_is_the_fault_that_it_was(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    with pytest.raises(ConfigError) as before:
        parse(text.encode(), "config.yaml", env={})
    assert str(caught.value) == str(before.value)
