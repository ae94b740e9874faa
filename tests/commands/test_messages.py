"""Messages that have a way on: a table of situations, what is said in them, and the command or setting it names."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands.situations import (
    HALF,
    UTF16,
    Machine,
    asked_for,
    checked,
    expired_in_a_read_only_store,
    greeted_with_nobody,
    homeless,
    login_that_could_not_be_kept,
    nobody_configured,
    odd_key_without_a_file,
    refused_key,
    refused_token,
    share_without_flushing,
    share_without_locks,
    slow_reader,
    started_with_a_read_only_store,
    stopped_process_with_the_lock,
    store_mounted_alone,
    store_with,
    token_file_with,
    token_not_written,
    watched_file_with,
    with_aliases,
    without_a_file,
)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Machine:
    return Machine(tmp_path, monkeypatch, caplog)


TABLE: list[tuple[str, Callable[[Machine], str], str, str]] = [
    ("a reader of the log that pauses", slow_reader, "log lines dropped", "the reader of the log was too slow"),
    ("a renewed token that is not written", token_not_written, "is used but not written yet", "auth.tokenStorePath"),
    ("the same in the log", token_not_written, "is lost if the gateway ends now", "auth.tokenStorePath"),
    ("tokens.json mounted alone", store_mounted_alone, "written in place", "mount its folder"),
    ("a share without locks", share_without_locks, "has no file locks", "only one gateway at a time"),
    ("a share without fsync", share_without_flushing, "cannot flush files", "a power failure"),
    ("a read-only store, status", expired_in_a_read_only_store, "cannot be renewed here", "auth.tokenStorePath"),
    ("a read-only store, greeting", started_with_a_read_only_store, "cannot be renewed here", "auth.tokenStorePath"),
    ("login that cannot keep its token", login_that_could_not_be_kept, "could not be kept", "auth.tokenStorePath"),
    ("a stopped process with the lock", stopped_process_with_the_lock, "held by another process", "End that process"),
    (
        "a provider's 401 for apiKey",
        refused_key({"apiKey": "k-0123"}, {}),
        "p refused its key (providers.p.apiKey): Incorrect API key provided.",
        "providers.p.apiKey",
    ),
    (
        "a provider's 401 for apiKeyEnv",
        refused_key({"apiKeyEnv": "MY_KEY"}, {"MY_KEY": "k-0123"}),
        "p refused its key",
        "the variable MY_KEY",
    ),
    ("a provider's 401 without a key", refused_key({}, {}), "p refused a call without a key", "providers.p.apiKey"),
    ("a provider's 401 for a login", refused_token, "p refused its token", "python app.py login p"),
    ("tokens.json in UTF-16", store_with(UTF16), "tokens.json cannot be used: it is UTF-16", "save it as UTF-8"),
    ("half a tokens.json", store_with(HALF), "tokens.json cannot be used: the text ends", "python app.py login acme"),
    ("a watched file in UTF-16", watched_file_with(UTF16, "status"), "it is UTF-16", "auth.watchFiles"),
    ("half a watched file", watched_file_with(HALF, "status"), "the text ends too early", "auth.watchFiles"),
    ("a watched file that is missing", watched_file_with(None, "status"), "there is no such file", "auth.watchFiles"),
    ("the same at check", watched_file_with(None, "check"), "there is no such file", "auth.watchFiles[0]"),
    (
        "a watched file that is good",
        watched_file_with(b'{"acme": {"accessToken": "t"}}', "status"),
        "other.json: tokens for acme",
        "watched: ",
    ),
    ("a token file in UTF-16", token_file_with(UTF16), "other.json cannot be used: it is UTF-16", "save it as UTF-8"),
    ("half a token file", token_file_with(HALF), "the text ends too early", "log in with the tool that keeps the file"),
    ("a token file that is missing", token_file_with(None), "there is no such file", "log in with the tool"),
    ("explain without a file", without_a_file("explain", "nope"), "no configuration file", "config.example.yaml"),
    ("login without a file", without_a_file("login", "acme"), "no configuration file", "python app.py login acme"),
    ("the same, how to get one", without_a_file("login", "acme"), "config.example.yaml", "`python app.py init`"),
    (
        "a file that is not there, check",
        without_a_file("check", "-c", "my.yaml"),
        "my.yaml: cannot be read: No such file",
        'python app.py init -c "my.yaml"; or copy config.example.yaml',
    ),
    ("the same, login", without_a_file("login", "acme", "-c", "my.yaml"), "No such file", 'init -c "my.yaml"'),
    ("explain of an unknown name", with_aliases("explain", "내-모텔"), "Did you mean `내-모델`?", "PROVIDER/MODEL"),
    ("login to an unknown provider", with_aliases("login", "b"), "has no provider of this name", "Its providers: a"),
    ("a call to a name in Korean", asked_for("모델-✓"), "The model `모델-✓` does not exist", "GET /v1/models"),
    ("a name that turns the text", without_a_file("explain", "a\u202eb"), "`a\\u202eb`", "config.example.yaml"),
    (
        "a call to a vendor that is not configured",
        asked_for("openai/gpt-4o"),
        "`openai` is not among the enabled providers of the configuration",
        "GET /v1/models",
    ),
    ("$NAME", checked("apiKey: $OPENAI_API_KEY"), "another tool's way", "${OPENAI_API_KEY}"),
    ("os.environ/NAME", checked("apiKey: os.environ/OPENAI_API_KEY"), "another tool's way", "${OPENAI_API_KEY}"),
    ("%NAME%", checked("apiKey: '%OPENAI_API_KEY%'"), "another tool's way", "${OPENAI_API_KEY}"),
    ("Bearer KEY", checked("apiKey: Bearer k"), "such as Bearer", "providers.openai.apiKey"),
    ("a key with its quotes", checked("apiKey: '${K}'", K='"abcdefgh"'), "with quotes", "environment variable K "),
    ("a key with a space", checked("apiKey: '${K}'", K="abc defgh"), "has a space", "environment variable K "),
    ("a vendor's variable with quotes", checked("", OPENAI_API_KEY="'abcdefgh'"), "with quotes", "OPENAI_API_KEY"),
    ("the same without a file", odd_key_without_a_file, "with quotes: take them out; openai is left", "OPENAI_API_KEY"),
    ("a variable that is not set", checked("apiKey: '${OPENAI_KEY}'"), "OPENAI_KEY is not set", "`enabled: false`"),
    ("~ without a home folder", homeless, "none is known here", "set HOME"),
    ("nobody configured, check", nobody_configured, "no provider is enabled, so every call will fail", "providers"),
    ("nobody configured, greeting", greeted_with_nobody, "Warning: config.yaml", "add one under providers"),
]


@pytest.mark.parametrize(("said", "text", "names"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_a_message_has_a_way_on(machine: Machine, said: Callable[[Machine], str], text: str, names: str) -> None:
    message = said(machine)
    assert text in message
    assert names in message
    assert "defgh" not in message, "a key is never quoted"
    assert "Traceback" not in message
