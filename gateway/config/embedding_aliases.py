"""Which targets of an alias give the same vectors: those of one model, whoever serves it.

Vectors of two models do not mix: an index that holds both finds nonsense, and nothing shows it. This module compares
names, because nothing else is known of models.
"""

from collections.abc import Iterator
from typing import Final

from gateway.config.faults import Problem
from gateway.config.schema import Config

_EMBEDS: Final = "embed"
"""A part of nearly every embedding model's name: text-embedding-3-small, gemini-embedding-001, nomic-embed-text."""


def model_name(model: str) -> str:
    """A model's name without the prefixes that vendors and hubs put before it (`models/`, `openai/`)."""
    return model.rpartition("/")[2]


def mixed_vectors(config: Config) -> Iterator[Problem]:
    """An alias of embedding models has targets of one model, or says that their vectors are the same."""
    for index, alias in enumerate(config.model_aliases):
        first, *others = (model_name(target.model) for target in sorted(alias.providers, key=lambda t: t.priority))
        other = next((name for name in others if name != first), None)
        if other is None or alias.same_vectors or not any(_EMBEDS in name for name in (first, *others)):
            continue
        message = (
            f"has several models, whose vectors do not mix: embeddings come from {first} only, and {other} is left out"
            " (sameVectors: true says that they are the same)"
        )
        yield Problem(("modelAliases", index, "providers"), message, fatal=False)
