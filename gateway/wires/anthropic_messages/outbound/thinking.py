"""Renders the reasoning effort as thinking: adaptive with an effort, or with a budget, whichever the model takes.

A budget is less than the limit of the answer, which includes it, so this module decides both. A caller may also use
Anthropic's own field (`extra_body: {"anthropic": {"thinking": {...}}}`), which takes precedence over the effort.

Source: https://platform.claude.com/docs/en/build-with-claude/extended-thinking, adaptive-thinking and effort (2026-11).
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from gateway.core.errors import InvalidRequest
from gateway.core.request import Params, Prompt
from gateway.core.strict_json import JsonObject
from gateway.wires.anthropic_messages import VENDOR
from gateway.wires.anthropic_messages.outbound.models import EFFORTS, Traits
from gateway.wires.dropped import Drop

MIN_BUDGET: Final = 1_024
"""Tokens. The API refuses a smaller budget."""
_BUDGETS: Final[Mapping[str, int]] = {
    "minimal": MIN_BUDGET,
    "low": 4_096,
    "medium": 16_384,
    "high": 32_000,
    "xhigh": 32_000,
    "max": 32_000,
}
"""Tokens by effort."""
_OFF: Final = ("none", "minimal")
"""Efforts below the lowest that adaptive thinking has."""
_ALL_EFFORTS: Final = ("none", "minimal", *EFFORTS)
_FIELD: Final = "reasoning_effort"
_EXTRA: Final = f"extra_body.{VENDOR}.thinking"
_KINDS: Final = ("enabled", "adaptive", "disabled", "between_tools")
_DISPLAYS: Final = ("summarized", "omitted")


class Thinking(Struct, frozen=True):
    """How a request thinks.

    Attributes:
        config: the value of `thinking`; empty leaves the field out.
        effort: the value of `output_config.effort`; None leaves it out.
        budget: tokens of thinking; 0 where there is no budget.
    """

    config: JsonObject = {}
    effort: str | None = None
    budget: int = 0

    @property
    def is_on(self) -> bool:
        return self.config.get("type") in ("enabled", "adaptive")


def render(prompt: Prompt, traits: Traits, drop: Drop, *, forced: bool) -> Thinking:
    """How the request thinks.

    Args:
        prompt: the request.
        traits: the model's.
        drop: is called with the name of each dropped field.
        forced: whether the request forces a tool.

    Raises:
        InvalidRequest: an effort that no API has, or a `thinking` that Anthropic does not have.
    """
    own, effort = _own(prompt.extra), _effort(prompt.params)
    found = _fitting(own, traits, drop) if own else _of_params(prompt.params, effort, traits, drop)
    if found.is_on and forced and not traits.forced_with_thinking:
        drop(_EXTRA if own else _FIELD)
        return Thinking()
    return found


def _effort(params: Params) -> str | None:
    effort = params.effort
    if effort is not None and effort not in _ALL_EFFORTS:
        raise InvalidRequest(f"{_FIELD} must be one of {', '.join(_ALL_EFFORTS)}.", param=_FIELD)
    return effort


def _of_params(params: Params, effort: str | None, traits: Traits, drop: Drop) -> Thinking:
    """By the neutral parameters; a budget is an effort where the model has no budgets, and the reverse."""
    budget = params.reasoning_budget
    if effort is None and budget is None:
        return Thinking()
    if not traits.thinks:
        if effort != "none":
            drop(_FIELD)
        return Thinking()
    if traits.efforts:
        return _adaptive(effort or _effort_of(budget or 0), traits, params.show_reasoning)
    if effort == "none" or budget == 0:
        return Thinking()
    tokens = _BUDGETS[effort or "low"] if budget is None else max(budget, MIN_BUDGET)
    display: JsonObject = {"display": "omitted"} if params.show_reasoning is False else {}
    return Thinking({"type": "enabled", "budget_tokens": tokens, **display}, budget=tokens)


def _adaptive(effort: str, traits: Traits, show: bool | None) -> Thinking:
    """Adaptive thinking. Its text is asked for, because models from 4.7 on leave it out unless they are asked."""
    if effort in _OFF:
        return Thinking({"type": "disabled"})
    display = "omitted" if show is False else "summarized"
    return Thinking({"type": "adaptive", "display": display}, _nearest(effort, traits))


def _nearest(effort: str, traits: Traits) -> str:
    """The effort, or the next lower one that the model has."""
    below = EFFORTS[: EFFORTS.index(effort) + 1]
    return next((one for one in reversed(below) if one in traits.efforts), traits.efforts[0])


def _effort_of(budget: int) -> str:
    if budget == 0:
        return "none"
    return "low" if budget <= _BUDGETS["low"] else "medium" if budget <= _BUDGETS["medium"] else "high"


def _own(extra: JsonObject) -> JsonObject:
    """The caller's `thinking` for Anthropic alone."""
    ours = extra.get(VENDOR)
    value = ours.get("thinking") if isinstance(ours, dict) else None
    if value is None:
        return {}
    if not isinstance(value, dict) or value.get("type") not in _KINDS:
        raise InvalidRequest(f"{_EXTRA} must be an object whose type is one of {', '.join(_KINDS)}.", param=_EXTRA)
    budget, display = value.get("budget_tokens"), value.get("display")
    if value["type"] == "enabled" and not (type(budget) is int and budget >= MIN_BUDGET):
        raise InvalidRequest(f"{_EXTRA}.budget_tokens must be at least {MIN_BUDGET}.", param=_EXTRA)
    if display is not None and display not in _DISPLAYS:
        raise InvalidRequest(f"{_EXTRA}.display must be one of {', '.join(_DISPLAYS)}.", param=_EXTRA)
    return value


def _fitting(own: JsonObject, traits: Traits, drop: Drop) -> Thinking:
    """The caller's `thinking` in the form that the model takes."""
    kind, budget = own["type"], own.get("budget_tokens")
    display: JsonObject = {"display": own["display"]} if own.get("display") else {}
    if kind in ("disabled", "between_tools"):
        return Thinking({"type": kind})
    if not traits.thinks:
        drop(_EXTRA)
        return Thinking()
    tokens = budget if isinstance(budget, int) and kind == "enabled" else _BUDGETS["high"]
    if traits.efforts:
        effort = _nearest(_effort_of(tokens), traits) if kind == "enabled" else None
        return Thinking({"type": "adaptive", **display}, effort)
    return Thinking({"type": "enabled", "budget_tokens": tokens, **display}, budget=tokens)


def limits(thinking: Thinking, asked: int | None, default: int, most: int | None) -> tuple[int, int]:
    """The limit of the answer and the budget of thinking in it, in tokens; a budget of 0 means that none fits.

    Args:
        thinking: how the request thinks.
        asked: the caller's limit.
        default: the limit where the caller has none.
        most: the largest limit that the target takes; None where it is not known.
    """
    limit, budget = default if asked is None else asked, thinking.budget
    if most is not None:
        limit = min(limit, most)
    if not budget or budget < limit:
        return limit, budget
    raised = budget + limit
    if most is not None and raised > most:
        raised = most
        budget = max(MIN_BUDGET, raised - limit)
    return (raised, budget) if budget < raised else (limit, 0)
