"""What targets have taught: fields that they refuse by name, and that the request can do without.

Only what the gateway itself puts into a request is left out, or what another provider has put into its history, or what
the wire of the target says can be left out (FieldsRefused) and tells the caller of. Any other parameter that the caller
has set is the caller's: a target that refuses it cannot serve the request, and another may. A lesson holds for an hour,
because a server that is updated takes more.
"""

import threading
from collections.abc import Container, Mapping
from types import MappingProxyType
from typing import Final

from gateway.core.clock import Clock
from gateway.core.provider_failures import FieldsRefused, ForeignReasoning, ProviderFailure
from gateway.core.rendered import Adjustments
from gateway.routing.router import Target

HOUR: Final = 3600.0
"""Seconds that a lesson holds."""
MAX_TARGETS: Final = 1_000
"""Callers may name any model of a provider, so the number of targets has no other limit."""
NOTHING: Final = Adjustments()
TEACHES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "stream_options": "usage",
        "include_usage": "usage",
        "reasoning": "reasoning",
        "reasoning_content": "reasoning",
        "reasoning_details": "reasoning",
        "thinking_blocks": "reasoning",
        "extra_content": "reasoning",
        "provider_specific_fields": "reasoning",
        "strict": "strict",
    }
)
"""The neutral name of what is left out, by the refused field (OpenAI's names)."""


class Lessons:
    """The adjustments of each target. Safe to use from many threads.

    Args:
        clock: for how long a lesson holds.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[Target, tuple[float, Adjustments]] = {}

    def of(self, target: Target) -> Adjustments:
        """What is left out of requests to a target; nothing for nearly all."""
        if not self._known:
            return NOTHING
        with self._lock:
            until, adjustments = self._known.get(target, (0.0, NOTHING))
            if adjustments is not NOTHING and self._clock.monotonic() >= until:
                del self._known[target]
                return NOTHING
        return adjustments

    def forget(self, providers: Container[str]) -> None:
        """Forget what the targets of these providers have taught: another server answers from now on."""
        with self._lock:
            self._known = {each: known for each, known in self._known.items() if each.provider not in providers}

    def after(self, target: Target, refusal: ProviderFailure, asked: Adjustments) -> Adjustments | None:
        """Learn from a refusal.

        Args:
            target: that refused.
            refusal: its failure.
            asked: the adjustments of the request that was refused.

        Returns:
            The adjustments with which the target is asked again; None where the refusal teaches nothing new.
        """
        limit = asked.max_tokens
        if isinstance(refusal, FieldsRefused):
            without = frozenset(refusal.refused_fields)
            limit = refusal.max_tokens or limit
        else:
            without = frozenset(TEACHES[name] for name in refusal.refused_fields if name in TEACHES)
        better = Adjustments(asked.without | without, limit)
        if better == asked:
            return None
        if not isinstance(refusal, ForeignReasoning):  # that is about one conversation
            self._remember(target, better)
        return better

    def _remember(self, target: Target, adjustments: Adjustments) -> None:
        with self._lock:
            while len(self._known) >= MAX_TARGETS:
                del self._known[next(iter(self._known))]
            self._known[target] = (self._clock.monotonic() + HOUR, adjustments)
