"""The section `gateway.responseStore`."""

from typing import Annotated

from msgspec import Meta, field

from gateway.config.setting_types import Struct


class ResponseStore(Struct, frozen=True):
    """The answers of the Responses API that are kept in memory, for requests that build on them."""

    max_mib: Annotated[int, Meta(ge=0, le=65_536, description="Of all answers together; 0 keeps none.")] = field(
        default=64, name="maxMiB"
    )
    hours: Annotated[float, Meta(gt=0, le=8_760, description="After which an answer is forgotten.")] = 24.0
