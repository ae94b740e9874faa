"""The shapes of the answers to logins and logouts. How their names and values are read: status_json."""

from typing import Literal

from msgspec import Struct

from gateway.auth.login_book import LoginState


class LoginNow(Struct, frozen=True, rename="camel"):
    """The answer of `POST /gateway/login` (202 while it is pending, else 200), of `GET /gateway/login/{id}` and of
    `POST /gateway/login/{id}/cancel`: a login. All three need the page's token or a key, because whoever knows a code
    could confirm it with another account.

    Attributes:
        id: of the login. It is known for 10 minutes after the login has ended.
        account: "" where the provider has one.
        state: `pending`: the person has to confirm the code. `done`: the token is kept, and the next call uses it.
            `denied`, `expired`, `failed`, `cancelled`: how else it ended.
        userCode: to be compared and confirmed. Null until the server has given it (a POST waits 3 s for it), and once
            the login is over.
        verificationUri: where; https, or http on this machine. Null like `userCode`.
        verificationUriComplete: the same with the code in it; null also where the server gives none.
        expiresAt: of the code, wall seconds; null like `userCode`.
        message: why it ended so, in an English sentence; null while it is pending and when it is done.
        command: what to do instead, where the provider has no login by code; else null.
    """

    id: str
    provider: str
    account: str
    state: LoginState
    user_code: str | None
    verification_uri: str | None
    verification_uri_complete: str | None
    expires_at: float | None
    message: str | None
    command: str | None


class LoggedOut(Struct, frozen=True, rename="camel"):
    """The answer of `POST /gateway/logout`. `message`: what became of the token, in English sentences. `state`:
    `out`, also where there was no token."""

    provider: str
    account: str
    state: Literal["out"]
    message: str
