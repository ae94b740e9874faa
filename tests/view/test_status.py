"""status.json and calls.json of a running gateway: what they say is what the other ways of asking say."""

import logging
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.core.clock import SystemClock
from gateway.server.calls_json import Calls
from gateway.server.status_json import MAX_ACCOUNTS, MAX_MODELS, MAX_STATUS, MAX_TARGETS, Need, Status, TargetNow
from tests.support.edge import until
from tests.support.fakes import FakeClock
from tests.support.reloading import KEY, Stream, config, edited
from tests.support.running import Running, alias, chat, provider, running
from tests.support.upstream_script import Json, ScriptedUpstream, json_answer, sse_answer

LEFT = {
    "x-ratelimit-limit-tokens": "1000",
    "x-ratelimit-remaining-tokens": "250",
    "x-ratelimit-reset-tokens": "6m0s",
}
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
PROMPT, SAID = "canary prompt 3605551275", "canary answer 3872983346"
CANARIES = ("3605551275", "3872983346", "0123456789", "canary")


def status_of(gateway: Running) -> Status:
    """What it says when all calls are over."""
    gateway.settle()
    return status_now(gateway)


def status_now(gateway: Running) -> Status:
    """What it says, read as strictly as it is defined."""
    reply = gateway.get("/gateway/status.json")
    assert reply.status_code == 200 and reply.headers["cache-control"] == "no-store", reply.text
    decoded = msgspec.json.decode(reply.content, type=Status)
    assert msgspec.json.decode(msgspec.json.encode(decoded)) == reply.json()
    return decoded


def calls_of(gateway: Running, query: str = "") -> Calls:
    gateway.settle()
    reply = gateway.get(f"/gateway/calls.json{query}")
    assert reply.status_code == 200, reply.text
    return msgspec.json.decode(reply.content, type=Calls)


def needs_of(status: Status) -> Mapping[str, Need]:
    return {need.kind: need for need in status.needs}


def targets_of(status: Status, name: str = "best") -> tuple[TargetNow, ...]:
    [model] = [each for each in status.models if each.name == name]
    return model.targets


class TestCalls:
    def test_every_kind_of_call_is_counted_as_everywhere_else(self) -> None:
        """A whole answer, a stream, failover, a failure, a refusal, an unknown model."""
        both: dict[str, object] = {
            "providers": {},
            "modelAliases": [alias("best", "acme/m", "other/m"), alias("alone", "acme/m")],
        }
        with ScriptedUpstream() as up, ScriptedUpstream() as other:
            both["providers"] = {
                "acme": provider(up.base_url, apiKey=KEY),
                "other": provider(other.base_url, apiKey=KEY),
            }
            with running(both) as gateway:
                up.plays(json_answer("x", usage=USAGE))
                gateway.post(chat("best"))
                up.plays(*sse_answer("one two", usage=USAGE))
                gateway.post(chat("best", stream=True))
                up.plays(Json(400, {"error": {"message": "no"}}))
                gateway.post(chat("alone"))
                up.plays(Json(500, {}))
                up.plays(Json(500, {}))
                other.plays(json_answer("y", usage=USAGE))
                gateway.post(chat("best"))
                gateway.post(chat("nobody"))
                gateway.post(b"{")
                status, calls = status_of(gateway), calls_of(gateway)
                usage = gateway.get("/gateway/usage.json?by=model").json()["total"]
                metrics = list(text_string_to_metric_families(gateway.get("/metrics").text))
        assert [call.outcome for call in calls.calls] == [
            "refused", "refused", "answered", "refused", "answered", "answered",
        ]  # fmt: skip
        assert calls.last_call == status.last_call == len(calls.calls) == usage["calls"]
        assert [try_.outcome for try_ in calls.calls[2].tries] == ["500", "500", "200"]
        series, today = status.series, (status.days or ())[-1]
        assert sum(series.answered) == 3 and sum(series.refused) == 3 and sum(series.failed) == 0
        assert sum(series.input) == usage["input"] == 33
        assert sum(series.output) == usage["output"] == 21
        assert (today.calls, today.failed, today.unpriced) == (usage["calls"], usage["failed"], usage["unpriced"])
        counted = {family.name: sum(sample.value for sample in family.samples) for family in metrics}
        assert counted["llm_gateway_requests"] == usage["calls"]
        assert all(call.cost_usd is None and call.cost_source == "unknown" for call in calls.calls if call.input)

    def test_only_new_calls_are_asked_for(self) -> None:
        with running() as gateway:
            for _ in range(3):
                gateway.post(chat("demo"))
            first = calls_of(gateway, "?limit=2")
            assert [call.id for call in first.calls] == [3, 2]
            assert calls_of(gateway, f"?after={first.last_call}").calls == ()
            gateway.post(chat("demo"))
            assert [call.id for call in calls_of(gateway, "?after=3&limit=50").calls] == [4]
            assert first.started_at == status_of(gateway).started_at

    @pytest.mark.parametrize("query", ["?after=x", "?after=-1", "?limit=1.5", "?limit=", "?after=" + "9" * 30])
    def test_a_number_that_is_none_is_refused(self, query: str) -> None:
        with running() as gateway:
            assert gateway.get(f"/gateway/calls.json{query}").status_code == 400

    def test_a_first_run_is_known_as_one(self) -> None:
        with running() as gateway:
            status = status_of(gateway)
            assert status.first_run and status.ledger.state == "memory" and status.configuration.path is None
            assert status.base_url == f"{gateway.url}/v1"
            gateway.post(chat("demo"))
            assert not status_of(gateway).first_run


