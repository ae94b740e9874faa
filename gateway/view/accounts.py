"""The accounts of the configuration that is served, as `GET /gateway/status.json` shows them. It asks no provider."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from gateway.assembly import Assembly
from gateway.auth.auth_manager import CredentialStatus
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
from gateway.limits.slots import SHORT_UNITS, UNIT_SECONDS
from gateway.observe.quota import Key, Quota
from gateway.routing.cooldowns import CooldownReason
from gateway.runtime import Runtime
from gateway.server.account_json import MAX_LIMITS, MAX_REMAINING, Account, AccountState, Kind, LimitNow, Remaining
from gateway.server.status_json import LONGEST

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


def accounts_of(assembly: Assembly, runtime: Runtime, whys: Whys) -> Sequence[Account]:
    """Every account, in the order of the configuration.

    Args:
        assembly: what is served.
        runtime: what outlives it.
        whys: of targets.
    """
    now = runtime.clock.wall()
    remaining = _remaining(runtime.quotas.known(now))
    return [
        _account(name, login, assembly, runtime, whys.get(name, frozenset()), remaining.get(name, ()))
        for name, login in logins_of(assembly.bindings).items()
    ]


def _account(  # noqa: PLR0913, PLR0917 - what is known of one account
    name: str,
    login: Login,
    assembly: Assembly,
    runtime: Runtime,
    whys: frozenset[CooldownReason | None],
    remaining: Sequence[Remaining],
) -> Account:
    source, (provider, account) = login.source, AccountName.of(name)
    resolved = assembly.bindings[provider].resolved
    status = assembly.auth.status(name, proven=False)
    state = _state(status, whys, runtime.clock.wall())
    refused = f"{name} has refused {resolved.credential}." if state == "refused" else None
    problem = refused or (status.problem if state != "renewable" else None)
    oauth = source.oauth if isinstance(source, StoredToken) else None
    under_way = runtime.logins.under_way(name) if oauth else None
    return Account(
        provider=provider,
        account=account,
        kind=EMBEDDED if resolved.type == EMBEDDED else KINDS[type(source)],
        wire=resolved.wire,
        state=state,
        expires_at=status.expires_at,
        problem=runtime.masker.mask(problem)[:LONGEST] if problem else None,
        command=status.remedy,
        can_log_in=oauth is not None and runtime.logins.possible(oauth),
        can_log_out=isinstance(source, StoredToken) and assembly.token_store.get(name) is not None,
        login_until_at=under_way.expires_at if under_way else None,
        limits=tuple(islice(_limits(provider, account, runtime), MAX_LIMITS)),
        remaining=tuple(remaining[:MAX_REMAINING]),
    )


def _state(status: CredentialStatus, whys: frozenset[CooldownReason | None], now: float) -> AccountState:
    if status.kind != "token":
        return "refused" if "key_refused" in whys else "ready"
    if status.problem is not None:
        return "login_needed" if status.remedy else "failing"
    if status.expires_at is None and status.obtained_at is None:
        return "unknown"
    return "renewable" if status.expires_at is not None and status.expires_at <= now else "ready"


def _limits(provider: str, account: str, runtime: Runtime) -> Iterator[LimitNow]:
    for key, row in runtime.limiters.status().items():
        for unit in row.units if key.provider == provider and key.account in (None, account) else ():
            yield LimitNow(
                SHORT_UNITS[unit.unit],
                (key.model or "")[:LONGEST],
                unit.used,
                unit.limit,
                UNIT_SECONDS.get(unit.unit),
                row.waiting,
                round(row.wait, 3),
            )


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
