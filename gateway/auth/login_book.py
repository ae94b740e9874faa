"""The logins by code that were begun, as values: which are under way, how each ended, and whether one may begin.

    asking -> waiting -> keeping -> done
      |         |          |
      +---------+----------+--> denied, expired, failed
      +---------+--> cancelled

`asking`: the server is asked for a code. `waiting`: for the person. `keeping`: a token has come and is being stored,
which nothing interrupts: a login that was cancelled leaves no token, and one that leaves a token is done. Plain
arithmetic: the caller holds the lock, and no thread, no clock and no socket is known here.
"""

from typing import Final, Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from gateway.auth.oauth.responses import DeviceGrant
from gateway.core.records import login_parts

MOST_OPEN: Final = 8
"""Logins under way, of all accounts."""
KEPT_SECONDS: Final = 600.0
"""For which an ended login can still be asked for."""
MOST_ENDED: Final = 32
"""Ended logins that are kept, the latest ones."""

LoginState = Literal["pending", "done", "denied", "expired", "failed", "cancelled"]
"""Of a login, as others see it: `pending` until it has ended."""
Step = Literal["asking", "waiting", "keeping"]
Ending = Literal["denied", "expired", "failed"]


class AccountName(NamedTuple):
    """Whose login it is. `account` is "" where the provider has one."""

    provider: str
    account: str = ""

    @classmethod
    def of(cls, name: str) -> "AccountName":
        """The account of a credential, which is `NAME` or `NAME@account`."""
        return cls(*login_parts(name))


class Login(Struct, frozen=True):
    """One login.

    Attributes:
        id: of it.
        account: whose.
        step: what it does now, or did last.
        state: as others see it.
        grant: the code; None until the server has given it.
        expires_at: of the code, wall seconds; None until then.
        message: why it ended, for people; None where it needs no words.
        command: what to do instead, where the server has no login by code.
        ended: monotonic seconds; None while it is under way.
    """

    id: str
    account: AccountName
    step: Step = "asking"
    state: LoginState = "pending"
    grant: DeviceGrant | None = None
    expires_at: float | None = None
    message: str | None = None
    command: str | None = None
    ended: float | None = None


class TooManyLogins(Exception):
    """MOST_OPEN logins are under way."""


class LoginBook:
    """The logins. Needs the caller's lock."""

    def __init__(self) -> None:
        self._all: dict[str, Login] = {}  # in the order in which they were begun, the ended ones in that of their end

    def begin(self, account: AccountName, id: str, now: float) -> tuple[Login, bool]:
        """The account's login that is under way, or a new one; and whether it is new.

        Args:
            account: whose.
            id: for a new one.
            now: monotonic seconds.

        Raises:
            TooManyLogins: it would be one too many.
        """
        self._forget(now)
        under_way = self.under_way(account)
        if under_way is not None:
            return under_way, False
        if sum(login.ended is None for login in self._all.values()) >= MOST_OPEN:
            raise TooManyLogins
        login = self._all[id] = Login(id, account)
        return login, True

    def get(self, id: str, now: float) -> Login | None:
        """The login with this id; None where there is none, or none any more."""
        self._forget(now)
        return self._all.get(id)

    def under_way(self, account: AccountName) -> Login | None:
        """The account's login that is under way."""
        return next((each for each in self._all.values() if each.account == account and each.ended is None), None)

    def wait_for_person(self, id: str, grant: DeviceGrant, expires_at: float) -> bool:
        """The server has given a code; whether the login goes on."""
        login = self._all[id]
        if login.ended is not None:
            return False
        self._all[id] = replace(login, step="waiting", grant=grant, expires_at=expires_at)
        return True

    def keep_token(self, id: str) -> bool:
        """A token has come; whether it may be stored. From then on nobody can cancel."""
        login = self._all[id]
        if login.ended is not None:
            return False
        self._all[id] = replace(login, step="keeping")
        return True

    def done(self, id: str, now: float) -> None:
        """The token is stored."""
        if self._all[id].step == "keeping":
            self._end(id, "done", None, None, now)

    def failed(self, id: str, how: Ending, message: str, now: float, command: str | None = None) -> None:
        """It has ended without a token. An earlier end stays."""
        self._end(id, how, message, command, now)

    def cancel(self, id: str, now: float) -> Login | None:
        """Cancel it, unless it has ended or its token is being stored; what it is now. None where there is none."""
        login = self.get(id, now)
        if login is not None and login.step != "keeping":
            self._end(id, "cancelled", "The login was cancelled.", None, now)
        return self._all.get(id)

    def _end(self, id: str, state: LoginState, message: str | None, command: str | None, now: float) -> None:
        login = self._all[id]
        if login.ended is None:
            del self._all[id]  # to the end of the order
            self._all[id] = replace(login, state=state, message=message, command=command, grant=None, ended=now)

    def _forget(self, now: float) -> None:
        ended = [(id, each.ended) for id, each in self._all.items() if each.ended is not None]
        surplus = len(ended) - MOST_ENDED
        for place, (id, at) in enumerate(ended):
            if place < surplus or now - at >= KEPT_SECONDS:
                del self._all[id]
