"""A provider's settings, completed with its vendor's row, and its accounts. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.auth.sources import CredentialSource
from gateway.config import schema
from gateway.core.records import login_name
from gateway.providers.vendors import Paths, Wire
from gateway.routing.accounts import Account, AccountPool
from gateway.wires.openai_chat.outbound.dialect import Dialect


@dataclass(frozen=True, slots=True)
class ResolvedAccount:
    """One of several accounts, and where its credential comes from."""

    account: Account
    source: CredentialSource


@dataclass(frozen=True, slots=True)
class Resolved:
    """A provider's settings, completed with its row's defaults.

    Attributes:
        name: as in the configuration.
        type: the row's name.
        endpoint: the base address; None for the demo.
        wire: the wire of the API that will be asked.
        source: where its credential comes from; with several accounts that of the first.
        credential: the same for people: what it is, and where it is corrected.
        stream_usage, dialect: see Vendor.
        paths: the endpoints beside chat that the API has.
        settings: the settings as configured.
        accounts: the enabled ones, in file order; empty where it has one without a name.
    """

    name: str
    type: str
    endpoint: str | None
    wire: Wire
    source: CredentialSource
    credential: str
    stream_usage: bool
    dialect: Dialect
    paths: Paths
    settings: schema.Provider
    accounts: tuple[ResolvedAccount, ...] = ()

    @property
    def pool(self) -> AccountPool | None:
        """Its accounts; None where it has one without a name."""
        if not self.accounts:
            return None
        return AccountPool.of([each.account for each in self.accounts], self.settings.account_strategy)

    @property
    def logins(self) -> Mapping[str, CredentialSource]:
        """What it authenticates with, by `NAME` or `NAME@account`."""
        if not self.settings.accounts:
            return {self.name: self.source}
        return {login_name(self.name, each.account.name): each.source for each in self.accounts}
