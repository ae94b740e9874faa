"""Calls of every kind through a whole gateway: the ledger, `usage` and usage.json say the same, and none of what was
said or of a key."""

import json
import signal
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
import requests

from gateway.core.records import CallRecord
from tests.support.reloading import Edited, edited, manual
from tests.support.running import alias, chat, provider, running
from tests.support.served import HANG, Served, run_here, serving
from tests.support.upstream_script import (
    Cut,
    Json,
    Request,
    ScriptedUpstream,
    Sse,
    Stall,
    Step,
    json_answer,
    sse_answer,
    sse_events,
)

PROMPT, ANSWER = "canary-prompt-81c2", "canary-answer-5f60"
KEY, TOKEN = "canary-key-91ab02", "canary-their-key-7730"
VECTOR = {"object": "embedding", "index": 0, "embedding": [0.5]}
USAGE = {"prompt_tokens": 30, "completion_tokens": 12, "total_tokens": 42}
DOWN = Json(503, {"error": {"message": f"{ANSWER} {TOKEN}", "code": "down"}}, {"x-request-id": f"req-{TOKEN}"})


def vendor(request: Request) -> Sequence[Step]:
    """Answers by the model's name."""
    asked = request.json()
    model, stream = asked["model"], asked.get("stream")
    if model == "down":
        return (DOWN,)
    if model == "cut":
        return (Sse(sse_events(f"{ANSWER} and", finish=None)), Cut())
    if model == "slow":
        return (Sse(sse_events(f"{ANSWER} and", finish=None)), Stall())
    if "input" in asked:
        return (
            Json(
                200,
                {"object": "list", "data": [VECTOR], "model": model, "usage": {"prompt_tokens": 7, "total_tokens": 7}},
            ),
        )
    if stream:
        return sse_answer(f"{ANSWER} in words", usage=USAGE)
    return (json_answer(ANSWER, usage=USAGE),)


class Sink:
    """Keeps what a sink gets."""

    def __init__(self) -> None:
        self.records: list[CallRecord] = []

    def take(self, records: list[CallRecord]) -> None:
        self.records += records


def config(up: ScriptedUpstream, **more: object) -> dict[str, object]:
    targets = [alias(name, f"a/{name}", streamRecovery="error") for name in ("fine", "down", "cut", "slow")]
    return {
        "gateway": {"apiKeys": [KEY]},
        "providers": {"a": provider(up.base_url, apiKey=TOKEN)},
        "modelAliases": [*targets, alias("over", "a/down", "a/fine")],
        "prices": [{"provider": "a", "model": "fine", "inputPerMillion": 1, "outputPerMillion": 10}],
        **more,
    }


class Asking:
    """A gateway with a key, asked."""

    def __init__(self, gateway: Edited) -> None:
        self._served = gateway.served
        self.sink = Sink()
        self._served.gateway.runtime.ledger.add_sink(self.sink)

    def ask(self, body: object, path: str = "/v1/chat/completions", key: str = KEY) -> requests.Response:
        return self._served.post(body, path=path, headers={"authorization": f"Bearer {key}"})

    def leave(self, body: object) -> None:
        """Ask for a stream, and go when its first words have come."""
        fields = {"content-type": "application/json", "authorization": f"Bearer {KEY}"}
        address = f"{self._served.url}/v1/chat/completions"
        with requests.Session() as session:
            session.trust_env = False
            with session.post(address, json=body, headers=fields, stream=True, timeout=30) as reply:
                assert any(ANSWER.encode() in line for line in reply.iter_lines())

    def usage(self, query: str = "since=1d") -> dict[str, object]:
        self._served.settle()
        found: dict[str, object] = self._served.get(
            f"/gateway/usage.json?{query}", headers={"authorization": f"Bearer {KEY}"}
        ).json()
        return found


