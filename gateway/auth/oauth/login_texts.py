"""Why a login failed, for people: the server's refusals in plain words."""

from collections.abc import Callable, Mapping
from typing import Final

from gateway.auth.oauth.device_flow import Denied
from gateway.auth.oauth.errors import OAuthError, OAuthRefused

NO_DEVICE: Final = frozenset({"invalid_scope", "unauthorized_client", "unsupported_grant_type", "invalid_client"})
"""A server's error codes for a client or a scope that it offers in the browser flow only (Google: scopes and types)."""
_DENIED: Final = frozenset({"access_denied", "authorization_declined"})
_MEANING: Final[Mapping[str, str]] = {
    "invalid_client": "it does not accept clientId or clientSecret",
    "unauthorized_client": "this clientId is not registered for this kind of login",
    "unsupported_grant_type": "it does not offer this kind of login",
    "invalid_scope": "it does not grant these scopes",
    "invalid_grant": "it does not accept the code",
    "redirect_uri_mismatch": "the redirect address is not registered there; see redirectPort and redirectPath",
}


def is_denial(fault: OAuthError) -> bool:
    """Whether the person, or the server on their behalf, denied the login."""
    return isinstance(fault, Denied) or (isinstance(fault, OAuthRefused) and fault.code in _DENIED)


def failure_text(provider: str, fault: OAuthError, printable: Callable[[str], str]) -> str:
    """Why a login to a provider failed, in a sentence or two.

    Args:
        provider: its name.
        fault: of the login.
        printable: makes a server's text fit to be shown.
    """
    if is_denial(fault):
        return f"The login to {provider} was denied: {printable(str(fault))}."
    if isinstance(fault, OAuthRefused):
        return f"{provider} refused the login: {refusal_text(fault, printable)}"
    return f"{provider} could not be asked: {printable(str(fault))}. To try again: python app.py login {provider}"


def refusal_text(refusal: OAuthRefused, printable: Callable[[str], str]) -> str:
    """What a refusal means, and the server's own words."""
    meaning = _MEANING.get(refusal.code)
    server_text = printable(str(refusal))
    return f"{meaning} ({server_text})." if meaning else f"{server_text}."
