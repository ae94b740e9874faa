"""The largest limits of an answer's tokens that a provider is asked for, as the configuration has them.

Models differ in how long an answer they give, and refuse a request that asks for a longer one. So a limit belongs to a
target of an alias, and the provider's own stands for its other models.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from gateway.config import schema
from gateway.core.patterns import STAR, matches

_NONE: Final[Mapping[str, int]] = MappingProxyType({})


class TokenLimits(Struct, frozen=True):
    """The limits of one provider.

    Attributes:
        provider: tokens, for all its models but those in `models`; None lets every limit pass.
        models: tokens, by the provider's names of models. One with a `*` is of a target whose alias is a pattern, and
            holds for the names that it matches, where no name holds as it stands; of several the smallest.
    """

    provider: int | None = None
    models: Mapping[str, int] = _NONE

    def of(self, model: str) -> int | None:
        """The largest limit for a model; None lets every limit pass."""
        if not self.models:
            return self.provider
        found = self.models.get(model)
        if found is None:
            matching = [limit for name, limit in self.models.items() if STAR in name and matches(name, model)]
            found = min(matching, default=self.provider)
        return found


UNLIMITED: Final = TokenLimits()


def configured(name: str, provider: int | None, aliases: Iterable[schema.Alias]) -> TokenLimits:
    """The limits of the provider `name`, with those of the aliases' targets; of two for one model the smaller one."""
    models: dict[str, int] = {}
    for target in (target for alias in aliases for target in alias.providers if target.provider == name):
        if target.max_output_tokens is not None:
            models[target.model] = min(target.max_output_tokens, models.get(target.model, target.max_output_tokens))
    return TokenLimits(provider, models)
