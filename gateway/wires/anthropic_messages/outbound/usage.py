"""Reads the token counts of an answer: Anthropic's into the neutral form's.

Source: https://platform.claude.com/docs/en/api/messages/create, `usage`, and the page on prompt caching (2026-11).
"""

from typing import Final

from gateway.core.answer import Usage
from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.untrusted_fields import an_object, count, text

_COUNTS: Final = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


class UsageReader:
    """The counts of one answer. Those of a stream's end replace those of its beginning, each where it is given."""

    def __init__(self) -> None:
        self._known: JsonObject = {}

    def read(self, value: JsonValue) -> Usage | None:
        """The counts so far, with those of one more event; None where the event has none.

        Anthropic counts the prompt's tokens in three parts: read from the cache, written to it, and the rest. What it
        calls fast mode, with prices of its own, counts as a service tier here.
        """
        counts = an_object(value)
        given = {name: one for name, one in counts.items() if one is not None}
        if given.keys().isdisjoint(_COUNTS):
            return None
        self._known.update(given)
        cached, written = count(self._known.get(_COUNTS[2])), count(self._known.get(_COUNTS[3]))
        completion = count(self._known.get("output_tokens"))
        details = an_object(self._known.get("output_tokens_details"))
        lasting = count(an_object(self._known.get("cache_creation")).get("ephemeral_1h_input_tokens"))
        fast = self._known.get("speed") == "fast"
        return Usage(
            prompt=count(self._known.get("input_tokens")) + cached + written,
            completion=completion,
            cached=cached,
            reasoning=min(count(details.get("thinking_tokens")), completion),
            cache_write=written,
            cache_write_1h=min(lasting, written),
            service_tier="fast" if fast else text(self._known.get("service_tier")) or None,
        )
