"""Whole answers of Gemini, as transcripts (tests/support/gemini_transcripts.py), and the readers of their parts."""

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.answer import Citation, Envelope, TokenLogprob, Usage
from gateway.core.provider_failures import InvalidAnswer, ProviderFailure
from gateway.core.rendered import Rendered
from gateway.core.strict_json import JsonObject, JsonValue, dumps
from gateway.wires.failure_classes import MESSAGE_SHOWN
from gateway.wires.gemini.citations import MOST, read_citations
from gateway.wires.gemini.logprobs import read_logprobs
from gateway.wires.gemini.response import parse
from gateway.wires.gemini.signatures import CallData
from gateway.wires.gemini.usage import read_usage
from gateway.wires.reasoning_memory import ReasoningMemory
from tests.support.gemini_transcripts import ENVELOPE, NOW, TOOLS, fault, read_all, total

ANSWERS = read_all("answers")
SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "gemini.json").read_text("utf-8"))
PLAIN = Rendered(b"", tools=TOOLS)


@pytest.mark.parametrize("name", ANSWERS)
def test_a_whole_answer_says_that(name: str) -> None:
    transcript = ANSWERS[name]
    try:
        found = total(parse(transcript.sent.encode(), NOW, transcript.asked, ReasoningMemory()))
    except ProviderFailure as failure:
        found = [fault(failure)]
    assert found == list(transcript.sum)


@pytest.mark.parametrize("name", ANSWERS)
def test_a_transcript_is_as_google_defines_it(name: str) -> None:
    if ENVELOPE.split(",")[0].replace(":", ": ") not in ANSWERS[name].sent:
        return  # an error, or nothing of Google's
    validator = jsonschema.Draft202012Validator({**SCHEMA, "$ref": "#/$defs/GenerateContentResponse"})
    found = json.loads(ANSWERS[name].sent)
    for body in found if isinstance(found, list) else [found]:
        validator.validate(body)


def body(*parts: JsonValue, finish: str = "STOP", **more: JsonValue) -> bytes:
    return dumps({"candidates": [{"content": {"parts": list(parts)}, "finishReason": finish}], **more})


def test_an_answer_keeps_its_source_and_has_an_envelope() -> None:
    sent = body({"text": "Hi"}, responseId="r-1", modelVersion="gemini-3-pro")
    answer = parse(sent, NOW, PLAIN, ReasoningMemory())
    assert answer.envelope == Envelope("r-1", NOW, "gemini-3-pro")
    assert (answer.source.wire, answer.source.body) == ("gemini", json.loads(sent))
    assert answer.usage is None


def test_the_calls_of_a_whole_answer_are_remembered_too() -> None:
    memory = ReasoningMemory()
    answer = parse(body({"functionCall": {"name": "get_weather"}, "thoughtSignature": "c2ln"}), NOW, PLAIN, memory)
    assert memory.find(answer.deltas[0].calls[0].id) == CallData("c2ln", "").extra


def test_a_long_explanation_is_cut() -> None:
    sent: JsonObject = {"candidates": [{"finishReason": "MALFORMED_RESPONSE", "finishMessage": "a b " * 9_999}]}
    with pytest.raises(InvalidAnswer) as failure:
        parse(dumps(sent), NOW, PLAIN, ReasoningMemory())
    assert MESSAGE_SHOWN - 4 <= len(failure.value.message) <= MESSAGE_SHOWN
    blocked: JsonObject = {"promptFeedback": {"blockReason": "A" * 9_999}}
    refusal = parse(dumps(blocked), NOW, PLAIN, ReasoningMemory()).deltas[0].refusal
    assert refusal == "The provider blocked the prompt:", "no word is cut in two: it may be a secret"


# Usage -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        (None, None),
        ({}, None),
        ([], None),
        ("9", None),
        ({"totalTokenCount": 9}, Usage(0, 0)),
        ({"promptTokenCount": 9, "totalTokenCount": 9}, Usage(9, 0)),
        ({"promptTokenCount": 9, "candidatesTokenCount": 4, "totalTokenCount": 13}, Usage(9, 4)),
        # thoughts are counted beside the candidates
        (
            {"promptTokenCount": 9, "candidatesTokenCount": 4, "thoughtsTokenCount": 20, "totalTokenCount": 33},
            Usage(9, 24, reasoning=20),
        ),
        ({"promptTokenCount": 9, "thoughtsTokenCount": 64, "totalTokenCount": 73}, Usage(9, 64, reasoning=64)),
        # or among them, by servers whose total says so
        (
            {"promptTokenCount": 9, "candidatesTokenCount": 24, "thoughtsTokenCount": 20, "totalTokenCount": 33},
            Usage(9, 24, reasoning=20),
        ),
        (
            {"promptTokenCount": 9, "candidatesTokenCount": 4, "thoughtsTokenCount": 20, "totalTokenCount": 13},
            Usage(9, 4, reasoning=4),
        ),
        ({"promptTokenCount": 9, "candidatesTokenCount": 4, "thoughtsTokenCount": 20}, Usage(9, 24, reasoning=20)),
        (
            {
                "promptTokenCount": 9,
                "toolUsePromptTokenCount": 40,
                "candidatesTokenCount": 4,
                "thoughtsTokenCount": 2,
                "totalTokenCount": 55,
            },
            Usage(49, 6, reasoning=2),
        ),
        ({"promptTokenCount": 9, "cachedContentTokenCount": 6}, Usage(9, 0, cached=6)),
        ({"promptTokenCount": 9, "cachedContentTokenCount": 60}, Usage(9, 0, cached=9)),
        ({"promptTokenCount": True, "candidatesTokenCount": -4, "thoughtsTokenCount": "2"}, Usage(0, 0)),
    ],
)
def test_what_was_counted(counts: JsonValue, usage: Usage | None) -> None:
    assert read_usage(counts) == usage


