"""The differences between Claude models, as rows of data: sampling, thinking, prefill, places of system messages.

Anthropic answers 400 to a parameter that a model no longer has, or does not have yet. A row holds for a version and all
later ones up to the next row. A name without a version counts as the newest, so that a model of tomorrow gets what the
latest generation takes. What a row gets wrong is learned from the 400 (errors.py).

Source: https://platform.claude.com/docs/en/about-claude/models/overview and the pages on extended thinking, adaptive
thinking, effort, structured outputs and prefill beside it (2026-11).
"""

import re
from typing import Final

from msgspec import Struct

EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")
"""All values of `output_config.effort`, from the lowest."""


class Traits(Struct, frozen=True):
    """One model.

    Attributes:
        sampling: whether it takes temperature, top_p and top_k.
        budgets: whether it takes a budget of thinking tokens.
        efforts: the efforts that it takes together with adaptive thinking; empty where it has none.
        forced_with_thinking: whether a tool can be forced while it thinks.
        prefill: whether it continues an assistant's message at the end of the conversation.
        system_inside: whether it takes system messages inside the conversation.
        structured: whether it takes a JSON schema for its answer.
        default_tokens: the limit for an answer where the request has none; the API requires one.
    """

    sampling: bool = False
    budgets: bool = False
    efforts: tuple[str, ...] = EFFORTS
    forced_with_thinking: bool = True
    prefill: bool = False
    system_inside: bool = True
    structured: bool = True
    default_tokens: int = 32_000

    @property
    def thinks(self) -> bool:
        """Whether its thinking can be controlled."""
        return self.budgets or bool(self.efforts)


_NEWEST: Final = Traits()
_2025: Final = Traits(
    sampling=True, budgets=True, efforts=(), forced_with_thinking=False, prefill=True, system_inside=False
)
_OLD: Final = Traits(
    sampling=True,
    efforts=(),
    forced_with_thinking=False,
    prefill=True,
    system_inside=False,
    structured=False,
    default_tokens=4_096,
)

_ROWS: Final[tuple[tuple[tuple[int, int], Traits], ...]] = (
    ((4, 8), _NEWEST),
    ((4, 7), Traits(system_inside=False)),
    (
        (4, 6),
        Traits(
            sampling=True,
            efforts=("low", "medium", "high", "max"),
            forced_with_thinking=False,
            system_inside=False,
        ),
    ),
    ((4, 5), _2025),
    (
        (3, 7),
        Traits(
            sampling=True,
            budgets=True,
            efforts=(),
            forced_with_thinking=False,
            prefill=True,
            system_inside=False,
            structured=False,
            default_tokens=8_192,
        ),
    ),
    (
        (3, 5),
        Traits(
            sampling=True,
            efforts=(),
            forced_with_thinking=False,
            prefill=True,
            system_inside=False,
            structured=False,
            default_tokens=8_192,
        ),
    ),
    ((0, 0), _OLD),
)
"""By the first version that the row holds for, newest first."""

_VERSION: Final = re.compile(r"claude-(?:[a-z]+-)?v?(\d{1,2})(?:[-.](\d{1,2}))?(?![0-9])")
"""`claude-opus-4-5-20251101`, `claude-3-7-sonnet-latest`, `claude-opus-4-20250514` (4.0)."""


def traits(model: str) -> Traits:
    """The traits of a model by the provider's name for it, with or without a part before the last slash."""
    found = _VERSION.search(model.lower())
    if found is None:
        return _NEWEST
    version = (int(found[1]), int(found[2] or 0))
    return next(row for first, row in _ROWS if version >= first)
