"""Patterns of model names: a `*` stands for any characters, none included. A pattern has one at most."""

from typing import Final

STAR: Final = "*"


def matches(pattern: str, name: str) -> bool:
    """Whether a name is one of the pattern's; without a star it is the pattern itself."""
    before, star, after = pattern.partition(STAR)
    if not star:
        return name == pattern
    return len(name) >= len(before) + len(after) and name.startswith(before) and name.endswith(after)
