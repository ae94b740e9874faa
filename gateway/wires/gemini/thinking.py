"""Renders the reasoning effort as a thinking level or a thinking budget, whichever the model takes.

Google answers 400 to a level and a budget together, so this module decides which one is sent. A caller may also use
Google's own fields (`extra_body: {"google": {"thinking_config": {...}}}`, as documented for Google's OpenAI endpoint).
These take precedence over the effort and are limited to what the model accepts.

Source: https://ai.google.dev/gemini-api/docs/thinking and https://ai.google.dev/gemini-api/docs/openai.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.core.errors import InvalidRequest
from gateway.core.request import Params, Prompt
from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.gemini.models import Traits

_DYNAMIC: Final = -1
"""The budget that leaves the decision to the model."""
_MOST: Final = 2**31 - 1
_BUDGETS: Final[Mapping[str, int]] = {
    "none": 0,
    "minimal": 512,
    "low": 1_024,
    "medium": 8_192,
    "high": 24_576,
    "xhigh": _MOST,
    "max": _MOST,
}
"""Tokens by effort, before the model's bounds; low, medium and high have the values of Google's OpenAI endpoint."""
_LEVELS: Final[Mapping[str, tuple[str, ...]]] = {
    "none": ("MINIMAL", "LOW"),
    "minimal": ("MINIMAL", "LOW"),
    "low": ("LOW", "MINIMAL"),
    "medium": ("MEDIUM", "HIGH"),
    "high": ("HIGH",),
    "xhigh": ("HIGH",),
    "max": ("HIGH",),
}
"""Levels by effort; the first one that the model has is used."""
_CONFIG: Final = "extra_body.google.thinking_config"


@dataclass(frozen=True, slots=True)
class _Asked:
    """The caller's thinking_config; None for missing fields."""

    level: str | None = None
    budget: int | None = None
    thoughts: bool | None = None


def render(prompt: Prompt, traits: Traits, drop: Callable[[str], None]) -> JsonObject:
    """The `thinkingConfig`; empty where the request sets nothing.

    Thoughts are requested with every effort except none, because a caller that sets an effort wants to see its result.

    Raises:
        InvalidRequest: an effort that OpenAI does not have, or a thinking_config that Google does not.
    """
    effort = prompt.params.effort
    if effort is not None and effort not in _BUDGETS:
        raise InvalidRequest(f"reasoning_effort must be one of {', '.join(_BUDGETS)}.", param="reasoning_effort")
    asked = _read(prompt.extra, drop)
    if not traits.thinks:
        if effort not in (None, "none") or (effort is None and prompt.params.reasoning_budget):
            drop("reasoning_effort")
        if asked != _Asked():
            drop(_CONFIG)
        return {}
    config = _of_asked(asked, traits) or _of_params(prompt.params, traits)
    thoughts = asked.thoughts if asked.thoughts is not None else _shows_thoughts(prompt.params)
    return {**config, "includeThoughts": True} if thoughts else config


def _of_params(params: Params, traits: Traits) -> JsonObject:
    """The budget where the model takes one, else the effort."""
    if params.reasoning_budget is not None and not (traits.levels and params.effort):
        return _of_asked(_Asked(budget=params.reasoning_budget), traits)
    return {} if params.effort is None else _of_effort(params.effort, traits)


def _shows_thoughts(params: Params) -> bool:
    """Whether thoughts are requested: as the request says, else with every effort but none."""
    if params.show_reasoning is not None:
        return params.show_reasoning
    return params.effort not in (None, "none")


def _of_asked(asked: _Asked, traits: Traits) -> JsonObject:
    """A level or budget of the kind that the model takes is used; the other kind is translated."""
    if asked.budget is not None and not (traits.levels and asked.level):
        if traits.levels and asked.budget == 0:
            return _of_effort("none", traits)
        return {"thinkingBudget": _bounded(asked.budget, traits)}
    return _of_effort(asked.level, traits) if asked.level else {}


def _of_effort(effort: str, traits: Traits) -> JsonObject:
    if traits.levels:
        fitting = [level for level in _LEVELS[effort] if level in traits.levels]
        return {"thinkingLevel": fitting[0] if fitting else traits.levels[-1]}
    return {"thinkingBudget": _bounded(_BUDGETS[effort], traits)}


def _bounded(budget: int, traits: Traits) -> int:
    if budget == _DYNAMIC or (budget == 0 and traits.can_be_off):
        return budget
    return min(max(budget, traits.budget_min), traits.budget_max)


def _read(extra: JsonObject, drop: Callable[[str], None]) -> _Asked:
    """Read the thinking_config, with names in snake_case or camelCase, as Google's JSON allows."""
    config = _object(_object(extra, "google", "extra_body.google"), "thinking_config", _CONFIG, "thinkingConfig")
    fields = {name.replace("_", "").lower(): value for name, value in config.items() if value is not None}
    asked = _Asked(
        _level(fields.pop("thinkinglevel", None)),
        _budget(fields.pop("thinkingbudget", None)),
        _thoughts(fields.pop("includethoughts", None)),
    )
    if fields or (asked.level and asked.budget is not None):
        drop(_CONFIG)
    return asked


def _object(fields: JsonObject, name: str, path: str, other_name: str = "") -> JsonObject:
    value = fields.get(name, fields.get(other_name))
    if value is None or isinstance(value, dict):
        return value or {}
    raise InvalidRequest(f"{path} must be an object.", param=path)


def _level(value: JsonValue) -> str | None:
    """A level as an effort; Google's names are the same in capitals."""
    if value is None or value == "THINKING_LEVEL_UNSPECIFIED":
        return None
    if isinstance(value, str) and value.lower() in _LEVELS:
        return value.lower()
    raise InvalidRequest(f"{_CONFIG}.thinking_level must be minimal, low, medium or high.", param=_CONFIG)


def _budget(value: JsonValue) -> int | None:
    if value is None or (type(value) is int and value >= _DYNAMIC):
        return value
    raise InvalidRequest(f"{_CONFIG}.thinking_budget must be a number of tokens, or -1.", param=_CONFIG)


def _thoughts(value: JsonValue) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise InvalidRequest(f"{_CONFIG}.include_thoughts must be true or false.", param=_CONFIG)
