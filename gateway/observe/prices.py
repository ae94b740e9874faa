"""What a call costs, exactly: whole numbers of trillionths of a US dollar, rounded to millionths once a call, half up.

Prices are looked up in this order: the configuration (`override`), what the provider says (`provider`), the shipped
table (`table`, with its date), and where none of them knows the model, nobody does (`unknown`): None, and never 0.
A server on the user's own machine costs nothing (`local`).

    prices = Prices(overrides, table)
    one = prices.cost(vendor, provider, model, usage, at)      # of each try that has usage, by its own target
    call = total([one, ...])
    call.micros      # int | None: what the ledger keeps
    call.label       # "override", "provider", "table 2026-11-29", "table 2026-11-29, approximate", "local", "unknown"

The tokens are those of `gateway.core.answer.Usage`: `prompt` includes `cached` and `cache_write`, `completion` includes
`reasoning`. So the price is that of the rest of the prompt, and of each part.
"""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from gateway.core.answer import PER_MICRO, Usage
from gateway.observe.price_table import STANDARD, PriceTable, Rates, Tiered

LOCAL: Final = frozenset({"ollama", "lmstudio", "vllm", "llamacpp", "demo"})
"""The vendors whose servers people run themselves."""
Source: TypeAlias = Literal["override", "provider", "table", "local", "unknown"]
_ORDER: Final[Sequence[Source]] = ("unknown", "table", "override", "provider", "local")
"""Of a call whose tries have several sources, the one that is the least sure is named."""


class Cost(Struct, frozen=True, gc=False):
    """What a try or a call costs.

    Attributes:
        amount: trillionths of a US dollar (`gateway.core.answer.PER_DOLLAR`); None where it is not known.
        source: who says so.
        date: the day of the table's prices; None of another source.
        approximate: the table has no price for the service tier, so it is priced as standard.
    """

    amount: int | None
    source: Source
    date: str | None = None
    approximate: bool = False

    @property
    def micros(self) -> int | None:
        """Millionths of a US dollar, half up. To be asked of a whole call, for rounding parts adds up to nothing."""
        return None if self.amount is None else (self.amount + PER_MICRO // 2) // PER_MICRO

    @property
    def label(self) -> str:
        """The source in one text, for a column."""
        named = f"{self.source} {self.date}" if self.date else self.source
        return f"{named}, approximate" if self.approximate else named


UNKNOWN: Final = Cost(None, "unknown")
REMEMBERED: Final = 1_000
"""Models whose prices are not looked up anew."""
_NONE: Final = (None, False)


class Override(Struct, frozen=True):
    """Prices that the configuration has.

    Attributes:
        provider: its name there.
        model: a glob of the provider's names for models.
        rates: the prices.
    """

    provider: str
    model: str
    rates: Rates


class Prices:
    """The prices of one configuration.

    Args:
        overrides: those of the configuration; the first that matches counts.
        table: the shipped ones.
    """

    def __init__(self, overrides: Iterable[Override], table: PriceTable) -> None:
        self._overrides = tuple(overrides)
        self._table = table
        self._lasting: dict[tuple[str, str], Rates] = {}  # by vendor and model: most prices never change

    def cost(self, vendor: str | None, provider: str, model: str, usage: Usage, at: float) -> Cost:
        """What a try costs whose provider has counted tokens.

        Args:
            vendor: whose server answered, as in gateway.providers.vendors; None where nobody knows.
            provider: its name in the configuration.
            model: the provider's name for the model.
            usage: the tokens, and what the provider says of their price.
            at: when, in seconds since the epoch.
        """
        for one in self._overrides:
            if one.provider == provider and fnmatchcase(model, one.model):
                return Cost(amount(usage, one.rates), "override")
        if usage.reported_cost is not None:
            return Cost(usage.reported_cost, "provider")
        if vendor in LOCAL:
            return Cost(0, "local")
        rates, is_of_tier = self._rates(vendor, model, (usage.service_tier or "").lower(), at) if vendor else _NONE
        found = amount(usage, rates) if rates else None
        return UNKNOWN if found is None else Cost(found, "table", self._table.known_date, approximate=not is_of_tier)

    def _rates(self, vendor: str, model: str, tier: str, at: float) -> tuple[Rates | None, bool]:
        """The table's prices for a model, and whether they are those of the tier."""
        known = self._lasting.get((vendor, model)) if tier in STANDARD else None
        if known is not None:
            return known, True
        row = self._table.find(vendor, model)
        if row is None:
            return _NONE
        lasting = row.lasting_rates(tier)
        if lasting is None:
            return row.rates(at, tier)
        if len(self._lasting) >= REMEMBERED:  # callers may name any model of a provider
            self._lasting.clear()
        self._lasting[vendor, model] = lasting
        return lasting, True


def total(costs: Iterable[Cost]) -> Cost:
    """What a call costs whose tries cost this; nothing is known of a call of which one part is not."""
    parts = tuple(costs)
    if len(parts) == 1:
        return parts[0]
    if not parts or any(part.amount is None for part in parts):
        return UNKNOWN
    source = min((part.source for part in parts), key=_ORDER.index)
    date = next((part.date for part in parts if part.source == source), None)
    return Cost(sum(part.amount or 0 for part in parts), source, date, any(part.approximate for part in parts))


def amount(usage: Usage, rates: Rates) -> int | None:
    """The exact price of tokens, in trillionths of a US dollar; None where there are some that have no price."""
    prompt, output = usage.prompt, rates.output
    if output is None:
        if usage.completion:
            return None
        output = Tiered(0)
    if not (usage.cached or usage.cache_write or usage.reasoning):  # most calls
        return prompt * rates.input.at(prompt) + usage.completion * output.at(prompt)
    cached = min(usage.cached, prompt)
    written = min(usage.cache_write, prompt - cached)
    reasoning = min(usage.reasoning, usage.completion)
    price = (prompt - cached - written) * rates.input.at(prompt) + (usage.completion - reasoning) * output.at(prompt)
    if cached:
        price += cached * (rates.cached or rates.input).at(prompt)
    if written:
        lasting, write = min(usage.cache_write_1h, written), rates.write or rates.input
        price += (written - lasting) * write.at(prompt) + lasting * (rates.write_1h or write).at(prompt)
    if reasoning:
        price += reasoning * (rates.reasoning or output).at(prompt)
    return price
