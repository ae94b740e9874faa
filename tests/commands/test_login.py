"""`login`, `logout` and `status`, against a real authorization server and in real processes."""

import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from click.testing import CliRunner, Result

from gateway.auth.oauth.flow_choice import Flow, MissingEndpoint, choose
from gateway.auth.oauth.settings import Endpoints, OAuthSettings, with_endpoints
from gateway.auth.tokens.token import Token
from gateway.cli import commands
from gateway.commands.accounts import Accounts, CommandFailed
from gateway.commands.console import Console, has_screen, may_open, one_line, read_lines
from gateway.commands.login import Login, LoginOptions
from gateway.commands.logout import logout
from gateway.config.loader import load
from gateway.core.clock import Clock, SystemClock
from gateway.core.secrets import Secret
from tests.support.auth_server import AuthServer, Raw
from tests.support.fakes import FakeClock
from tests.support.served import HANG, ROOT, environment, posix_only

SECRET = "canary-client-secret"
JSON = {"Content-Type": "application/json"}
HTML = Raw(200, {"Content-Type": "text/html"}, b"<html>maintenance</html>")


@pytest.fixture
def server() -> Iterator[AuthServer]:
    with AuthServer(client_secret=SECRET) as running:
        yield running


def seed_keys(server: AuthServer) -> dict[str, object]:
    """The four keys that everyone has."""
    return {
        "clientId": server.client_id,
        "clientSecret": SECRET,
        "authEndpoint": server.authorization_endpoint,
        "tokenEndpoint": server.token_endpoint,
    }


def written(folder: Path, providers: Mapping[str, Mapping[str, object]], **auth: object) -> Path:
    """A configuration file with these providers, each on this machine."""
    path = folder / "config.yaml"
    usual = {"type": "openai", "apiEndpoint": "http://127.0.0.1:9/v1"}
    path.write_text(
        json.dumps({"providers": {name: {**usual, **each} for name, each in providers.items()}, "auth": auth})
    )
    return path


class Terminal(Console):
    """A terminal with or without a person: it records the output and plays the person's reactions."""

    def __init__(self, *, person: bool = False, answers: tuple[bool, ...] = ()) -> None:
        super().__init__({})
        self.said = ""
        self.opened: list[str] = []
        self.asked: list[str] = []
        self.sees_code: Callable[[str], None] = lambda code: None
        self.sees_address: Callable[[str], None] = lambda address: None
        self.pastes: Callable[[str], str] | None = None
        self._person = person
        self._answers = list(answers)

    @property
    def interactive(self) -> bool:
        return self._person

    def say(self, text: str) -> None:
        self.said += text + "\n"
        if code := re.search(r"^    ([A-Z]{4}-[A-Z]{4})$", text, re.MULTILINE):
            self.sees_code(code[1])
        elif address := re.search(r"^    (http\S+)$", text, re.MULTILINE):
            self.sees_address(address[1])

    def ask(self, question: str) -> bool:
        self.asked.append(question)
        return self._answers.pop(0)

    def open(self, address: str) -> bool:
        self.opened.append(address)
        return True

    def on_paste(self, take: Callable[[str], None]) -> None:
        if self.pastes:
            take("nonsense")
            take(self.pastes(re.findall(r"^    (http\S+)$", self.said, re.MULTILINE)[-1]))


def accounts_of(path: Path, clock: Clock | None = None) -> Accounts:
    return Accounts(load(path, env={}), {}, clock or FakeClock())


def log_in(path: Path, terminal: Terminal, options: LoginOptions | None = None, *, name: str = "acme") -> Accounts:
    """The command, in this process, by a clock that does not wait; but a browser takes a moment to come back."""
    clock = SystemClock() if terminal.sees_address is browse else FakeClock()
    accounts = accounts_of(path, clock)
    Login(accounts.oauth(name), accounts.store, terminal, clock, {}).run(options or LoginOptions())
    return accounts


def browse(address: str) -> None:
    """What a browser does with the address, redirects and all."""
    with requests.Session() as session:
        session.trust_env = False
        session.get(address, timeout=HANG)


def redirect_of(address: str) -> str:
    """What a browser shows at the end whose machine is another one."""
    with requests.Session() as session:
        session.trust_env = False
        return session.get(address, timeout=HANG, allow_redirects=False).headers["location"]


