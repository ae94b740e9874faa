"""Log lines: one for each call, pretty or JSON, without secrets, and not to be forged by a text from outside."""

import io
import json
import logging
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.core.records import CallRecord
from gateway.core.secrets import Secret
from gateway.observe.log_format import CallLine, JsonFormatter, PrettyFormatter, pretty
from gateway.observe.logs import CallLog, LogHandler, set_up
from gateway.observe.masking import MAX_ADDED, Masker

FORMS: tuple[Literal["pretty", "json"], ...] = ("pretty", "json")
CANARY = Secret("canary-7f3a-not-a-shape")
LINE = CallRecord(
    at=1e9,
    request_id="req_1",
    asked="best",
    alias="best",
    provider="openai",
    model="gpt-4",
    answered=True,
    attempts="openai/gpt-4=200",
    status=200,
    error=None,
    streamed=False,
    queue_ms=0,
    first_ms=312,
    total_ms=2150,
    input=12,
    output=340,
    endpoint="chat",
)
HOSTILE = "m\r\n12:00:00 INFO    req_9 forged\x1b[2J\x9b31m\u2028\u2029\x00\t\x7f"


@contextmanager
def logging_to(
    form: Literal["pretty", "json"], *secrets: Secret | Masker, level: str = "debug"
) -> Iterator[io.StringIO]:
    """The gateway's log as text; what was set before is put back."""
    root, own = logging.getLogger(), logging.getLogger("gateway")
    before = (root.level, own.level)
    text = io.StringIO()
    masker = next((each for each in secrets if isinstance(each, Masker)), None)
    handler = set_up(level, form, masker or [each for each in secrets if isinstance(each, Secret)], text)
    try:
        yield text
    finally:
        root.removeHandler(handler)
        root.setLevel(before[0])
        own.setLevel(before[1])


@contextmanager
def alone() -> Iterator[None]:
    """Nobody but the gateway's own handler listens, not even pytest."""
    root = logging.getLogger()
    others = [each for each in root.handlers if not isinstance(each, LogHandler)]
    for each in others:
        root.removeHandler(each)
    try:
        yield
    finally:
        for each in others:
            root.addHandler(each)


def lines(text: io.StringIO) -> list[str]:
    written = text.getvalue()
    assert written == "" or written.endswith("\n")
    return written[:-1].split("\n") if written else []


def strict(line: str) -> dict[str, object]:
    """One JSON object, as a strict reader sees it."""

    def refuse(constant: str) -> object:
        raise AssertionError(f"{constant} is not JSON")

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    value = json.loads(line.encode("utf-8").decode("utf-8"), parse_constant=refuse, object_pairs_hook=once)
    assert isinstance(value, dict)
    return value


# A line a call -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (LINE, "req_1 best -> openai/gpt-4 200 first 312 ms, total 2150 ms, tokens 12+340"),
        (
            replace(LINE, streamed=True),
            "req_1 best -> openai/gpt-4 200 stream first 312 ms, total 2150 ms, tokens 12+340",
        ),
        (
            replace(LINE, attempts="a/m=503,openai/gpt-4=200", queue_ms=40, input=None, output=None),
            "req_1 best -> openai/gpt-4 200 (a/m=503,openai/gpt-4=200) queued 40 ms, first 312 ms, total 2150 ms",
        ),
        (
            replace(
                LINE,
                answered=False,
                attempts="a/m=503",
                status=503,
                error="provider_unavailable",
                first_ms=None,
                input=None,
                output=None,
            ),
            "req_1 best -> nobody 503 [provider_unavailable] (a/m=503) total 2150 ms",
        ),
        (
            replace(LINE, dropped=("seed", "top_k"), skipped_events=2),
            (
                "req_1 best -> openai/gpt-4 200 first 312 ms, total 2150 ms, tokens 12+340, dropped seed top_k,"
                " 2 unreadable events skipped"
            ),
        ),
        (
            replace(
                LINE, asked="", answered=False, attempts="", status=400, error="invalid_request_error", first_ms=None
            ),
            "req_1 - -> nobody 400 [invalid_request_error] total 2150 ms, tokens 12+340",
        ),
    ],
    ids=["whole", "streamed", "failed-over", "failed", "dropped", "never-read"],
)
def test_a_call_in_words(line: CallRecord, text: str) -> None:
    assert pretty(CallLine.of(line)) == text
    with logging_to("pretty") as log:
        CallLog().finished(line)
    (written,) = lines(log)
    assert written.endswith(text)
    assert written[2] == written[5] == ":"


