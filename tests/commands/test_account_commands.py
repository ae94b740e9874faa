"""`login`, `logout` and `status` of one account among several."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.commands.accounts import CommandFailed
from gateway.commands.logout import logout
from gateway.commands.status import as_text, overview
from tests.commands.test_login import SECRET, Terminal, accounts_of, confirming, log_in, seed_keys, written
from tests.support.auth_server import AuthServer
from tests.support.fakes import FakeClock

NOW = 1_800_000_000.0


@pytest.fixture
def server() -> Iterator[AuthServer]:
    with AuthServer(client_secret=SECRET) as running:
        yield running


def acme(server: AuthServer) -> dict[str, dict[str, object]]:
    """The provider acme with two logins of one client, and one account with a key."""
    accounts = [
        {"name": "a"},
        {"name": "b"},
        {"name": "key", "apiKey": "canary-key"},
        {"name": "off", "enabled": False},
    ]
    return {"acme": {**seed_keys(server), "type": "openai", "accounts": accounts}}


def test_two_accounts_log_in_and_one_logs_out(server: AuthServer, tmp_path: Path) -> None:
    path = written(tmp_path, acme(server))
    for name in ("acme@a", "acme@b"):
        terminal = confirming(server)
        log_in(path, terminal, name=name)
        assert f"Logged in to {name}." in terminal.said
    accounts = accounts_of(path)
    first, second = accounts.store.get("acme@a"), accounts.store.get("acme@b")
    assert first is not None and second is not None and first != second
    out = Terminal()
    logout(accounts, "acme@a", out, {})
    assert "Logged out of acme@a" in out.said
    assert accounts.store.get("acme@a") is None
    assert accounts.store.get("acme@b") == second


def test_the_name_alone_is_no_account(server: AuthServer, tmp_path: Path) -> None:
    accounts = accounts_of(written(tmp_path, acme(server)))
    with pytest.raises(CommandFailed, match="several accounts: name one of acme@a, acme@b, acme@key, acme@off"):
        accounts.oauth("acme")
    with pytest.raises(CommandFailed, match='Did you mean "acme@key"'):
        accounts.oauth("acme@keys")
    with pytest.raises(CommandFailed, match=r"acme@key needs no login\. It uses an API key\."):
        accounts.oauth("acme@key")


def test_status_has_a_line_for_each_account(server: AuthServer, tmp_path: Path) -> None:
    clock = FakeClock(NOW)
    shown = as_text(overview(accounts_of(written(tmp_path, acme(server)), clock), clock), NOW)
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert lines == [
        "acme@a openai_chat login missing: there is no token",
        "to do: python app.py login acme@a",
        "acme@b openai_chat login missing: there is no token",
        "to do: python app.py login acme@b",
        "acme@key openai_chat API key ready",
        "acme@off openai_chat login disabled",
    ]
    assert "canary" not in shown
