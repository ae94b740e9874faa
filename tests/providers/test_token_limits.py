"""The largest limits of answers: a model's own, or else the provider's; told where they lower a request's."""

import pytest

from gateway.config import schema
from gateway.providers.token_limits import UNLIMITED, TokenLimits, configured
from tests.support.running import chat, provider, running
from tests.support.upstream_script import ScriptedUpstream


def alias(*targets: tuple[str, str, int | None]) -> schema.Alias:
    found = [schema.Target(provider=name, model=model, max_output_tokens=most) for name, model, most in targets]
    return schema.Alias(alias="best", providers=tuple(found))


@pytest.mark.parametrize(
    ("limits", "model", "most"),
    [
        (UNLIMITED, "m", None),
        (TokenLimits(9), "m", 9),
        (TokenLimits(9, {"m": 20}), "m", 20),
        (TokenLimits(9, {"m": 20}), "n", 9),
        (TokenLimits(None, {"m": 20}), "n", None),
    ],
)
def test_a_models_own_limit_precedes_the_providers(limits: TokenLimits, model: str, most: int | None) -> None:
    assert limits.of(model) == most


def test_of_two_limits_for_one_model_the_smaller_one_counts() -> None:
    aliases = [alias(("a", "m", 20), ("b", "m", 5)), alias(("a", "m", 10), ("a", "n", None))]
    assert configured("a", 9, aliases) == TokenLimits(9, {"m": 10})
    assert configured("c", None, aliases) == UNLIMITED


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize(("model", "sent"), [("best", 100), ("up/other", 500)])
def test_a_larger_limit_is_lowered_and_told(field: str, model: str, sent: int) -> None:
    with ScriptedUpstream() as up:
        config = {
            "providers": {"up": provider(up.base_url, maxOutputTokens=500)},
            "modelAliases": [
                {"alias": "best", "providers": [{"provider": "up", "model": "m", "maxOutputTokens": 100}]}
            ],
        }
        with running(config) as gateway:
            lowered = gateway.post({**chat(model), field: 1_000})
            kept = gateway.post({**chat(model), field: 50})
            without = gateway.post(chat(model))
        assert [request.json().get(field) for request in up.requests] == [sent, 50, None]
        assert lowered.headers["x-gateway-dropped"] == field
        assert "x-gateway-dropped" not in kept.headers and "x-gateway-dropped" not in without.headers


def test_the_limit_of_a_pattern_holds_for_what_it_matches() -> None:
    limits = TokenLimits(9_000, {"claude-*": 3_000, "claude-*-mini": 2_000, "claude-exact": 5_000})
    asked = ("claude-x", "claude-x-mini", "claude-exact", "other", "claude")
    assert [limits.of(model) for model in asked] == [3_000, 2_000, 5_000, 9_000, 9_000]
    assert TokenLimits(None, {"gpt-*": 10}).of("other") is None
