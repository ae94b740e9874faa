"""The rules of `rateLimits` that the schema cannot say."""

from collections.abc import Iterator
from typing import Final

from msgspec import structs

from gateway.config.faults import KeyPath, Problem
from gateway.config.rate_limit import RateLimit
from gateway.config.schema import Config
from gateway.core.records import login_name

NUMBERS: Final = ("requests_per_minute", "requests_per_day", "tokens_per_minute", "tokens_per_day", "max_concurrent")
"""What a row may limit, as attributes."""


def row_text(provider: str, model: str | None, account: str | None) -> str:
    """`openai`, `openai/gpt-4o*`, `openai@work/gpt-4o*`."""
    name = login_name(provider, account or "")
    return name if model is None else f"{name}/{model}"


def row_name(limit: RateLimit) -> str:
    """A row as the file has it."""
    return row_text(limit.provider, limit.model, limit.account)


def unique_limits(config: Config) -> Iterator[Problem]:
    """Each provider, model and account has one row at most."""
    first: dict[str, KeyPath] = {}
    for index, limit in enumerate(config.rate_limits):
        path: KeyPath = ("rateLimits", index, "provider")
        if first.setdefault(row_name(limit), path) != path:
            message = f'a limit for "{row_name(limit)}" is given twice'
            yield Problem(path, message, fatal=True, first=first[row_name(limit)])


def numbered_limits(config: Config) -> Iterator[Problem]:
    """Each row limits something. The loader asks only about rows without a fault of their own."""
    names = [field.encode_name for field in structs.fields(RateLimit) if field.name in NUMBERS]
    for index, limit in enumerate(config.rate_limits):
        if all(getattr(limit, name) is None for name in NUMBERS):
            message = f"limits nothing: give it at least one of {', '.join(names)}"
            yield Problem(("rateLimits", index), message, fatal=True)


def sound_model_patterns(config: Config) -> Iterator[Problem]:
    """The pattern of a row's models has one star at most."""
    for index, limit in enumerate(config.rate_limits):
        if limit.model is not None and limit.model.count("*") > 1:
            message = "has more than one *: a pattern has one, such as gpt-4o*"
            yield Problem(("rateLimits", index, "model"), message, fatal=True)


LIMIT_RULES: Final = (unique_limits, sound_model_patterns)
