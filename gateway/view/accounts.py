"""The accounts of the configuration that is served, as `GET /gateway/status.json` shows them. It asks no provider."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from gateway.assembly import Assembly
from gateway.auth.credential import CredentialStatus
from gateway.auth.login_book import AccountName
from gateway.auth.sources import (
    AdcSource,
    ApiKey,
    CommandSource,
    CredentialSource,
    NoCredential,
    StoredToken,
    TokenFileSource,
)
from gateway.bindings import Login, logins_of
from gateway.core.records import login_name
from gateway.limits.row_key import RowKey
from gateway.limits.slots import RowStatus
from gateway.observe.quota import Key, Quota
from gateway.routing.cooldowns import CooldownReason
from gateway.runtime import Runtime
from gateway.server.account_json import MAX_LIMITS, MAX_REMAINING, Account, AccountState, Kind, LimitNow, Remaining
from gateway.server.status_json import LONGEST
from gateway.view.limits import numbers_of

KINDS: Final[Mapping[type[CredentialSource], Kind]] = {
    ApiKey: "api_key",
    StoredToken: "login",
    TokenFileSource: "token_file",
    AdcSource: "adc",
    CommandSource: "command",
    NoCredential: "none",
}
EMBEDDED: Final = "demo"
"""The type of the embedded provider."""
Whys = Mapping[str, frozenset[CooldownReason | None]]
"""By provider, why its targets are not asked now."""


def accounts_of(assembly: Assembly, runtime: Runtime, whys: Whys, said: Mapping[Key, Quota]) -> Sequence[Account]:
    """Every account, in the order of the configuration.

    Args:
        assembly: what is served.
        runtime: what outlives it.
        whys: of targets.
        said: what providers say of their own limits.
    """
    view = _Accounts(assembly, runtime, whys, said)
    return [view.account(name, login) for name, login in logins_of(assembly.bindings).items()]


class _Accounts:
    """What all accounts are shown from, asked for once."""

    def __init__(self, assembly: Assembly, runtime: Runtime, whys: Whys, said: Mapping[Key, Quota]) -> None:
        self._assembly = assembly
        self._runtime = runtime
        self._whys = whys
        self._now = runtime.clock.wall()
        self._remaining = _remaining(said)
        self._rows = runtime.limiters.status()

    def account(self, name: str, login: Login) -> Account:
        assembly, runtime = self._assembly, self._runtime
        source, own = login.source, AccountName.of(name)
        resolved = assembly.bindings[own.provider].resolved
        status = assembly.auth.status(name, proven=False)
        state = _state(status, self._whys.get(name, frozenset()), self._now)
        refused = f"{name} has refused {resolved.credential}." if state == "refused" else None
        problem = refused or (status.problem if state != "renewable" else None)
        oauth = source.oauth if isinstance(source, StoredToken) else None
        under_way = runtime.logins.under_way(name) if oauth else None
        return Account(
            provider=own.provider,
            account=own.account,
            kind=EMBEDDED if resolved.type == EMBEDDED else KINDS[type(source)],
            wire=resolved.wire,
            state=state,
            expires_at=status.expires_at,
            problem=runtime.masker.mask(problem)[:LONGEST] if problem else None,
            command=status.remedy,
            can_log_in=oauth is not None and runtime.logins.possible(oauth),
            can_log_out=isinstance(source, StoredToken) and assembly.token_store.get(name) is not None,
            login_until_at=under_way.expires_at if under_way else None,
            limits=tuple(islice(_limits(own, self._rows), MAX_LIMITS)),
            remaining=tuple(self._remaining.get(name, ())[:MAX_REMAINING]),
        )


def _state(status: CredentialStatus, whys: frozenset[CooldownReason | None], now: float) -> AccountState:
    if status.kind != "token":
        return "refused" if "key_refused" in whys else "ready"
    if status.problem is not None:
        return "login_needed" if status.remedy else "failing"
    if status.expires_at is None and status.obtained_at is None:
        return "unknown"
    return "renewable" if status.expires_at is not None and status.expires_at <= now else "ready"


def _limits(name: AccountName, rows: Mapping[RowKey, RowStatus]) -> Iterator[LimitNow]:
    for key, row in rows.items():
        if key.provider == name.provider and key.account in (None, name.account):
            yield from numbers_of(row, key.model or "")


def _remaining(known: Mapping[Key, Quota]) -> Mapping[str, Sequence[Remaining]]:
    """By credential, the scarcest first; what is not known last."""
    found: dict[str, list[Remaining]] = defaultdict(list)
    for key, quota in known.items():
        shown = Remaining(key.model[:LONGEST], key.kind, quota.limit, quota.remaining, quota.reset_at, quota.learned_at)
        found[login_name(key.provider, key.account)].append(shown)
    return {provider: sorted(each, key=_share_left) for provider, each in found.items()}


def _share_left(each: Remaining) -> tuple[bool, float]:
    if each.remaining is None:
        return True, 0.0
    return False, each.remaining / each.limit if each.limit else float(each.remaining > 0)
