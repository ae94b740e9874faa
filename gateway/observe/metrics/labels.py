"""The texts that labels may have: names of the configuration, and our own words.

A caller may ask for `provider/anything`, and patterns pass a part of a name on. Such a model gets a label of its own
once a provider has answered it, so that invented names get none, and only while there are few.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final, Protocol, TypeAlias

from gateway.core.records import OTHER, UNKNOWN
from gateway.core.texts import printable

MAX_DIRECT: Final = 100
"""Models that only callers have named, with a label of their own."""
NO_NAMES: Final = frozenset({"", UNKNOWN, OTHER})
"""In place of a name, where a record has none."""
LONGEST: Final = 256
"""Characters of such a name, as of a configured one."""

GEN_AI_PROVIDERS: Final[Mapping[str, str]] = MappingProxyType(
    {"gemini": "gcp.gemini", "mistral": "mistral_ai", "xai": "x_ai"}
)
"""The well-known values of `gen_ai.provider.name` that are not our vendors' names."""
GEN_AI_OPERATIONS: Final[Mapping[str, str]] = MappingProxyType(
    {"chat": "chat", "responses": "chat", "messages": "chat", "completions": "text_completion"}
)
"""The well-known values of `gen_ai.operation.name`, by our endpoints; others keep our names."""

Vendors: TypeAlias = Mapping[str, str]
"""By the name of a provider: the vendor whose server it is, or its own name where that is not known."""


class NamedTarget(Protocol):
    """A target of the configuration (gateway.routing.router.Target)."""

    @property
    def provider(self) -> str: ...
    @property
    def model(self) -> str: ...


class ModelNames:
    """Which models have a label of their own.

    Args:
        changed: is called when a model may have another label than before.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._known: dict[tuple[str, str], str] = {}
        self._direct = 0

    def configure(self, targets: Iterable[NamedTarget]) -> None:
        """These stand in the configuration. Earlier ones keep their label: their series go on."""
        known = {(each.provider, each.model): printable(each.model) for each in targets}
        self._known = {**self._known, **known}
        self._changed()

    def label(self, provider: str, model: str, *, answered: bool) -> str:
        """The label of a model.

        Args:
            provider: whose it is.
            model: its name.
            answered: whether the provider has answered with it, so that the name is none that a caller invented.
        """
        known = self._known.get((provider, model))
        if known is not None:
            return known
        if model in NO_NAMES:
            return model
        if not answered:
            return UNKNOWN
        if self._direct >= MAX_DIRECT or len(model) > LONGEST:
            return OTHER
        self._direct += 1
        shown = self._known[provider, model] = printable(model)
        self._changed()  # before, it was unknown where it had not answered
        return shown


def gen_ai_provider(provider: str, vendors: Vendors) -> str:
    """OpenTelemetry's name for a provider."""
    vendor = vendors.get(provider, provider)
    return GEN_AI_PROVIDERS.get(vendor, vendor)