# Probabilities ---------------------------------------------------------------------------------------------------


def test_alternatives_belong_to_the_token_in_their_place() -> None:
    result: JsonObject = {
        "chosenCandidates": [{"token": "a", "logProbability": -1}, "b", {"token": "c"}, {"token": "d"}],
        "topCandidates": [{"candidates": [{"token": "x", "logProbability": -0.5}]}, 7, {"candidates": [7]}],
    }
    alternative = TokenLogprob("x", -0.5)
    assert read_logprobs(result) == (
        TokenLogprob("a", -1.0, (alternative,)),
        TokenLogprob("c", 0.0),
        TokenLogprob("d", 0.0),
    )


# Citations -------------------------------------------------------------------------------------------------------

PAGE: JsonObject = {"web": {"uri": "https://a.example", "title": "A"}}


def grounding(*segments: JsonValue, chunks: JsonValue = None) -> JsonObject:
    supports: list[JsonValue] = [{"segment": segment, "groundingChunkIndices": [0]} for segment in segments]
    return {"groundingChunks": [PAGE] if chunks is None else chunks, "groundingSupports": supports}


@pytest.mark.parametrize(
    ("segment", "place"),
    [
        ({"startIndex": 7, "endIndex": 14, "text": "Größe"}, (6, 11)),
        ({"startIndex": 7, "endIndex": 14}, (6, 11)),
        ({"startIndex": 900, "endIndex": 990, "text": "Größe"}, (6, 11)),
        ({"endIndex": 6, "text": "Kläre"}, (0, 5)),
        ({"startIndex": 7, "endIndex": 999}, (6, 11)),
        ({"startIndex": 7, "endIndex": 14, "text": "größe"}, (0, 11)),  # what is quoted is nowhere
        ({"startIndex": 9, "endIndex": 3}, (0, 11)),
        ({}, (0, 11)),
        ("wrong", (0, 11)),
    ],
)
def test_a_citation_stands_where_its_text_is(segment: JsonValue, place: tuple[int, int]) -> None:
    said = "Kläre Größe"
    [found] = read_citations([grounding(segment)], said)
    assert (found.start, found.end) == place


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"groundingChunks": "a", "groundingSupports": "b"},
        {"groundingSupports": [{"groundingChunkIndices": [0]}]},
        grounding({}, chunks=[7]),
        grounding({}, chunks=[{"web": {"title": "no address"}}]),
        {"groundingChunks": [PAGE], "groundingSupports": [{"groundingChunkIndices": [-1, 1, True, "0", None]}]},
        {"groundingChunks": [PAGE], "groundingSupports": [{"groundingChunkIndices": 0}]},
    ],
)
def test_grounding_without_a_page_cites_none(wrong: JsonObject) -> None:
    assert read_citations([wrong], "Hello") == ()


def test_a_page_is_cited_once_for_a_place() -> None:
    same = grounding({"endIndex": 5, "text": "Hello"})
    assert read_citations([same, same], "Hello") == (Citation("https://a.example", "A", 0, 5),)


def test_a_great_many_citations_are_bounded() -> None:
    segments: list[JsonValue] = [{"startIndex": place, "endIndex": place + 1} for place in range(MOST + 5)]
    many = grounding(*segments)
    assert len(read_citations([many, many], "a" * (MOST + 9))) == MOST


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), st.data())
def test_bytes_become_characters(said: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(said)))
    end = data.draw(st.integers(start, len(said)))
    before, quoted = len(said[:start].encode()), said[start:end]
    segment: JsonObject = {"startIndex": before, "endIndex": before + len(quoted.encode()), "text": quoted}
    [found] = read_citations([grounding(segment)], said)
    assert said[found.start : found.end] == quoted or not quoted
    assert (found.start, found.end) == ((start, end) if quoted else (0, len(said)))
