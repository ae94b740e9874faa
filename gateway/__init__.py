"""LLM Gateway: one local server between every LLM client and every provider.

The tree is the architecture: `core` knows nothing of anyone, and each folder imports only from the floors below it
(pyproject.toml holds the order, import-linter enforces it).
"""

__version__ = "0.2.0"
