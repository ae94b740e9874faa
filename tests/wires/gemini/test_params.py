"""How to answer, in Gemini's words: every generationConfig is one that Google's schema and ranges allow."""

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import InvalidRequest
from gateway.core.provider_failures import UnsupportedByTarget
from gateway.core.request import JsonOutput, Params, Prompt, Tool
from gateway.core.strict_json import JsonObject
from gateway.wires.gemini import params
from gateway.wires.gemini.models import traits
from tests.support.cases import each_case

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "gemini.json").read_text(encoding="utf-8"))
OLD, NEW, PLAIN = "gemini-2.5-flash", "gemini-3-pro-preview", "gemini-2.0-flash"
TOOLS = (Tool("clock"),)
CITY: JsonObject = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def rendered(
    asked: Params, model: str = OLD, choices: int = 1, tools: tuple[Tool, ...] = ()
) -> tuple[JsonObject, list[str]]:
    dropped: list[str] = []
    prompt = Prompt((), tools=tools, params=asked)
    return params.render(prompt, choices, traits(model), dropped.append), dropped


@pytest.mark.parametrize("model", [OLD, NEW, PLAIN])
def test_nothing_asked_is_nothing_said(model: str) -> None:
    assert rendered(Params(), model) == ({}, [])


@each_case(
    ("asked", "expected"),
    [
        (Params(temperature=0), {"temperature": 0}),
        (Params(temperature=2.0, top_p=1, top_k=40), {"temperature": 2.0, "topP": 1, "topK": 40}),
        (Params(max_tokens=1), {"maxOutputTokens": 1}),
        (Params(max_tokens=2**40), {"maxOutputTokens": 2**31 - 1}),
        (Params(top_k=2**40), {"topK": 2**31 - 1}),
        (Params(stop=("a",)), {"stopSequences": ["a"]}),
        (Params(stop=("", "a", "a", "")), {"stopSequences": ["a"]}),
        (Params(stop=("",)), {}),
        (Params(presence_penalty=0.5, frequency_penalty=-2), {"presencePenalty": 0.5, "frequencyPenalty": -2}),
        (Params(presence_penalty=0, frequency_penalty=0.0), {}),
        (Params(logprobs=True), {"responseLogprobs": True}),
        (Params(logprobs=True, top_logprobs=0), {"responseLogprobs": True}),
        (Params(logprobs=True, top_logprobs=5), {"responseLogprobs": True, "logprobs": 5}),
        (Params(logprobs=True, top_logprobs=99), {"responseLogprobs": True, "logprobs": 20}),
        (Params(modalities=("text",)), {}),
        (Params(modalities=("text", "image", "text")), {"responseModalities": ["TEXT", "IMAGE"]}),
        (Params(modalities=("audio",)), {"responseModalities": ["AUDIO"]}),
        (Params(output=JsonOutput()), {"responseMimeType": "application/json"}),
        (Params(output=JsonOutput({})), {"responseMimeType": "application/json"}),
        (
            Params(output=JsonOutput({"$schema": "x", **CITY}, "city")),
            {"responseMimeType": "application/json", "responseJsonSchema": CITY},
        ),
        (Params(effort="low"), {"thinkingConfig": {"thinkingBudget": 1_024, "includeThoughts": True}}),
    ],
)
def test_what_gemini_has_a_word_for(asked: Params, expected: JsonObject) -> None:
    assert rendered(asked) == (expected, [])


@pytest.mark.parametrize(
    ("asked", "expected", "dropped"),
    [
        (Params(stop=tuple("abcdef")), {"stopSequences": ["a", "b", "c", "d", "e"]}, "stop"),
        (Params(top_k=0), {}, "top_k"),
        (Params(top_k=-1), {}, "top_k"),
        (Params(top_logprobs=3), {}, "top_logprobs"),
        (Params(modalities=("text", "smell")), {}, "modalities"),
        (
            Params(output=JsonOutput({"type": "string", "pattern": "^a"})),
            {"responseMimeType": "application/json", "responseJsonSchema": {"type": "string"}},
            "response_format.json_schema.schema",
        ),
    ],
)
def test_what_gemini_has_no_word_for_is_reported(asked: Params, expected: JsonObject, dropped: str) -> None:
    assert rendered(asked) == (expected, [dropped])


def test_penalties_end_with_the_second_generation() -> None:
    asked = Params(presence_penalty=1, frequency_penalty=0.1)
    assert rendered(asked, NEW) == ({}, ["presence_penalty", "frequency_penalty"])
    assert rendered(Params(presence_penalty=0), NEW) == ({}, [])


def test_an_effort_that_the_model_does_not_have_is_reported() -> None:
    assert rendered(Params(effort="high"), PLAIN) == ({}, ["reasoning_effort"])


@pytest.mark.parametrize(
    ("seed", "expected"),
    [
        *((0, 0), (-1, -1), (7, 7), (2**31 - 1, 2**31 - 1), (-(2**31), -(2**31))),
        *((2**31, -(2**31)), (2**32, 0), (2**63 - 1, -1), (-(2**63), 0)),
    ],
)
def test_a_seed_of_64_bits_becomes_one_of_32(seed: int, expected: int) -> None:
    assert rendered(Params(seed=seed)) == ({"seed": expected}, [])


