"""The differences between Gemini models, as rows of data: the control of thinking, and the generation.

Google answers 400 to a thinking level on 2.x, to a level that a model does not list, to a budget outside its range and
to any thinking at all where a model has none. Unknown names get the values that the widest range of models accepts.

Source: https://ai.google.dev/gemini-api/docs/thinking, and the models that Google's API listed in August 2026.
"""

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Traits:
    """One model.

    Attributes:
        generation: the number before the point; 2 also where the name has none.
        levels: its thinking levels, from the lowest; empty where it takes a budget instead.
        budget_min: tokens, the smallest budget that it accepts beside 0.
        budget_max: tokens, the largest budget.
        can_be_off: whether it accepts a budget of 0.
        thinks: whether its thinking can be controlled.
    """

    generation: int
    levels: tuple[str, ...] = ()
    budget_min: int = 0
    budget_max: int = 0
    can_be_off: bool = False
    thinks: bool = True


_ALL: Final = ("MINIMAL", "LOW", "MEDIUM", "HIGH")
_NO_MINIMAL: Final = ("LOW", "MEDIUM", "HIGH")
_ENDS: Final = ("LOW", "HIGH")
_ENDS_MINIMAL: Final = ("MINIMAL", "HIGH")

_ROWS: Final[tuple[tuple[str, Traits], ...]] = (
    (r"gemini-2\.5-flash(-preview)?-image", Traits(2, thinks=False)),
    (r"gemini-2\.5-flash-lite", Traits(2, (), 512, 24_576, can_be_off=True)),
    (r"gemini-2\.5-flash", Traits(2, (), 0, 24_576, can_be_off=True)),
    (r"gemini-2\.5-pro", Traits(2, (), 128, 32_768)),
    (r"gemini-2\.[5-9]", Traits(2, (), 512, 24_576)),  # what all of them accept
    # An alias changes its model. Since 2026 these are of the third generation and need signatures back. The levels
    # differ there from one model to the next, and every model accepts a budget; 3.5-flash-lite no 0 (maragudk/gai#369).
    (r"gemini-flash-lite-latest", Traits(3, (), 512, 24_576)),
    (r"gemini-flash-latest", Traits(3, (), 0, 24_576, can_be_off=True)),
    (r"gemini-pro-latest", Traits(3, (), 128, 32_768)),
    (r"gemini-3\.7-flash(?!-lite|-image)", Traits(3, _NO_MINIMAL, 128, 65_535)),
)
_NEWER: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    (r".*flash.*image", _ENDS_MINIMAL),
    (r".*image", _ENDS),
    (r".*flash-lite", _ALL),
    (r"gemini-3(\.[0-6])?-flash", _ALL),
    (r".*flash", _NO_MINIMAL),  # 3.7 and 3.8 answer 400 to minimal (fishjar/kiss-translator#1048, litellm-docs#1505)
    (r"gemini-3-pro", _ENDS),
    (r".*pro", _NO_MINIMAL),
    (r"", _ENDS),
)
"""The levels by family, for the third generation and all later ones."""

_GENERATION: Final = re.compile(r"gemini-([0-9]{1,2})(?![0-9])")
_SPEECH: Final = re.compile(r"-(tts|native-audio)\b")


def traits(model: str) -> Traits:
    """The traits of a model by the provider's name for it, with or without the part before the last slash."""
    *before, name = model.lower().split("/")
    found = _GENERATION.match(name)
    generation = max(int(found[1]), 2) if found else 2
    if "tunedmodels" in before or _SPEECH.search(name):
        return Traits(generation, thinks=False)
    for pattern, row in _ROWS:
        if re.match(pattern, name):
            return row
    if generation == 2:
        return Traits(2, thinks=False)
    return Traits(generation, next(levels for pattern, levels in _NEWER if re.match(pattern, name)), 128, 32_768)
