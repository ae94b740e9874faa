"""Parameters, thinking and limits in Anthropic's words, by model."""

from typing import Any

import pytest

from gateway.core.errors import InvalidRequest
from gateway.core.provider_failures import UnsupportedByTarget
from gateway.core.request import JsonOutput, Params, Prompt, Tool, ToolChoice
from gateway.wires.anthropic_messages.outbound import params as rendering_of_params
from gateway.wires.anthropic_messages.outbound.models import Traits, traits
from tests.wires.anthropic_messages.outbound.rendering import (
    MIDDLE,
    NEW,
    OLD,
    OLDEST,
    asked,
    assistant,
    body,
    dropped,
    rendered,
    user,
)

TOOL = Tool("f", parameters={"type": "object"})
FORCED = ToolChoice("required")
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"who": {"type": "object", "properties": {"name": {"type": "string"}}}, "all": {"type": "array"}},
}


# Models ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "like"),
    [
        (["claude-opus-5-5", "claude-haiku-5-5", "claude-opus-5", "claude-mythos-preview", "claude-9", "kimi"], NEW),
        (["claude-opus-4-8", "anthropic/claude-opus-5-5", "claude-opus-4.8"], NEW),
        (["claude-sonnet-4-6", "claude-opus-4.6"], MIDDLE),
        (["claude-haiku-4-5", "claude-opus-4-5-20251101", "Claude-Sonnet-4-5"], OLD),
        (["claude-3-5-sonnet-latest", "claude-3.5-haiku"], OLDEST),
        (["claude-opus-4-20250514", "claude-opus-4-1-20250805", "claude-sonnet-4-0"], "claude-3-7-sonnet-20250219"),
        (["claude-3-opus-20240229", "claude-2.1"], "claude-3-haiku-20240307"),
    ],
)
def test_a_name_says_its_row(names: list[str], like: str) -> None:
    assert {name: traits(name) for name in names} == dict.fromkeys(names, traits(like))


def test_rows_differ_where_the_models_do() -> None:
    assert traits("claude-opus-4-7") == Traits(system_inside=False)
    assert [traits(model).structured for model in (NEW, OLD, "claude-opus-4-1", OLDEST)] == [True, True, False, False]
    assert [traits(model).prefill for model in (NEW, MIDDLE, OLD, OLDEST)] == [False, False, True, True]
    assert [traits(model).thinks for model in (NEW, MIDDLE, OLD, OLDEST)] == [True, True, True, False]


# The limit of an answer --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "stream", "tokens"),
    [(NEW, True, 32_000), (NEW, False, 16_000), (OLDEST, True, 8_192), ("claude-3-haiku-20240307", False, 4_096)],
)
def test_a_limit_is_sent_also_where_the_caller_has_none(model: str, stream: bool, tokens: int) -> None:
    assert body(Prompt((user("Hi"),)), model, stream=stream)["max_tokens"] == tokens


def test_the_callers_limit_goes_on() -> None:
    assert asked(max_tokens=128_000)["max_tokens"] == 128_000
    with pytest.raises(InvalidRequest):
        asked(max_tokens=0)


def test_a_larger_limit_than_the_target_takes_is_lowered_and_told() -> None:
    prompt = Prompt((user("Hi"),), params=Params(max_tokens=9_000))
    assert body(prompt, most=4_000)["max_tokens"] == 4_000
    assert rendered(prompt, most=4_000).dropped == ("max_tokens",)
    assert rendered(prompt, most=9_000).dropped == ()
    assert body(Prompt((user("Hi"),)), most=4_000)["max_tokens"] == 4_000
    assert rendered(Prompt((user("Hi"),)), most=4_000).dropped == ()


