"""OpenAI's Responses API: `inbound` for callers, `outbound` for providers, and the passthrough between the two.

Where caller and provider both speak this wire, JSON and events pass unchanged but for the model's name and for data
that the gateway has made itself. The names of the wire are here, for both halves.
Source: https://platform.openai.com/docs/api-reference/responses.
"""

from collections.abc import Mapping
from typing import Final

WIRE: Final = "openai_responses"
VENDOR: Final = "openai"
"""The vendor of the wire, by whose name its data stands in an `extra`."""
ITEM: Final = "item"
"""Under the vendor's name in the `extra` of reasoning: the item that the vendor made, which it needs back as it is."""
OWN_REASONING: Final = "rs_gw"
"""How the ids of reasoning items begin that the gateway has made. No provider knows them."""
TURN_STATE: Final = "x-codex-turn-state"
"""What a provider tells Codex in a header, and Codex sends back within the turn (Codex 0.171, 2026-11)."""
LONGEST_STATE: Final = 4_096


def turn_state(headers: Mapping[str, str]) -> dict[str, str]:
    """That header, if it is there and can be passed on."""
    state = headers.get(TURN_STATE, "")
    return {TURN_STATE: state} if 0 < len(state) <= LONGEST_STATE and state.isascii() and state.isprintable() else {}