def confirming(server: AuthServer, *, person: bool = False) -> Terminal:
    terminal = Terminal(person=person)
    terminal.sees_code = server.approve
    return terminal


def secrets_of(server: AuthServer, accounts: Accounts, name: str = "acme") -> set[str]:
    """All that must not be seen."""
    token = accounts.store.get(name)
    kept = [token.access_token.reveal(), token.refresh_token.reveal()] if token and token.refresh_token else []
    sent = [
        value
        for request in server.requests
        for field, value in request.fields.items()
        if field in ("device_code", "code", "code_verifier", "client_secret")
    ]
    return {*kept, *sent, SECRET}


def assert_silent_about(secrets: set[str], text: str) -> None:
    assert secrets and not [secret for secret in secrets if secret in text]


class TestLoginByDevice:
    def test_the_seeds_four_keys_are_enough_where_the_server_publishes_the_rest(
        self, server: AuthServer, tmp_path: Path
    ) -> None:
        terminal = confirming(server)
        accounts = log_in(written(tmp_path, {"acme": seed_keys(server)}), terminal)
        token = accounts.store.get("acme")
        assert token is not None and server.check(token.access_token.reveal())
        assert token.refresh_token is not None
        assert token.expires_at is not None and token.extra["obtainedAt"] == token.expires_at - 3600

    def test_address_and_code_are_shown_and_what_is_awaited(self, server: AuthServer, tmp_path: Path) -> None:
        terminal = confirming(server)
        accounts = log_in(written(tmp_path, {"acme": seed_keys(server)}), terminal)
        assert f"    {server.url}/device\n" in terminal.said
        assert f"    {server.url}/device?user_code=" in terminal.said
        assert terminal.said.isascii()
        assert "for at most 15 minutes. Ctrl-C stops." in terminal.said
        assert "The token is valid until 1970-01-01 01:16 UTC (1 hour). It is renewed by itself." in terminal.said
        assert_silent_about(secrets_of(server, accounts), terminal.said)

    def test_a_browser_is_opened_unless_told_otherwise(self, server: AuthServer, tmp_path: Path) -> None:
        path = written(tmp_path, {"acme": seed_keys(server)})
        first, second = confirming(server), confirming(server)
        log_in(path, first)
        log_in(path, second, LoginOptions(open_browser=False))
        assert len(first.opened) == 1 and first.opened[0].startswith(f"{server.url}/device?")
        assert second.opened == []

    def test_a_bad_minute_of_the_server_does_not_end_a_login(self, server: AuthServer, tmp_path: Path) -> None:
        server.next_token_answers = ["cut", HTML, Raw(503), Raw(429), (302, {"Location": "/"}, b"")]
        server.grants.device_script = ["pending", "slow_down"]
        terminal = confirming(server)
        accounts = log_in(written(tmp_path, {"acme": seed_keys(server)}), terminal)
        assert accounts.store.get("acme") is not None
        assert terminal.said.count("asking again in") == 5
        assert len(server.received("/token")) == 8

    def test_a_no_is_told_and_the_old_token_stays(self, server: AuthServer, tmp_path: Path) -> None:
        path = written(tmp_path, {"acme": seed_keys(server)})
        accounts_of(path).store.put("acme", Token(Secret("old")))
        before = (tmp_path / "tokens.json").read_bytes()
        terminal = Terminal()
        terminal.sees_code = server.deny
        with pytest.raises(CommandFailed, match="denied") as fault:
            log_in(path, terminal)
        assert fault.value.exit_code == 1
        assert (tmp_path / "tokens.json").read_bytes() == before

    def test_without_a_terminal_an_expired_code_is_the_end(self, server: AuthServer, tmp_path: Path) -> None:
        server.grants.device_script = ["pending", "expired"]
        with pytest.raises(CommandFailed, match=r"expired before.*: python app\.py login acme"):
            log_in(written(tmp_path, {"acme": seed_keys(server)}), Terminal())
        assert not (tmp_path / "tokens.json").exists()

    def test_a_person_gets_a_new_code_for_an_expired_one(self, server: AuthServer, tmp_path: Path) -> None:
        server.grants.device_script = ["expired", "pending", "expired"]
        terminal = confirming(server, person=True)
        terminal._answers = [True, True]
        accounts = log_in(written(tmp_path, {"acme": seed_keys(server)}), terminal)
        assert accounts.store.get("acme") is not None
        assert len(server.received("/device_authorization")) == 3
        assert len(terminal.asked) == 2

    def test_a_person_who_wants_no_new_code_is_done(self, server: AuthServer, tmp_path: Path) -> None:
        server.grants.device_script = ["expired"]
        with pytest.raises(CommandFailed, match="expired"):
            log_in(written(tmp_path, {"acme": seed_keys(server)}), Terminal(person=True, answers=(False,)))

    def test_nobody_at_all_is_the_end_when_the_code_is_over(self, server: AuthServer, tmp_path: Path) -> None:
        server.grants.device_lifetime = 20
        with pytest.raises(CommandFailed, match="expired"):
            log_in(written(tmp_path, {"acme": seed_keys(server)}), Terminal())
        assert len(server.received("/token")) == 3

    def test_a_wrong_client_secret_is_told_as_such(self, server: AuthServer, tmp_path: Path) -> None:
        keys = {**seed_keys(server), "clientSecret": "canary-wrong", "authEndpoint": None, "issuer": server.url}
        server.document = {"authorization_endpoint": None}
        keys.pop("authEndpoint")
        with pytest.raises(CommandFailed, match="does not accept clientId or clientSecret") as fault:
            log_in(written(tmp_path, {"acme": keys}), Terminal())
        assert "canary" not in str(fault.value)

    @pytest.mark.parametrize(
        "store", ["file/tokens.json", "folder", pytest.param("/dev/fd/tokens.json", marks=posix_only)]
    )
    def test_where_the_token_could_not_be_kept_the_person_is_not_asked(
        self, server: AuthServer, tmp_path: Path, store: str
    ) -> None:
        """A parent that is a file; docker, which makes a folder of a missing file; a configuration from a pipe."""
        (tmp_path / "file").write_text("")
        (tmp_path / "folder").mkdir()
        path, terminal = written(tmp_path, {"acme": seed_keys(server)}, tokenStorePath=store), confirming(server)
        with pytest.raises(CommandFailed) as failed:
            log_in(path, terminal)
        assert str(failed.value).startswith(f"A token could not be kept: {tmp_path / store} cannot be")
        assert "auth.tokenStorePath" in str(failed.value)
        assert terminal.said == ""
        assert server.requests == []


