"""`check` warns of an alias whose embedding models do not mix."""

import pytest

from gateway.config.embedding_aliases import mixed_vectors
from gateway.config.schema import Alias, Config, Target


def warnings(*models: str, same_vectors: bool = False) -> list[str]:
    targets = tuple(Target(provider="p", model=model, priority=rank) for rank, model in enumerate(models))
    alias = Alias(alias="search", providers=targets, same_vectors=same_vectors)
    problems = list(mixed_vectors(Config(model_aliases=(alias,))))
    assert all(problem.path == ("modelAliases", 0, "providers") and not problem.fatal for problem in problems)
    return [problem.message for problem in problems]


def test_two_embedding_models_are_warned_of() -> None:
    (message,) = warnings("text-embedding-3-small", "nomic-embed-text")
    assert "come from text-embedding-3-small only, and nomic-embed-text is left out" in message


@pytest.mark.parametrize(
    "models", [["gpt-5", "gemini-3-pro"], ["text-embedding-3-small"], ["mistral-embed", "mistralai/mistral-embed"]]
)
def test_chat_models_and_one_model_are_not(models: list[str]) -> None:
    assert warnings(*models) == []


def test_nor_is_an_alias_that_says_its_vectors_are_the_same() -> None:
    assert warnings("nomic-embed-text", "nomic-embed-text:latest", same_vectors=True) == []
