"""The fields that a refusal names as unknown or unsupported are kept beside the failure."""

from collections.abc import Mapping

import pytest

from gateway.core.provider_failures import RequestRejected, UnsupportedByModel
from gateway.core.strict_json import JsonValue, dumps
from gateway.wires.gemini import errors as gemini
from gateway.wires.openai_chat.outbound import errors as openai_chat
from tests.support.cases import each_case
from tests.wires.refusals.wordings import ORDINARY, openai

NONE: Mapping[str, str] = {}


@each_case(
    ("words", "fields"),
    [
        ("Unrecognized request argument supplied: stream_options", ["stream_options"]),
        ("Unrecognized request arguments supplied: stream_options", ["stream_options"]),
        ("Extra inputs are not permitted: body -> stream_options", ["stream_options"]),
        ("body -> stream_options\n  Extra inputs are not permitted (type=extra_forbidden)", ["stream_options"]),
        ("body -> stop\n  Extra inputs are not permitted\nbody -> n\n  Extra inputs are not permitted", ["stop", "n"]),
        ("messages.0.content.1.cache_control: Extra inputs are not permitted", ["cache_control"]),
        ("system.1.cache_control.ephemeral.scope: Extra inputs are not permitted", ["scope"]),
        ("stream_options: extra fields not permitted", ["stream_options"]),
        (
            "[{'type': 'extra_forbidden', 'loc': ('body', 'messages', 0, 'id'), 'msg': 'Extra inputs not permitted'}]",
            ["id"],
        ),
        ("[('messages.1' : property 'reasoning_content' is unsupported)]", ["reasoning_content"]),
        ("Unsupported parameter: 'max_tokens' is not supported with this model.", ["max_tokens"]),
        ("Unsupported parameter: 'reasoning.effort' is not supported with this model.", ["reasoning"]),
        ("Unsupported parameter(s): `documents`, `add_special_tokens`", ["documents", "add_special_tokens"]),
        ('json: unknown field "stream_options"', ["stream_options"]),
        ("unknown field `stream_options`, expected one of `model`, `messages`", ["stream_options"]),
        ("Unknown parameter: 'messages[1].reasoning_details'.", ["reasoning_details"]),
        ("create() got an unexpected keyword argument 'stream_options'", ["stream_options"]),
        (
            "Additional properties are not allowed ('stream_options', 'user' were unexpected)",
            ["stream_options", "user"],
        ),
        ("`logprobs` is not supported with this model", ["logprobs"]),
        ("stream_options is not supported", ["stream_options"]),
        ("The parallel_tool_calls parameter is not supported by this model", ["parallel_tool_calls"]),
        ("parameter logit_bias is not supported", ["logit_bias"]),
        ("mistral does not support parameters: ['logit_bias', 'seed'], for model=m.", ["logit_bias", "seed"]),
        ("stream_options: unknown field", ["stream_options"]),
        ("Unsupported field: stream_options.include_usage", ["stream_options"]),
        ("不支持的参数: stream_options", ["stream_options"]),
        ("参数 top_k 不支持", ["top_k"]),
    ],
)
def test_a_field_that_is_refused_by_name_is_named(words: str, fields: list[str]) -> None:
    shapes: tuple[JsonValue, ...] = (openai(words), {"detail": words}, {"message": words})
    for body in shapes:
        found = openai_chat.parse(400, NONE, dumps(body))
        assert list(found.refused_fields) == fields
        assert type(found) is UnsupportedByModel and found.message == words
    assert list(openai_chat.parse_in_stream(openai(words)).refused_fields) == fields


def test_a_validators_list_names_its_fields() -> None:
    detail: JsonValue = [
        {"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"},
        {"type": "extra_forbidden", "loc": ["body", "messages", 1, "id"], "msg": "Extra inputs are not permitted"},
    ]
    bodies: tuple[JsonValue, ...] = (
        {"detail": detail},
        {"object": "error", "message": {"detail": detail}, "type": "invalid_request_error"},
    )
    for body in bodies:
        assert openai_chat.parse(422, NONE, dumps(body)).refused_fields == ("stream_options", "id")


def test_the_field_beside_a_code_is_named_without_words() -> None:
    error: JsonValue = {"error": {"message": "No.", "code": "unknown_parameter", "param": "store"}}
    assert openai_chat.parse(400, NONE, dumps(error)).refused_fields == ("store",)
    other: JsonValue = {"error": {"message": "No.", "code": "invalid_value", "param": "store"}}
    assert openai_chat.parse(400, NONE, dumps(other)).refused_fields == ()


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("thinkingConfig", ("reasoning_effort",)),
        ("max_output_tokens", ("max_tokens",)),
        ("responseJsonSchema", ("response_format",)),
        ("id", ()),
    ],
)
def test_googles_names_become_openais(name: str, fields: tuple[str, ...]) -> None:
    words = f"Invalid JSON payload received. Unknown name \"{name}\" at 'generation_config': Cannot find field."
    error: JsonValue = {"error": {"code": 400, "message": words, "status": "INVALID_ARGUMENT"}}
    found = gemini.parse(400, NONE, dumps(error))
    assert type(found) is UnsupportedByModel and found.refused_fields == fields


@each_case("words", ORDINARY, ids=[words[:60] for words in ORDINARY])
def test_an_ordinary_fault_names_no_field_to_leave_out(words: str) -> None:
    found = openai_chat.parse(400, NONE, dumps(openai(words)))
    assert type(found) is RequestRejected and found.refused_fields == ()