class TestTargets:
    def test_they_stand_in_the_order_in_which_explain_has_them(self) -> None:
        clock = FakeClock()
        with ScriptedUpstream() as up, ScriptedUpstream() as other:
            served = config(up)
            providers = {
                "acme": provider(up.base_url, apiKey=KEY),
                "other": provider(other.base_url, apiKey=KEY),
                "poor": provider(up.base_url, apiKey=KEY),
            }
            aliases = [alias("best", "acme/m", "other/m", "poor/m"), alias("wild-*", "acme/*")]
            with running({**served, "providers": providers, "modelAliases": aliases}, clock=clock) as gateway:
                up.plays(Json(429, {"error": {"message": "slow down"}}, {"retry-after": "40"}))
                gateway.post(chat("best"))
                status = status_of(gateway)
                explained = gateway.get("/gateway/explain?model=best").json()["candidates"]
                shown = targets_of(status)
                assert [(each.provider, each.place) for each in shown] == [("other", 2), ("poor", 3), ("acme", 1)]
                assert [each.provider for each in shown] == [each["provider"] for each in explained]
                assert [each.turn for each in shown] == ["first", "next", "forced"]
                assert (shown[2].state, shown[2].why) == ("resting", "rate_limited")
                assert shown[2].resting_until_at == pytest.approx(clock.wall() + 40)
                [wild] = targets_of(status, "wild-*")
                assert wild.model == "*" and status.models[-1].pattern

    def test_first_content_is_that_of_its_streams(self) -> None:
        with running() as gateway:
            for _ in range(4):
                gateway.post(chat("demo", stream=True))
            [target] = targets_of(status_of(gateway), "demo")
            assert target.samples == 4
            assert target.first_p50_ms is not None and target.first_p95_ms is not None
            assert target.first_p50_ms <= target.first_p95_ms


class TestWhatNeedsAPerson:
    def test_a_key_that_the_provider_refuses(self) -> None:
        with ScriptedUpstream() as up, running(config(up)) as gateway:
            up.plays(Json(401, {"error": {"message": f"bad key {KEY}"}}))
            gateway.post(chat("best"))
            status = status_of(gateway)
            need = needs_of(status)["key"]
            assert need.provider == "acme" and "providers.acme.apiKey" in need.message
            assert status.accounts[0].state == "refused"

    def test_a_quota_that_is_used_up(self) -> None:
        with ScriptedUpstream() as up, running(config(up)) as gateway:
            up.plays(Json(429, {"error": {"message": "pay", "code": "insufficient_quota"}}))
            gateway.post(chat("best"))
            need = needs_of(status_of(gateway))["quota"]
            assert need.provider == "acme" and need.until_at is not None

    def test_a_file_with_faults_and_settings_that_wait(self, tmp_path: Path) -> None:
        with ScriptedUpstream() as up, edited(tmp_path, config(up)) as gateway:
            assert status_of(gateway.served).configuration.last_reload is None
            gateway.reload(config(up, gateway={"threads": 99, "reload": "manual"}))
            status = status_of(gateway.served)
            assert status.configuration.needs_restart == ("gateway.threads",)
            assert "gateway.threads" in needs_of(status)["restart"].message
            gateway.reload({**config(up), "providers": {"acme": {"typ": "openai"}}})
            status = status_of(gateway.served)
            latest = status.configuration.last_reload
            assert latest is not None and latest.result == "failed" and latest.faults
            assert latest.fault_count == len(latest.faults)
            assert status.configuration.needs_restart == ("gateway.threads",), "what is served has not changed"
            assert {"reload", "restart"} <= needs_of(status).keys()
            assert status.configuration.path == str(gateway.path)
            assert status.ledger.path == str(tmp_path / "usage.db")

    def test_a_ledger_that_is_off_is_said(self) -> None:
        with ScriptedUpstream() as up, running(config(up, ledger={"enabled": False})) as gateway:
            gateway.post(chat("best"))
            status = status_of(gateway)
            assert status.ledger.state == "off" and status.days is None and status.last_call == 1

    def test_nothing_where_all_is_well(self) -> None:
        with running() as gateway:
            assert status_of(gateway).needs == ()


