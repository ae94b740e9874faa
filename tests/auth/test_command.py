"""The command source with real programs: the result is a token or a fault, and no message contains a secret."""

import os
import sys
import threading
from pathlib import Path

import pytest

from gateway.auth.command import MAX_OUTPUT, SHOWN, CommandTokens, parse_output
from gateway.auth.sources import CommandSource, SourceFailed
from gateway.auth.tokens.token import Token
from gateway.core.secrets import Secret
from gateway.observe.masking import Masker
from tests.support.fakes import FakeClock

NOW = 1_767_225_600.0
LONG = 30.0  # seconds; only a hang takes so long
KEY = "sk-canary-0123456789abcdef"


def tokens(*argv: str, time_limit: float = LONG, path: str | None = None) -> CommandTokens:
    environ = dict(os.environ) if path is None else {**os.environ, "PATH": path}
    source = CommandSource(argv)
    return CommandTokens("acme", source, environ, FakeClock(NOW), mask=Masker().mask, time_limit=time_limit)


def python(code: str, *words: str, time_limit: float = LONG) -> Token:
    return tokens(sys.executable, "-c", code, *words, time_limit=time_limit).token()


def fault(code: str, time_limit: float = LONG) -> str:
    with pytest.raises(SourceFailed) as caught:
        python(code, time_limit=time_limit)
    return str(caught.value)


# What it prints ----------------------------------------------------------------------------------------------------


def test_a_program_prints_a_token() -> None:
    token = python("print('ya29.a')")
    assert token == Token(Secret("ya29.a"))


def test_a_program_prints_json() -> None:
    token = python("import json; print(json.dumps({'token': 'a', 'expires_in': 60, 'refresh_token': 'r'}))")
    assert token == Token(Secret("a"), None, NOW + 60)


def test_words_are_not_code() -> None:
    words = ("$HOME", "`id`", "a;b", "&&", "'", "%PATH%", "*")
    assert python("import sys; print('|'.join(sys.argv[1:]))", *words).access_token.reveal() == "|".join(words)


def test_its_environment_is_ours_and_it_reads_nothing() -> None:
    code = "import os, sys; print(sys.stdin.read() + os.environ['MARK'])"
    environ = {**os.environ, "MARK": "here"}
    source = CommandSource((sys.executable, "-c", code))
    found = CommandTokens("acme", source, environ, FakeClock(NOW), mask=str).token()
    assert found.access_token.reveal() == "here"


@pytest.mark.parametrize(
    ("output", "access", "expires"),
    [
        (b"a\n", "a", None),
        (b"\r\n a \r\n", "a", None),
        (b"\xef\xbb\xbfa", "a", None),
        (b'"a"', "a", None),
        (b"12345", "12345", None),
        (b'{"accessToken": "a", "expiresAt": "2026-01-01T00:00:00Z"}', "a", NOW),
        (b'{"access_token": "a", "expires_in": 60}', "a", NOW + 60),
        (b'{"access_token": "a", "expires_in": "60"}', "a", NOW + 60),
        # az account get-access-token: expiresOn is local time, without any mark of that
        (b'{"accessToken": "a", "expiresOn": "2026-01-01 09:00:00.000000", "expires_on": 1767225600}', "a", NOW),
        # client.authentication.k8s.io
        (b'{"status": {"token": "a", "expirationTimestamp": "2026-01-01T00:00:00Z"}}', "a", NOW),
        (b'{"status": {"token": "a"}, "token": "b"}', "b", None),
        (b'{"token": "a", "expiry": "2026-01-01T00:00:00Z"}', "a", NOW),
    ],
)
def test_the_token_is_found_in(output: bytes, access: str, expires: float | None) -> None:
    assert parse_output(output, NOW) == Token(Secret(access), None, expires)


@pytest.mark.parametrize(
    "output",
    [
        b"",
        b" \n",
        b"two words",
        b"two\nlines",
        b"{}",
        b"[]",
        b"null",
        b"true",
        b"1.5",
        b'{"token": 1}',
        b"\xff\xfe",
        b"{",
        b'{"token":"a"',
        b'"a',
    ],
)
def test_what_is_no_token(output: bytes) -> None:
    assert parse_output(output, NOW) is None


def test_no_token_is_told_without_what_was_printed() -> None:
    assert fault(f"print('sorry, {KEY} is')").endswith("printed no token.")
    assert fault("pass").endswith("printed no token.")


# What goes wrong ---------------------------------------------------------------------------------------------------


def test_a_program_that_fails_is_told_with_its_last_line() -> None:
    message = fault("import sys; print('first\\nlast', file=sys.stderr); print('a-token'); sys.exit(3)")
    assert message.endswith(") failed (exit code 3): last")
    assert message.startswith("The command for acme (")


def test_no_secret_control_character_or_novel_gets_into_the_message() -> None:
    message = fault(f"import sys; sys.exit('\\x1b[31m {KEY} \\x07' + 'x' * 1000)")
    assert KEY not in message
    assert message.isprintable()
    assert len(message) < SHOWN + 100


def test_no_argument_gets_into_the_message() -> None:
    with pytest.raises(SourceFailed) as caught:
        tokens(sys.executable, "-c", "import sys; sys.exit(1)", KEY).token()
    assert str(caught.value).endswith("failed (exit code 1).")


def test_a_program_that_is_not_there_is_told() -> None:
    with pytest.raises(SourceFailed, match=r"^The command for acme \(no-such-program\) was not found\.$"):
        tokens("no-such-program").token()
    with pytest.raises(SourceFailed, match="was not found"):
        tokens("python3", path="").token()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows asks a file's extension, not its content")
def test_a_file_that_cannot_be_run_is_told(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"\x00 no program")
    program.chmod(0o755)
    with pytest.raises(SourceFailed, match="could not be run"):
        tokens(str(program)).token()


def test_a_nul_in_an_argument_is_told() -> None:
    with pytest.raises(SourceFailed, match="could not be run"):
        tokens(sys.executable, "a\0b").token()


def test_a_program_that_prints_without_end_is_stopped() -> None:
    endless = "import sys\nwhile True: sys.stdout.write('x' * 4096)"
    assert fault(endless).endswith(f"printed over {MAX_OUTPUT >> 10} KiB.")


def test_a_program_may_say_much_on_standard_error() -> None:
    assert python("import sys; sys.stderr.write('x\\n' * 200000); print('a')").access_token.reveal() == "a"


def test_a_program_that_does_not_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.auth.command._GRACE", 0.5)
    assert "did not end within 0.2 s" in fault("import time; time.sleep(600)", time_limit=0.2)
    closed = "import os, time; os.close(1); time.sleep(600)"
    assert "did not end within" in fault(closed, time_limit=0.2)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no process groups that can be ended")
def test_what_the_program_has_started_is_stopped_too() -> None:
    before = set(threading.enumerate())
    child = "import time; time.sleep(600)"
    parent = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {child!r}])"
    assert "what it started has not" in fault(parent, time_limit=1.0)
    for thread in set(threading.enumerate()) - before:
        thread.join(LONG)
        assert not thread.is_alive()


def test_no_repr_shows_the_token() -> None:
    shown = tokens(sys.executable, "-c", f"print('{KEY}')")
    assert KEY not in f"{shown!r} {shown.token()!r}"
