"""Narrows a route to the targets that may answer at an endpoint beside chat.

A target is left out where its provider has no such endpoint, and for embeddings where it is another model than the
first one: the vectors of two models do not mix, so none takes the place of another. This module knows no vendor: which
provider has what comes from above.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from gateway.config.embedding_aliases import model_name
from gateway.core.passed import PASSED, EndpointName
from gateway.core.provider_failures import UnsupportedByTarget
from gateway.routing.router import Route, Target

ENDPOINTS: Final[Mapping[str, EndpointName]] = {name: name for name in PASSED}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A target that may not answer, and why, as the end of a sentence about it."""

    target: Target
    why: str


@dataclass(frozen=True, slots=True)
class Narrowed:
    """A route and what was left out of it. `route` may have no target."""

    route: Route
    left_out: tuple[LeftOut, ...]


class EndpointRoutes:
    """Knows which provider has which endpoint.

    Args:
        paths: by provider name, and there by endpoint.
    """

    def __init__(self, paths: Mapping[str, Mapping[EndpointName, str]]) -> None:
        self._paths = paths

    def candidates(self, route: Route, endpoint: EndpointName) -> Route:
        """The route with the targets that may answer.

        Raises:
            UnsupportedByTarget: there is none.
        """
        narrowed = self.narrowed(route, endpoint)
        if not narrowed.route.targets:
            names = ", ".join(dict.fromkeys(target.provider for target in route.targets))
            raise UnsupportedByTarget(
                f"No provider of the model `{route.name}` has /v1/{endpoint}: {names} cannot answer it.", param="model"
            )
        return narrowed.route

    def narrowed(self, route: Route, endpoint: EndpointName) -> Narrowed:
        """The route with the targets that may answer, and the others."""
        able = [target for target in route.targets if endpoint in self._paths.get(target.provider, {})]
        left_out = [
            LeftOut(target, f"its provider has no {endpoint}") for target in route.targets if target not in able
        ]
        if endpoint == "embeddings" and able and not route.same_vectors:
            first = model_name(able[0].model)
            others = [target for target in able if model_name(target.model) != first]
            left_out += [LeftOut(target, f"its vectors do not mix with those of {first}") for target in others]
            able = [target for target in able if target not in others]
        return Narrowed(replace(route, targets=tuple(able)), tuple(left_out))
