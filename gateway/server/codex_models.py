"""The list of models as Codex reads it, beside OpenAI's: only there does Codex learn what a model can do.

Codex asks for it where `model_catalog_url` is set, with `client_version` in the query. It takes no entry at all where
one lacks a required key. Its instructions replace Codex's own, which are much longer, so they are short here.
Source: Codex 0.171 (2026-11).
"""

from collections.abc import Iterable
from typing import Final

from gateway.core.strict_json import JsonObject, JsonValue

QUERY: Final = "client_version"
INSTRUCTIONS: Final = (
    "You are Codex, a coding agent that works in a terminal on the user's machine. Read before you change, change no"
    " more than was asked for, and check what you did. Use the tools that you are given. Say briefly what you did."
)
EFFORTS: Final = (
    ("low", "Answers sooner"),
    ("medium", "Weighs speed and depth"),
    ("high", "Thinks longer about hard tasks"),
)
_TRUNCATED: Final[JsonObject] = {"mode": "tokens", "limit": 10_000}
"""Outputs of commands are cut to this."""


def codex_models(names: Iterable[str]) -> list[JsonValue]:
    """An entry for each name, in their order."""
    return [_entry(name, place) for place, name in enumerate(names)]


def _entry(name: str, place: int) -> JsonObject:
    levels: list[JsonValue] = [{"effort": effort, "description": about} for effort, about in EFFORTS]
    return {
        "slug": name,
        "display_name": name,
        "supported_reasoning_levels": levels,
        "default_reasoning_level": "medium",
        "shell_type": "unified_exec",
        "visibility": "list",
        "supported_in_api": True,
        "priority": place,
        "support_verbosity": False,
        "truncation_policy": dict(_TRUNCATED),
        "experimental_supported_tools": [],
        "input_modalities": ["text", "image"],
        "apply_patch_tool_type": "freeform",
        "base_instructions": INSTRUCTIONS,
    }