def every_kind(asking: Asking) -> dict[str, tuple[int, str | None]]:
    """Make a call of every kind; the endpoint, status and error of each record to expect, by kind."""
    asking.ask(chat("fine", PROMPT))
    asking.ask(chat("fine", PROMPT, stream=True, stream_options={"include_usage": True}))
    asking.ask(chat("over", PROMPT))
    asking.ask(chat("down", PROMPT))
    asking.ask(chat("cut", PROMPT, stream=True))
    asking.leave(chat("slow", PROMPT, stream=True))
    asking.ask(chat(f"nobody-{PROMPT}", PROMPT))
    asking.ask(chat("a/fine", PROMPT))
    asking.ask({"model": "fine", "messages": PROMPT})
    asking.ask(chat("fine", PROMPT), key="canary-wrong-key-00")
    asking.ask({"model": "fine", "input": PROMPT}, "/v1/embeddings")
    asking.ask({"model": "fine", "input": PROMPT}, "/v1/responses")
    asking.ask({"model": "fine", "max_tokens": 9, "messages": [{"role": "user", "content": PROMPT}]}, "/v1/messages")
    asking.ask({"model": "fine", "messages": [{"role": "user", "content": PROMPT}]}, "/v1/messages/count_tokens")
    return {
        "whole": (200, None),
        "streamed": (200, None),
        "failed over": (200, None),
        "all failed": (503, "down"),
        "broken": (200, "stream_interrupted"),
        "cancelled": (200, "caller_left"),
        "unknown": (404, "model_not_found"),
        "direct": (200, None),
        "no chat": (400, "invalid_request_error"),
        "no key": (401, "invalid_api_key"),
        "embeddings": (200, None),
        "responses": (200, None),
        "messages": (200, None),
    }


@pytest.mark.usefixtures("each_driver")
def test_every_ending_makes_one_record_and_all_say_the_same(up: ScriptedUpstream, tmp_path: Path) -> None:
    up.answers(vendor)
    with edited(tmp_path, config(up)) as gateway:
        asking = Asking(gateway)
        expected = every_kind(asking)
        served = asking.usage()
        records = asking.sink.records
        while_up = run_here("usage", "--since", "1d", "--json", cwd=tmp_path)
    assert sorted((each.status, each.error or "") for each in records) == sorted(
        (status, error or "") for status, error in expected.values()
    )
    assert len({each.request_id for each in records}) == len(expected)
    total = served["total"]
    assert isinstance(total, dict)
    assert (total["calls"], total["failed"]) == (len(expected), 6)
    answered = 6  # whole, streamed, failed over, direct, responses, messages: 30 + 12 tokens each
    assert (total["input"], total["output"]) == (answered * 30 + 7, answered * 12)
    assert (total["cost_usd"], total["unpriced"]) == (pytest.approx((answered * 150 + 7) / 1e6), 2)
    shown = json.loads(run_here("usage", "--since", "1d", "--json", cwd=tmp_path).stdout)
    assert (shown["rows"], shown["total"]) == (served["rows"], total)
    assert json.loads(while_up.stdout)["rows"] == served["rows"]
    by_alias = json.loads(run_here("usage", "--since", "1d", "--by", "alias", "--json", cwd=tmp_path).stdout)
    assert {row["key"]: row["calls"] for row in by_alias["rows"]} == {
        "fine": 5, "over": 1, "down": 1, "cut": 1, "slow": 1, "(direct)": 1, "(unknown)": 3
    }  # fmt: skip


