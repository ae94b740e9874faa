"""`logout NAME`: removes the token from the store and revokes it at the server (RFC 7009)."""

from collections.abc import Mapping

from gateway.auth.oauth.revocation import STILL_VALID, revoke
from gateway.auth.tokens.token import Token
from gateway.auth.tokens.token_store import cannot_write
from gateway.commands.accounts import Accounts, CommandFailed
from gateway.commands.console import Console


def logout(accounts: Accounts, name: str, console: Console, environ: Mapping[str, str]) -> None:
    """Log out.

    Raises:
        CommandFailed: there is no such provider, or the token cannot be removed from the file.
    """
    token = _removed(accounts, name)
    if token is None:
        accounts.oauth(name)  # raises if the name is wrong
        console.say(f"There is no token for {name}: nothing to do.")
        return
    console.say(f"Logged out of {name}: its token is gone from {accounts.store.path.name}.")
    console.say(_revoke(accounts, name, token, console, environ))


def _removed(accounts: Accounts, name: str) -> Token | None:
    """Take the token out of the file, before the server is asked and under the lock. So it is the latest renewed token,
    no renewal uses it meanwhile, and a server that does not answer cannot keep the user logged in here."""
    if accounts.store.get(name) is None:
        return None
    try:
        with accounts.store.login(name) as held:
            token = held.get(name)
            held.remove(name)
            return token
    except OSError as fault:
        raise CommandFailed(f"The token cannot be removed: {cannot_write(accounts.store.path, fault)}") from None


def _revoke(accounts: Accounts, name: str, token: Token, console: Console, environ: Mapping[str, str]) -> str:
    """Revoke the token; returns the result as a text for the person."""
    try:
        settings = accounts.oauth(name)
    except CommandFailed:
        return f"The token is not revoked: the settings for {name} do not say where. {STILL_VALID}"
    return revoke(settings, token, environ, console.printable)
