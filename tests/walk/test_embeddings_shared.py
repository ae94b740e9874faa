"""What embeddings share with chats at the door and in the log: rate limits, keys, the record of a call."""

import pytest

from tests.support.passed import embedder
from tests.support.running import alias, provider, running
from tests.support.upstream_script import ScriptedUpstream

PATH = "/v1/embeddings"


def config(up: ScriptedUpstream, *aliases: object, **more: object) -> dict[str, object]:
    return {"providers": {"a": provider(up.base_url)}, "modelAliases": list(aliases), **more}


def asked(model: str = "search", given: object = "Hello", **fields: object) -> dict[str, object]:
    return {"model": model, "input": given, **fields}


def test_the_rate_limit_counts_it(up: ScriptedUpstream) -> None:
    up.answers(embedder)
    limits = [{"provider": "a", "requestsPerMinute": 1, "maxWaitSeconds": 0}]
    with running(config(up, alias("search", "a/m"), rateLimits=limits)) as gateway:
        first, second = (gateway.post(asked(), path=PATH) for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 429)
    assert int(second.headers["retry-after"]) > 0


def test_the_gateways_key_is_needed_and_the_providers_is_sent(up: ScriptedUpstream) -> None:
    up.answers(embedder)
    served = {
        "gateway": {"apiKeys": ["ours"]},
        "providers": {"a": provider(up.base_url, apiKey="theirs")},
        "modelAliases": [alias("search", "a/m")],
    }
    with running(served) as gateway:
        refused = gateway.post(asked(), path=PATH)
        answered = gateway.post(asked(), path=PATH, headers={"authorization": "Bearer ours", "x-own": "1"})
    assert (refused.status_code, answered.status_code) == (401, 200)
    (request,) = up.requests
    assert request.headers["authorization"] == "Bearer theirs"
    assert "x-own" not in request.headers


def test_the_log_line_has_the_endpoint_and_the_tokens_and_no_input(
    up: ScriptedUpstream, caplog: pytest.LogCaptureFixture
) -> None:
    up.answers(embedder)
    with caplog.at_level("INFO"), running(config(up, alias("search", "a/m"))) as gateway:
        gateway.post(asked(given="a secret text"), path=PATH)
    (line,) = [record.call for record in caplog.records if hasattr(record, "call")]
    assert (line.endpoint, line.input, line.status) == ("embeddings", 7, 200)
    assert "secret text" not in caplog.text
