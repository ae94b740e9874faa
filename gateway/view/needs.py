"""What needs a person, from what the page shows of accounts, targets, the configuration and the ledger. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from gateway.core.durations import plural
from gateway.core.program import command
from gateway.server.account_json import Account
from gateway.server.status_json import ConfigurationNow, LedgerNow, ModelNow, Need
from gateway.sharing.follower import SharingView


def needs_of(
    accounts: Iterable[Account], models: Iterable[ModelNow], configuration: ConfigurationNow, ledger: LedgerNow
) -> Sequence[Need]:
    """Every one, the most urgent first: what keeps calls from being answered, then what keeps a change from working."""
    found = [need for account in accounts for need in _of_account(account)]
    urgent = sorted(found, key=lambda need: ("login", "key", "token").index(need.kind))
    return [*urgent, *_of_quotas(models), *_of_configuration(configuration), *_of_ledger(ledger)]


def _of_account(account: Account) -> Iterator[Need]:
    problem, whose = account.problem or "", (account.provider, account.account)
    if account.state == "login_needed":
        yield Need("login", problem, *whose, command=account.command, can_log_in=account.can_log_in)
    elif account.state == "refused":
        yield Need("key", problem, *whose)
    elif account.state == "failing":
        yield Need("token", problem, *whose)


def _of_quotas(models: Iterable[ModelNow]) -> Iterator[Need]:
    """One a provider, however many of its targets rest for it."""
    seen: set[str] = set()
    for target in (target for model in models for target in model.targets):
        if target.why == "quota" and target.provider not in seen:
            seen.add(target.provider)
            message = f"{target.provider} says that its quota is used up. Pay there, or wait."
            yield Need("quota", message, target.provider, target.account, until_at=target.resting_until_at)


def _of_configuration(configuration: ConfigurationNow) -> Iterator[Need]:
    latest = configuration.last_reload
    if latest is not None and latest.result == "failed":
        faults = f"{latest.fault_count} {plural('fault', latest.fault_count)}"
        message = f"The configuration file has {faults} and was not reloaded; what was served is served on."
        yield Need("reload", message, command=command("check"))
    if configuration.needs_restart:
        names = ", ".join(configuration.needs_restart)
        yield Need("restart", f"Changed settings wait until the gateway is started anew: {names}.")


def _of_ledger(ledger: LedgerNow) -> Iterator[Need]:
    if ledger.state == "failing":
        yield Need("ledger", f"The ledger cannot be written: {ledger.problem}. Calls go on and wait to be written.")


def needs_of_sharing(sharing: SharingView | None) -> Iterator[Need]:
    """What the server that gateways share needs."""
    if sharing is not None and sharing.state == "away":
        yield Need("sharing", sharing.in_words())
