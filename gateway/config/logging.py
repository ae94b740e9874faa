"""The section `logging`."""

from typing import Literal

from gateway.config.setting_types import Struct


class Logging(Struct, frozen=True):
    """What is printed on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["pretty", "json"] = "pretty"
