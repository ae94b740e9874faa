"""What the calls of one configuration cost: its prices, and whose server stands behind each provider's name.

A vendor's prices hold at its own address. At another one stands a server of which nothing is known, or another vendor's
own. The programs that people run themselves have no address of their own, and cost nothing anywhere.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from gateway.bindings import ProviderBinding
from gateway.config.prices import Price
from gateway.config.schema import Config
from gateway.core.answer import Usage
from gateway.observe.price_table import PriceTable, Rates, Tiered, exactly
from gateway.observe.prices import LOCAL, Cost, Override, Prices
from gateway.providers.catalog import VERTEX, Resolved
from gateway.providers.vendors import VENDORS

_HOSTS: Mapping[str, str] = {
    host: name
    for name, vendor in VENDORS.items()
    if name not in LOCAL and (host := urlsplit(vendor.endpoint or "").hostname)
}


class Pricing:
    """The prices of one configuration.

    Args:
        config: the configuration.
        bindings: its enabled providers.
        table: the shipped prices.
    """

    def __init__(self, config: Config, bindings: Mapping[str, ProviderBinding], table: PriceTable) -> None:
        self._vendors = {name: vendor_of(binding.resolved) for name, binding in bindings.items()}
        self._prices = Prices(map(_override, config.prices), table)

    def cost(self, provider: str, model: str, usage: Usage, at: float) -> Cost:
        """What a try costs whose provider has counted tokens.

        Args:
            provider: its name in the configuration.
            model: the provider's name for the model.
            usage: the tokens, and what the provider says of their price.
            at: when, in seconds since the epoch.
        """
        return self._prices.cost(self._vendors.get(provider), provider, model, usage, at)


def vendor_of(resolved: Resolved) -> str | None:
    """Whose prices hold for a provider; None where nobody's are known to."""
    if resolved.type in LOCAL:
        return resolved.type
    host = urlsplit(resolved.endpoint or "").hostname or ""
    if host == VERTEX or host.endswith(f"-{VERTEX}"):
        return "gemini"
    return _HOSTS.get(host)


def _override(price: Price) -> Override:
    cached, write = price.cached_input_per_million, price.cache_write_per_million
    rates = Rates(
        Tiered(exactly(price.input_per_million)),
        Tiered(exactly(price.output_per_million)),
        cached=None if cached is None else Tiered(exactly(cached)),
        write=None if write is None else Tiered(exactly(write)),
    )
    return Override(price.provider, price.model, rates)
