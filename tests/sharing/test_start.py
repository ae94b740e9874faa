"""What a gateway that is to share does at its start, and what people see of the sharing."""

import json
import logging
import time
from contextlib import closing
from pathlib import Path

import pytest

from gateway.commands.explain import Explained, as_text
from gateway.config.schema import Gateway as Settings
from gateway.dispatch.explanation import Explanation
from gateway.limits.redis_engine import RedisEngine
from gateway.routing.rest_board import Rest, RestBoard
from gateway.routing.router import Target
from gateway.view.needs import needs_of_sharing
from tests.support.ports import free_port
from tests.support.redis_server import Asking, RedisServer, needs_redis
from tests.support.running import Running, chat, running
from tests.support.served import run_here

pytestmark = needs_redis

SHARED = {
    "providers": {"demo": {}},
    "rateLimits": [{"provider": "demo", "requestsPerMinute": 2, "maxWaitSeconds": 0}],
    "clients": [{"name": "ci", "key": "a-key-of-twenty-letters", "admin": True, "budget": {"usd": 1, "per": "total"}}],
}


def shared(url: str, **more: object) -> dict[str, object]:
    return {**SHARED, "sharing": {"engine": "redis", "redis": {"url": url, **more}}}


def test_a_wrong_password_ends_the_start_in_words(tmp_path: Path) -> None:
    with closing(RedisServer(("--requirepass", "right"))) as server:
        url = f"redis://:${{PASSWORD}}@127.0.0.1:{server.port}"
        path = tmp_path / "config.yaml"
        path.write_text(json.dumps({**shared(url), "ledger": {"enabled": True}}))
        done = run_here("serve", "--port", "0", "--config", str(path), cwd=tmp_path, PASSWORD="top-secret")
        assert done.returncode == 1
        assert "does not accept the user or the password" in done.stderr and "top-secret" not in done.stderr


def test_two_gateways_share_and_say_so(redis: RedisServer) -> None:
    headers = {"authorization": "Bearer a-key-of-twenty-letters"}
    with running(shared(redis.url)) as first, running(shared(redis.url), alone=False) as second:
        assert isinstance(first.gateway.runtime.limiters._engine, RedisEngine)
        statuses = [each.post(chat("demo/demo"), headers=headers).status_code for each in (first, second, first)]
        assert statuses == [200, 200, 429]
        shown = second.get("/gateway/explain?model=demo/demo", headers=headers).json()
        assert shown["sharing"]["state"] == "up" and shown["candidates"][0]["limits"][0]["units"][0]["used"] == 2
        target, now = Target("demo", "demo"), time.monotonic()
        for each in (first, second):
            assert each.gateway.runtime.sharing is not None and known(each).find(target) is None
        deadline = now + 10
        while known(second).find(target) is None and time.monotonic() < deadline:
            known(first).rest(target, Rest(now + 60, "rate_limited", 1), now)  # again: the other may not listen yet
        rest = known(second).find(target)
        assert rest is not None and 50 < rest.until - now < 70
        with closing(Asking(redis)) as asking:
            kept = b" ".join(asking.plain("KEYS", "*")).decode()
        assert "gw:{default:demo}:demo:rpm" in kept and "gw:{default:budget:ci}" in kept


def known(gateway: Running) -> RestBoard:
    board = gateway.gateway._together.knowledge.rests
    assert board is not None
    return board


def test_one_without_its_server_starts_warns_and_shows_it(caplog: pytest.LogCaptureFixture) -> None:
    headers = {"authorization": "Bearer a-key-of-twenty-letters"}
    with caplog.at_level(logging.WARNING), running(shared(f"redis://127.0.0.1:{free_port()}")) as gateway:
        assert gateway.post(chat("demo/demo"), headers=headers).status_code == 200
        assert any("does not answer" in each for each in caplog.messages)
        assert "llm_gateway_sharing_up 0" in gateway.get("/metrics", headers=headers).text
        (need,) = needs_of_sharing(gateway.gateway.runtime.shared())
        assert need.kind == "sharing" and "this gateway goes by what it knows itself" in need.message
        text = as_text(Explained(explanation(gateway.gateway.runtime.shared()), None, None), Settings(), 0.0)
        assert "limits: Redis at redis://127.0.0.1" in text


def explanation(sharing: object) -> Explanation:
    return Explanation("m", "next", "resume", None, (), sharing=sharing)  # type: ignore[arg-type] # a view


def test_refusing_is_an_answer_that_says_so() -> None:
    headers = {"authorization": "Bearer a-key-of-twenty-letters"}
    url = f"redis://127.0.0.1:{free_port()}"
    with running({**shared(url, onFailure="refuse"), "clients": []}) as gateway:
        answer = gateway.post(chat("demo/demo"), headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "limits_unavailable")
        assert int(answer.headers["retry-after"]) >= 1
