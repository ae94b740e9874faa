"""`status`: its text and its JSON, without any token."""

import json
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.auth.tokens.token import Token
from gateway.commands.accounts import Accounts
from gateway.commands.status import ProviderStatus, as_json, as_text, overview
from gateway.core.secrets import Secret
from tests.commands.test_login import accounts_of, run, written
from tests.support.fakes import FakeClock
from tests.support.served import run_here

NOW = 1_800_000_000.0
LOGIN = {
    "clientId": "id",
    "clientSecret": "canary-client",
    "authEndpoint": "https://auth.example/a",
    "tokenEndpoint": "https://auth.example/t",
}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


def accounts_with(folder: Path, clock: FakeClock, token: Token | None = None, **auth: object) -> Accounts:
    accounts = accounts_of(written(folder, {"acme": LOGIN}, **auth), clock)
    if token:
        accounts.store.put("acme", token)
    return accounts


def only(accounts: Accounts, clock: FakeClock) -> ProviderStatus:
    [status] = overview(accounts, clock).statuses
    return status


def text_of(accounts: Accounts, clock: FakeClock) -> str:
    return as_text(overview(accounts, clock), clock.wall())


def token(expires_in: float | None = None, *, refresh: bool = False, age: float = 600.0) -> Token:
    return Token(
        Secret("canary-access"),
        Secret("canary-refresh") if refresh else None,
        None if expires_in is None else NOW + expires_in,
        {"obtainedAt": NOW - age},
    )


class TestALogin:
    def test_that_was_never_made(self, tmp_path: Path, clock: FakeClock) -> None:
        status = only(accounts_with(tmp_path, clock), clock)
        assert (status.state, status.problem) == ("missing", "there is no token")
        assert status.action == "python app.py login acme"

    def test_that_is_good(self, tmp_path: Path, clock: FakeClock) -> None:
        accounts = accounts_with(tmp_path, clock, token(3600))
        status = only(accounts, clock)
        assert (status.state, status.problem, status.action) == ("ready", None, None)
        assert text_of(accounts, clock) == (
            "acme  openai_chat  login  ready, valid until 2027-01-15 09:00 UTC (for 1 hour), obtained 10 minutes ago"
        )

    def test_that_is_over_and_will_be_renewed(self, tmp_path: Path, clock: FakeClock) -> None:
        accounts = accounts_with(tmp_path, clock, token(-7200, refresh=True, age=10_800))
        assert only(accounts, clock).state == "renewable"
        assert "the next call renews it" in text_of(accounts, clock)

    def test_that_is_over(self, tmp_path: Path, clock: FakeClock) -> None:
        accounts = accounts_with(tmp_path, clock, token(-7200, age=10_800))
        status = only(accounts, clock)
        assert (status.state, status.action) == ("expired", "python app.py login acme")
        assert "expired at 2027-01-15 06:00 UTC (2 hours ago)" in text_of(accounts, clock)

    def test_whose_expiry_nobody_told(self, tmp_path: Path, clock: FakeClock) -> None:
        accounts = accounts_with(tmp_path, clock, token())
        assert only(accounts, clock).state == "unknown"
        assert "a call shows whether it is good" in text_of(accounts, clock)

    def test_that_another_tool_made(self, tmp_path: Path, clock: FakeClock) -> None:
        (tmp_path / "theirs.json").write_text(
            json.dumps({"acme": {"accessToken": "canary-theirs", "expiresAt": NOW + 60}})
        )
        accounts = accounts_with(tmp_path, clock, token(-5), watchFiles=["./theirs.json"])
        status = only(accounts, clock)
        assert (status.state, status.expires_at) == ("ready", NOW + 60)


