"""Writes gateway/observe/prices.json: the prices of our vendors' models, from the package genai-prices (MIT).

Run it with the package installed: `python scripts/prices.py [--date 2026-11-29]`. It is not part of what runs, and
fetches nothing: the prices are those of the installed version.

Prices that were superseded before the date are left out, as are those for batches (no endpoint here takes them) and for
anything but tokens of text.
"""

import argparse
import datetime
import json
from decimal import Decimal
from importlib import metadata
from pathlib import Path
from typing import Any, TypeAlias

from genai_prices import data, types

Json: TypeAlias = Any
OUR_NAMES = {
    "openai": "openai",
    "google": "gemini",
    "anthropic": "anthropic",
    "openrouter": "openrouter",
    "groq": "groq",
    "mistral": "mistral",
    "deepseek": "deepseek",
    "moonshotai": "moonshot",
    "x-ai": "xai",
    "together": "together",
    "cohere": "cohere",
}
"""Our vendors by their names in the package; it has no prices of Jina's."""
KEYS = {
    "input_mtok": "in",
    "cache_read_mtok": "cached",
    "cache_write_mtok": "write",
    "cache_write_1h_mtok": "write_1h",
    "output_mtok": "out",
    "output_reasoning_mtok": "reasoning",
}
TARGET = Path(__file__).parents[1] / "gateway" / "observe" / "prices.json"


def clause(match: types.MatchLogic) -> Json:
    """A match rule as data: a text is a name; else one key says how its value is compared."""
    match match:
        case types.ClauseEquals():
            return match.equals.lower()
        case types.ClauseStartsWith():
            return {"starts": match.starts_with.lower()}
        case types.ClauseEndsWith():
            return {"ends": match.ends_with.lower()}
        case types.ClauseContains():
            return {"has": match.contains.lower()}
        case types.ClauseRegex():
            return {"pattern": match.regex}
        case types.ClauseOr():
            return {"or": [clause(one) for one in match.or_]}
        case types.ClauseAnd():
            return {"and": [clause(one) for one in match.and_]}
    raise SystemExit(f"A match rule of an unknown kind: {match!r}")


def number(value: Decimal) -> int | float:
    """US dollars per million tokens, to the millionth."""
    rounded = round(float(value), 6)
    return int(rounded) if rounded.is_integer() else rounded


def amount(value: Decimal | types.TieredPrices) -> Json:
    """A price; with tiers, pairs of the input tokens past which one holds, and that."""
    if isinstance(value, types.TieredPrices):
        return [[0, number(value.base)], *([tier.start, number(tier.price)] for tier in value.tiers)]
    return number(value)


def rates(prices: types.ModelPrice) -> dict[str, Any]:
    return {ours: amount(value) for theirs, ours in KEYS.items() if (value := getattr(prices, theirs)) is not None}


def condition(constraint: object) -> Json:
    """When a price holds: null for always, a date since when, or two times of the day (UTC)."""
    match constraint:
        case None:
            return None
        case types.StartDateConstraint():
            return constraint.start_date.isoformat()
        case types.TimeOfDateConstraint():
            return [f"{one:%H:%M}" for one in (constraint.start_time, constraint.end_time)]
    raise SystemExit(f"A condition of an unknown kind: {constraint!r}")


def dated(model: types.ModelInfo, today: str) -> list[Any]:
    """The prices from `today` on, of which the last whose condition holds counts."""
    if isinstance(model.prices, types.ModelPrice):
        return [[None, rates(model.prices)]]
    listed = [[condition(one.constraint), rates(one.prices)] for one in model.prices]
    known = [
        place for place, (when, _) in enumerate(listed) if when is None or (isinstance(when, str) and when <= today)
    ]
    first = known[-1] if known else 0
    return [[None, listed[first][1]], *listed[first + 1 :]]


def tiers(model: types.ModelInfo) -> dict[str, Any]:
    """What differs in a service tier. Anthropic's fast mode counts as one."""
    found: dict[str, Any] = {}
    for variant in model.price_variants or ():
        name = variant.when.get("service_tier") or variant.when.get("speed")
        if name and len(variant.when) == 1 and (changed := rates(variant.prices)):
            found.setdefault(name, []).append([condition(variant.constraint), changed])
    return found


def row(model: types.ModelInfo, today: str) -> list[Any] | None:
    """A model; None for one that is priced by other things than tokens."""
    prices = dated(model, today)
    if model.id.endswith(":free") and prices == [[None, {}]]:
        prices = [[None, {"in": 0, "out": 0}]]  # OpenRouter's own name for what it gives away
    if not all("in" in one and (any(one.values()) or model.id.endswith(":free")) for _, one in prices):
        return None
    known = [clause(model.match), prices[0][1] if len(prices) == 1 else prices]
    return [*known, variants] if (variants := tiers(model)) else known


def text(table: dict[str, Any]) -> str:
    """The file, with a line for each model, so that a change of a price is a change of a line."""
    vendors = table["vendors"]
    lists = (
        f"{json.dumps(name)}:[\n" + ",\n".join(json.dumps(one, separators=(",", ":")) for one in rows) + "\n]"
        for name, rows in vendors.items()
    )
    head = json.dumps({name: value for name, value in table.items() if name != "vendors"}, indent=1)
    return head.removesuffix("\n}") + ',\n "vendors":{\n' + ",\n".join(lists) + "\n}}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--date", default=datetime.datetime.now(datetime.UTC).date().isoformat())
    today = parser.parse_args().date
    package = metadata.distribution("genai-prices")
    (licence,) = (file for file in package.files or () if file.name == "LICENSE")
    by_name = {provider.id: provider for provider in data.providers}
    table = {
        "source": f"genai-prices {package.version}",
        "license": licence.read_text(),
        "date": today,
        "vendors": {
            ours: [found for model in by_name[theirs].models if (found := row(model, today))]
            for theirs, ours in OUR_NAMES.items()
        },
    }
    TARGET.write_bytes(text(table).encode())
    print(f"{TARGET.name}: {sum(map(len, table['vendors'].values()))} models, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