def test_nothing_that_was_said_and_no_key_is_in_any_file(
    up: ScriptedUpstream, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    up.answers(vendor)
    with caplog.at_level("DEBUG", "gateway"), edited(tmp_path, config(up)) as gateway:
        asking = Asking(gateway)
        every_kind(asking)
        asking.usage()
        gateway.path.unlink()
        files = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
        masked = gateway.served.gateway.runtime.masker.mask
    assert {"usage.db", "usage.db-wal"} <= set(files)
    assert len(files["usage.db-wal"]) > 1_000
    for name, content in {**files, "usage.db at the end": (tmp_path / "usage.db").read_bytes()}.items():
        for canary in (ANSWER, KEY, TOKEN, "canary-wrong-key-00"):
            assert canary.encode() not in content, f"{canary} is in {name}"
        assert PROMPT.encode() not in content, f"the prompt is in {name}"
    lines = masked(caplog.text)  # as the log's own handler does
    assert ANSWER not in lines and KEY not in lines and TOKEN not in lines


def test_an_override_counts_from_its_reload_on(up: ScriptedUpstream, tmp_path: Path) -> None:
    up.answers(vendor)
    none = config(up, gateway={}, prices=[])
    with edited(tmp_path, none) as gateway:
        asking = Asking(gateway)
        asking.ask(chat("fine"))
        first = asking.usage("since=1d&by=alias")["rows"]
        gateway.reload(config(up, gateway={}))
        asking.ask(chat("fine"))
        second = asking.usage("since=1d&by=alias")["rows"]
    assert isinstance(first, list) and isinstance(second, list)
    assert (first[0]["cost_usd"], first[0]["unpriced"]) == (None, 1), "unknown is not nothing"
    assert (second[0]["cost_usd"], second[0]["unpriced"]) == (pytest.approx(150 / 1e6), 1), "old rows stay"


def test_a_ledger_that_cannot_be_written_costs_no_call_anything(up: ScriptedUpstream, tmp_path: Path) -> None:
    up.answers(vendor)
    (tmp_path / "usage.db").mkdir()
    with edited(tmp_path, config(up)) as gateway:
        asking = Asking(gateway)
        assert [asking.ask(chat("fine")).status_code for _ in range(3)] == [200] * 3
        ledger = gateway.served.gateway.runtime.ledger
        gateway.served.settle()
        assert ledger.fault is not None
        assert len(asking.sink.records) == 3


def test_where_nothing_is_kept_there_is_nothing_to_show(up: ScriptedUpstream, tmp_path: Path) -> None:
    with edited(tmp_path, config(up, ledger={"enabled": False})) as gateway:
        asking = Asking(gateway)
        asking.ask(chat("fine"))
        assert asking.usage()["error"] == {
            "message": "There is no ledger: ledger.enabled is false.",
            "type": "invalid_request_error",
            "param": None,
            "code": "unknown_url",
        }
        assert len(asking.sink.records) == 1, "whoever adds calls up gets them all the same"
    assert not list(tmp_path.glob("usage.db*"))


def test_without_a_file_the_latest_calls_are_in_memory() -> None:
    with running() as gateway:
        gateway.post(chat("demo"))
        gateway.settle()
        total = gateway.get("/gateway/usage.json").json()["total"]
    assert (total["calls"], total["cost_usd"]) == (1, 0.0)


@pytest.mark.parametrize(("query", "param"), [("since=x", "since"), ("until=9", "until"), ("by=moon", "by")])
def test_a_question_that_nobody_can_answer(query: str, param: str) -> None:
    with running() as gateway:
        refused = gateway.get(f"/gateway/usage.json?{query}")
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)


def test_path_and_enabled_need_a_restart_and_the_bounds_do_not(up: ScriptedUpstream, tmp_path: Path) -> None:
    with edited(tmp_path, config(up, gateway={})) as gateway:
        said = gateway.reload(manual(config(up, gateway={}, ledger={"path": "./other.db", "keepDays": 3})))
    assert (said["needsRestart"], said["changed"]) == (["ledger.path"], ["ledger.keepDays"])


def test_killed_it_goes_on_from_a_whole_file_and_stopped_it_loses_nothing(up: ScriptedUpstream, tmp_path: Path) -> None:
    up.answers(vendor)
    (tmp_path / "config.yaml").write_text(json.dumps(config(up, gateway={})))
    with serving(cwd=tmp_path) as gateway:
        for _ in range(20):
            assert asked(gateway) == 200
    kept = sums(tmp_path)  # the process was killed at its last answer: less than 20 may be there
    with serving(cwd=tmp_path) as gateway:
        for _ in range(3):
            assert asked(gateway) == 200
        if sys.platform != "win32":
            gateway.process.send_signal(signal.SIGTERM)
            gateway.process.communicate(timeout=HANG)
    if sys.platform != "win32":
        assert sums(tmp_path) == kept + 3


def asked(gateway: Served) -> int:
    with closing(gateway.connect()) as connection:
        connection.request(
            "POST", "/v1/chat/completions", json.dumps(chat("fine")), {"content-type": "application/json"}
        )
        reply = connection.getresponse()
        reply.read()
        return reply.status


def sums(folder: Path) -> int:
    """The number of calls in the ledger, whose days say the same."""
    if not (folder / "usage.db").exists():
        return 0
    with closing(sqlite3.connect(folder / "usage.db")) as connection:
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            return 0  # it was killed before the first half second was over
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        columns = "sum(input), sum(output), coalesce(sum(cost), 0)"
        of_calls = connection.execute(f"SELECT count(*), {columns} FROM calls").fetchone()
        assert of_calls == connection.execute(f"SELECT sum(calls), {columns} FROM days").fetchone() or not of_calls[0]
        return int(of_calls[0])
