"""The section `logging`."""

from typing import Annotated, Literal

from msgspec import Meta

from gateway.config.setting_types import Struct, Text


class Logging(Struct, frozen=True):
    """What the gateway says about calls, and where."""

    level: Annotated[Literal["debug", "info", "warning", "error"], Meta(description="The least that is printed.")] = (
        "info"
    )
    format: Annotated[Literal["pretty", "json"], Meta(description="For people, or one object a line.")] = "pretty"
    file: (
        Annotated[
            Text,
            Meta(
                description="Log lines go there instead of standard error; relative to the configuration file. Rotated "
                "at 10 MiB, three are kept."
            ),
        ]
        | None
    ) = None
