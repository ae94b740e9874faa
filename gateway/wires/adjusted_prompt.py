"""A prompt without what a target refuses, as its answers have shown.

Every outbound wire that renders from neutral form uses it, so that a name in `Adjustments` means the same for all.
"""

from typing import Final

from msgspec.structs import fields, replace

from gateway.core.rendered import Adjustments
from gateway.core.request import Message, Params, Prompt, Reasoning

REASONING: Final = "reasoning"
"""The name of the reasoning in the conversation, which another vendor may refuse."""
_DEFAULTS: Final = Params()
_PARAMS: Final = frozenset(field.name for field in fields(Params))


def adjusted(prompt: Prompt, adjustments: Adjustments) -> Prompt:
    """The prompt without the parameters and the reasoning that `adjustments` names, and with at most its tokens."""
    without = adjustments.without
    if REASONING in without:
        prompt = replace(prompt, messages=tuple(map(_without_reasoning, prompt.messages)))
    changes: dict[str, object] = {name: getattr(_DEFAULTS, name) for name in without & _PARAMS}
    if lowers_limit(prompt, adjustments):
        changes["max_tokens"] = adjustments.max_tokens
    return replace(prompt, params=replace(prompt.params, **changes)) if changes else prompt


def lowers_limit(prompt: Prompt, adjustments: Adjustments) -> bool:
    """Whether the prompt asks for more tokens than `adjustments` allows, which the caller is told of."""
    asked, most = prompt.params.max_tokens, adjustments.max_tokens
    return asked is not None and most is not None and asked > most


def _without_reasoning(message: Message) -> Message:
    parts = tuple(part for part in message.parts if not isinstance(part, Reasoning))
    return message if len(parts) == len(message.parts) else replace(message, parts=parts)
