"""The rules of accounts that the schema cannot say."""

from collections.abc import Iterator
from typing import Final

from msgspec import structs

from gateway.config.accounts import SOURCES, Credentials
from gateway.config.faults import KeyPath, Problem, named, nearest
from gateway.config.schema import Config


def holders(config: Config) -> Iterator[tuple[KeyPath, Credentials]]:
    """Everything that has settings of a credential: the providers and their accounts, with their places."""
    for name, provider in config.providers.items():
        yield ("providers", name), provider
        for index, account in enumerate(provider.accounts):
            yield ("providers", name, "accounts", index), account


def unique_accounts(config: Config) -> Iterator[Problem]:
    """Each account of a provider has its own name."""
    for name, provider in config.providers.items():
        first: dict[str, KeyPath] = {}
        for index, account in enumerate(provider.accounts):
            path: KeyPath = ("providers", name, "accounts", index, "name")
            if first.setdefault(account.name, path) != path:
                message = f'the account "{account.name}" of {name} is given twice'
                yield Problem(path, message, fatal=True, first=first[account.name])


def accounts_alone(config: Config) -> Iterator[Problem]:
    """Accounts stand in place of a provider's one credential, and one of them is used."""
    names = {each.name: each.encode_name for each in structs.fields(Credentials)}
    for name, provider in config.providers.items():
        path: KeyPath = ("providers", name)
        if not provider.accounts:
            if provider.account_strategy != "priority":
                message = "does nothing: the provider has no accounts"
                yield Problem((*path, "accountStrategy"), message, fatal=False)
            continue
        for setting in SOURCES:
            if getattr(provider, setting):
                message = f"{names[setting]} and accounts are both given: give the key to one of the accounts"
                yield Problem((*path, names[setting]), message, fatal=True)
        if provider.enabled and not any(account.enabled for account in provider.accounts):
            message = "no account is enabled: enable one, or set enabled: false for the provider"
            yield Problem((*path, "accounts"), message, fatal=True)


def known_accounts(config: Config) -> Iterator[Problem]:
    """A row of `rateLimits` names an account that its provider has."""
    for index, limit in enumerate(config.rate_limits):
        provider = config.providers.get(limit.provider)
        if limit.account is None or provider is None:
            continue
        known = [account.name for account in provider.accounts]
        if not known:
            message = f"{limit.provider} has no accounts: leave this key out, and the row counts all its calls"
        elif limit.account not in known:
            hint = nearest(limit.account, known) or f"; accounts of {limit.provider}: {', '.join(known)}"
            message = f"{named('unknown account', limit.account)}{hint}"
        else:
            continue
        yield Problem(("rateLimits", index, "account"), message, fatal=True)


ACCOUNT_RULES: Final = (unique_accounts, accounts_alone, known_accounts)
