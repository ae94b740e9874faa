"""Probabilities of tokens, as items and as events have them: items have the bytes of tokens, events do not.

Source: https://platform.openai.com/docs/api-reference/responses-streaming/response/output_text/delta.
"""

import math
from collections.abc import Iterable
from typing import Final

from gateway.core.answer import TokenLogprob
from gateway.core.strict_json import JsonObject, JsonValue

NEVER: Final = -9999.0
"""The value that OpenAI writes for the logarithm of zero; JSON has no infinity."""


def of_events(tokens: Iterable[TokenLogprob]) -> list[JsonValue]:
    """As in the events of a text."""
    return [{**_event(token), "top_logprobs": [_event(other) for other in token.top]} for token in tokens]


def of_items(tokens: Iterable[TokenLogprob]) -> list[JsonValue]:
    """As in the text of an item."""
    return [{**_item(token), "top_logprobs": [_item(other) for other in token.top]} for token in tokens]


def _event(token: TokenLogprob) -> JsonObject:
    return {"token": token.token, "logprob": token.logprob if math.isfinite(token.logprob) else NEVER}


def _item(token: TokenLogprob) -> JsonObject:
    raw = token.token.encode(errors="replace") if token.raw is None else token.raw
    return {**_event(token), "bytes": list(raw)}
