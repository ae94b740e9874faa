"""Model names to targets. Knows the configuration and nothing of how a target is called or how it fares."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from msgspec import Struct

from gateway.config import schema
from gateway.core.errors import ModelNotFound


class Target(Struct, frozen=True, cache_hash=True):
    """A provider and its own name for a model."""

    provider: str
    model: str

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"


@dataclass(frozen=True, slots=True)
class Route:
    """Who may answer a model name, in the order of asking."""

    name: str
    targets: tuple[Target, ...]
    when_limited: Literal["next", "wait"]
    stream_recovery: Literal["resume", "error"] = "resume"


class Router:
    """The model names of a configuration.

    Args:
        aliases: as configured.
        providers: as configured; a disabled one is never a target.
    """

    def __init__(self, aliases: Iterable[schema.Alias], providers: Mapping[str, schema.Provider]) -> None:
        self._providers = frozenset(name for name, settings in providers.items() if settings.enabled)
        self._routes = {alias.alias: self._route(alias) for alias in aliases}

    @property
    def aliases(self) -> tuple[str, ...]:
        """The names a client may choose from, in the order of the configuration."""
        return tuple(self._routes)

    def candidates(self, model: str) -> Route:
        """The route for an alias, or for `provider/model`.

        Raises:
            ModelNotFound: neither is known.
        """
        route = self._routes.get(model) or self._direct(model)
        if route is None:
            raise ModelNotFound(self._unknown(model), param="model")
        if not route.targets:
            raise ModelNotFound(f"Every provider of the model {_quoted(model)} is disabled.", param="model")
        return route

    def _route(self, alias: schema.Alias) -> Route:
        ranked = sorted(alias.providers, key=lambda target: target.priority)  # stable: equals stay in file order
        targets = tuple(Target(each.provider, each.model) for each in ranked if each.provider in self._providers)
        return Route(alias.alias, targets, alias.when_limited, alias.stream_recovery)

    def _direct(self, model: str) -> Route | None:
        provider, slash, own = model.partition("/")
        if not slash or not own or provider not in self._providers:
            return None
        return Route(model, (Target(provider, own),), "next")

    def _unknown(self, model: str) -> str:
        near = difflib.get_close_matches(model[:100], self._routes, n=1)
        hint = f" Did you mean {_quoted(near[0])}?" if near else ""
        return f"The model {_quoted(model)} does not exist.{hint} GET /v1/models lists what does."


def _quoted(name: str) -> str:
    """A name from outside, fit for a message: printable and short."""
    return ascii(name[:100]).replace("'", "`")
