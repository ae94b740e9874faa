"""The section `logging`."""

from typing import Annotated, Literal

from msgspec import Meta

from gateway.config.setting_types import Struct


class Logging(Struct, frozen=True):
    """What is printed on standard error."""

    level: Annotated[Literal["debug", "info", "warning", "error"], Meta(description="The least that is printed.")] = (
        "info"
    )
    format: Annotated[Literal["pretty", "json"], Meta(description="For people, or one object a line.")] = "pretty"
