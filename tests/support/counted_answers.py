"""One answer of each vendor that counts tokens in its own way, in its documented shape, whole and streamed.

Each row says what the counts mean, and what the answer costs by the table of prices. The counts are chosen so that a
wrong reading gives another number: no two parts are equal, and all are among something.
"""

from typing import Final

from msgspec import Struct

from gateway.core.answer import Usage
from gateway.core.strict_json import JsonObject


class CountedAnswer(Struct, frozen=True):
    """One row.

    Attributes:
        vendor: the row in gateway.providers.vendors.
        wire: the wire that it is read by.
        model: the provider's name for it.
        source: where the shape is documented, with the date.
        counts: the token counts as the vendor writes them; of a stream of Messages those of its end.
        usage: what they mean.
        micros: what the answer costs, in millionths of a dollar.
        by: who says so.
        begin: of a stream of Messages, the counts of its beginning.
        tier: the service tier, as it stands beside the counts.
    """

    vendor: str
    wire: str
    model: str
    source: str
    counts: JsonObject
    usage: Usage
    micros: int
    by: str
    begin: JsonObject | None = None
    tier: str | None = None


ANSWERS: Final = (
    CountedAnswer(
        "openai",
        "openai_chat",
        "gpt-5-2025-08-07",
        "https://platform.openai.com/docs/api-reference/chat/object (2026-11)",
        {
            "prompt_tokens": 2006,
            "completion_tokens": 300,
            "total_tokens": 2306,
            "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 128,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
        Usage(2006, 300, cached=1920, reasoning=128, service_tier="default"),
        3348,  # 86 * 1.25 + 1920 * 0.125 + 300 * 10 = 3347.5, half up
        "table",
        tier="default",
    ),
    CountedAnswer(
        "openai",
        "openai_responses",
        "gpt-5",
        "https://platform.openai.com/docs/api-reference/responses/object (2026-11)",
        {
            "input_tokens": 2006,
            "input_tokens_details": {"cached_tokens": 1920},
            "output_tokens": 300,
            "output_tokens_details": {"reasoning_tokens": 128},
            "total_tokens": 2306,
        },
        Usage(2006, 300, cached=1920, reasoning=128, service_tier="flex"),
        1674,  # at half the price: 1673.75
        "table",
        tier="flex",
    ),
    CountedAnswer(
        "anthropic",
        "anthropic_messages",
        "claude-sonnet-4-5-20250929",
        "https://platform.claude.com/docs/en/build-with-claude/prompt-caching (2026-11)",
        {"output_tokens": 503, "output_tokens_details": {"thinking_tokens": 401}},
        Usage(
            2051 + 1800 + 248,
            503,
            cached=1800,
            cache_write=248,
            cache_write_1h=100,
            reasoning=401,
            service_tier="standard",
        ),
        15_393,  # 2051 * 3 + 1800 * 0.3 + 148 * 3.75 + 100 * 6 + 503 * 15
        "table",
        begin={
            "input_tokens": 2051,
            "cache_read_input_tokens": 1800,
            "cache_creation_input_tokens": 248,
            "cache_creation": {"ephemeral_5m_input_tokens": 148, "ephemeral_1h_input_tokens": 100},
            "output_tokens": 1,
            "service_tier": "standard",
        },
    ),
    CountedAnswer(
        "gemini",
        "gemini",
        "gemini-2.5-pro",
        "https://ai.google.dev/api/generate-content#UsageMetadata (2026-11)",
        {
            "promptTokenCount": 1000,
            "cachedContentTokenCount": 600,
            "toolUsePromptTokenCount": 50,
            "candidatesTokenCount": 200,
            "thoughtsTokenCount": 700,
            "totalTokenCount": 1950,
            "serviceTier": "standard",
        },
        Usage(1050, 900, cached=600, reasoning=700, service_tier="standard"),
        9638,  # 450 * 1.25 + 600 * 0.125 + 900 * 10 = 9637.5, half up
        "table",
    ),
    CountedAnswer(
        "deepseek",
        "openai_chat",
        "deepseek-v4-flash",
        "https://api-docs.deepseek.com/api/create-chat-completion (2026-11)",
        {
            "prompt_tokens": 1030,
            "completion_tokens": 210,
            "total_tokens": 1240,
            "prompt_cache_hit_tokens": 960,
            "prompt_cache_miss_tokens": 70,
            "completion_tokens_details": {"reasoning_tokens": 90},
        },
        Usage(1030, 210, cached=960, reasoning=90),
        139,  # 70 * 0.15 + 960 * 0.003 + 210 * 0.6 = 139.38, at noon in UTC, which is not its peak
        "table",
    ),
    CountedAnswer(
        "xai",
        "openai_chat",
        "grok-3-mini",
        "https://docs.x.ai/developers/rest-api-reference/inference/legacy (2026-11)",
        {
            "prompt_tokens": 41,
            "completion_tokens": 104,
            "total_tokens": 41 + 104 + 700,
            "prompt_tokens_details": {"text_tokens": 41, "audio_tokens": 0, "image_tokens": 0, "cached_tokens": 5},
            "completion_tokens_details": {
                "reasoning_tokens": 700,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
            "num_sources_used": 0,
        },
        Usage(41, 804, cached=5, reasoning=700),
        413,  # 36 * 0.3 + 5 * 0.075 + 804 * 0.5 = 413.175
        "table",
    ),
    CountedAnswer(
        "xai",
        "openai_chat",
        "grok-4.3",
        "https://docs.x.ai/developers/cost-tracking (2026-11)",
        {
            "prompt_tokens": 199,
            "completion_tokens": 1,
            "total_tokens": 200,
            "prompt_tokens_details": {"text_tokens": 199, "audio_tokens": 0, "image_tokens": 0, "cached_tokens": 163},
            "completion_tokens_details": {"reasoning_tokens": 0},
            "num_sources_used": 0,
            "cost_in_usd_ticks": 37_756_000,
        },
        Usage(199, 1, cached=163, reported_cost=3_775_600_000),
        3776,  # 37,756,000 of 10,000,000,000 ticks in a dollar
        "provider",
    ),
    CountedAnswer(
        "openrouter",
        "openai_chat",
        "anthropic/claude-sonnet-4.5",
        "https://openrouter.ai/docs/use-cases/usage-accounting (2026-11)",
        {
            "prompt_tokens": 194,
            "completion_tokens": 12,
            "total_tokens": 206,
            "prompt_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 100, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 7},
            "cost": 0.00108345,
            "cost_details": {"upstream_inference_cost": None},
            "is_byok": False,
        },
        Usage(194, 12, cached=20, cache_write=100, reasoning=7, reported_cost=1_083_450_000),
        1083,
        "provider",
    ),
    CountedAnswer(
        "openrouter",
        "openai_chat",
        "openai/gpt-5",
        "https://openrouter.ai/docs/use-cases/byok (2026-11): the fee, and what the vendor itself takes",
        {
            "prompt_tokens": 194,
            "completion_tokens": 2,
            "total_tokens": 196,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
            "cost": 0.0001,
            "cost_details": {"upstream_inference_cost": 0.0019},
            "is_byok": True,
        },
        Usage(194, 2, reported_cost=2_000_000_000),
        2000,
        "provider",
    ),
)