def test_a_call_as_json_has_every_field() -> None:
    with logging_to("json") as log:
        CallLog().finished(replace(LINE, dropped=("seed",)))
    (written,) = lines(log)
    fields = strict(written)
    assert fields.pop("time")
    assert fields.pop("level") == "info"
    assert fields.pop("event") == "call"
    assert fields.pop("dropped") == ["seed"]
    assert fields.pop("target") == "openai/gpt-4"
    assert fields.pop("error") is None
    assert fields.pop("streamed") is False
    assert set(fields) == {
        *("request_id", "model", "attempts", "status", "queue_ms", "first_ms", "total_ms"),
        *("prompt_tokens", "completion_tokens", "skipped_events"),
    }


@pytest.mark.parametrize(
    ("status", "error", "level"),
    [(200, None, "info"), (200, "stream_interrupted", "warning"), (404, "x", "warning"), (503, "x", "error")],
)
def test_the_level_follows_the_outcome(status: int, error: str | None, level: str) -> None:
    with logging_to("json") as log:
        CallLog().finished(replace(LINE, status=status, error=error))
    assert strict(lines(log)[0])["level"] == level


@pytest.mark.parametrize("form", FORMS)
def test_a_call_is_told_alike_whether_or_not_others_listen(form: Literal["pretty", "json"]) -> None:
    line = replace(LINE, asked="b\u00e9st \u2028", error=f"{CANARY.reveal()}x", dropped=("seed",))
    others = logging.StreamHandler(io.StringIO())
    with logging_to(form, CANARY) as log:
        with alone():
            CallLog().finished(line)
        logging.getLogger("gateway").addHandler(others)
        try:
            CallLog().finished(line)
        finally:
            logging.getLogger("gateway").removeHandler(others)
    by_itself, beside = (re.sub(r"\d\d:\d\d:\d\d(\.\d+)?", "now", each) for each in lines(log))
    assert by_itself == beside
    assert others.stream.getvalue() == "call\n"


def test_a_call_as_json_is_compact_json_of_its_fields() -> None:
    with logging_to("json") as log:
        CallLog().finished(LINE)
    (text,) = lines(log)
    fields = strict(text)
    assert text == json.dumps(fields, separators=(",", ":"))
    shown = [name for name in CallLine.__struct_fields__ if name not in ("endpoint", "mended", "learned", "client")]
    assert list(fields) == ["time", "level", "event", *shown], "a chat's endpoint is left out, and a count of nothing"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", str(fields["time"]))


@given(st.floats(0, 4e9), st.floats(0, 4e9))
def test_a_line_tells_its_own_time_whatever_was_told_before(earlier: float, later: float) -> None:
    form = JsonFormatter(Masker())
    for created in (earlier, later, earlier):
        when = datetime.fromtimestamp(created, UTC).isoformat(timespec="milliseconds")
        assert strict(form.call("INFO", created, LINE))["time"] == when


