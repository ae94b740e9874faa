"""Which models of which vendor the aliases `best` and `fast` of a first file ask, in the order of asking.

Each row has its source and date. A vendor without a row serves models of many makers or of none of this kind; its
models are asked for by name.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple


class Suggested(NamedTuple):
    """A vendor's models."""

    best: str
    fast: str


SUGGESTED: Final[Mapping[str, Suggested]] = {
    # https://platform.claude.com/docs/en/about-claude/models/overview (2026-11)
    "anthropic": Suggested("claude-opus-5-5", "claude-haiku-5-5"),
    # https://developers.openai.com/api/docs/models/all (2026-11)
    "openai": Suggested("gpt-5.4", "gpt-5.4-mini"),
    # https://ai.google.dev/gemini-api/docs/models, the stable ones (2026-11)
    "gemini": Suggested("gemini-3.8-flash", "gemini-3.5-flash-lite"),
    # https://api-docs.deepseek.com/quick_start/pricing (2026-11)
    "deepseek": Suggested("deepseek-v4-pro", "deepseek-flash"),
    # Names that always stand for the newest: https://docs.mistral.ai/getting-started/models (2026-11)
    "mistral": Suggested("mistral-large-latest", "mistral-small-latest"),
}

NOT_FOR_CHAT: Final = ("embed", "rerank", "whisper", "bge-")
"""Parts of the names of local models that cannot chat: nomic-embed-text, text-embedding-..., bge-m3
(ollama.com/library, lmstudio.ai/models, 2026-11)."""


def chats(model: str) -> bool:
    """Whether a local model can probably chat, by its name."""
    return not any(part in model.lower() for part in NOT_FOR_CHAT)
