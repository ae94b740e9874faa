"""The accounts of the configuration that is served, as `GET /gateway/status.json` shows them. It asks no provider."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from gateway.assembly import Assembly
from gateway.auth.auth_manager import CredentialStatus
from gateway.auth.sources import (
    AdcSource,
    ApiKey,
    CommandSource,
    CredentialSource,
    NoCredential,
    StoredToken,
    TokenFileSource,
)
from gateway.bindings import ProviderBinding
from gateway.limits.rate_limiter import RateLimiter
from gateway.observe.quota import Key, Quota
from gateway.routing.cooldowns import CooldownReason
from gateway.runtime import Runtime
from gateway.server.account_json import MAX_REMAINING, Account, AccountState, Kind, LimitNow, Remaining
from gateway.server.status_json import LONGEST

ONLY_ACCOUNT: Final = ""
"""The account of a provider that has one."""
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
        _account(name, binding, assembly, runtime, whys.get(name, frozenset()), remaining.get(name, ()))
        for name, binding in assembly.bindings.items()
    ]


def _account(  # noqa: PLR0913, PLR0917 - what is known of one account
    name: str,
    binding: ProviderBinding,
    assembly: Assembly,
    runtime: Runtime,
    whys: frozenset[CooldownReason | None],
    remaining: Sequence[Remaining],
) -> Account:
    source = binding.source
    status = assembly.auth.status(name, proven=False)
    state = _state(status, whys, runtime.clock.wall())
    refused = f"{name} has refused {binding.resolved.credential}." if state == "refused" else None
    problem = refused or (status.problem if state != "renewable" else None)
    oauth = source.oauth if isinstance(source, StoredToken) else None
    login = runtime.logins.under_way(name) if oauth else None
    limiter = runtime.limiters.of(name)
    return Account(
        provider=name,
        account=ONLY_ACCOUNT,
        kind=EMBEDDED if binding.resolved.type == EMBEDDED else KINDS[type(source)],
        wire=binding.resolved.wire,
        state=state,
        expires_at=status.expires_at,
        problem=runtime.masker.mask(problem)[:LONGEST] if problem else None,
        command=status.remedy,
        can_log_in=oauth is not None and runtime.logins.possible(oauth),
        can_log_out=isinstance(source, StoredToken) and assembly.token_store.get(name) is not None,
        login_until_at=login.expires_at if login else None,
        limits=(_limit(limiter),) if limiter else (),
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


def _limit(limiter: RateLimiter) -> LimitNow:
    status = limiter.status()
    return LimitNow("rpm", status.used, status.requests, status.seconds, status.waiting, round(status.wait, 3))


def _remaining(known: Mapping[Key, Quota]) -> Mapping[str, Sequence[Remaining]]:
    """By provider, the scarcest first; what is not known last."""
    found: dict[str, list[Remaining]] = defaultdict(list)
    for key, quota in known.items():
        shown = Remaining(key.model[:LONGEST], key.kind, quota.limit, quota.remaining, quota.reset_at, quota.learned_at)
        found[key.provider].append(shown)
    return {provider: sorted(each, key=_share_left) for provider, each in found.items()}


def _share_left(each: Remaining) -> tuple[bool, float]:
    if each.remaining is None:
        return True, 0.0
    return False, each.remaining / each.limit if each.limit else float(each.remaining > 0)