def test_several_answers_are_candidates() -> None:
    assert rendered(Params(), choices=1) == ({}, [])
    assert rendered(Params(), choices=8) == ({"candidateCount": 8}, [])
    with pytest.raises(UnsupportedByTarget) as refused:
        rendered(Params(), choices=9)
    assert refused.value.param == "n"


@each_case(
    ("asked", "param"),
    [
        (Params(temperature=2.1), "temperature"),
        (Params(temperature=-0.1), "temperature"),
        (Params(temperature=float("nan")), "temperature"),
        (Params(temperature=float("inf")), "temperature"),
        (Params(top_p=1.01), "top_p"),
        (Params(top_p=-1), "top_p"),
        (Params(max_tokens=0), "max_completion_tokens"),
        (Params(max_tokens=-5), "max_completion_tokens"),
        (Params(presence_penalty=2.5), "presence_penalty"),
        (Params(frequency_penalty=-3), "frequency_penalty"),
        (Params(logprobs=True, top_logprobs=-1), "top_logprobs"),
        (Params(effort="enormous"), "reasoning_effort"),
    ],
)
@each_case("model", [OLD, NEW, PLAIN])
def test_what_no_provider_takes_is_refused_by_openais_name(asked: Params, param: str, model: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        rendered(asked, model)
    assert refused.value.param == param


def test_less_than_one_answer_is_refused() -> None:
    with pytest.raises(InvalidRequest) as refused:
        rendered(Params(), choices=0)
    assert refused.value.param == "n"


def test_json_beside_tools_is_asked_for_in_words_before_the_third_generation() -> None:
    asked = Params(output=JsonOutput(CITY, "city"))
    assert rendered(asked, OLD, tools=TOOLS) == ({}, ["response_format"])
    words = params.schema_as_words(Prompt((), tools=TOOLS, params=asked), traits(OLD))
    assert words is not None
    assert json.loads(words.split("\n", 1)[1]) == CITY


def test_json_without_a_schema_is_asked_for_in_words_too() -> None:
    words = params.schema_as_words(Prompt((), tools=TOOLS, params=Params(output=JsonOutput())), traits(OLD))
    assert words is not None
    assert "JSON" in words and "\n" not in words


@pytest.mark.parametrize(
    ("asked", "tools", "model"),
    [
        (Params(), TOOLS, OLD),
        (Params(output=JsonOutput(CITY)), (), OLD),
        (Params(output=JsonOutput(CITY)), TOOLS, NEW),
        (Params(output=JsonOutput(CITY)), TOOLS, "gemini-4-flash"),
    ],
)
def test_where_json_can_be_asked_for_no_words_are_needed(asked: Params, tools: tuple[Tool, ...], model: str) -> None:
    assert params.schema_as_words(Prompt((), tools=tools, params=asked), traits(model)) is None
    assert ("responseMimeType" in rendered(asked, model, tools=tools)[0]) == (asked.output is not None)


numbers = st.one_of(st.none(), st.integers(-3, 3), st.floats(-3, 3))
json_schemas: st.SearchStrategy[JsonObject | None] = st.sampled_from([None, {}, CITY, {"$ref": "#", "pattern": "a"}])
some_params = st.builds(
    Params,
    temperature=numbers,
    top_p=numbers,
    top_k=st.none() | st.integers(-1, 2**64 - 1),
    max_tokens=st.none() | st.integers(-1, 2**64 - 1),
    stop=st.lists(st.text(st.sampled_from("ab"), max_size=3), max_size=8).map(tuple),
    seed=st.none() | st.integers(-(2**63), 2**64 - 1),
    presence_penalty=numbers,
    frequency_penalty=numbers,
    logprobs=st.booleans(),
    top_logprobs=st.none() | st.integers(-1, 99),
    effort=st.sampled_from([None, "none", "minimal", "low", "medium", "high", "xhigh", "max", "huge"]),
    output=st.none() | st.builds(JsonOutput, json_schemas),
    modalities=st.lists(st.sampled_from(["text", "image", "audio", "video"]), max_size=3).map(tuple),
)


@given(some_params, st.integers(0, 9), st.sampled_from([OLD, NEW, PLAIN, "gemini-2.5-pro"]), st.booleans())
def test_every_config_is_valid_and_within_range(asked: Params, choices: int, model: str, with_tools: bool) -> None:
    try:
        config, dropped = rendered(asked, model, choices, TOOLS if with_tools else ())
    except (InvalidRequest, UnsupportedByTarget) as refused:
        assert refused.param
        return
    root = {"$ref": "#/$defs/GenerationConfig", "$defs": SCHEMA["$defs"]}
    jsonschema.Draft202012Validator(root).validate(config)
    for name in ("topK", "maxOutputTokens", "seed", "candidateCount", "logprobs"):
        value = config.get(name, 1)
        assert isinstance(value, int) and -(2**31) <= value < 2**31
    stops = config.get("stopSequences", ["x"])
    assert isinstance(stops, list) and 1 <= len(stops) <= params.MAX_STOPS and all(stops)
    assert "logprobs" not in config or config["responseLogprobs"] is True
    assert "responseJsonSchema" not in config or config["responseMimeType"] == "application/json"
    assert len(dropped) == len(set(dropped))
    assert all(name.isascii() and name.isprintable() and "," not in name for name in dropped)
