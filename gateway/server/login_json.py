"""The shapes of the answers to logins and logouts. How their names and values are read: status_json."""

from typing import Literal

from msgspec import Struct


class LoginNow(Struct, frozen=True, rename="camel"):
    """The answer of `POST /gateway/login` (202), `GET /gateway/login/{id}` and `POST /gateway/login/{id}/cancel` (200):
    a login. It needs the page's token or a key, because whoever knows a code could confirm it with another account.

    Attributes:
        id: of the login.
        state: `pending`: the person has to confirm the code. `done`: the token is kept, and the next call uses it.
            `denied`, `expired`, `failed`, `cancelled`: how else it ended.
        userCode: to be compared and confirmed; null once it is over.
        verificationUri: where; https, or http on this machine. Null once it is over.
        verificationUriComplete: the same with the code in it; null where the server gives none.
        expiresAt: of the code.
        message: why it ended so, in an English sentence; null while it is pending.
    """

    id: str
    provider: str
    account: str
    state: Literal["pending", "done", "denied", "expired", "failed", "cancelled"]
    user_code: str | None
    verification_uri: str | None
    verification_uri_complete: str | None
    expires_at: float
    message: str | None


class LoggedOut(Struct, frozen=True, rename="camel"):
    """The answer of `POST /gateway/logout`. `message`: what became of the token, in English sentences."""

    provider: str
    account: str
    message: str
