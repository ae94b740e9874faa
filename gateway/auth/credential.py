"""The credential of one call, and the state of a provider's credential. Values only."""

from dataclasses import dataclass
from typing import Literal

from gateway.core.secrets import Secret


@dataclass(frozen=True, slots=True)
class Credential:
    """The credential of one call.

    `fingerprint` distinguishes credentials without showing them: 12 hexadecimal digits, '' where there is none.
    """

    kind: Literal["api_key", "token", "none"]
    secret: Secret | None
    fingerprint: str


@dataclass(frozen=True, slots=True)
class CredentialStatus:
    """The state of a provider's credential.

    Attributes:
        kind: as in Credential.
        expires_at: wall seconds, of the token that calls use, else of the newest one.
        obtained_at: likewise.
        problem: what is wrong, in a sentence; None where no fault is known.
        remedy: the command that helps; None where no command does.
    """

    kind: Literal["api_key", "token", "none"]
    expires_at: float | None = None
    obtained_at: float | None = None
    problem: str | None = None
    remedy: str | None = None
