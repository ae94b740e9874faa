"""The state of the test authorization server: codes, tokens and their families. A state machine without sockets.

It is as strict as the specifications: a code is valid once, and so is a refresh token where tokens rotate. The reuse of
a spent one ends the whole family of tokens (RFC 9700 section 4.14.2). All failures are `Refusal`.
"""

import base64
import hashlib
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Fields = Mapping[str, str]
Step = Literal["pending", "slow_down", "denied", "expired"]
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


class Refusal(Exception):
    """An error response (RFC 6749 section 5.2)."""

    def __init__(self, code: str, description: str = "", status: int = 400) -> None:
        super().__init__(code)
        self.code = code
        self.description = description
        self.status = status


@dataclass
class Family:
    """All tokens of one login."""

    scope: str
    revoked: bool = False


@dataclass
class _Code:
    scope: str
    redirect_uri: str
    challenge: str | None
    family: Family | None = None


@dataclass
class _Device:
    user_code: str
    scope: str
    challenge: str | None
    expires_at: float
    state: Literal["pending", "approved", "denied"] = "pending"
    family: Family | None = None


@dataclass
class _Refresh:
    family: Family
    spent: bool = False


@dataclass
class _Access:
    family: Family
    expires_at: float


@dataclass
class Grants:
    """The state of the server. Safe to use from many threads. Its settings may be changed at any time.

    Attributes:
        now: wall seconds.
        token_lifetime: seconds, for access tokens.
        rotate: whether each use of a refresh token replaces it.
        device_lifetime, interval: of device codes, in seconds.
        device_script: the answers to the next polls of a device flow; when it is empty, the person's decision counts.
    """

    now: Callable[[], float]
    token_lifetime: float = 3600
    rotate: bool = True
    device_lifetime: float = 900
    interval: float = 5
    device_script: list[Step] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _codes: dict[str, _Code] = field(default_factory=dict)
    _devices: dict[str, _Device] = field(default_factory=dict)
    _refreshes: dict[str, _Refresh] = field(default_factory=dict)
    _accesses: dict[str, _Access] = field(default_factory=dict)

    def authorize(self, fields: Fields) -> str:
        """An authorization code, as if the person had agreed."""
        if fields.get("response_type") != "code":
            raise Refusal("unsupported_response_type")
        code = secrets.token_urlsafe(24)
        with self._lock:
            self._codes[code] = _Code(fields.get("scope", ""), fields["redirect_uri"], _challenge(fields))
        return code

    def start_device(self, fields: Fields) -> tuple[str, str]:
        """A device code and a user code."""
        device_code = secrets.token_urlsafe(24)
        user_code = "-".join("".join(secrets.choice("BCDFGHJKLMNPQRSTVWXZ") for _ in range(4)) for _ in range(2))
        with self._lock:
            expires_at = self.now() + self.device_lifetime
            self._devices[device_code] = _Device(user_code, fields.get("scope", ""), _challenge(fields), expires_at)
        return device_code, user_code

    def decide(self, user_code: str, state: Literal["approved", "denied"]) -> None:
        """Set the person's decision on a code. Raises KeyError for an unknown code."""
        with self._lock:
            found = [device for device in self._devices.values() if device.user_code == user_code]
            if not found:
                raise KeyError(user_code)
            found[0].state = state

    @property
    def user_codes(self) -> list[str]:
        """The codes without a decision."""
        with self._lock:
            return [device.user_code for device in self._devices.values() if device.state == "pending"]

    def token(self, fields: Fields) -> dict[str, object]:
        """The token response to a request."""
        grants = {"authorization_code": self._by_code, "refresh_token": self._by_refresh, DEVICE_GRANT: self._by_device}
        if (grant := grants.get(fields.get("grant_type", ""))) is None:
            raise Refusal("unsupported_grant_type")
        with self._lock:
            return grant(fields)

    def login(self, scope: str = "") -> dict[str, object]:
        """The token response of a login without a flow."""
        with self._lock:
            return self._issue(Family(scope))

    def revoke(self, token: str) -> None:
        """Revoke a token; a refresh token with its whole family (RFC 7009 section 2.1)."""
        with self._lock:
            if refresh := self._refreshes.get(token):
                refresh.family.revoked = True
            self._accesses.pop(token, None)

    def check(self, access_token: str) -> bool:
        """Whether the access token is valid."""
        with self._lock:
            found = self._accesses.get(access_token)
            return found is not None and not found.family.revoked and found.expires_at > self.now()

    def expire(self) -> None:
        """Make all access tokens invalid."""
        with self._lock:
            self._accesses.clear()

    def _by_code(self, fields: Fields) -> dict[str, object]:
        code = self._codes.get(fields.get("code", ""))
        if code is None or code.redirect_uri != fields.get("redirect_uri"):
            raise Refusal("invalid_grant", "no such code, or for another redirect_uri")
        _refuse_reuse(code.family, "the code was used before")
        _verify(code.challenge, fields)
        code.family = Family(code.scope)
        return self._issue(code.family)

    def _by_device(self, fields: Fields) -> dict[str, object]:
        device = self._devices.get(fields.get("device_code", ""))
        if device is None:
            raise Refusal("invalid_grant", "no such device code")
        _refuse_reuse(device.family, "the device code was used before")
        outcome = self._outcome(device)
        if outcome != "approved":
            raise Refusal(outcome)
        _verify(device.challenge, fields)
        device.family = Family(device.scope)
        return self._issue(device.family)

    def _outcome(self, device: _Device) -> str:
        codes = {"pending": "authorization_pending", "denied": "access_denied", "expired": "expired_token"}
        if self.device_script:
            step = self.device_script.pop(0)
            return codes.get(step, step)
        if self.now() >= device.expires_at:
            return "expired_token"
        return codes.get(device.state, device.state)

    def _by_refresh(self, fields: Fields) -> dict[str, object]:
        refresh = self._refreshes.get(fields.get("refresh_token", ""))
        if refresh is None or refresh.family.revoked:
            raise Refusal("invalid_grant", "no such refresh token")
        if refresh.spent:
            refresh.family.revoked = True
            raise Refusal("invalid_grant", "the refresh token was used before")
        refresh.spent = self.rotate
        return self._issue(refresh.family, with_refresh=self.rotate)

    def _issue(self, family: Family, *, with_refresh: bool = True) -> dict[str, object]:
        access = f"at-{secrets.token_urlsafe(24)}"
        self._accesses[access] = _Access(family, self.now() + self.token_lifetime)
        answer: dict[str, object] = {"access_token": access, "token_type": "Bearer", "expires_in": self.token_lifetime}
        if family.scope:
            answer["scope"] = family.scope
        if with_refresh:
            answer["refresh_token"] = refresh = f"rt-{secrets.token_urlsafe(24)}"
            self._refreshes[refresh] = _Refresh(family)
        return answer


def _challenge(fields: Fields) -> str | None:
    challenge = fields.get("code_challenge")
    if challenge and fields.get("code_challenge_method") != "S256":
        raise Refusal("invalid_request", "only S256")
    return challenge


def _verify(challenge: str | None, fields: Fields) -> None:
    """Check the verifier (RFC 7636 section 4.6). A wrong one does not spend the code."""
    verifier = fields.get("code_verifier")
    if challenge is None and verifier is None:
        return
    digest = base64.urlsafe_b64encode(hashlib.sha256((verifier or "").encode()).digest()).rstrip(b"=").decode()
    if challenge is None or not verifier or not secrets.compare_digest(digest, challenge):
        raise Refusal("invalid_grant", "the code_verifier does not fit")


def _refuse_reuse(family: Family | None, description: str) -> None:
    """End the family of a reused code: one of its two users has stolen it (RFC 6749 section 4.1.2)."""
    if family is not None:
        family.revoked = True
        raise Refusal("invalid_grant", description)