class TestWhereTheDeviceLoginIsRefused:
    REFUSAL = Raw(400, JSON, b'{"error": "invalid_scope", "error_description": "not for devices"}')

    @pytest.fixture
    def path(self, server: AuthServer, tmp_path: Path) -> Path:
        server.next_device_answers = [self.REFUSAL]
        return written(tmp_path, {"acme": seed_keys(server)})

    def test_without_a_terminal_the_browser_is_named_and_the_reason(self, path: Path) -> None:
        with pytest.raises(CommandFailed, match=r"not for devices.*python app\.py login acme --browser"):
            log_in(path, Terminal())

    def test_a_person_is_offered_the_browser(self, server: AuthServer, path: Path) -> None:
        terminal = Terminal(person=True, answers=(True,))
        terminal.sees_address = browse
        accounts = log_in(path, terminal)
        assert "not for devices" in terminal.said
        assert accounts.store.get("acme") is not None and server.count("authorization_code") == 1

    def test_a_person_may_say_no(self, path: Path) -> None:
        with pytest.raises(CommandFailed, match="Not logged in"):
            log_in(path, Terminal(person=True, answers=(False,)))


class TestLoginByBrowser:
    @pytest.fixture
    def path(self, server: AuthServer, tmp_path: Path) -> Path:
        return written(tmp_path, {"acme": {**seed_keys(server), "issuer": server.url}})

    def test_the_browser_brings_the_answer(self, server: AuthServer, path: Path) -> None:
        terminal = Terminal()
        terminal.sees_address = browse
        accounts = log_in(path, terminal, LoginOptions("browser"))
        token = accounts.store.get("acme")
        assert token is not None and server.check(token.access_token.reveal())
        assert terminal.said.isascii()
        assert terminal.opened and "for at most 5 minutes. Ctrl-C stops." in terminal.said
        assert_silent_about(secrets_of(server, accounts), terminal.said)
        [exchange] = server.received("/token")
        assert len(exchange.fields["code_verifier"]) == 64

    def test_a_person_on_another_machine_pastes_the_address(self, server: AuthServer, path: Path) -> None:
        terminal = Terminal()
        terminal.pastes = redirect_of
        accounts = log_in(path, terminal, LoginOptions("browser"))
        assert accounts.store.get("acme") is not None
        assert "That was not it." in terminal.said

    def test_a_no_is_told(self, server: AuthServer, path: Path) -> None:
        server.denies = True
        terminal = Terminal()
        terminal.sees_address = browse
        with pytest.raises(CommandFailed, match="denied: access_denied: the person said no"):
            log_in(path, terminal, LoginOptions("browser"))

    def test_it_is_what_a_server_without_a_device_endpoint_gets(self, server: AuthServer, tmp_path: Path) -> None:
        server.device = False
        terminal = Terminal()
        terminal.sees_address = browse
        accounts = log_in(written(tmp_path, {"acme": seed_keys(server)}), terminal)
        assert accounts.store.get("acme") is not None

    def test_nobody_comes(self, path: Path) -> None:
        with pytest.raises(CommandFailed, match="No answer came within 5 minutes"):
            log_in(path, Terminal(), LoginOptions("browser"))

    def test_a_code_that_cannot_be_spent_is_a_failure(self, server: AuthServer, path: Path) -> None:
        server.next_token_answers = [HTML]
        terminal = Terminal()
        terminal.sees_address = browse
        with pytest.raises(CommandFailed, match="could not be asked"):
            log_in(path, terminal, LoginOptions("browser"))

    def test_a_port_that_is_taken_is_named(self, server: AuthServer, tmp_path: Path) -> None:
        port = urlsplit(server.url).port
        path = written(tmp_path, {"acme": {**seed_keys(server), "redirectPort": port}})
        with pytest.raises(CommandFailed, match=rf"port {port} \(redirectPort\)"):
            log_in(path, Terminal(), LoginOptions("browser"))


