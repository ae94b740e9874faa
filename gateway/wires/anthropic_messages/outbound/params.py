"""Renders the parameters of a request.

A number outside the API's range is refused here in OpenAI's terms, because Anthropic's error would name a field that is
not in the caller's request. Parameters that Anthropic does not have are dropped and reported.

Source: https://platform.claude.com/docs/en/api/messages/create (2026-11).
"""

from typing import Final

from gateway.core.errors import InvalidRequest
from gateway.core.provider_failures import UnsupportedByTarget
from gateway.core.request import JsonOutput, Params, Prompt
from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.anthropic_messages.outbound import thinking
from gateway.wires.anthropic_messages.outbound.models import Traits
from gateway.wires.anthropic_messages.outbound.schemas import closed
from gateway.wires.anthropic_messages.outbound.thinking import Thinking
from gateway.wires.dropped import Drop

WHOLE_TOKENS: Final = 16_000
"""The default limit of an answer that is not streamed; a longer one could take more than ten minutes."""
JSON_ONLY: Final = "Answer with one JSON object and nothing else: no explanation, no Markdown fence."
"""The instruction for JSON without a schema, for which the API has no parameter."""
_TOP_P_WHILE_THINKING: Final = 0.95
"""The least top_p that the API takes together with thinking."""
_LONG: Final = 2**53
"""Larger than any number of tokens; JSON's numbers can be larger."""


def render(prompt: Prompt, how: Thinking, traits: Traits, drop: Drop) -> JsonObject:
    """The parameters but max_tokens and thinking.

    Args:
        prompt: the request.
        how: how it thinks, which limits the sampling.
        traits: the model's.
        drop: is called with the name of each dropped field.

    Raises:
        InvalidRequest: a number that no provider accepts; `param` is its field.
        UnsupportedByTarget: the model takes no JSON schema.
    """
    params = prompt.params
    _unknown(params, drop)
    config = _output_config(params, how, traits, drop)
    return {
        **_sampling(params, how, traits, drop),
        **_stop(params, drop),
        **({"output_config": config} if config else {}),
    }


def limit(params: Params, how: Thinking, traits: Traits, most: int | None, *, stream: bool) -> tuple[JsonObject, bool]:
    """`max_tokens`, with `thinking` in it.

    Returns:
        The two fields, and whether the caller's own limit has changed. Without a budget that fits, `thinking` is empty.
    """
    asked = params.max_tokens
    if asked is not None and asked < 1:
        raise InvalidRequest("max_completion_tokens must be at least 1.", param="max_completion_tokens")
    default = traits.default_tokens if stream else min(traits.default_tokens, WHOLE_TOKENS)
    tokens, budget = thinking.limits(how, None if asked is None else min(asked, _LONG), default, most)
    config = how.config
    if how.budget and not budget:
        config = {}
    elif budget:
        config = {**config, "budget_tokens": budget}
    fields: JsonObject = {"max_tokens": tokens, **({"thinking": config} if config else {})}
    return fields, asked is not None and tokens != asked


def schema_as_words(params: Params) -> str | None:
    """The instruction for JSON without a schema; None where none is asked for."""
    return JSON_ONLY if params.output is not None and params.output.schema is None else None


def _unknown(params: Params, drop: Drop) -> None:
    """Report what the API has no parameter for. A 0 (many clients send it) is no penalty."""
    for name, value in (
        ("seed", params.seed),
        ("presence_penalty", params.presence_penalty or None),
        ("frequency_penalty", params.frequency_penalty or None),
        ("logprobs", params.logprobs or None),
        ("top_logprobs", params.top_logprobs or None),
        ("verbosity", params.verbosity),
        ("modalities", None if set(params.modalities) <= {"text"} else params.modalities),
    ):
        if value is not None:
            drop(name)


def _sampling(params: Params, how: Thinking, traits: Traits, drop: Drop) -> JsonObject:
    temperature = _within(params.temperature, 2, "temperature")
    top_p = _within(params.top_p, 1, "top_p")
    top_k = params.top_k if params.top_k and params.top_k > 0 else None
    if not traits.sampling or how.is_on:
        allowed = top_p if traits.sampling and top_p is not None and top_p >= _TOP_P_WHILE_THINKING else None
        for name, value in (("temperature", temperature), ("top_p", None if allowed else top_p), ("top_k", top_k)):
            if value not in (None, 1) or (name == "top_k" and value):
                drop(name)  # a 1 is the only value that the models take, and their default
        return {"top_p": allowed} if allowed is not None else {}
    sampling: JsonObject = {}
    if temperature is not None:
        sampling["temperature"] = min(temperature, 1)
    if top_p is not None and temperature is None:
        sampling["top_p"] = top_p
    elif top_p not in (None, 1):
        drop("top_p")  # models from 4.1 on refuse the two together
    if top_k is not None:
        sampling["top_k"] = min(top_k, _LONG)
    return sampling


def _within(value: float | None, most: int, field: str) -> float | None:
    if value is None or 0 <= value <= most:  # False for NaN
        return value
    raise InvalidRequest(f"{field} must be between 0 and {most}.", param=field)


def _stop(params: Params, drop: Drop) -> JsonObject:
    """The API refuses a stop sequence of white space only."""
    given = list(dict.fromkeys(text for text in params.stop if text))
    stops: list[JsonValue] = [text for text in given if text.strip()]
    if len(stops) < len(given):
        drop("stop")
    return {"stop_sequences": stops} if stops else {}


def _output_config(params: Params, how: Thinking, traits: Traits, drop: Drop) -> JsonObject:
    config: JsonObject = {"effort": how.effort} if how.effort else {}
    if params.output is None:
        return config
    if params.output.schema is None:
        drop("response_format")  # schema_as_words takes its place
        return config
    if not traits.structured:
        raise UnsupportedByTarget("This model of Anthropic's takes no JSON schema.", param="response_format")
    return {**config, "format": {"type": "json_schema", "schema": _schema(params.output)}}


def _schema(output: JsonOutput) -> JsonObject:
    return closed(output.schema or {}, wholly=output.strict is not False)
