"""What is learned of a model that refuses a part of a request: the names that errors.py gives and the renderers obey.

The names are those of `Params`, and beside them those of this module, for what is no parameter. A model refuses what
its row in models.py allows when it is newer or older than its name says, or when another server answers for it.
"""

from typing import Final

from msgspec.structs import replace

from gateway.core.rendered import Adjustments
from gateway.core.request import Prompt
from gateway.core.strict_json import JsonObject
from gateway.wires.anthropic_messages.outbound.models import Traits
from gateway.wires.dropped import Drop

EFFORT: Final = "effort"
"""Adaptive thinking, and `output_config.effort` with it."""
BUDGET: Final = "reasoning_budget"
"""Thinking with a budget of tokens."""
PREFILL: Final = "prefill"
"""An assistant's message at the end of the conversation."""
SYSTEM_INSIDE: Final = "messages.system"
"""A system message inside the conversation."""

STRICT: Final = "strict"
"""The wish that a tool's arguments follow its schema exactly."""
NEEDED: Final = frozenset({"model", "messages", "max_tokens", "system", "tools", "stream"})
"""Fields of a request without which it is another one. All others can be left out by their own names, too."""
FIELDS: Final = {
    EFFORT: "reasoning_effort",
    BUDGET: "reasoning_effort",
    "output": "response_format",
}
"""OpenAI chat's names, where they are others."""


def leave_out(body: JsonObject, adjustments: Adjustments, drop: Drop) -> None:
    """Take out of a body, in place, the fields that the target refused by this wire's own names."""
    for name in sorted(adjustments.without - NEEDED):
        if body.pop(name, None) is not None:
            drop(name)


def learned(traits: Traits, adjustments: Adjustments) -> Traits:
    """The traits of a model as its own refusals have corrected them."""
    without = adjustments.without
    if not without:
        return traits
    return replace(
        traits,
        budgets=traits.budgets and BUDGET not in without,
        efforts=() if EFFORT in without else traits.efforts,
        prefill=traits.prefill and PREFILL not in without,
        system_inside=traits.system_inside and SYSTEM_INSIDE not in without,
    )


def without_strict(prompt: Prompt, adjustments: Adjustments) -> Prompt:
    """The prompt with no word on how strict its tools are, where the target refuses it."""
    if STRICT not in adjustments.without:
        return prompt
    return replace(prompt, tools=tuple(replace(tool, strict=None) for tool in prompt.tools))
