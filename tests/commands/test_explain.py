"""`explain`: it shows what a call would then do, and it asks no provider."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from gateway.auth.sources import ApiKey, StoredToken
from gateway.commands.explain import Explained, as_json, as_text, explain
from gateway.config import schema
from gateway.config.loader import Loaded
from gateway.config.rate_limit import RateLimit
from gateway.core.clock import SystemClock
from gateway.core.errors import ModelNotFound
from gateway.core.provider_failures import QuotaExhausted, UnsupportedByModel
from gateway.core.secrets import Secret
from gateway.dispatch.explain import Explainer
from gateway.dispatch.explanation import Explanation
from gateway.handler.reply_headers import attempts_text
from gateway.routing.endpoint_routes import EndpointRoutes
from gateway.routing.lessons import Lessons
from gateway.routing.router import Route, Router
from tests.support.failover_scene import DOWN, TOO_MANY, Scene, limit, told
from tests.support.fakes import FakeClock
from tests.support.running import Running, alias, chat, loaded, on_port, provider, running
from tests.support.served import run_here
from tests.support.upstream_script import Json, ScriptedUpstream, Status

NOW = 1_000.0


class Explaining:
    """The providers a to d, and the explanation of the alias `best` over them."""

    def __init__(
        self,
        folder: Path,
        names: str,
        *,
        limits: Mapping[str, RateLimit] | None = None,
        when_limited: Literal["next", "wait"] = "next",
        timeouts: Mapping[str, schema.Timeouts] | None = None,
        strategy: Literal["priority", "weighted"] = "priority",
    ) -> None:
        self.scene = Scene(
            folder, limits=limits, timeouts=timeouts, sources={"a": ApiKey(Secret("sk-1")), "d": StoredToken()}
        )
        self._names = names
        self._when_limited = when_limited
        targets = tuple(
            schema.Target(provider=name, model="m", priority=1 if strategy == "weighted" else n)
            for n, name in enumerate(names)
        )
        best = schema.Alias(alias="best", providers=targets, when_limited=when_limited, strategy=strategy)
        self._router = Router([best], dict.fromkeys("abcd", schema.Provider()))
        self._explainer = Explainer(
            router=self._router,
            health=self.scene.health,
            limiters=self.scene.limiters,
            lessons=Lessons(FakeClock()),
            auth=self.scene.auth,
            timeouts={name: (timeouts or {}).get(name, schema.Timeouts()) for name in "abcd"},
            configuration=None,
            proxies={"b": "the proxy proxy.invalid:3128 (HTTPS_PROXY)"},
            endpoints=EndpointRoutes({"b": {"embeddings": "embeddings"}, "c": {"rerank": "rerank"}}),
            wires=dict.fromkeys("abcd", "openai_chat") | {"d": "anthropic_messages"},
            turns=self.scene.turns,
        )

    def explain(self, model: str = "best", endpoint: str = "chat") -> Explanation:
        return self._explainer.explain(model, endpoint)

    def route(self) -> Route:
        return self._router.candidates("best")

    def turns(self) -> str:
        """`a in order, b forced`."""
        return ", ".join(f"{each.provider} {each.turn}" for each in self.explain().candidates)

    def text(self) -> str:
        return as_text(Explained(self.explain(), "http://127.0.0.1:1", None), schema.Gateway(), NOW)


def test_candidates_are_explained_in_the_order_of_asking(tmp_path: Path) -> None:
    told_of = Explaining(tmp_path, "abcd")
    told_of.scene.has_failed("a", TOO_MANY)
    told_of.scene.has_failed("b", QuotaExhausted("spent"))
    assert told_of.turns() == "c in order, d in order, a forced, b forced"
    assert [each.place for each in told_of.explain().candidates] == [3, 4, 1, 2]


def test_who_has_no_room_is_asked_after_the_others_and_then_the_soonest_first(tmp_path: Path) -> None:
    told_of = Explaining(tmp_path, "abc", limits={**limit("a"), **limit("b")})
    told_of.scene.takes("a", 1)
    told_of.scene.clock.advance(1)
    told_of.scene.takes("b", 1)
    assert told_of.turns() == "c in order, a in line, b in line"


def test_who_waits_in_line_at_the_first_keeps_the_order(tmp_path: Path) -> None:
    told_of = Explaining(tmp_path, "ab", limits=limit("a"), when_limited="wait")
    told_of.scene.takes("a", 1)
    assert told_of.turns() == "a in order, b in order"
    assert "1. a/m: asked first, in line at its rate limit" in told_of.text()


@pytest.mark.parametrize("when_limited", ["next", "wait"])
@pytest.mark.parametrize("names", ["abc", "cab", "bca"])
def test_what_is_explained_is_what_happens(tmp_path: Path, names: str, when_limited: Literal["next", "wait"]) -> None:
    told_of = Explaining(tmp_path, names, limits=limit("a"), when_limited=when_limited)
    told_of.scene.takes("a", 1)
    told_of.scene.has_failed("b", TOO_MANY)
    for name in "abc":
        told_of.scene[name].plays(QuotaExhausted("spent", evidence=told(7_000)))
    order = [each.provider for each in told_of.explain().candidates]
    _, call = told_of.scene.fails(names, when_limited=when_limited)
    asked = [part[0] for part in attempts_text(call).split(",") if part.endswith("=429")]
    assert asked == order


def test_what_a_target_could_not_serve_is_counted_and_not_held_against_it(tmp_path: Path) -> None:
    told_of = Explaining(tmp_path, "ab")
    told_of.scene["a"].plays(UnsupportedByModel("no tools"))
    told_of.scene.ask("ab")
    assert [(each.health.state, each.health.cannot) for each in told_of.explain().candidates] == [
        ("closed", 1),
        ("closed", 0),
    ]
    assert "health: ready, 0 failures in a row, cannot: 1 request\n" in told_of.text()


def test_health_limits_and_credentials_are_told(tmp_path: Path) -> None:
    told_of = Explaining(
        tmp_path,
        "abd",
        limits=limit("a", 3),
        timeouts={"b": schema.Timeouts(first_token_seconds=7.5)},
    )
    told_of.scene.takes("a", 2)
    told_of.scene.has_failed("a", DOWN)
    told_of.scene.has_failed("b", *[DOWN] * 5)
    text = told_of.text()
    assert (
        text
        == """\
