"""The section `logging`."""

from typing import Annotated, Literal

from msgspec import Meta

from gateway.config.setting_types import Struct, Text


class Logging(Struct, frozen=True):
    """What the gateway says about calls, and where."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["pretty", "json"] = "pretty"
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
