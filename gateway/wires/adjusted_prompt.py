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
    without, limit = adjustments.without, adjustments.max_tokens
    if REASONING in without:
        prompt = replace(prompt, messages=tuple(map(_without_reasoning, prompt.messages)))
    changes: dict[str, object] = {name: getattr(_DEFAULTS, name) for name in without & _PARAMS}
    asked = prompt.params.max_tokens
    if limit is not None and asked is not None and asked > limit:
        changes["max_tokens"] = limit
    return replace(prompt, params=replace(prompt.params, **changes)) if changes else prompt


def _without_reasoning(message: Message) -> Message:
    parts = tuple(part for part in message.parts if not isinstance(part, Reasoning))
    return message if len(parts) == len(message.parts) else replace(message, parts=parts)
