"""The shape of an account in `GET /gateway/status.json`. How its names and values are read: status_json."""

from typing import Final, Literal

from msgspec import Struct

MAX_REMAINING: Final = 4
"""Limits of a provider's own that are shown of an account, the scarcest first."""
MAX_LIMITS: Final = 20
"""Numbers of our own limits that are shown of an account."""

AccountState = Literal["ready", "unknown", "renewable", "failing", "login_needed", "refused"]
"""Of a credential. `ready`: it can be used. `unknown`: only a call shows it. `renewable`: it has expired, and the next
call renews it. `failing`: it cannot be had now, and no login helps; see `problem`. `login_needed`: a person has to log
in. `refused`: the provider has refused the key."""
Kind = Literal["api_key", "login", "token_file", "adc", "command", "none", "demo"]
"""What an account authenticates with: a key; a login of ours; another tool's file; Google's default credentials; a
command's output; nothing; what the embedded demo takes."""


class LimitNow(Struct, frozen=True, rename="camel"):
    """One number of a row of `rateLimits`, which is our own limit of an account.

    Attributes:
        name: `rpm`, `rpd`, `tpm`, `tpd` or `concurrent`.
        model: the models that the row counts, as a pattern; "" for all.
        used, limit: how much counts in the last `windowSeconds`, and how much may.
        windowSeconds: null for what counts only while it runs.
        waiting: callers in the row's line.
        nextSlotSeconds: what a caller would wait now; 0 where there is room.
    """

    name: str
    model: str
    used: int
    limit: int
    window_seconds: float | None
    waiting: int
    next_slot_seconds: float


class Remaining(Struct, frozen=True, rename="camel"):
    """What a provider says is left of one of its own limits. Providers may be wrong, and nothing here obeys it.

    Attributes:
        model: for which it was said; "" where it is said for the account.
        kind: `requests`, `tokens`, `input_tokens`, `output_tokens`, or a vendor's own word for a limit.
        limit: null where it was not said.
        remaining: null where it is not known: not said, or said for a time that is over.
        resetAt: when the limit is full again; null where it was not said.
        learnedAt: when it was said.
    """

    model: str
    kind: str
    limit: int | None
    remaining: int | None
    reset_at: float | None
    learned_at: float


class Account(Struct, frozen=True, rename="camel"):
    """One provider's credential and what is left of its limits.

    Attributes:
        account: its name; "" where the provider has one account.
        wire: in which the provider is asked.
        expiresAt: of the token that is used; null where there is none or it does not say.
        problem: what is wrong, in an English sentence; null where nothing is.
        command: the command that helps; null where none does.
        canLogIn: whether POST /gateway/login can be tried. False also where only the browser's login is possible: then
            `command` says it, if a login is needed.
        canLogOut: whether we keep a token of it.
        loginUntilAt: while a login is under way: when its code expires. POST /gateway/login gives the code again; it
            stands nowhere else. Null where none is.
        limits: ours.
        remaining: the provider's own.
    """

    provider: str
    account: str
    kind: Kind
    wire: str
    state: AccountState
    expires_at: float | None
    problem: str | None
    command: str | None
    can_log_in: bool
    can_log_out: bool
    login_until_at: float | None
    limits: tuple[LimitNow, ...]
    remaining: tuple[Remaining, ...]