# Sampling ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "given", "sent", "left"),
    [
        (OLD, {"temperature": 0.5}, {"temperature": 0.5}, ()),
        (OLD, {"temperature": 1.7}, {"temperature": 1}, ()),
        (OLD, {"top_p": 0.9, "top_k": 40}, {"top_p": 0.9, "top_k": 40}, ()),
        (OLD, {"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5}, ("top_p",)),
        (OLD, {"temperature": 0.5, "top_p": 1}, {"temperature": 0.5}, ()),
        (NEW, {"temperature": 1, "top_p": 1.0}, {}, ()),
        (NEW, {"temperature": 0.0, "top_p": 0.9, "top_k": 1}, {}, ("temperature", "top_p", "top_k")),
        (
            OLD,
            {"temperature": 0.5, "top_k": 5, "top_p": 0.97, "effort": "low"},
            {"top_p": 0.97},
            ("temperature", "top_k"),
        ),
        (OLD, {"top_p": 0.5, "effort": "low"}, {}, ("top_p",)),
    ],
)
def test_sampling(model: str, given: Any, sent: Any, left: tuple[str, ...]) -> None:
    found = asked(model, **given)
    assert {name: found[name] for name in ("temperature", "top_p", "top_k") if name in found} == sent
    assert dropped(model, **given) == left


@pytest.mark.parametrize(
    "wrong", [{"temperature": -0.1}, {"temperature": 3}, {"top_p": 1.1}, {"temperature": float("nan")}]
)
def test_numbers_that_no_provider_takes_are_the_callers_fault(wrong: Any) -> None:
    with pytest.raises(InvalidRequest) as refused:
        asked(**wrong)
    assert refused.value.param in wrong


def test_stop_sequences_have_words() -> None:
    assert asked(stop=("END", "", "END", "\n"))["stop_sequences"] == ["END"]
    assert dropped(stop=("END", "\n")) == ("stop",)
    assert "stop_sequences" not in asked(stop=("",))
    assert dropped(stop=("",)) == ()


def test_what_the_api_does_not_have_is_told() -> None:
    found = dropped(
        seed=7, presence_penalty=0.5, frequency_penalty=0.0, logprobs=True, top_logprobs=3, verbosity="low",
        modalities=("text", "audio"),
    )  # fmt: skip
    assert found == ("seed", "presence_penalty", "logprobs", "top_logprobs", "verbosity", "modalities")
    assert dropped(modalities=("text",)) == ()


def test_anthropic_gives_one_answer() -> None:
    with pytest.raises(UnsupportedByTarget) as refused:
        rendered(Prompt((user("Hi"),)), choices=2)
    assert refused.value.param == "n"


# JSON --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [NEW, OLD])
@pytest.mark.parametrize("strict", [True, None, False])
def test_a_schema_is_the_format_of_the_answer(model: str, strict: bool | None) -> None:
    sent = asked(model, output=JsonOutput(SCHEMA, "person", strict))["output_config"]["format"]
    assert sent["type"] == "json_schema"
    assert sent["schema"]["additionalProperties"] is False
    assert sent["schema"]["properties"]["who"]["additionalProperties"] is False
    assert "additionalProperties" not in SCHEMA, "the request is the next candidate's too"


@pytest.mark.parametrize(("strict", "stays"), [(True, False), (None, False), (False, True)])
def test_further_properties_stay_where_nothing_is_strict(strict: bool | None, stays: bool) -> None:
    schema: dict[str, Any] = {"type": "object", "additionalProperties": True, "allOf": [{"properties": {}}]}
    sent = asked(output=JsonOutput(schema, strict=strict))["output_config"]["format"]["schema"]
    assert sent == {**schema, "additionalProperties": stays}


def test_an_older_model_has_no_schema() -> None:
    with pytest.raises(UnsupportedByTarget):
        asked(OLDEST, output=JsonOutput(SCHEMA))


def test_json_without_a_schema_is_asked_for_in_words() -> None:
    found = asked(output=JsonOutput())
    assert found["system"] == [{"type": "text", "text": rendering_of_params.JSON_ONLY}]
    assert "output_config" not in found
    assert dropped(output=JsonOutput()) == ("response_format",)


# Thinking ----------------------------------------------------------------------------------------------------------


def thinking(model: str, **params: Any) -> tuple[Any, Any]:
    found = asked(model, **params)
    return found.get("thinking"), found.get("output_config", {}).get("effort")


SHOWN = {"type": "adaptive", "display": "summarized"}


@pytest.mark.parametrize(
    ("model", "effort", "config", "sent"),
    [
        (NEW, None, None, None),
        (NEW, "none", {"type": "disabled"}, None),
        (NEW, "minimal", {"type": "disabled"}, None),
        (NEW, "low", SHOWN, "low"),
        (NEW, "xhigh", SHOWN, "xhigh"),
        (MIDDLE, "xhigh", SHOWN, "high"),
        (MIDDLE, "max", SHOWN, "max"),
        (OLD, "none", None, None),
        (OLD, "minimal", {"type": "enabled", "budget_tokens": 1_024}, None),
        (OLD, "low", {"type": "enabled", "budget_tokens": 4_096}, None),
        (OLD, "medium", {"type": "enabled", "budget_tokens": 16_384}, None),
        (OLD, "max", {"type": "enabled", "budget_tokens": 32_000}, None),
    ],
)
def test_an_effort_in_the_models_own_words(model: str, effort: str | None, config: Any, sent: str | None) -> None:
    assert thinking(model, effort=effort, max_tokens=50_000) == (config, sent)
    assert dropped(model, effort=effort, max_tokens=50_000) == ()


@pytest.mark.parametrize(
    ("budget", "effort"), [(1_024, "low"), (4_096, "low"), (9_000, "medium"), (30_000, "high"), (0, None)]
)
def test_a_budget_is_an_effort_where_the_model_has_no_budgets(budget: int, effort: str | None) -> None:
    assert thinking(NEW, reasoning_budget=budget)[1] == effort


def test_a_budget_stays_one_where_the_model_has_budgets() -> None:
    assert thinking(OLD, reasoning_budget=7_000, max_tokens=9_000)[0] == {"type": "enabled", "budget_tokens": 7_000}
    assert thinking(OLD, reasoning_budget=5, max_tokens=9_000)[0]["budget_tokens"] == 1_024
    assert thinking(OLD, reasoning_budget=0) == (None, None)


def test_thinking_may_be_hidden() -> None:
    assert thinking(NEW, effort="low", show_reasoning=False)[0]["display"] == "omitted"
    assert thinking(OLD, effort="low", show_reasoning=False, max_tokens=9_000)[0]["display"] == "omitted"


@pytest.mark.parametrize(
    ("given", "most", "limit", "budget"),
    [(100, None, 4_196, 4_096), (4_096, None, 8_192, 4_096), (4_097, None, 4_097, 4_096), (100, 3_000, 3_000, 2_900)],
)
def test_the_limit_is_raised_over_the_budget(given: int, most: int | None, limit: int, budget: int) -> None:
    prompt = Prompt((user("Hi"),), params=Params(effort="low", max_tokens=given))
    found = body(prompt, OLD, most=most)
    assert (found["max_tokens"], found["thinking"]["budget_tokens"]) == (limit, budget)
    assert rendered(prompt, OLD, most=most).dropped == (("max_tokens",) if limit != given else ())


def test_a_limit_with_no_room_for_thinking_has_none() -> None:
    prompt = Prompt((user("Hi"),), params=Params(effort="low", max_tokens=100))
    found = rendered(prompt, OLD, most=1_000)
    assert "thinking" not in body(prompt, OLD, most=1_000)
    assert found.dropped == ("reasoning_effort",)


def test_an_older_model_does_not_think() -> None:
    assert thinking(OLDEST, effort="high") == (None, None)
    assert dropped(OLDEST, effort="high") == ("reasoning_effort",)
    assert dropped(OLDEST, effort="none") == ()


@pytest.mark.parametrize("model", [OLD, MIDDLE])
def test_a_forced_tool_excludes_thinking_on_older_models(model: str) -> None:
    prompt = Prompt((user("Hi"),), (TOOL,), tool_choice=FORCED, params=Params(effort="low"))
    assert "thinking" not in body(prompt, model)
    assert rendered(prompt, model).dropped == ("reasoning_effort",)
    assert body(prompt, NEW)["thinking"] == SHOWN


def test_thinking_excludes_a_prefill() -> None:
    prompt = Prompt((user("Hi"), assistant("So")), params=Params(effort="low", max_tokens=9_000))
    assert body(prompt, OLD)["messages"][-1]["role"] == "user"
    assert rendered(prompt, OLD).dropped == ("prefill",)


def test_an_effort_that_no_api_has_is_the_callers_fault() -> None:
    with pytest.raises(InvalidRequest):
        asked(effort="very much")


# What a caller says to Anthropic alone -----------------------------------------------------------------------------


def own(**fields: Any) -> Prompt:
    return Prompt((user("Hi"),), extra={"anthropic": fields, "google": {"x": 1}}, params=Params(max_tokens=40_000))


@pytest.mark.parametrize(
    ("model", "given", "sent"),
    [
        (NEW, {"type": "adaptive"}, {"type": "adaptive"}),
        (
            NEW,
            {"type": "enabled", "budget_tokens": 2_000, "display": "omitted"},
            {"type": "adaptive", "display": "omitted"},
        ),
        (OLD, {"type": "enabled", "budget_tokens": 2_000}, {"type": "enabled", "budget_tokens": 2_000}),
        (OLD, {"type": "adaptive"}, {"type": "enabled", "budget_tokens": 32_000}),
        (OLD, {"type": "disabled"}, {"type": "disabled"}),
        (OLDEST, {"type": "enabled", "budget_tokens": 2_000}, None),
    ],
)
def test_the_callers_own_thinking(model: str, given: Any, sent: Any) -> None:
    assert body(own(thinking=given), model).get("thinking") == sent


@pytest.mark.parametrize(
    "wrong",
    [
        {"thinking": "much"},
        {"thinking": {"type": "deep"}},
        {"thinking": {"type": "enabled"}},
        {"thinking": {"type": "enabled", "budget_tokens": 10}},
        {"thinking": {"type": "adaptive", "display": "big"}},
        {"context_management": []},
        {"betas": "one"},
        {"betas": ["one\r\nx: y"]},
        {"betas": [1]},
    ],
)
def test_a_field_for_anthropic_that_is_none(wrong: Any) -> None:
    with pytest.raises(InvalidRequest) as refused:
        rendered(own(**wrong))
    assert str(refused.value.param).startswith("extra_body.anthropic.")


def test_betas_become_a_header_and_other_fields_are_told() -> None:
    edits = {"edits": [{"type": "clear_tool_uses_20250919"}]}
    prompt = own(betas=["context-management-2025-06-27", "b", "b"], context_management=edits, speed="fast", x=None)
    found = rendered(prompt)
    assert found.headers == {"anthropic-version": "2023-06-01", "anthropic-beta": "context-management-2025-06-27,b"}
    assert body(prompt)["context_management"] == edits
    assert found.dropped == ("extra_body.anthropic.speed",)
    assert rendered(Prompt((user("Hi"),))).headers == {"anthropic-version": "2023-06-01"}


# What was learned of the target ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "params", "without", "gone", "told"),
    [
        (OLD, {"temperature": 0.5}, "temperature", "temperature", ("temperature",)),
        (NEW, {"effort": "low"}, "effort", "thinking", ("reasoning_effort",)),
        (OLD, {"effort": "low", "max_tokens": 9_000}, "reasoning_budget", "thinking", ("reasoning_effort",)),
        (OLD, {"reasoning_budget": 2_000}, "reasoning_budget", "thinking", ("reasoning_effort",)),
        (NEW, {}, "temperature", "temperature", ()),
        (NEW, {"stop": ("END",)}, "stop_sequences", "stop_sequences", ("stop_sequences",)),
    ],
)
def test_what_the_target_refused_is_left_out(
    model: str, params: Any, without: str, gone: str, told: tuple[str, ...]
) -> None:
    prompt = Prompt((user("Hi"),), params=Params(**params))
    found = rendered(prompt, model, without=frozenset({without}))
    assert gone not in body(prompt, model, without=frozenset({without}))
    assert found.dropped == told


def test_a_refused_prefill_is_asked_for_in_words() -> None:
    prompt = Prompt((user("Hi"), assistant("So")))
    assert body(prompt, OLD, without=frozenset({"prefill"}))["messages"][-1]["role"] == "user"
