"""A chat request in a provider's wire format, and how it is to be rendered.

Each try renders the request anew, so what one target refuses changes nothing for the next one. This module knows no
wire format, and no vendor.
"""

from collections.abc import Mapping

from msgspec import Struct, field

from gateway.core.request import Tool
from gateway.core.source import NOTHING


class Adjustments(Struct, frozen=True):
    """What was learned of a target: the request is rendered without what it refuses.

    Attributes:
        without: neutral names of fields to leave out.
        max_tokens: the most tokens that the target takes as a limit; None where it is not known.
    """

    without: frozenset[str] = frozenset()
    max_tokens: int | None = None


class Ask(Struct, frozen=True):
    """How a request is rendered for one try.

    Attributes:
        usage: ask for token counts at a stream's end.
        adjustments: what was learned of the target; nothing for nearly all calls.
    """

    usage: bool = False
    adjustments: Adjustments = Adjustments()


class Rendered(Struct, frozen=True):
    """A request in a provider's wire format.

    Attributes:
        body: the bytes to send.
        headers: that belong to the wire and go with it, beside those of the credential.
        dropped: the fields that this wire cannot express, by their names in OpenAI chat.
        choices: the number of alternative answers that it asks for.
        tools: the tools that the answer may call, by the name that was sent; empty where names pass unchanged.
        neutral: whether the caller speaks another wire, so that the answer is read into neutral form.
        query: the query string to add to the address, without the question mark; "" for none.
    """

    body: bytes
    headers: Mapping[str, str] = NOTHING
    dropped: tuple[str, ...] = ()
    choices: int = 1
    tools: Mapping[str, Tool] = field(default_factory=dict)
    neutral: bool = False
    query: str = ""
