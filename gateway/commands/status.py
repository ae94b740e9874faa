"""`status`: each provider's credential, its expiry, its fault and what to do. It never shows a token.

It reads the files of this machine, asks no provider and runs no command. Of the gateway that runs with the same
configuration it asks what only that one knows: that a provider has refused a token, or that a new token is not written
yet.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from msgspec import to_builtins

from gateway.auth.sources import KINDS, SourceFailed, StoredToken, TokenFileSource
from gateway.auth.token_file_reader import TokenFileReader
from gateway.auth.tokens.expiry import freshness, obtained_at
from gateway.auth.tokens.token import Token
from gateway.auth.tokens.token_store import TokenStore
from gateway.auth.tokens.watch_files import WatchedFiles, WatchedFileStatus
from gateway.commands.accounts import FETCHED_ON_DEMAND, Accounts
from gateway.commands.clients_used import client_in_words
from gateway.commands.console import iso_time, one_line, utc_time
from gateway.commands.explain import limit_in_words
from gateway.commands.remaining import as_json as remaining_as_json
from gateway.commands.remaining import in_words_of
from gateway.commands.running_gateway import ClientUsed
from gateway.commands.running_status import RunningStatus
from gateway.config.loader import resolve
from gateway.core.clock import Clock
from gateway.core.durations import in_words
from gateway.core.program import command
from gateway.core.records import login_parts
from gateway.core.strict_json import JsonObject
from gateway.limits.slots import RowStatus
from gateway.providers.catalog import CannotResolve
from gateway.providers.vendors import COMPATIBLE, RESPONSES, Wire
from gateway.server.account_json import Remaining

NOBODY: Final = "no provider is enabled, so every call will fail: add one under providers, or make one `enabled: true`"
IN_THE_LOG: Final = "see the log of the running gateway"
APIS: Final[Mapping[Wire, str]] = {COMPATIBLE: "chat", RESPONSES: "responses"}
State = Literal["ready", "unknown", "renewable", "expired", "missing", "misconfigured", "disabled"]


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """The status of one provider.

    Attributes:
        provider: its name, or `NAME@account` for one of its accounts.
        kind: of its credential, for people.
        wire: in which it is asked; None where its settings do not say.
        state: `unknown`: only a call can show it; `renewable`: expired, and the next call renews it.
        expires_at, obtained_at: wall seconds; None where unknown.
        problem: what is wrong; None where nothing is.
        action: what to do about the problem; None where there is none.
        remaining: what the provider says is left of its own limits, as the running gateway has heard it.
    """

    provider: str
    kind: str
    state: State
    expires_at: float | None = None
    obtained_at: float | None = None
    problem: str | None = None
    action: str | None = None
    wire: Wire | None = None
    remaining: Sequence[Remaining] = ()

    @property
    def api(self) -> str | None:
        """Which of OpenAI's two APIs is asked, as the setting `api` names them; None at another vendor's."""
        return None if self.wire is None else APIS.get(self.wire)


@dataclass(frozen=True, slots=True)
class Overview:
    """The status of all providers in the order of the configuration, of the watched files, the faults of both, and the
    rows of `rateLimits` and the clients as the running gateway has them; none where none runs."""

    statuses: Sequence[ProviderStatus]
    watched: Sequence[WatchedFileStatus]
    problems: Sequence[str]
    limits: Sequence[RowStatus] = ()
    clients: Sequence[ClientUsed] = ()


def overview(accounts: Accounts, clock: Clock) -> Overview:
    """The status of all providers now."""
    files = WatchedFiles([(resolve(each.path, accounts.base), each) for each in accounts.watched], clock)
    watched = files.status()
    problems = [f"auth.watchFiles: {each.path} cannot be used: {each.fault}" for each in watched if each.fault]
    running = RunningStatus(accounts)
    left = running.remaining()
    statuses = [
        replace(_with_its_problem(_status(accounts, name, files, clock), running), remaining=left.get(name, ()))
        for name in accounts.names
    ]
    if not any(each.enabled for each in accounts.providers.values()):
        problems.append(NOBODY)
    found = [problem for problem in (accounts.store.problem, *problems) if problem]
    return Overview(statuses, watched, found, running.limits(), running.clients())


def needs_somebody(shown: Overview) -> bool:
    """Whether a person has to do something: each problem that is shown says what."""
    return bool(shown.problems) or any(status.problem is not None for status in shown.statuses)


def _with_its_problem(status: ProviderStatus, running: RunningStatus) -> ProviderStatus:
    """The status of a login, with the problem that the running gateway has with it."""
    if status.kind != KINDS[StoredToken] or status.state in ("disabled", "missing"):
        return status
    credential = running.credential(status.provider)
    if credential is None or credential.problem is None:
        return status
    problem = f"the running gateway says: {credential.problem.rstrip('.')}"
    return replace(status, problem=problem, action=status.action or credential.remedy or IN_THE_LOG)


def _status(accounts: Accounts, name: str, watched: WatchedFiles, clock: Clock) -> ProviderStatus:
    enabled = accounts.enabled(name)
    try:
        resolved = accounts.resolved(name)
    except CannotResolve as fault:
        if not enabled:
            return ProviderStatus(name, "none", "disabled")
        place = accounts.file.name if accounts.file else "the configuration"
        action = f"correct providers.{login_parts(name)[0]} in {place}"
        return ProviderStatus(name, "none", "misconfigured", problem=f"{fault.key} {fault.message}", action=action)
    source = resolved.source
    blank = ProviderStatus(name, KINDS[type(source)], "ready" if enabled else "disabled", wire=resolved.wire)
    if not enabled:
        return blank
    if isinstance(source, StoredToken):
        status = _stored(blank, source, [accounts.store.get(name)], watched.tokens(name), clock.wall())
        return _if_writable(status, accounts.store)
    if isinstance(source, TokenFileSource):
        return _in_file(blank, TokenFileReader(name, resolve(source.path, accounts.base), source, clock), clock.wall())
    return replace(blank, state="unknown") if isinstance(source, FETCHED_ON_DEMAND) else blank


def _stored(
    blank: ProviderStatus, source: StoredToken, own: list[Token | None], watched: list[Token], now: float
) -> ProviderStatus:
    """With a token of our store or of a watched file."""
    ours = [token for token in own if token is not None]
    action = (
        command(f"login {blank.provider}") if source.oauth else "put a token into a file that auth.watchFiles names"
    )
    if not ours and not watched:
        return replace(blank, state="missing", problem="there is no token", action=action)
    best = max([*ours, *watched], key=lambda token: (not _expired(token, now), token.expires_at or 0.0))
    status = _with_token(blank, best, now)
    if status.state != "expired":
        return status
    if source.oauth and any(token.refresh_token for token in ours):
        return replace(status, state="renewable", problem=None)
    return replace(status, action=action)


def _if_writable(status: ProviderStatus, store: TokenStore) -> ProviderStatus:
    """A token is renewed only where the new one can be kept, because the old one is spent by then."""
    fault = store.write_fault() if status.state == "renewable" else None
    if fault is None:
        return status
    problem = f"the token has expired and cannot be renewed here: {store.path} cannot be written: {fault.strerror}"
    return replace(status, state="expired", problem=problem, action="make it writable, or set auth.tokenStorePath")


def _in_file(blank: ProviderStatus, file: TokenFileReader, now: float) -> ProviderStatus:
    """With a token of another tool, which only that tool renews."""
    action = "log in with the tool that keeps the file"
    try:
        token = file.token()
    except SourceFailed as fault:
        return replace(blank, state="missing", problem=str(fault).rstrip("."), action=action)
    status = _with_token(blank, token, now)
    return replace(status, action=action) if status.problem else status


def _with_token(blank: ProviderStatus, token: Token, now: float) -> ProviderStatus:
    status = replace(blank, expires_at=token.expires_at, obtained_at=obtained_at(token), state="unknown")
    if token.expires_at is None:
        return status
    if _expired(token, now):
        return replace(status, state="expired", problem="the token has expired")
    return replace(status, state="ready")


def _expired(token: Token, now: float) -> bool:
    return freshness(token, now) == "dead"


def as_text(shown: Overview, now: float) -> str:
    """For people: a line for each provider, another one for what to do, the watched files, and faults at the end."""
    lines: list[str] = [] if shown.statuses else ["No providers are configured."]
    names = max((len(status.provider) for status in shown.statuses), default=0)
    kinds = max((len(status.kind) for status in shown.statuses), default=0)
    wires = max((len(status.wire or "-") for status in shown.statuses), default=0)
    for status in shown.statuses:
        head = f"{status.provider:<{names}}  {status.wire or '-':<{wires}}  {status.kind:<{kinds}}"
        lines.append(f"{head}  {in_sentence(status, now)}")
        if status.action:
            lines.append(f"{'':<{len(head)}}  to do: {one_line(status.action)}")
        lines += [f"{'':<{len(head)}}  {in_words_of(each, now)}" for each in status.remaining]
    lines += [f"limit of {one_line(row.row)}: {limit_in_words(row)}" for row in shown.limits]
    lines += [f"client {one_line(each.name)}: {client_in_words(each)}" for each in shown.clients]
    lines += [f"watched: {one_line(str(file.path))}: {_contents(file)}" for file in shown.watched if not file.fault]
    return "\n".join([*lines, *(f"warning: {one_line(problem)}" for problem in shown.problems)])


def _contents(file: WatchedFileStatus) -> str:
    providers = ", ".join(map(one_line, file.providers))
    return f"tokens for {providers}" if providers else "no token in a form that is known"


def in_sentence(status: ProviderStatus, now: float) -> str:
    """The state, the expiry and the age of a credential, for people."""
    parts = [status.state if status.problem is None else f"{status.state}: {one_line(status.problem)}"]
    at = status.expires_at
    if at is not None and at > now:
        parts.append(f"valid until {utc_time(at)} (for {in_words(at - now)})")
    elif at is not None:
        parts.append(f"expired at {utc_time(at)} ({in_words(now - at)} ago)")
    if status.state == "renewable":
        parts.append("the next call renews it")
    if status.state == "unknown":
        parts.append("a call shows whether it is good")
    if status.obtained_at is not None:
        parts.append(f"obtained {in_words(max(now - status.obtained_at, 0.0))} ago")
    return ", ".join(parts)


def as_json(shown: Overview) -> JsonObject:
    """For machines: times in ISO 8601, null where they are unknown."""
    return {
        "providers": [
            {
                "provider": status.provider,
                "wire": status.wire,
                "api": status.api,
                "kind": status.kind,
                "state": status.state,
                "expiresAt": iso_time(status.expires_at),
                "obtainedAt": iso_time(status.obtained_at),
                "problem": status.problem,
                "action": status.action,
                "remaining": [remaining_as_json(each) for each in status.remaining],
            }
            for status in shown.statuses
        ],
        "watchedFiles": [
            {"path": str(file.path), "providers": list(file.providers), "problem": file.fault} for file in shown.watched
        ],
        "problems": list(shown.problems),
        "limits": [to_builtins(row) for row in shown.limits],
        "clients": [to_builtins(each) for each in shown.clients],
    }
