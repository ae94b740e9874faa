"""The reply of a token endpoint (RFC 6749 section 5.1), and the token that is stored from it.

This is where OAuth's values become the gateway's: `token_from` knows both types, and nothing of the request.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.auth.tokens.token import Token
from gateway.core.secrets import Secret
from gateway.core.strict_json import JsonValue


@dataclass(frozen=True, slots=True)
class TokenReply:
    """The fields of a token endpoint's reply. `expires_in` is in seconds, None where the server sent none."""

    access_token: Secret
    refresh_token: Secret | None = None
    expires_in: float | None = None
    extra: Mapping[str, JsonValue] = field(default_factory=dict, repr=False)


def token_from(reply: TokenReply, now: float, before: Token | None = None) -> Token:
    """The token to store.

    Args:
        reply: the server's reply.
        now: wall seconds at which the token was obtained.
        before: the token that was renewed. Its refresh token stays valid where the reply has none.
    """
    extra: dict[str, JsonValue] = {**(before.extra if before else {}), **reply.extra, "obtainedAt": now}
    return Token(
        reply.access_token,
        reply.refresh_token or (before.refresh_token if before else None),
        None if reply.expires_in is None else now + reply.expires_in,
        extra,
    )
