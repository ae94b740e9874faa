"""What providers say is left of their own limits, for people and machines."""

from gateway.commands.console import iso_time, one_line
from gateway.core.durations import in_words
from gateway.core.strict_json import JsonObject
from gateway.server.account_json import Remaining


def in_words_of(left: Remaining, now: float) -> str:
    """`1,800 of 6,000 tokens left for llama-3.3-70b, full again in 31 seconds`.

    Args:
        left: what a provider has said.
        now: wall seconds.
    """
    count = "an unknown number" if left.remaining is None else f"{left.remaining:,}"
    most = "" if left.limit is None else f" of {left.limit:,}"
    whose = f" for {one_line(left.model)}" if left.model else ""
    again = f", full again in {in_words(left.reset_at - now)}" if left.reset_at and left.reset_at > now else ""
    return f"{count}{most} {left.kind.replace('_', ' ')} left{whose}{again}"


def as_json(left: Remaining) -> JsonObject:
    """For machines: times in ISO 8601, null where they are unknown."""
    return {
        "model": left.model,
        "kind": left.kind,
        "limit": left.limit,
        "remaining": left.remaining,
        "resetAt": iso_time(left.reset_at),
        "learnedAt": iso_time(left.learned_at),
    }
