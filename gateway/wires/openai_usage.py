"""Reads the token counts of APIs of OpenAI's kind, in the neutral form of `Usage`, and the cost where one is told.

Vendors count differently under the same names. What differs, and where it is documented (all 2026-11):

| vendor | what | source |
|---|---|---|
| OpenAI | `cached_tokens`, `cache_write_tokens` and `reasoning_tokens` are parts | https://platform.openai.com/docs/api-reference/chat/object |
| OpenRouter | the same, and `cost` in dollars; with the user's own key also `upstream_inference_cost`, paid to the vendor | https://openrouter.ai/docs/use-cases/usage-accounting |
| DeepSeek | `prompt_cache_hit_tokens` and `prompt_cache_miss_tokens` are the prompt's two parts | https://api-docs.deepseek.com/guides/kv_cache |
| Moonshot | `cached_tokens` beside the counts | https://platform.moonshot.ai/docs/api/chat |
| xAI | in chats `reasoning_tokens` are counted beside `completion_tokens`, as only the total shows; the cost in ticks | https://docs.x.ai/developers/cost-tracking |
"""  # noqa: E501 - rows of a table

from decimal import Decimal
from typing import Final

from msgspec import Struct

from gateway.core.answer import PER_DOLLAR, Usage
from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.untrusted_fields import an_object, count, text

MOST_DOLLARS: Final = 1_000_000
"""A cost above it is none: no call costs that much."""
_TICKS: Final = 10_000_000_000
"""xAI's ticks in a dollar."""
_HITS: Final = frozenset({"prompt_cache_hit_tokens", "prompt_cache_miss_tokens", "cached_tokens"})
_COSTS: Final = frozenset({"cost_in_usd_ticks", "cost"})
_PLAIN: Final = frozenset({"prompt_tokens", "completion_tokens", "input_tokens", "output_tokens", "total_tokens"})
"""Counts without parts, as most servers give them."""


class Names(Struct, frozen=True):
    """The names of the counts in one API."""

    prompt: str
    completion: str
    of_prompt: str
    of_completion: str


CHAT: Final = Names("prompt_tokens", "completion_tokens", "prompt_tokens_details", "completion_tokens_details")
"""Of chats, completions and embeddings."""
RESPONSES: Final = Names("input_tokens", "output_tokens", "input_tokens_details", "output_tokens_details")
"""Of the Responses API."""


def read_usage(counts: JsonObject, names: Names, service_tier: JsonValue = None) -> Usage:
    """The counts of an answer or a chunk.

    Args:
        counts: its `usage`.
        names: of the counts.
        service_tier: as the answer has it beside.
    """
    tier = text(service_tier) or None
    prompt, completion = count(counts.get(names.prompt)), count(counts.get(names.completion))
    if counts.keys() <= _PLAIN:
        return Usage(prompt, completion, service_tier=tier)
    of_prompt, of_completion = an_object(counts.get(names.of_prompt)), an_object(counts.get(names.of_completion))
    hits = 0
    if not _HITS.isdisjoint(counts):
        hits = count(counts.get("prompt_cache_hit_tokens")) or count(counts.get("cached_tokens"))
        prompt = prompt or hits + count(counts.get("prompt_cache_miss_tokens"))
    reasoning = count(of_completion.get("reasoning_tokens"))
    if reasoning and count(counts.get("total_tokens")) == prompt + completion + reasoning:
        completion += reasoning
    cached = min(count(of_prompt.get("cached_tokens")) or hits, prompt)
    return Usage(
        prompt,
        completion,
        cached=cached,
        reasoning=min(reasoning, completion),
        cache_write=min(count(of_prompt.get("cache_write_tokens")), prompt - cached),
        reported_cost=None if _COSTS.isdisjoint(counts) else _cost(counts),
        service_tier=tier,
    )


def _cost(counts: JsonObject) -> int | None:
    """What the provider says that it costs; None where it says nothing."""
    ticks = _number(counts.get("cost_in_usd_ticks"))
    if ticks is not None:
        return _bounded(ticks / _TICKS)
    cost = _number(counts.get("cost"))
    if cost is None:
        return None
    if counts.get("is_byok") is True:
        cost += _number(an_object(counts.get("cost_details")).get("upstream_inference_cost")) or 0
    return _bounded(cost)


def _bounded(dollars: Decimal) -> int | None:
    return int(dollars * PER_DOLLAR) if dollars <= MOST_DOLLARS else None


def _number(value: JsonValue) -> Decimal | None:
    """A number that is not negative, exactly as it is written."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        return None
    return Decimal(repr(value)) if value <= MOST_DOLLARS * _TICKS else None
