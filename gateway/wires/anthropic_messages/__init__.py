"""Anthropic's Messages API: `inbound` for callers, `outbound` for providers.

The two halves do not import each other; the names of the wire are here for both.
Source: https://platform.claude.com/docs/en/api/messages.
"""

from typing import Final

WIRE: Final = "anthropic_messages"
VENDOR: Final = "anthropic"
"""The vendor of the wire, by whose name its data stands in an `extra`."""