BARE = OAuthSettings("acme", "id", authorization_endpoint="https://a/auth", token_endpoint="https://a/token")
ALL = Endpoints("https://d/auth", "https://d/token", "https://d/device", None)


class TestWhichFlow:
    @pytest.mark.parametrize(
        ("settings", "wanted", "published", "flow"),
        [
            (BARE, None, ALL, "device"),
            (BARE, None, Endpoints(), "browser"),
            (BARE, "browser", ALL, "browser"),
            (BARE, "device", ALL, "device"),
            (replace(BARE, prefers="authorization_code"), None, ALL, "browser"),
            (replace(BARE, prefers="authorization_code"), "device", ALL, "device"),
            (replace(BARE, prefers="device"), None, ALL, "device"),
            (replace(BARE, device_authorization_endpoint="https://a/device"), None, None, "device"),
            (replace(BARE, device_authorization_endpoint="https://a/device"), "browser", None, "browser"),
            (BARE, "browser", None, "browser"),
        ],
    )
    def test_what_is_said_decides_and_else_what_the_server_offers(
        self, settings: OAuthSettings, wanted: Flow | None, published: Endpoints | None, flow: Flow
    ) -> None:
        def discovered(known: OAuthSettings) -> OAuthSettings:
            assert published is not None, "the server is asked although all is known"
            return with_endpoints(known, published)

        chosen, complete = choose(settings, wanted, discovered)
        assert chosen == flow
        assert complete.authorization_endpoint == "https://a/auth", "what is configured wins"

    @pytest.mark.parametrize(
        ("settings", "wanted", "missing"),
        [
            (BARE, "device", "deviceAuthorizationEndpoint"),
            (replace(BARE, prefers="device"), None, "deviceAuthorizationEndpoint"),
            (replace(BARE, authorization_endpoint=None), None, "authEndpoint"),
            (replace(BARE, token_endpoint=None), None, "tokenEndpoint"),
        ],
    )
    def test_a_missing_endpoint_is_named(self, settings: OAuthSettings, wanted: Flow | None, missing: str) -> None:
        with pytest.raises(MissingEndpoint, match=missing):
            choose(settings, wanted, lambda known: known)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(commands, list(arguments))


