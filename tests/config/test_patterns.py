"""Aliases that are patterns: which are warned of, and which a gateway without a configuration file has."""

from gateway.default_config import without_file
from tests.support.running import alias, loaded


def test_a_pattern_that_no_name_can_match_is_warned_of() -> None:
    providers = {"openai": {"apiKey": "k"}}
    found = loaded({"providers": providers, "modelAliases": [alias("openai/*", "openai/gpt-*")]})
    (warning,) = found.warnings
    assert "modelAliases[0].alias: matches nothing" in str(warning)


def test_a_pattern_that_can_match_is_not() -> None:
    providers = {"openai": {"apiKey": "k"}}
    aliases = [alias("claude-*", "openai/gpt-4o"), alias("anthropic/*", "openai/gpt-4o"), alias("*", "openai/*")]
    assert loaded({"providers": providers, "modelAliases": aliases}).warnings == ()


def test_without_a_file_the_vendors_whose_keys_are_there_answer_the_names_of_their_models() -> None:
    keys = dict.fromkeys(("OPENAI_API_KEY", "GEMINI_API_KEY", "ANTHROPIC_API_KEY", "GROQ_API_KEY"), "k")
    served = without_file(keys).config
    patterns = {each.alias: each.providers for each in served.model_aliases if "*" in each.alias}
    assert {name: [(one.provider, one.model) for one in targets] for name, targets in patterns.items()} == {
        "gpt-*": [("openai", "gpt-*")],
        "gemini-*": [("gemini", "gemini-*")],
        "claude-*": [("anthropic", "claude-*")],
    }
    assert not [each for each in without_file({}).config.model_aliases if "*" in each.alias]
