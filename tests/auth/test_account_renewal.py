"""Logins of several accounts at one provider: none waits for another's renewal, and none is overwritten."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gateway.auth.auth_manager import AuthManager
from gateway.auth.oauth.settings import OAuthSettings
from gateway.auth.oauth.token_reply import TokenReply
from gateway.auth.sources import StoredToken
from gateway.auth.tokens.token import Token
from gateway.auth.tokens.token_store import TokenStore
from gateway.auth.tokens.watch_files import WatchedFiles
from gateway.core.clock import SystemClock
from gateway.core.secrets import Secret

HANG_SECONDS = 30.0
NAMES = ("acme@a", "acme@b")
ONE_CLIENT = StoredToken(OAuthSettings("acme", "client-1", token_endpoint="https://login.acme.test/token"))


class Server:
    """Renews the tokens of one account, which `meanwhile` happens."""

    def __init__(self, name: str, meanwhile: Callable[[], object] = list) -> None:
        self.name = name
        self.meanwhile = meanwhile
        self.spent: list[str] = []

    def refresh(self, refresh_token: Secret) -> TokenReply:
        self.spent.append(refresh_token.reveal())
        self.meanwhile()
        number = len(self.spent) + 1
        return TokenReply(Secret(f"{self.name}-access-{number}"), Secret(f"{self.name}-refresh-{number}"), 3_600.0)


def expired(name: str) -> Token:
    return Token(Secret(f"{name}-access-1"), Secret(f"{name}-refresh-1"), 1.0)


def manager(store: TokenStore, servers: dict[str, Server]) -> AuthManager:
    clock = SystemClock()
    watched = WatchedFiles([], clock)
    return AuthManager(dict.fromkeys(NAMES, ONE_CLIENT), store, watched, clock, clients=servers.__getitem__)


def test_two_accounts_renew_at_once_and_neither_overwrites_the_other(tmp_path: Path) -> None:
    store = TokenStore(tmp_path / "tokens.json", SystemClock())
    for name in NAMES:
        store.put(name, expired(name))
    both = threading.Barrier(2, timeout=HANG_SECONDS)  # breaks where one waits for the other's renewal
    servers = {name: Server(name, both.wait) for name in NAMES}
    auth = manager(store, servers)
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(auth.credential, NAMES * 16))
    offered = {each.secret.reveal() for each in found if each.secret}
    assert offered == {f"{name}-access-2" for name in NAMES}
    for name in NAMES:
        stored = TokenStore(store.path, SystemClock()).get(name)
        assert stored is not None and stored.refresh_token == Secret(f"{name}-refresh-2")
        assert servers[name].spent == [f"{name}-refresh-1"], "no refresh token is spent twice"


def test_a_login_waits_for_the_renewal_of_its_own_account_and_stays(tmp_path: Path) -> None:
    store = TokenStore(tmp_path / "tokens.json", SystemClock())
    store.put("acme@a", expired("acme@a"))
    asked, logged_in = threading.Event(), Token(Secret("new"), Secret("new-refresh"), None)
    servers = {name: Server(name) for name in NAMES}
    login = threading.Thread(target=store.put, args=("acme@a", logged_in))

    def begin_login() -> None:
        login.start()
        store.put("acme@b", expired("acme@b"))  # another account's login does not wait
        asked.set()

    servers["acme@a"].meanwhile = begin_login
    manager(store, servers).credential("acme@a")
    login.join(HANG_SECONDS)
    assert asked.is_set()
    assert store.get("acme@a") == logged_in
    assert store.get("acme@b") == expired("acme@b")