class TestUsage:
    @pytest.fixture
    def path(self, server: AuthServer, tmp_path: Path) -> str:
        providers: dict[str, dict[str, object]] = {
            "acme": seed_keys(server),
            "keyed": {"apiKey": "sk-canary"},
            "open": {},
            "tool": {"command": ["true"]},
            "filed": {"tokenFile": "./theirs.json"},
            "google": {"authType": "adc"},
            "half": {"clientId": "x"},
        }
        return str(written(tmp_path, providers))

    @pytest.mark.parametrize("verb", ["login", "logout"])
    @pytest.mark.parametrize(
        ("name", "told"),
        [
            ("acmee", 'Did you mean "acme"?'),
            ("zzz", "acme, keyed, open"),
            ("keyed", "uses an API key"),
            ("open", "wants no credential"),
            ("tool", "from a command"),
            ("filed", "another tool"),
            ("google", "gcloud auth application-default login"),
            ("half", "providers.half.tokenEndpoint is missing"),
        ],
    )
    def test_who_cannot_log_in_is_told_why(self, path: str, verb: str, name: str, told: str) -> None:
        result = run(verb, name, "-c", path)
        assert result.exit_code == 2
        assert told in result.stderr and result.stdout == "" and "canary" not in result.output

    def test_without_a_file_there_is_nobody_to_log_in_to(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("LLM_GATEWAY_CONFIG", raising=False)
        result = run("login", "acme")
        assert result.exit_code == 2 and "no configuration file" in result.stderr

    @pytest.mark.parametrize("arguments", [("login",), ("logout",), ("login", "a", "b"), ("status", "x")])
    def test_wrong_usage_is_exit_code_2(self, arguments: tuple[str, ...]) -> None:
        assert run(*arguments).exit_code == 2

    def test_a_missing_endpoint_is_exit_code_2(self, server: AuthServer, path: str) -> None:
        server.device = False
        result = run("login", "acme", "--device", "-c", path)
        assert result.exit_code == 2 and "deviceAuthorizationEndpoint" in result.stderr

    def test_a_key_that_another_provider_lacks_is_no_reason_not_to_log_in(
        self, server: AuthServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        server.next_device_answers = [Raw(400, JSON, b'{"error": "access_denied"}')]
        path = written(tmp_path, {"acme": seed_keys(server), "openai": {"apiEndpoint": "https://api.openai.com/v1"}})
        result = run("login", "acme", "-c", str(path))
        assert result.exit_code == 1 and "denied" in result.stderr


class TestLogout:
    @pytest.fixture
    def accounts(self, server: AuthServer, tmp_path: Path) -> Accounts:
        accounts = accounts_of(written(tmp_path, {"acme": seed_keys(server)}))
        given = server.grants.login()
        access, refresh = str(given["access_token"]), str(given["refresh_token"])
        accounts.store.put("acme", Token(Secret(access), Secret(refresh), 5000.0))
        accounts.store.put("other", Token(Secret("others")))
        return accounts

    def test_both_tokens_are_revoked_the_refresh_token_first(self, server: AuthServer, accounts: Accounts) -> None:
        token = accounts.store.get("acme")
        assert token is not None and token.refresh_token is not None
        terminal = Terminal()
        logout(accounts, "acme", terminal, {})
        first, second = server.received("/revoke")
        assert (first.fields["token"], first.fields["token_type_hint"]) == (
            token.refresh_token.reveal(),
            "refresh_token",
        )
        assert (second.fields["token"], second.fields["token_type_hint"]) == (
            token.access_token.reveal(),
            "access_token",
        )
        assert not server.check(token.access_token.reveal())
        assert accounts.store.get("acme") is None and accounts.store.get("other") is not None
        assert "The token is revoked." in terminal.said and "Logged out of acme" in terminal.said
        assert_silent_about({token.access_token.reveal(), token.refresh_token.reveal(), SECRET}, terminal.said)

    @pytest.mark.parametrize("answer", [Raw(503), "cut", HTML, Raw(400, JSON, b'{"error": "invalid_client"}')])
    def test_a_server_that_fails_is_told_and_the_token_is_gone_anyway(
        self, server: AuthServer, accounts: Accounts, answer: Raw
    ) -> None:
        server.next_revoke_answers = [answer, answer]
        terminal = Terminal()
        logout(accounts, "acme", terminal, {})
        assert accounts.store.get("acme") is None
        if answer is not HTML:  # RFC 7009 section 2.2: the content of a 200 means nothing
            assert "The token is not revoked" in terminal.said

    def test_a_refused_refresh_token_does_not_save_the_access_token(
        self, server: AuthServer, accounts: Accounts
    ) -> None:
        server.next_revoke_answers = [Raw(400, JSON, b'{"error": "unsupported_token_type"}')]
        token = accounts.store.get("acme")
        terminal = Terminal()
        logout(accounts, "acme", terminal, {})
        assert token is not None and not server.check(token.access_token.reveal())
        assert "not revoked: unsupported_token_type" in terminal.said

    def test_without_a_revocation_endpoint_it_says_so(self, server: AuthServer, accounts: Accounts) -> None:
        server.discovery = ()
        terminal = Terminal()
        logout(accounts, "acme", terminal, {})
        assert accounts.store.get("acme") is None
        assert "no revocation endpoint" in terminal.said

    def test_what_is_left_of_a_provider_that_is_gone_is_removed(self, accounts: Accounts) -> None:
        terminal = Terminal()
        logout(accounts, "other", terminal, {})
        assert accounts.store.get("other") is None and accounts.store.get("acme") is not None
        assert "The token is not revoked" in terminal.said

    def test_twice_is_fine(self, accounts: Accounts) -> None:
        terminal = Terminal()
        logout(accounts, "acme", terminal, {})
        logout(accounts, "acme", terminal, {})
        assert "There is no token for acme: nothing to do." in terminal.said


class TestConsole:
    @pytest.mark.parametrize(
        ("address", "may"),
        [
            ("https://example.org/device?user_code=AB-CD", True),
            ("http://127.0.0.1:8000/device", True),
            ("http://[::1]/x", True),
            ("http://localhost/x", True),
            ("http://example.org/device", False),
            ("http://127.0.0.1.example.org/", False),
            ("javascript:alert(1)", False),
            ("file:///etc/passwd", False),
            ("ms-settings:https://x", False),
            ("https://user@example.org/", False),
            ("https://example.org/a b", False),
            ("https://example.org/\x1b[2J", False),
            ('https://example.org/"&calc', False),
            ("https:///x", False),
            ("https://[x/", False),
            ("-https://example.org", False),
            ("", False),
        ],
    )
    def test_a_browser_is_sent_to_safe_addresses_only(self, address: str, may: bool) -> None:
        assert may_open(address) is may

    @pytest.mark.parametrize(
        ("environ", "platform", "there"),
        [
            ({}, "linux", False),
            ({"DISPLAY": ":0"}, "linux", True),
            ({"WAYLAND_DISPLAY": "w"}, "linux", True),
            ({"DISPLAY": ":0", "SSH_CONNECTION": "1 2 3 4"}, "linux", False),
            ({}, "win32", True),
            ({}, "darwin", True),
            ({"SSH_TTY": "/dev/pts/0"}, "darwin", False),
        ],
    )
    def test_a_browser_needs_a_screen_in_front_of_the_person(
        self, environ: dict[str, str], platform: str, there: bool
    ) -> None:
        assert has_screen(environ, platform) is there

    def test_without_a_terminal_no_browser_is_opened(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO())
        console = Console({"DISPLAY": ":0"})
        assert not console.interactive
        assert not console.open("https://example.org/")
        console.on_paste(lambda _: None)  # there is nothing to read, and nothing starts

    @pytest.mark.parametrize(
        ("typed", "yes"), [("y\n", True), ("Yes \n", True), ("n\n", False), ("\n", False), ("", False)]
    )
    def test_only_a_yes_is_one(self, typed: str, yes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        assert Console({}).ask("Well?") is yes

    def test_foreign_words_stay_on_their_line(self) -> None:
        assert one_line("a\x1b[31mb\r\nc\u202ed") == "a\\x1b[31mb\\r\\nc\\u202ed"
        assert len(Console({}).printable("x" * 10_000)) == 300
        assert "AIzaSyA" not in Console({}).printable("key AIzaSyA123456789012345678901234567890")

    def test_pasted_lines_come_one_by_one_and_the_last_needs_no_end(self) -> None:
        reader, writer = os.pipe()
        os.write(writer, b"first\r\n\n  sec")
        os.write(writer, b"ond\nlast")
        os.close(writer)
        taken: list[str] = []
        read_lines(reader, taken.append)
        os.close(reader)
        assert taken == ["first", "second", "last"]


@contextmanager
def process(*arguments: str, cwd: Path, **env: str) -> Iterator[subprocess.Popen[str]]:
    running = subprocess.Popen(
        [sys.executable, str(ROOT / "app.py"), *arguments],
        cwd=cwd,
        env=environment(**env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield running
    finally:
        running.kill()
        running.communicate(timeout=HANG)


def read_until(running: subprocess.Popen[str], words: str) -> str:
    assert running.stdout is not None
    said = ""
    while words not in said:
        more = running.stdout.readline()
        assert more, f"it ended without {words!r}: {said!r}"
        said += more
    return said


class TestAsAProcess:
    def test_a_login_by_device_from_the_command_line(self, server: AuthServer, tmp_path: Path) -> None:
        server.grants.interval = 1
        written(tmp_path, {"acme": seed_keys(server)})
        with process("login", "acme", cwd=tmp_path) as running:
            said = read_until(running, "Ctrl-C stops.")
            [code] = server.grants.user_codes
            assert f"    {code}\n" in said and f"    {server.url}/device\n" in said
            server.approve(code)
            more, errors = running.communicate(timeout=HANG)
        assert (running.returncode, errors) == (0, "")
        assert "Logged in to acme." in more
        stored = json.loads((tmp_path / "tokens.json").read_text())["credentials"]["acme"]
        assert server.check(stored["accessToken"])
        assert_silent_about({stored["accessToken"], stored["refreshToken"], SECRET}, said + more)

    def test_a_login_by_a_pasted_address_from_the_command_line(self, server: AuthServer, tmp_path: Path) -> None:
        written(tmp_path, {"acme": seed_keys(server)})
        with process("login", "acme", "--browser", "--no-browser", cwd=tmp_path) as running:
            said = read_until(running, "Ctrl-C stops.")
            address = re.search(r"^    (http\S+)$", said, re.MULTILINE)
            assert address and running.stdin
            running.stdin.write(f"{redirect_of(address[1])}\n")
            running.stdin.flush()
            assert "Logged in to acme." in read_until(running, "Logged in")
            # standard input is still open: the thread that reads it must not keep the process, or make it fail
            assert running.wait(HANG) == 0
            assert running.stderr is not None and running.stderr.read() == ""

    @posix_only
    @pytest.mark.parametrize("flag", ["--device", "--browser"])
    def test_ctrl_c_leaves_nothing_behind(self, server: AuthServer, tmp_path: Path, flag: str) -> None:
        written(tmp_path, {"acme": seed_keys(server)})
        before = {path.name for path in tmp_path.iterdir()}
        with process("login", "acme", flag, cwd=tmp_path) as running:
            read_until(running, "Ctrl-C stops.")
            running.send_signal(signal.SIGINT)
            _, errors = running.communicate(timeout=HANG)
        assert running.returncode == 1
        assert errors == "Stopped. Not logged in to acme.\n"
        left = {path.name for path in tmp_path.iterdir()} - before
        assert left == {"tokens.json.lock"}, "whose deletion would let two holders in at once"

    @pytest.mark.parametrize("flag", ["--device", pytest.param("--browser", marks=pytest.mark.slow)])
    def test_a_login_that_is_killed_leaves_the_store_as_it_was(
        self, server: AuthServer, tmp_path: Path, flag: str
    ) -> None:
        path = written(tmp_path, {"acme": seed_keys(server)})
        accounts_of(path).store.put("acme", Token(Secret("old")))
        before = (tmp_path / "tokens.json").read_bytes()
        with process("login", "acme", flag, cwd=tmp_path) as running:
            read_until(running, "Ctrl-C stops.")
            running.kill()
            running.wait(HANG)
        assert (tmp_path / "tokens.json").read_bytes() == before

    def test_a_console_that_knows_no_unicode_gets_the_servers_words_too(
        self, server: AuthServer, tmp_path: Path
    ) -> None:
        words = json.dumps({"error": "access_denied", "error_description": "\u2713 \ud55c\uad6d\uc5b4"})
        server.next_device_answers = [Raw(400, JSON, words.encode())]
        written(tmp_path, {"acme": seed_keys(server)})
        with process("login", "acme", cwd=tmp_path, PYTHONIOENCODING="cp1252") as running:
            _, errors = running.communicate(timeout=HANG)
        assert running.returncode == 1
        assert "denied" in errors and "\\u2713" in errors and "Traceback" not in errors
