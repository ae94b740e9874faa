"""The section `prices`."""

from typing import Annotated

from msgspec import Meta

from gateway.config.setting_types import Name, Struct, Text

PerMillion = Annotated[float, Meta(ge=0, le=1_000_000)]
"""US dollars per million tokens."""


class Price(Struct, frozen=True):
    """What the models of a provider cost, in US dollars per million tokens, in the place of the prices that the gateway
    knows. The first entry that matches counts."""

    provider: Name
    model: Annotated[Text, Meta(description="A pattern of the provider's names for models: * stands for any text.")]
    input_per_million: PerMillion
    output_per_million: PerMillion
    cached_input_per_million: (
        Annotated[PerMillion, Meta(description="Of tokens read from the provider's cache; absent: as input.")] | None
    ) = None
    cache_write_per_million: (
        Annotated[PerMillion, Meta(description="Of tokens written to the provider's cache; absent: as input.")] | None
    ) = None
