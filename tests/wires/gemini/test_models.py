"""Models and how they are told to think: every thinkingConfig is one that its model takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import InvalidRequest
from gateway.core.request import Params, Prompt
from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.gemini import thinking
from gateway.wires.gemini.models import Traits, traits
from tests.support.cases import each_case

ALL = ("MINIMAL", "LOW", "MEDIUM", "HIGH")
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
MODELS = (
    *("gemini-2.5-pro", "gemini-2.5-flash", "gemini-2.5-flash-lite", "gemini-2.0-flash", "gemini-3-pro-preview"),
    *("gemini-3.1-pro-preview", "gemini-3-flash-preview", "gemini-3.7-flash", "gemini-3.1-flash-image-preview"),
    *("gemini-flash-latest", "gemini-pro-latest", "gemini-5-nano", "gemma-3-27b-it", "gemini-2.5-pro-preview-tts"),
)


def rendered(model: str, effort: str | None = None, config: JsonValue = None) -> tuple[JsonObject, list[str]]:
    dropped: list[str] = []
    extra: JsonObject = {} if config is None else {"google": {"thinking_config": config}}
    prompt = Prompt((), params=Params(effort=effort), extra=extra)
    return thinking.render(prompt, traits(model), dropped.append), dropped


@each_case(
    ("model", "expected"),
    [
        ("gemini-2.5-pro", Traits(2, (), 128, 32_768)),
        ("gemini-2.5-flash", Traits(2, (), 0, 24_576, can_be_off=True)),
        ("gemini-2.5-flash-lite", Traits(2, (), 512, 24_576, can_be_off=True)),
        ("gemini-2.5-flash-preview-09-2025", Traits(2, (), 0, 24_576, can_be_off=True)),
        ("gemini-2.5-flash-image", Traits(2, thinks=False)),
        ("gemini-2.5-flash-preview-tts", Traits(2, thinks=False)),
        ("gemini-2.0-flash", Traits(2, thinks=False)),
        ("gemini-1.5-pro-002", Traits(2, thinks=False)),
        ("gemini-3-pro-preview", Traits(3, ("LOW", "HIGH"), 128, 32_768)),
        ("gemini-3-pro-image-preview", Traits(3, ("LOW", "HIGH"), 128, 32_768)),
        ("gemini-3.1-pro-preview", Traits(3, ("LOW", "MEDIUM", "HIGH"), 128, 32_768)),
        ("gemini-3.1-flash-image-preview", Traits(3, ("MINIMAL", "HIGH"), 128, 32_768)),
        ("gemini-3-flash-preview", Traits(3, ALL, 128, 32_768)),
        ("gemini-3.5-flash-lite", Traits(3, ALL, 128, 32_768)),
        ("gemini-3.6-flash", Traits(3, ALL, 128, 32_768)),
        ("gemini-3.7-flash", Traits(3, ("LOW", "MEDIUM", "HIGH"), 128, 65_535)),
        ("gemini-3.8-flash", Traits(3, ("LOW", "MEDIUM", "HIGH"), 128, 32_768)),
        ("gemini-4-pro", Traits(4, ("LOW", "MEDIUM", "HIGH"), 128, 32_768)),
        ("gemini-12-flash-lite", Traits(12, ALL, 128, 32_768)),
        ("gemini-4-ultra", Traits(4, ("LOW", "HIGH"), 128, 32_768)),
        ("gemini-flash-latest", Traits(3, (), 0, 24_576, can_be_off=True)),
        ("gemini-flash-lite-latest", Traits(3, (), 512, 24_576)),
        ("gemini-pro-latest", Traits(3, (), 128, 32_768)),
        ("gemma-3-27b-it", Traits(2, thinks=False)),
        ("tunedModels/gemini-3-of-ours", Traits(3, thinks=False)),
        ("models/gemini-2.5-pro", Traits(2, (), 128, 32_768)),
        ("publishers/google/models/Gemini-3.1-Pro", Traits(3, ("LOW", "MEDIUM", "HIGH"), 128, 32_768)),
        ("", Traits(2, thinks=False)),
    ],
)
def test_a_models_traits_follow_from_its_name(model: str, expected: Traits) -> None:
    assert traits(model) == expected


@pytest.mark.parametrize(
    ("model", "budgets"),
    [
        ("gemini-2.5-flash", (0, 512, 1_024, 8_192, 24_576, 24_576, 24_576)),
        ("gemini-2.5-flash-lite", (0, 512, 1_024, 8_192, 24_576, 24_576, 24_576)),
        ("gemini-2.5-pro", (128, 512, 1_024, 8_192, 24_576, 32_768, 32_768)),
    ],
)
def test_an_effort_is_a_budget_of_the_second_generation(model: str, budgets: tuple[int, ...]) -> None:
    for effort, budget in zip(EFFORTS, budgets, strict=True):
        config: JsonObject = {"thinkingBudget": budget}
        assert rendered(model, effort) == (config if effort == "none" else {**config, "includeThoughts": True}, [])


@pytest.mark.parametrize(
    ("model", "levels"),
    [
        ("gemini-3-pro-preview", ("LOW", "LOW", "LOW", "HIGH", "HIGH", "HIGH", "HIGH")),
        ("gemini-3.1-pro-preview", ("LOW", "LOW", "LOW", "MEDIUM", "HIGH", "HIGH", "HIGH")),
        ("gemini-3-flash-preview", ("MINIMAL", "MINIMAL", "LOW", "MEDIUM", "HIGH", "HIGH", "HIGH")),
        ("gemini-3.7-flash", ("LOW", "LOW", "LOW", "MEDIUM", "HIGH", "HIGH", "HIGH")),
        ("gemini-3.1-flash-image", ("MINIMAL", "MINIMAL", "MINIMAL", "HIGH", "HIGH", "HIGH", "HIGH")),
    ],
)
def test_an_effort_is_a_level_from_the_third_generation_on(model: str, levels: tuple[str, ...]) -> None:
    for effort, level in zip(EFFORTS, levels, strict=True):
        config: JsonObject = {"thinkingLevel": level}
        assert rendered(model, effort) == (config if effort == "none" else {**config, "includeThoughts": True}, [])


@pytest.mark.parametrize("model", MODELS)
def test_nothing_asked_is_nothing_said(model: str) -> None:
    assert rendered(model) == ({}, [])
    assert rendered(model, config={}) == ({}, [])


def test_a_model_that_does_not_think_cannot_be_told_how_long() -> None:
    assert rendered("gemini-2.0-flash", "high") == ({}, ["reasoning_effort"])
    assert rendered("gemini-2.0-flash", "none") == ({}, [])
    config: JsonObject = {"thinking_budget": 100}
    assert rendered("gemma-3-27b-it", config=config) == ({}, ["extra_body.google.thinking_config"])


@pytest.mark.parametrize(
    ("model", "effort", "config", "expected"),
    [
        ("gemini-2.5-flash", "high", {"thinking_budget": 2_000}, {"thinkingBudget": 2_000, "includeThoughts": True}),
        ("gemini-2.5-flash", None, {"thinkingBudget": 2_000}, {"thinkingBudget": 2_000}),
        ("gemini-2.5-flash", None, {"thinking_budget": 99_999}, {"thinkingBudget": 24_576}),
        ("gemini-2.5-pro", None, {"thinking_budget": 0}, {"thinkingBudget": 128}),
        ("gemini-2.5-pro", None, {"thinking_budget": -1}, {"thinkingBudget": -1}),
        ("gemini-2.5-flash", None, {"thinking_level": "LOW"}, {"thinkingBudget": 1_024}),
        ("gemini-2.5-flash", "low", {"include_thoughts": False}, {"thinkingBudget": 1_024}),
        ("gemini-2.5-flash", None, {"include_thoughts": True}, {"includeThoughts": True}),
        ("gemini-3-pro-preview", "low", {"thinking_level": "high"}, {"thinkingLevel": "HIGH", "includeThoughts": True}),
        ("gemini-3-pro-preview", None, {"thinkingLevel": "MEDIUM"}, {"thinkingLevel": "HIGH"}),
        ("gemini-3-pro-preview", None, {"thinking_budget": 1}, {"thinkingBudget": 128}),
        ("gemini-3-flash-preview", None, {"thinking_budget": 0}, {"thinkingLevel": "MINIMAL"}),
        ("gemini-3-flash-preview", None, {"thinking_level": "THINKING_LEVEL_UNSPECIFIED"}, {}),
        ("gemini-3-flash-preview", "none", {"thinking_level": None}, {"thinkingLevel": "MINIMAL"}),
    ],
)
def test_googles_own_words_win_and_are_bounded_by_the_model(
    model: str, effort: str | None, config: JsonObject, expected: JsonObject
) -> None:
    assert rendered(model, effort, config) == (expected, [])


@pytest.mark.parametrize(
    ("model", "expected"),
    [("gemini-2.5-flash", {"thinkingBudget": 1_000}), ("gemini-3-flash", {"thinkingLevel": "LOW"})],
)
def test_of_a_level_and_a_budget_only_the_models_own_kind_goes_out(model: str, expected: JsonObject) -> None:
    config: JsonObject = {"thinking_level": "low", "thinking_budget": 1_000}
    assert rendered(model, config=config) == (expected, ["extra_body.google.thinking_config"])


def test_a_word_of_googles_that_is_not_known_is_reported() -> None:
    config: JsonObject = {"thinking_mode": "deep"}
    assert rendered("gemini-2.5-pro", config=config) == ({}, ["extra_body.google.thinking_config"])


def test_an_effort_that_openai_does_not_have_is_refused() -> None:
    for model in MODELS:
        with pytest.raises(InvalidRequest) as refused:
            rendered(model, "enormous")
        assert refused.value.param == "reasoning_effort"


@pytest.mark.parametrize(
    "config",
    [
        *([], "high", 7),
        *({"thinking_budget": "much"}, {"thinking_budget": True}, {"thinking_budget": -2}, {"thinkingBudget": 1.5}),
        *({"thinking_level": "deep"}, {"thinking_level": 3}, {"include_thoughts": "yes"}),
    ],
)
def test_a_thinking_config_that_google_would_not_understand_is_refused(config: JsonValue) -> None:
    with pytest.raises(InvalidRequest) as refused:
        rendered("gemini-2.5-pro", config=config)
    assert refused.value.param == "extra_body.google.thinking_config"


def test_googles_part_of_the_extra_body_must_be_an_object() -> None:
    with pytest.raises(InvalidRequest) as refused:
        thinking.render(Prompt((), extra={"google": "x"}), traits("gemini-2.5-pro"), list[str]().append)
    assert refused.value.param == "extra_body.google"


levels = st.sampled_from([None, "minimal", "LOW", "Medium", "HIGH", "xhigh"])


@given(
    st.sampled_from(MODELS),
    st.sampled_from([None, *EFFORTS]),
    st.fixed_dictionaries(
        {},
        optional={
            "thinking_level": levels,
            "thinking_budget": st.one_of(st.none(), st.integers(-1, 2**40)),
            "include_thoughts": st.one_of(st.none(), st.booleans()),
        },
    ),
)
def test_every_config_is_one_that_the_model_takes(model: str, effort: str | None, config: JsonObject) -> None:
    told, _ = rendered(model, effort, config)
    known = traits(model)
    assert told.keys() <= {"thinkingLevel", "thinkingBudget", "includeThoughts"}
    assert not {"thinkingLevel", "thinkingBudget"} <= told.keys()
    assert known.thinks or told == {}
    assert told.get("thinkingLevel") in (None, *known.levels)
    assert told.get("includeThoughts") in (None, True)
    budget = told.get("thinkingBudget", -1)
    assert isinstance(budget, int)
    assert budget == -1 or (budget == 0 and known.can_be_off) or known.budget_min <= budget <= known.budget_max
