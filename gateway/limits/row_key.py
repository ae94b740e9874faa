"""What a row of limits is known by."""

from typing import NamedTuple

from gateway.config.limit_rules import row_text
from gateway.core.patterns import matches


class RowKey(NamedTuple):
    """What a row is known by.

    Attributes:
        provider: whose calls it counts.
        model: a pattern of the models that it counts; None for all.
        account: the account that it counts; None where its provider has none.
        is_own: the row names the account; else it is one of the windows that a row has for each account.
    """

    provider: str
    model: str | None = None
    account: str | None = None
    is_own: bool = True

    def __str__(self) -> str:
        """`openai`, `openai/gpt-4o*`, `openai@work/gpt-4o*`."""
        return row_text(self.provider, self.model, self.account)

    def fits(self, provider: str, model: str, account: str) -> bool:
        """Whether it counts the calls of a target."""
        if provider != self.provider or (self.account is not None and account != self.account):
            return False
        return self.model is None or matches(self.model, model)
