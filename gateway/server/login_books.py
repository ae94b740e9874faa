"""The logins of all workers, as their routes see them: whichever worker is asked finds a login by its id.

A login is one worker's: its thread polls the server. The worker's number stands in the id, and a question about a login
of another worker goes there. What travels is the answer's shape, which has no secret in it.
"""

from typing import Final, Literal

import msgspec

from gateway.auth.login_book import Login
from gateway.auth.logins import Logins
from gateway.auth.oauth.settings import OAuthSettings
from gateway.auth.tokens.token_store import TokenStore
from gateway.server.login_json import LoginNow
from gateway.workers.siblings import Siblings

TOPIC: Final = "login"
ANSWER_SECONDS: Final = 0.3
"""What another worker gets to answer."""


class _Asked(msgspec.Struct, frozen=True):
    """What is asked of another worker. `name`: an id, or an account's for `under_way`."""

    what: Literal["look", "cancel", "under_way"]
    name: str


_ASKED: Final = msgspec.json.Decoder(_Asked)
_LOGIN: Final = msgspec.json.Decoder(LoginNow)


class LoginBooks:
    """The logins. Safe to use from many threads.

    Args:
        logins: of this worker.
        siblings: the other workers.
    """

    def __init__(self, logins: Logins, siblings: Siblings) -> None:
        self._logins = logins
        self._siblings = siblings
        siblings.answer(TOPIC, self._answer)

    def begin(self, settings: OAuthSettings, store: TokenStore) -> LoginNow:
        """Log in, or go on with the account's login that is under way, in this worker or another.

        Raises:
            TooManyLogins, Draining: as of Logins.
        """
        asked = msgspec.json.encode(_Asked("under_way", settings.provider))
        answers = self._siblings.ask(TOPIC, asked, within=ANSWER_SECONDS)
        found = next((answer for _, answer in sorted(answers.items()) if answer), None)
        if found is not None:
            return _LOGIN.decode(found)
        return login_now(self._logins.begin(settings, store))

    def look(self, id: str) -> LoginNow | None:
        """A login; None where there is none of this id, or none any more."""
        return self._of("look", id)

    def cancel(self, id: str) -> LoginNow | None:
        """End a login, unless its token has come already; what it is now. None as of `look`."""
        return self._of("cancel", id)

    def _of(self, what: Literal["look", "cancel"], id: str) -> LoginNow | None:
        asked, owner = _Asked(what, id), self._owner(id)
        if owner == self._siblings.number:
            return self._here(asked)
        body = msgspec.json.encode(asked)
        answer = self._siblings.ask_one(owner, TOPIC, body, within=ANSWER_SECONDS)
        return _LOGIN.decode(answer) if answer else None

    def _owner(self, id: str) -> int:
        """The worker whose login it is; this one where there is no other, or no such id."""
        number = id.partition(".")[0]
        known = self._siblings.count > 1 and number.isascii() and number.isdecimal() and len(number) <= 2
        return int(number) if known else self._siblings.number

    def _here(self, asked: _Asked) -> LoginNow | None:
        found = self._logins.get(asked.name) if asked.what == "look" else self._logins.cancel(asked.name)
        return login_now(found) if found is not None else None

    # The hub's thread -------------------------------------------------------------------------------------------------

    def _answer(self, body: bytes) -> bytes:
        asked = _ASKED.decode(body)
        if asked.what == "under_way":
            running = self._logins.under_way(asked.name)
            found = login_now(running) if running is not None else None
        else:
            found = self._here(asked)
        return msgspec.json.encode(found) if found is not None else b""


def login_now(login: Login) -> LoginNow:
    """A login as it is shown."""
    grant = login.grant
    return LoginNow(
        id=login.id,
        provider=login.account.provider,
        account=login.account.account,
        state=login.state,
        user_code=grant.user_code if grant else None,
        verification_uri=grant.verification_uri if grant else None,
        verification_uri_complete=grant.verification_uri_complete if grant else None,
        expires_at=login.expires_at if grant else None,
        message=login.message,
        command=login.command,
    )
