"""Renders the parameters of a request as `generationConfig`.

A number outside the API's range is refused here in OpenAI's terms, because Google's error would name a field that is
not in the caller's request. Parameters that Gemini does not have are dropped and reported.

Source: https://ai.google.dev/api/generate-content#GenerationConfig.
"""

from typing import Final

from gateway.core.errors import InvalidRequest
from gateway.core.provider_failures import UnsupportedByTarget
from gateway.core.request import Params, Prompt
from gateway.core.strict_json import JsonObject, JsonValue, dumps
from gateway.wires.dropped import Drop
from gateway.wires.gemini import thinking
from gateway.wires.gemini.json_schema import cleaned
from gateway.wires.gemini.models import Traits

MAX_STOPS: Final = 5
MAX_CHOICES: Final = 8
MAX_TOP_LOGPROBS: Final = 20
_INT32: Final = 2**31 - 1
_MODALITIES: Final = ("text", "image", "audio")


def render(prompt: Prompt, choices: int, traits: Traits, drop: Drop) -> JsonObject:
    """The `generationConfig`; empty where the request sets no parameter.

    Args:
        prompt: the request.
        choices: the number of alternative answers.
        traits: the model's.
        drop: is called with the caller's name of each dropped field.

    Raises:
        InvalidRequest: a number that no provider accepts; `param` is its field.
        UnsupportedByTarget: more alternative answers than Gemini gives.
    """
    params = prompt.params
    config: JsonObject = {
        **_sampling(params, drop),
        **_limits(params, choices, drop),
        **_penalties(params, traits, drop),
        **_logprobs(params, drop),
        **_modalities(params, drop),
        **_output(prompt, traits, drop),
    }
    if thinking_config := thinking.render(prompt, traits, drop):
        config["thinkingConfig"] = thinking_config
    return config


def schema_as_words(prompt: Prompt, traits: Traits) -> str | None:
    """The instruction for a model that cannot be asked for JSON by a parameter because it has tools; None where it can,
    or where no JSON is requested."""
    output = prompt.params.output
    if output is None or _takes_output(prompt, traits):
        return None
    words = "Unless you call a tool, answer with one JSON object and nothing else: no explanation, no Markdown fence."
    if output.schema is None:
        return words
    return f"{words} It must be valid against this JSON Schema:\n{dumps(output.schema).decode()}"


def _sampling(params: Params, drop: Drop) -> JsonObject:
    config: JsonObject = {}
    for name, value, field, most in (
        ("temperature", params.temperature, "temperature", 2),
        ("topP", params.top_p, "top_p", 1),
    ):
        if value is not None:
            config[name] = _within(value, 0, most, field)
    if params.top_k is not None:
        if params.top_k > 0:
            config["topK"] = min(params.top_k, _INT32)
        else:
            drop("top_k")  # local servers use 0 and -1 for "all tokens"; Gemini has no such value
    if params.seed is not None:
        config["seed"] = _int32(params.seed)
    return config


def _limits(params: Params, choices: int, drop: Drop) -> JsonObject:
    config: JsonObject = {}
    if params.max_tokens is not None:
        if params.max_tokens < 1:
            raise InvalidRequest("max_completion_tokens must be at least 1.", param="max_completion_tokens")
        config["maxOutputTokens"] = min(params.max_tokens, _INT32)
    stops: list[JsonValue] = list(dict.fromkeys(text for text in params.stop if text))  # an empty text stops nothing
    if stops:
        config["stopSequences"] = stops[:MAX_STOPS]
    if len(stops) > MAX_STOPS:
        drop("stop")
    if choices < 1:
        raise InvalidRequest("n must be at least 1.", param="n")
    if choices > MAX_CHOICES:
        raise UnsupportedByTarget(f"Gemini gives at most {MAX_CHOICES} answers beside each other.", param="n")
    if choices > 1:
        config["candidateCount"] = choices
    return config


def _penalties(params: Params, traits: Traits, drop: Drop) -> JsonObject:
    """Gemini 3 has no penalties, and some earlier models refuse the fields. A 0 (many clients send it) is left out."""
    config: JsonObject = {}
    for name, value, field in (
        ("presencePenalty", params.presence_penalty, "presence_penalty"),
        ("frequencyPenalty", params.frequency_penalty, "frequency_penalty"),
    ):
        if value is None or _within(value, -2, 2, field) == 0:
            continue
        if traits.generation >= 3:
            drop(field)
        else:
            config[name] = value
    return config


def _logprobs(params: Params, drop: Drop) -> JsonObject:
    top = params.top_logprobs or 0
    if top < 0:
        raise InvalidRequest("top_logprobs must not be negative.", param="top_logprobs")
    if not params.logprobs:
        if top:
            drop("top_logprobs")
        return {}
    return {"responseLogprobs": True, "logprobs": min(top, MAX_TOP_LOGPROBS)} if top else {"responseLogprobs": True}


def _modalities(params: Params, drop: Drop) -> JsonObject:
    """The answer's modalities; text alone is the default and left out."""
    asked = list(dict.fromkeys(params.modalities))
    if any(modality not in _MODALITIES for modality in asked):
        drop("modalities")
    known: list[JsonValue] = [modality.upper() for modality in asked if modality in _MODALITIES]
    return {} if known in ([], ["TEXT"]) else {"responseModalities": known}


def _output(prompt: Prompt, traits: Traits, drop: Drop) -> JsonObject:
    output = prompt.params.output
    if output is None:
        return {}
    if not _takes_output(prompt, traits):
        drop("response_format")
        return {}
    schema, wider = cleaned(output.schema or {})
    if wider:
        drop("response_format.json_schema.schema")
    config: JsonObject = {"responseMimeType": "application/json"}
    return {**config, "responseJsonSchema": schema} if schema else config


def _takes_output(prompt: Prompt, traits: Traits) -> bool:
    """Whether the model takes a JSON schema. Before Gemini 3, functions exclude it (googleapis/python-genai#867)."""
    return traits.generation >= 3 or not prompt.tools


def _within(value: float, least: int, most: int, field: str) -> float:
    if least <= value <= most:  # False for NaN
        return value
    raise InvalidRequest(f"{field} must be between {least} and {most}.", param=field)


def _int32(seed: int) -> int:
    """OpenAI's 64-bit seed reduced to Gemini's 32 bits. Equal seeds stay equal, and small ones unchanged."""
    return (seed + 2**31) % 2**32 - 2**31
