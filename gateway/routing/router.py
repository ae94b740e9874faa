"""Maps model names to targets. It knows the configuration, but not how a target is called or how healthy it is.

An alias with a `*` is a pattern, for clients whose model names change from version to version. A name that no alias has
as it stands goes to the pattern with the longest literal part that matches it.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from msgspec import Struct

from gateway.config import schema
from gateway.core.errors import ModelNotFound
from gateway.core.patterns import STAR
from gateway.core.records import DIRECT, login_name
from gateway.core.texts import printable

ROUTE_HINT: Final = " GET /v1/models lists what does."
"""Ends the message of an unknown model, for callers of the API."""


class Target(Struct, frozen=True, cache_hash=True):
    """A provider and the provider's own name for a model.

    Attributes:
        account: by which of the provider's accounts it is asked; "" where the provider has one without a name, and in a
            route, where it is not chosen yet.
    """

    provider: str
    model: str
    account: str = ""

    def __str__(self) -> str:
        """`openai/gpt-4o`, `openai@work/gpt-4o`."""
        return f"{self.login}/{self.model}"

    @property
    def login(self) -> str:
        """What it is asked with, as `login` and the token store name it: `openai`, `openai@work`."""
        return login_name(self.provider, self.account) if self.account else self.provider

    @property
    def shared(self) -> "Target":
        """The target of all accounts of the provider."""
        return Target(self.provider, self.model) if self.account else self


class Share(Struct, frozen=True):
    """What a target of a weighted alias gets.

    Attributes:
        place: its place in the alias, by which its turns are counted.
        priority: only targets of the same one share calls.
        weight: its share; 0: it is only a fallback.
    """

    place: int
    priority: int
    weight: int


@dataclass(frozen=True, slots=True)
class Route:
    """The targets of a model name, in the order in which they are asked.

    Attributes:
        name: the alias or `provider/model`; of a pattern, the name that was asked for.
        targets: never disabled ones.
        when_limited: whether a call waits for a target's rate limit or goes on to the next target.
        stream_recovery: whether another target resumes a broken stream.
        same_vectors: whether all targets give the same embeddings, though their models have different names.
        alias: the alias as it is configured, a pattern with its star; of `provider/model` DIRECT.
        invented: the models of the targets stand in no configuration: a caller has named them.
        shares: what each target gets, where the alias is weighted; else empty.
    """

    name: str
    targets: tuple[Target, ...]
    when_limited: Literal["next", "wait"]
    stream_recovery: Literal["resume", "error"] = "resume"
    same_vectors: bool = False
    alias: str = DIRECT
    invented: bool = False
    shares: Mapping[Target, Share] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Pattern:
    """An alias with a star.

    Attributes:
        before, after: the literal parts around the star.
        route: the alias's; a star in a target's model stands for what the alias's star matches.
    """

    before: str
    after: str
    route: Route

    @classmethod
    def of(cls, route: Route) -> "_Pattern":
        before, _, after = route.name.partition(STAR)
        return cls(before, after, route)

    @property
    def literals(self) -> int:
        """Characters of the literal parts."""
        return len(self.before) + len(self.after)

    def match(self, model: str) -> Route | None:
        """The route for a name; None where the name is another one."""
        end = len(model) - len(self.after)
        if len(self.before) > end or not (model.startswith(self.before) and model.endswith(self.after)):
            return None
        starred = model[len(self.before) : end]
        route = self.route
        targets = tuple(Target(each.provider, each.model.replace(STAR, starred)) for each in route.targets)
        shares = {own: route.shares[each] for own, each in zip(targets, route.targets, strict=True) if route.shares}
        return replace(route, name=model, targets=targets, invented=targets != route.targets, shares=shares)


def _any_name(_: str) -> bool:
    return True


class Router:
    """The model names of a configuration.

    Args:
        aliases: as configured.
        providers: as configured; a disabled one is never a target.
    """

    def __init__(self, aliases: Iterable[schema.Alias], providers: Mapping[str, schema.Provider]) -> None:
        self._providers = frozenset(name for name, settings in providers.items() if settings.enabled)
        self._configured = frozenset(providers)
        routes = [self._route(alias) for alias in aliases]
        self._routes = {route.name: route for route in routes if STAR not in route.name}
        patterns = [_Pattern.of(route) for route in routes if STAR in route.name]
        self._patterns = sorted(patterns, key=lambda pattern: -pattern.literals)  # stable: equals stay in file order

    @property
    def aliases(self) -> tuple[str, ...]:
        """The names that clients can choose from, in the order of the configuration. Patterns are no names."""
        return tuple(self._routes)

    @property
    def routes(self) -> tuple[Route, ...]:
        """Those of all aliases, the patterns last."""
        return (*self._routes.values(), *(pattern.route for pattern in self._patterns))

    @property
    def targets(self) -> tuple[Target, ...]:
        """Those of all aliases, each once. A model with a `*` is none: it stands for what callers write."""
        found = dict.fromkeys(target for route in self.routes for target in route.targets)
        return tuple(target for target in found if STAR not in target.model)

    def candidates(self, model: str, may_use: Callable[[str], bool] = _any_name) -> Route:
        """The route for a model name.

        Args:
            model: an alias, `provider/model`, or a name that a pattern matches.
            may_use: whether a name is there for whoever asks. Any other looks as if it were not, in messages too.

        Raises:
            ModelNotFound: the name is unknown, or all its providers are disabled.
        """
        route = self._routes.get(model) or self._direct(model) or self._matched(model) if may_use(model) else None
        if route is None:
            raise ModelNotFound(self._unknown(model, may_use), param="model")
        if not route.targets:
            raise ModelNotFound(f"Every provider of the model {_quoted(model)} is disabled.", param="model")
        return route

    def _route(self, alias: schema.Alias) -> Route:
        ranked = sorted(alias.providers, key=lambda target: target.priority)  # stable: equals stay in file order
        asked = [each for each in ranked if each.provider in self._providers]
        targets = tuple(Target(each.provider, each.model) for each in asked)
        return Route(
            alias.alias,
            targets,
            alias.when_limited,
            alias.stream_recovery,
            alias.same_vectors,
            alias.alias,
            shares=_shares(asked) if alias.strategy == "weighted" else {},
        )

    def _direct(self, model: str) -> Route | None:
        provider, slash, own = model.partition("/")
        if not slash or not own or provider not in self._providers:
            return None
        return Route(model, (Target(provider, own),), "next", invented=True)

    def _matched(self, model: str) -> Route | None:
        """The route of a pattern. A name of `provider/model` means that provider and no other."""
        if model.partition("/")[0] in self._configured and "/" in model:
            return None
        return next((route for pattern in self._patterns if (route := pattern.match(model))), None)

    def _unknown(self, model: str, may_use: Callable[[str], bool]) -> str:
        near = difflib.get_close_matches(model[:100], list(filter(may_use, self._routes)), n=1)
        provider, slash, _ = model.partition("/")
        reason = f": {_quoted(provider)} is not among the enabled providers of the configuration" if slash else ""
        hint = f" Did you mean {_quoted(near[0])}?" if near else ""
        return f"The model {_quoted(model)} does not exist{reason}.{hint}{ROUTE_HINT}"


def _shares(targets: Iterable[schema.Target]) -> Mapping[Target, Share]:
    """What each target gets; one that stands there twice gets both."""
    found: dict[Target, Share] = {}
    for place, each in enumerate(targets):
        target = Target(each.provider, each.model)
        before = found.get(target)
        if before is None:
            found[target] = Share(place, each.priority, each.weight)
        elif before.priority == each.priority:
            found[target] = Share(before.place, before.priority, before.weight + each.weight)
    return found


def _quoted(name: str) -> str:
    """A caller's name, short and on one line for a message."""
    return f"`{printable(name[:100])}`"
