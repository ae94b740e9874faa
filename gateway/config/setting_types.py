"""The types of single settings that several sections share, and the base of every section. They name no setting."""

from typing import Annotated

import msgspec
from msgspec import Meta

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Text = Annotated[str, Meta(min_length=1, max_length=512)]
Texts = dict[Text, Text]
DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
"""The pattern of a day, which needs no quotes, though YAML takes it for a date."""
Day = Annotated[str, Meta(pattern=DAY)]
Address = Annotated[str, Meta(min_length=1, max_length=2048)]
HeaderText = Annotated[str, Meta(pattern=r"^[\x21-\x7e]([\x20-\x7e]{0,510}[\x21-\x7e])?$")]
HeaderName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]{1,64}$")]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Tokens = Annotated[int, Meta(ge=1, le=10_000_000)]
Weight = Annotated[int, Meta(ge=0, le=1_000)]
"""A share of the calls; 0: none, only as a fallback."""


class Struct(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The base of every section."""
