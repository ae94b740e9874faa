"""Anthropic's Messages API: `inbound` for callers, `outbound` for providers, and the passthrough between the two.

Where caller and provider both speak this wire, JSON and events pass unchanged but for the model's name. The two halves
do not import each other; the names of the wire are here for both.
Source: https://platform.claude.com/docs/en/api/messages.
"""

from typing import Final

WIRE: Final = "anthropic_messages"
VENDOR: Final = "anthropic"
"""The vendor of the wire, by whose name its data stands in an `extra`."""
OWN_SIGNATURE: Final = "gw1."
"""How the signature of a thinking block begins that the gateway has written: the reasoning is another vendor's."""