def test_a_log_that_cannot_be_written_ends_nobodys_call(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to("pretty") as log:
        log.close()
        CallLog().finished(LINE)
    assert "closed file" in capsys.readouterr().err


def test_a_console_that_knows_few_letters_is_written_to_all_the_same() -> None:
    raw = io.BytesIO()
    console = io.TextIOWrapper(raw, encoding="cp1252", errors="backslashreplace", newline="\n")
    handler = set_up("info", "json", [], console)
    try:
        CallLog().finished(replace(LINE, asked="\uac00\u00e9"))
    finally:
        logging.getLogger().removeHandler(handler)
    assert b'"model":"\\uac00\xe9"' in raw.getvalue()


def test_lines_below_the_level_are_not_written() -> None:
    with logging_to("pretty", level="warning") as log:
        CallLog().finished(LINE)
        CallLog().finished(replace(LINE, error="x"))
    assert len(lines(log)) == 1


def test_libraries_are_heard_from_warning_on() -> None:
    with logging_to("pretty", level="debug") as log:
        logging.getLogger("urllib3.connectionpool").debug("POST /v1?key=secret")
        logging.getLogger("urllib3.connectionpool").info("Starting new connection")
        logging.getLogger("urllib3.connectionpool").warning("pool is full")
    assert [line.endswith("pool is full") for line in lines(log)] == [True]


def test_setting_up_again_replaces_the_earlier_one() -> None:
    with logging_to("pretty") as first, logging_to("json") as second:
        CallLog().finished(LINE)
    assert (len(lines(first)), len(lines(second))) == (0, 1)


def test_a_line_for_people_leaves_the_record_as_it_is_for_other_handlers() -> None:
    record = logging.makeLogRecord({"msg": "call", "call": LINE})
    PrettyFormatter(Masker()).format(record)
    assert strict(JsonFormatter(Masker()).format(record))["event"] == "call"


# Secrets -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_masked_in_message_arguments_and_traceback(form: Literal["pretty", "json"]) -> None:
    logger = logging.getLogger("gateway.test")
    secret = CANARY.reveal()
    with logging_to(form, CANARY) as log:
        logger.warning("begin " + secret + " end")  # noqa: G003 - whatever way it takes into a message
        logger.warning("%s and %r and %s", secret, {"key": secret}, Exception(secret))
        try:
            raise ValueError(f"bad header: Bearer {secret}")
        except ValueError:
            logger.exception("it failed")
        CallLog().finished(
            replace(LINE, asked=secret, provider="p", model=secret, error=secret, attempts=f"p/{secret}=200")
        )
    assert secret not in log.getvalue()
    assert log.getvalue().count("***") >= 6
    assert "ValueError" in log.getvalue() and "bad header: Bearer ***" not in log.getvalue()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "value", ['quo"te\\back', "ünïcödé-key", "tab\tinside-it", "a/b+c=d&e f", "it's-a-key", "emoji-🔑-key"]
)
def test_a_secret_is_masked_however_it_is_written(form: Literal["pretty", "json"], value: str) -> None:
    with logging_to(form, Secret(value)) as log:
        logging.getLogger("gateway.test").warning("%s", value)
        logging.getLogger("gateway.test").warning("%r", value)
        logging.getLogger("gateway.test").warning("body %s", json.dumps({"k": value}, ensure_ascii=False))
    for line in lines(log):
        assert "***" in line
        middle = value[2:-2]
        assert middle not in line
        assert json.dumps(middle, ensure_ascii=False)[1:-1] not in line
    assert form == "pretty" or all(strict(line) for line in lines(log))


@given(st.lists(st.text(min_size=6), min_size=1, max_size=3), st.text(max_size=20), st.text(max_size=20))
def test_no_secret_of_six_characters_passes_the_masker(values: list[str], before: str, after: str) -> None:
    masked = Masker(Secret(value) for value in values).mask(before + values[0] + after)
    assert values[0] not in masked or values[0] in "***" or values[0] in before + "***" + after


def test_a_secret_that_is_part_of_another_leaves_nothing_of_the_longer() -> None:
    masker = Masker([Secret("abcdef"), Secret("abcdef-and-more")])
    assert masker.mask("x abcdef-and-more y") == "x *** y"


def test_a_secret_that_is_learned_is_masked_from_then_on() -> None:
    masker = Masker([Secret("known-before")])
    text = "known-before a/new+token"
    assert masker.mask(text) == "*** a/new+token"
    for _ in range(2):
        masker.add(Secret("a/new+token"))
    masker.add(Secret("known-before"))
    assert masker.mask(text) == "*** ***"
    assert masker.mask("a%2Fnew%2Btoken") == "***"


def test_of_the_learned_secrets_the_oldest_are_forgotten_and_the_given_ones_never() -> None:
    masker = Masker([Secret("known-before")])
    for number in range(MAX_ADDED + 1):
        masker.add(Secret(f"token-{number:04}"))
    assert masker.mask("known-before token-0000 token-0001") == "*** token-0000 ***"


def test_threads_may_learn_while_others_mask() -> None:
    masker = Masker()

    def work(number: int) -> str:
        masker.add(Secret(f"token-{number:04}"))
        return masker.mask(f"token-{number:04}")

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(work, range(MAX_ADDED), timeout=30)) == {"***"}


def test_lines_are_masked_by_a_masker_that_goes_on_learning() -> None:
    masker = Masker()
    with logging_to("pretty", masker) as log:
        masker.add(Secret("late-token"))
        logging.getLogger("gateway.auth").info("has late-token")
    assert "has ***" in log.getvalue()