def remaining_of(gateway: Running) -> list[tuple[dict[str, str], float]]:
    families = text_string_to_metric_families(gateway.get("/metrics").text)
    [family] = [each for each in families if each.name == "llm_gateway_provider_remaining"]
    return [(sample.labels, sample.value) for sample in family.samples]


class TestQuotas:
    @pytest.mark.parametrize("status", [200, 429, 500])
    def test_what_the_provider_says_is_shown_and_measured(self, status: int) -> None:
        clock = FakeClock()
        answer = json_answer("x")
        with ScriptedUpstream() as up, running(config(up), clock=clock) as gateway:
            up.plays(Json(status, answer.value if status == 200 else {"error": {"message": "no"}}, LEFT))
            up.plays(Json(500, {}))
            gateway.post(chat("best"))
            [left] = status_of(gateway).accounts[0].remaining
            assert (left.model, left.kind, left.limit, left.remaining) == ("m", "tokens", 1000, 250)
            assert left.reset_at is not None and left.reset_at - left.learned_at == pytest.approx(360)
            assert remaining_of(gateway) == [({"provider": "acme", "account": "", "kind": "tokens"}, 250)]
            clock.advance(361)
            [left] = status_of(gateway).accounts[0].remaining
            assert left.remaining is None
            assert remaining_of(gateway) == []

    def test_it_informs_and_nothing_obeys_it(self) -> None:
        with ScriptedUpstream() as up, running(config(up)) as gateway:
            none_left = {**LEFT, "x-ratelimit-remaining-tokens": "0"}
            for _ in range(3):
                up.plays(Json(200, json_answer("x").value, none_left))
                assert gateway.post(chat("best")).status_code == 200
            assert len(up.requests) == 3


class TestBounds:
    def test_a_status_of_any_configuration_has_an_end(self) -> None:
        names = [f"provider-{number:03}-with-a-long-name" for number in range(120)]
        long = "m" * 60
        served: dict[str, object] = {
            "providers": {name: {"type": "demo"} for name in names},
            "modelAliases": [
                alias(f"alias-{number:03}-{long}", *(f"{name}/{long}" for name in names[:60])) for number in range(60)
            ],
        }
        with running(served) as gateway:
            reply = gateway.get("/gateway/status.json")
            assert len(reply.content) <= MAX_STATUS
            status = msgspec.json.decode(reply.content, type=Status)
            assert (status.model_count, status.account_count) == (60, 120)
            assert len(status.models) <= MAX_MODELS and len(status.accounts) <= MAX_ACCOUNTS
            assert sum(len(model.targets) for model in status.models) <= MAX_TARGETS
            assert status.models[0].target_count == 60


class TestSecrets:
    def test_no_prompt_no_answer_no_key_and_no_token_is_shown(self, caplog: pytest.LogCaptureFixture) -> None:
        """seeing 7, line 3, for what the page reads."""
        caplog.set_level(logging.DEBUG)
        with ScriptedUpstream() as up, running(config(up), clock=SystemClock()) as gateway:
            token = gateway.gateway.runtime.page_token.reveal()
            up.plays(json_answer(SAID))
            gateway.post(chat("best", PROMPT))
            up.plays(*sse_answer(SAID))
            gateway.post(chat("best", PROMPT, stream=True))
            for code in (400, 401, 429, 500):
                echo = {"error": {"message": f"{KEY} {PROMPT}", "code": f"{KEY}", "type": PROMPT}}
                up.plays(Json(code, echo, {"x-request-id": KEY, **LEFT, "x-ratelimit-reset-tokens": PROMPT}))
                up.plays(Json(code, echo))
                gateway.post(chat("best", PROMPT), headers={"x-gateway-token": token})
            gateway.post(chat(f"canary {KEY}", PROMPT))
            gateway.post({"provider": "acme"}, path="/gateway/login", headers={"x-gateway-token": token})
            gateway.post({"provider": token}, path="/gateway/login", headers={"x-gateway-token": token})
            status_of(gateway)
            shown = [
                gateway.get(path).text for path in ("/gateway/status.json", "/gateway/calls.json", "/", "/metrics")
            ]
            text = "\n".join([*shown, caplog.text])
        assert token not in text
        assert [canary for canary in CANARIES[:2] if canary in text] == []
        assert KEY not in "\n".join(shown)


def test_a_running_stream_is_seen(tmp_path: Path) -> None:
    with ScriptedUpstream() as up, edited(tmp_path, config(up)) as gateway:
        stream = Stream(gateway, up)
        until(lambda: status_now(gateway.served).running_streams == 1)
        assert status_now(gateway.served).running_calls == 1
        assert stream.ends_whole()
        until(lambda: status_now(gateway.served).running_calls == 0)