class TestOtherCredentials:
    def test_each_kind_is_told(self, tmp_path: Path, clock: FakeClock) -> None:
        (tmp_path / "good.json").write_text(json.dumps({"accessToken": "canary-file", "expiresAt": NOW + 60}))
        (tmp_path / "old.json").write_text(json.dumps({"accessToken": "canary-file", "expiresAt": NOW - 60}))
        providers: dict[str, dict[str, object]] = {
            "keyed": {"apiKey": "canary-key-123"},
            "open": {},
            "google": {"authType": "adc"},
            "tool": {"command": ["canary-not-run"]},
            "file": {"tokenFile": "./good.json"},
            "stale": {"tokenFile": "./old.json"},
            "nofile": {"tokenFile": "./none.json"},
            "off": {"enabled": False, "apiKey": "canary-key-123"},
            "off-and-bad": {"enabled": False, "authType": "command"},
            "bad": {"authType": "command"},
        }
        shown = overview(accounts_of(written(tmp_path, providers), clock), clock)
        assert {status.provider: status.state for status in shown.statuses} == {
            "keyed": "ready",
            "open": "ready",
            "google": "unknown",
            "tool": "unknown",
            "file": "ready",
            "stale": "expired",
            "nofile": "missing",
            "off": "disabled",
            "off-and-bad": "disabled",
            "bad": "misconfigured",
        }
        by_name = {status.provider: status for status in shown.statuses}
        assert (by_name["bad"].problem or "").startswith("command is missing")
        assert by_name["stale"].action and by_name["nofile"].action
        assert "canary" not in as_text(shown, NOW) + json.dumps(as_json(shown))


class TestForMachines:
    def test_it_is_json_with_times_in_iso_8601_and_no_token(self, tmp_path: Path) -> None:
        accounts = accounts_of(written(tmp_path, {"acme": LOGIN}))
        accounts.store.put("acme", Token(Secret("canary-access"), Secret("canary-refresh"), 1_700_000_000.0))
        result = run("status", "--json", "-c", str(tmp_path / "config.yaml"))
        assert result.exit_code == 0
        assert json.loads(result.stdout) == {
            "providers": [
                {
                    "provider": "acme",
                    "wire": "openai_chat",
                    "api": "chat",
                    "kind": "login",
                    "state": "renewable",
                    "expiresAt": "2023-11-14T22:13:20+00:00",
                    "obtainedAt": None,
                    "problem": None,
                    "action": None,
                    "remaining": [],
                }
            ],
            "watchedFiles": [],
            "problems": [],
            "limits": [],
            "clients": [],
        }
        assert "canary" not in result.output

    def test_a_broken_store_is_told(self, tmp_path: Path) -> None:
        path = written(tmp_path, {"acme": LOGIN})
        (tmp_path / "tokens.json").write_text('{"canary')
        for result in (run("status", "-c", str(path)), run("status", "--json", "-c", str(path))):
            assert result.exit_code == 1
            assert "tokens.json" in result.stdout and "canary" not in result.output

    def test_without_providers_it_says_so(self, tmp_path: Path) -> None:
        result = run("status", "-c", str(written(tmp_path, {})))
        assert result.exit_code == 1
        assert result.stdout == (
            "No providers are configured.\nwarning: no provider is enabled, so every call will fail: add one under"
            " providers, or make one `enabled: true`\n"
        )


class TestTheExitCode:
    @pytest.mark.parametrize(
        ("settings", "expires_in", "code"),
        [
            ({"apiKey": "canary-key-123"}, None, 0),
            ({}, None, 0),
            ({"command": ["canary-not-run"]}, None, 0),
            (LOGIN, 3600, 0),
            (LOGIN, -60, 0),
            (LOGIN, None, 1),
            ({"tokenFile": "./none.json"}, None, 1),
            ({"authType": "command"}, None, 1),
            ({"enabled": False}, None, 1),
        ],
        ids=[
            "a key",
            "nothing needed",
            "only a call shows it",
            "a login",
            "the next call renews it",
            "no login",
            "no file",
            "misconfigured",
            "nobody enabled",
        ],
    )
    def test_is_1_where_something_needs_somebody_and_then_it_says_what(
        self, tmp_path: Path, settings: Mapping[str, object], expires_in: float | None, code: int
    ) -> None:
        path = written(tmp_path, {"acme": settings})
        if expires_in is not None:
            expires_at = time.time() + expires_in
            accounts_of(path).store.put("acme", Token(Secret("a"), Secret("r"), expires_at))
        result = run("status", "-c", str(path))
        assert result.exit_code == code
        assert run("status", "--json", "-c", str(path)).exit_code == code
        assert ("  to do: " in result.stdout or "warning: " in result.stdout) == bool(code)

    def test_is_0_for_the_demo(self, tmp_path: Path) -> None:
        assert run_here("status", cwd=tmp_path).returncode == 0
