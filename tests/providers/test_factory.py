"""The table of wires: every wire of the catalog has a builder, and each vendor is built from its row."""

from contextlib import closing
from typing import get_args

import pytest

from gateway.config import schema
from gateway.core.clock import SystemClock
from gateway.providers.anthropic import AnthropicProvider
from gateway.providers.base import Provider
from gateway.providers.catalog import resolve
from gateway.providers.factory import BUILDERS, ProviderFactory
from gateway.providers.gemini import GeminiProvider
from gateway.providers.openai import OpenAIProvider
from gateway.providers.vendors import VENDORS, Wire
from gateway.wires.reasoning_memory import ReasoningMemory

EVERY_KEY = {vendor.key_env: "sk-canary-0123456789" for vendor in VENDORS.values() if vendor.key_env}
CLASSES: dict[Wire, type] = {
    "openai_chat": OpenAIProvider,
    "gemini": GeminiProvider,
    "anthropic_messages": AnthropicProvider,
}


def built(name: str, **settings: object) -> Provider:
    resolved = resolve(name, schema.Provider(**settings), EVERY_KEY)  # type: ignore[arg-type]
    factory = ProviderFactory(pool_size=4, environ={}, clock=SystemClock(), memory=ReasoningMemory())
    return factory.build(resolved, resolved.endpoint or "http://127.0.0.1:1/v1", lambda: None)


def test_the_table_and_the_type_name_the_same_wires() -> None:
    assert set(BUILDERS) == set(get_args(Wire))


@pytest.mark.parametrize("name", VENDORS)
def test_a_vendor_is_asked_in_the_wire_of_its_row(name: str) -> None:
    with closing(built(name)) as provider:
        assert provider.name == name
        assert type(provider) is CLASSES[VENDORS[name].wire]


def test_a_vendors_compatible_api_is_asked_in_its_own_wire() -> None:
    with closing(built("gemini", api="openai")) as provider:
        assert type(provider) is OpenAIProvider