best (whenLimited: next, streamRecovery: resume)
as the running gateway at http://127.0.0.1:1 says (configuration: none)
1. a/m: asked first
   wire: openai_chat, passes
   health: ready, 1 failure in a row
   first content: 12.0 s for a stream (0 known), 12.0 s for a whole answer (0 known), then another is asked beside it
   rate limit: requestsPerMinute 2 of 3, 0 waiting
   credential: API key
2. d/m: asked if those before it fail
   wire: anthropic_messages, translated
   health: ready, 0 failures in a row
   first content: 12.0 s for a stream (0 known), 12.0 s for a whole answer (0 known), then another is asked beside it
   rate limit: none
   credential: login, There is no token for d.
3. b/m: resting: asked all the same if nobody else is left
   wire: openai_chat, passes
   health: resting, 5 failures in a row, due in 5 seconds (failures)
   first content: 7.5 s, then it has failed
   rate limit: none
   connection: through the proxy proxy.invalid:3128 (HTTPS_PROXY)
   credential: none"""
    )


def test_a_provider_may_be_named_directly_and_an_unknown_model_is_none(tmp_path: Path) -> None:
    told_of = Explaining(tmp_path, "ab")
    assert [(each.provider, each.model) for each in told_of.explain("b/x/y").candidates] == [("b", "x/y")]
    with pytest.raises(ModelNotFound, match="Did you mean `best`"):
        told_of.explain("bets")


# The verb ----------------------------------------------------------------------------------------------------------


def settings(up: ScriptedUpstream, port: int = 0, keys: Sequence[str] = ()) -> Loaded:
    return on_port(loaded(config(up, keys)), port)


def ask(model: str, up: ScriptedUpstream, port: int = 0, keys: Sequence[str] = ()) -> Explained:
    return explain(model, settings(up, port, keys), {}, SystemClock())


def config(up: ScriptedUpstream, keys: Sequence[str] = ()) -> Mapping[str, object]:
    return {
        "gateway": {"apiKeys": list(keys)},
        "providers": {"a": provider(up.base_url, apiKey="sk-canary"), "b": provider(up.base_url)},
        "modelAliases": [alias("best", "a/one", "b/two")],
    }


def port_of(gateway: Running) -> int:
    return int(gateway.url.rpartition(":")[2])


@pytest.mark.parametrize("keys", [(), ("open sesame",)])
def test_a_running_gateway_is_asked_and_knows_who_rests(keys: Sequence[str]) -> None:
    with ScriptedUpstream() as up, running(config(up, keys)) as gateway:
        up.plays(Status(429, {"retry-after": "30"}))
        headers = {"authorization": f"Bearer {keys[0]}"} if keys else {}
        assert gateway.post(chat("best"), headers=headers).headers["x-gateway-provider"] == "b"
        asked_before = len(up.requests)
        shown = ask("best", up, port_of(gateway), keys)
        assert shown.url == gateway.url
        assert [(each.provider, each.turn) for each in shown.explanation.candidates] == [
            ("b", "in order"),
            ("a", "forced"),
        ]
        assert shown.explanation.candidates[1].health.why == "rate_limited"
        assert len(up.requests) == asked_before
        with pytest.raises(ModelNotFound, match=r"The gateway at http://127\.0\.0\.1:\d+ says: The model `beast`"):
            ask("beast", up, port_of(gateway), keys)


def test_where_no_gateway_runs_the_configuration_is_explained_and_nobody_asked() -> None:
    with ScriptedUpstream() as up:
        shown = ask("best", up)
        assert (shown.url, shown.doubt) == (None, None)
        assert [each.provider for each in shown.explanation.candidates] == ["a", "b"]
        assert up.connections == 0
        text = as_text(shown, schema.Gateway(port=1), NOW)
        first, second = text.splitlines()[1:3]
        assert first == "no gateway runs at http://127.0.0.1:1"
        assert second.startswith("as one that starts now would do it (no configuration file); ")
        told_to_machines = json.loads(as_json(shown))
        assert told_to_machines["gateway"] is None
        assert told_to_machines["candidates"][0]["credential"]["kind"] == "api_key"
        assert "canary" not in text + as_json(shown)


@pytest.mark.parametrize(
    ("answer", "doubt"),
    [
        (Json(200, {"hello": 1}), "what answers there is no gateway of this version"),
        (Status(200, {}, b"<html>"), "what answers there is no gateway of this version"),
        (Json(404, {"error": {"message": "No such\npath", "code": "unknown_url"}}), r"what answers there said 404: No"),
        (Status(500), "what answers there said 500"),
    ],
)
def test_another_program_at_the_address_is_told_and_not_believed(answer: Json | Status, doubt: str) -> None:
    with ScriptedUpstream() as up, ScriptedUpstream() as other:
        other.plays(answer)
        shown = ask("best", up, int(other.url.rpartition(":")[2]))
        assert shown.url is None
        assert shown.doubt is not None
        assert re.match(doubt, shown.doubt)
        assert "\n" not in shown.doubt
        assert f"warning: no gateway could be asked at {other.url}: {shown.doubt}" in as_text(
            shown, schema.Gateway(port=int(other.url.rpartition(":")[2])), NOW
        )


def test_a_gateway_that_wants_another_key_is_told() -> None:
    with ScriptedUpstream() as up, running(config(up, ["right"])) as gateway:
        shown = ask("best", up, port_of(gateway), ["wrong"])
        assert shown.doubt is not None
        assert shown.doubt.startswith("what answers there said 401: The key of this gateway")


def test_the_route_wants_a_model() -> None:
    with ScriptedUpstream() as up, running(config(up)) as gateway:
        reply = gateway.get("/gateway/explain")
        assert (reply.status_code, reply.json()["error"]["param"]) == (400, "model")


def test_the_command_line_explains_the_demo(tmp_path: Path) -> None:
    shown = run_here("explain", "--port", "0", "demo-failover", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "1. demo/demo-unavailable: asked first" in shown.stdout
    machine = run_here("explain", "--port", "0", "demo-failover", "--json", cwd=tmp_path)
    assert [each["model"] for each in json.loads(machine.stdout)["candidates"]] == ["demo-unavailable", "demo"]
    unknown = run_here("explain", "--port", "0", "demo-falover", cwd=tmp_path)
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "Did you mean `demo-failover`" in unknown.stderr


def test_an_older_gateway_that_does_not_say_the_source_is_understood(tmp_path: Path) -> None:
    told_of = Explaining(tmp_path, "a")
    explanation = told_of.explain()
    older = replace(explanation.candidates[0].credential, source="")
    candidates = (replace(explanation.candidates[0], credential=older),)
    shown = Explained(replace(explanation, candidates=candidates), None, None)
    assert "   credential: api_key" in as_text(shown, schema.Gateway(), NOW)


def test_an_unknown_name_is_answered_with_those_that_there_are(tmp_path: Path) -> None:
    without_a_file = run_here("explain", "--port", "0", "nope", cwd=tmp_path, OPENAI_API_KEY="sk-0123456789")
    assert "only demo, demo-failover, gpt-*, and PROVIDER/MODEL of demo, openai." in without_a_file.stderr
    assert "`python app.py init`" in without_a_file.stderr
    aliases = [alias(f"name-{number:02}", "a/m") for number in range(25)]
    config = {"gateway": {"port": 0}, "providers": {"a": provider("http://127.0.0.1:9/v1")}, "modelAliases": aliases}
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    with_one = run_here("explain", "nope", cwd=tmp_path)
    assert with_one.returncode == 1
    assert "name-18, name-19 and 5 more. Or name PROVIDER/MODEL; its providers: a." in with_one.stderr


def test_a_weighted_alias_says_the_order_and_why(tmp_path: Path) -> None:
    told_of = Explaining(tmp_path, "ab", strategy="weighted")
    lines = told_of.text().splitlines()
    assert lines[0] == "best (whenLimited: next, streamRecovery: resume, strategy: weighted)"
    assert lines.count("   order: weight 1 of 2") == 2
    told_of.scene.ask(told_of.route())
    assert told_of.turns() == "b in order, a in order"


def test_the_clients_that_may_ask_for_it_are_named(tmp_path: Path) -> None:
    clients = [
        {"name": "ci", "key": "a key of twenty characters", "models": ["best"]},
        {"name": "phone", "key": "another key of that length", "models": ["other*"]},
        {"name": "me", "key": "a third one of that length", "admin": True},
    ]
    config = {
        "gateway": {"port": 0},
        "providers": {"a": provider("http://127.0.0.1:9/v1")},
        "modelAliases": [alias("best", "a/m")],
        "clients": clients,
    }
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    assert run_here("explain", "best", cwd=tmp_path).stdout.splitlines()[-1] == "clients that may ask for it: ci, me"
    said = json.loads(run_here("explain", "best", "--json", cwd=tmp_path).stdout)
    assert said["clients"] == ["ci", "me"]
