"""Whose prices hold for a provider of the configuration, and from when on an override counts."""

from pathlib import Path
from typing import Any

import pytest

from gateway.bindings import bind
from gateway.config import schema
from gateway.config.prices import Price
from gateway.core.answer import Usage
from gateway.observe.prices import Cost
from gateway.pricing import Pricing
from gateway.runtime import Runtime
from tests.support.reloading import edited
from tests.support.running import provider

NOW = 1_796_126_400.0  # 2026-12-01, noon
USAGE = Usage(1000, 100, cached=400, cache_write=200)
KEY = "sk-0123456789abcdef"


def cost(name: str, model: str, usage: Usage = USAGE, *prices: Price, **settings: Any) -> Cost:
    """What a call costs at a provider of that name and these settings."""
    runtime = Runtime({"OPENAI_API_KEY": KEY, "GEMINI_API_KEY": KEY, "XAI_API_KEY": KEY}, threads=4)
    try:
        config = schema.Config(providers={name: schema.Provider(**settings)}, prices=prices)
        return Pricing(config, bind(config.providers, runtime, None, {}), runtime.price_table).cost(
            name, model, usage, NOW
        )
    finally:
        runtime.close()


@pytest.mark.parametrize(
    ("name", "model", "settings", "micros"),
    [
        ("openai", "gpt-5", {}, 600 * 1.25 + 400 * 0.125 + 100 * 10),
        ("mine", "gpt-5", {"type": "openai"}, 1800),
        ("gemini", "gemini-2.5-pro", {}, 1800),
        ("gemini", "gemini-2.5-pro", {"api": "openai"}, 1800),
        (
            "router",
            "grok-3-mini",
            {"type": "openai", "api_endpoint": "https://api.x.ai/v1"},
            600 * 0.3 + 400 * 0.075 + 50,
        ),
        ("proxy", "gpt-5", {"type": "openai", "api_endpoint": "https://llm.company.example/v1"}, None),
        ("local", "gpt-5", {"type": "openai", "api_endpoint": "http://127.0.0.1:4000/v1"}, None),
        ("ollama", "qwen3", {}, 0),
        ("there", "qwen3", {"type": "vllm", "api_endpoint": "http://192.168.0.9:8000/v1"}, 0),
        ("demo", "demo", {}, 0),
    ],
)
def test_a_vendors_prices_hold_at_its_own_address(
    name: str, model: str, settings: dict[str, Any], micros: float | None
) -> None:
    assert cost(name, model, **settings).micros == micros


def test_an_absent_cached_price_is_the_price_of_input() -> None:
    price = Price(provider="openai", model="gpt-*", input_per_million=2.5, output_per_million=10)
    assert cost("openai", "gpt-5", USAGE, price).micros == 1000 * 2.5 + 100 * 10


def test_each_part_has_the_overrides_price() -> None:
    price = Price(
        provider="openai",
        model="gpt-*",
        input_per_million=2.5,
        cached_input_per_million=0.000001,
        cache_write_per_million=0,
        output_per_million=10,
    )
    assert cost("openai", "gpt-5", USAGE, price) == Cost(400 * 2_500_000 + 400 * 1 + 100 * 10_000_000, "override")


def test_an_override_counts_from_the_reload_on(tmp_path: Path) -> None:
    def config(*prices: dict[str, object]) -> dict[str, object]:
        return {"providers": {"mine": provider("http://127.0.0.1:9/v1")}, "prices": list(prices)}

    dear = {"provider": "mine", "model": "m*", "inputPerMillion": 3, "outputPerMillion": 6}
    with edited(tmp_path, config()) as gateway:
        before = gateway.served.gateway.assembly.pricing
        assert before.cost("mine", "m1", USAGE, NOW).micros is None
        assert gateway.reload(config(dear))["status"] == 200
        assert gateway.served.gateway.assembly.pricing.cost("mine", "m1", USAGE, NOW).micros == 3600