def test_a_value_of_a_few_characters_does_not_blacken_words() -> None:
    assert Masker([Secret(""), Secret("a"), Secret("model")]).mask("a model") == "a model"


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdefghijklmnopqrstuvwx",
        "sk-ant-api03-abcdefghijklmnop_qrst",
        "gsk_abcdefghijklmnopqrst",
        "xai-abcdefghijklmnopqrst",
        "AIzaSyA1234567890abcdefghijklmnopqrstu",
        "ya29.a0AfH6SMBx-abc_def.ghi",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln-bmF0_dXJl",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    ],
)
@pytest.mark.parametrize("form", FORMS)
def test_what_looks_like_a_key_is_masked_unknown_as_it_is(form: Literal["pretty", "json"], secret: str) -> None:
    with logging_to(form) as log:
        logging.getLogger("gateway.test").warning("the key '%s' (https://x/?key=%s)", secret, secret)
    assert secret not in log.getvalue()
    assert secret[-10:] not in log.getvalue()
    assert "***" in log.getvalue()


def test_a_mask_does_not_break_json() -> None:
    with logging_to("json", Secret('":"info","'), Secret("status"), Secret("total_ms")) as log:
        CallLog().finished(LINE)
    fields = strict(lines(log)[0])
    assert (fields["level"], fields["status"], fields["total_ms"]) == ("info", 200, 2150)


# Text from outside ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_nobody_forges_a_line(form: Literal["pretty", "json"]) -> None:
    with logging_to(form) as log:
        CallLog().finished(replace(LINE, asked=HOSTILE, provider="p", model=HOSTILE, error=HOSTILE))
        logging.getLogger("gateway.test").warning("said %s", HOSTILE)
    written = lines(log)
    assert len(written) == 2
    assert log.getvalue().splitlines() == written, "for no reader of lines"
    for line in written:
        assert line.isprintable()


def test_a_traceback_in_words_cannot_begin_a_line_of_its_own() -> None:
    with logging_to("pretty") as log:
        try:
            raise ValueError(f"x {HOSTILE}")
        except ValueError:
            logging.getLogger("gateway.test").exception("it failed")
    first, *rest = lines(log)
    assert first.endswith("it failed")
    assert rest
    assert all(line.startswith("    ") for line in rest)


def test_a_name_in_words_is_cut_short() -> None:
    assert len(pretty(CallLine.of(replace(LINE, asked="m" * 100_000, error="e" * 100_000)))) < 700


@given(st.text(), st.text(), st.text())
def test_a_call_as_json_is_always_one_strict_line(model: str, target: str, error: str) -> None:
    record = logging.makeLogRecord({"msg": "%s", "args": (error,)})
    record.call = replace(LINE, asked=model, provider=target, error=error)
    text = JsonFormatter(Masker([CANARY])).format(record)
    assert text.splitlines() == [text]
    fields = strict(text)
    if model.isprintable() and Masker().mask(model) == model:
        assert fields["model"] == model


@given(st.text(), st.text())
def test_a_call_in_words_is_always_one_line(model: str, error: str) -> None:
    record = logging.makeLogRecord({"msg": "call"})
    record.call = replace(LINE, asked=model, provider=model, error=error)
    text = PrettyFormatter(Masker()).format(record)
    assert text.splitlines() == [text]


@pytest.mark.parametrize("form", FORMS)
def test_a_traceback_says_where_and_what_and_not_what_the_exceptions_say(form: Literal["pretty", "json"]) -> None:
    """A fault of ours quotes what it stumbled over, and that may be a prompt."""
    prompt = "my private prompt"
    logger = logging.getLogger("gateway.test")
    with logging_to(form) as log:
        try:
            try:
                dict[str, str]()[prompt]
            except KeyError as fault:
                raise OSError(28, "No space left on device", prompt) from fault
        except OSError as fault:
            fault.__context__ = fault  # a chain may be a circle
            record = logger.makeRecord("x", logging.ERROR, "x", 1, "it failed", (), sys.exc_info())
            record.exc_text = f"as another handler has formatted it: {prompt}"
            logger.handle(record)
    told = log.getvalue()
    assert str(record.exc_text).endswith(prompt), "that handler's text stays"
    assert prompt not in told.replace("\\", "")
    assert "KeyError" in told and "OSError: No space left on device" in told and "test_logs.py" in told


def test_a_traceback_as_json_is_a_field() -> None:
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        record = logging.makeLogRecord({"msg": "it failed", "exc_info": sys.exc_info()})
    fields = strict(JsonFormatter(Masker()).format(record))
    assert "ValueError" in str(fields["traceback"])


def test_what_was_mended_in_an_answer_is_told() -> None:
    mended = replace(LINE, mended=2)
    for form in ("pretty", "json"):
        with logging_to(form) as log:
            CallLog().finished(mended)
        (text,) = lines(log)
        assert ("2 things mended" if form == "pretty" else '"mended":2') in text
