"""Embeddings onto Gemini's own API: split into calls, in order, all or nothing, of unit length."""

import base64
import math
import struct
from collections.abc import Iterator, Sequence

import pytest

from tests.support.passed import embedder, gemini_embedder, vector_of
from tests.support.running import Running, alias, provider, running
from tests.support.upstream_script import Json, Request, ScriptedUpstream, Status, Step

MODEL = "gemini-embedding-001"
PATH = "/v1/embeddings"


def config(up: ScriptedUpstream, **more: object) -> dict[str, object]:
    gemini = {"type": "gemini", "apiKey": "k", "apiEndpoint": f"{up.url}/v1beta"}
    return {"providers": {"g": gemini}, "modelAliases": [alias("search", f"g/{MODEL}")], **more}


@pytest.fixture
def gateway(up: ScriptedUpstream) -> Iterator[Running]:
    up.answers(gemini_embedder)
    with running(config(up)) as served:
        yield served


def unit(text: object) -> list[float]:
    vector = vector_of(text)
    length = math.sqrt(math.fsum(number * number for number in vector))
    return [number / length for number in vector]


def test_texts_become_one_batch(gateway: Running, up: ScriptedUpstream) -> None:
    google = {"task_type": "RETRIEVAL_QUERY", "title": "T", "odd": 1}
    body = {"model": "search", "input": "Hello", "dimensions": 4, "user": "u", "extra_body": {"google": google}}
    reply = gateway.post(body, path=PATH)
    (request,) = up.requests
    assert request.path == f"/v1beta/models/{MODEL}:batchEmbedContents"
    assert request.headers["x-goog-api-key"] == "k"
    row = {
        "model": f"models/{MODEL}",
        "outputDimensionality": 4,
        "taskType": "RETRIEVAL_QUERY",
        "title": "T",
        "content": {"parts": [{"text": "Hello"}]},
    }
    assert request.json() == {"requests": [row]}
    assert reply.json()["data"] == [{"object": "embedding", "index": 0, "embedding": unit("Hello")}]
    assert reply.json()["model"] == "search"
    assert reply.headers["x-gateway-dropped"] == "user,extra_body.google.odd"


def test_openais_client_gets_them_in_base64(gateway: Running) -> None:
    answer = gateway.client().embeddings.create(model="search", input=["a", "b"])
    packed = [struct.unpack("<4f", struct.pack("<4f", *unit(text))) for text in ("a", "b")]
    assert [each.embedding for each in answer.data] == [list(each) for each in packed]
    raw = gateway.post({"model": "search", "input": "a", "encoding_format": "base64"}, path=PATH).json()
    assert base64.b64decode(raw["data"][0]["embedding"]) == struct.pack("<4f", *unit("a"))


def test_300_texts_come_back_in_order(gateway: Running, up: ScriptedUpstream) -> None:
    texts = [f"text {number}" for number in range(300)]
    answer = gateway.post({"model": "search", "input": texts}, path=PATH).json()
    assert [len(request.json()["requests"]) for request in up.requests] == [100, 100, 100]
    assert [each["embedding"] for each in answer["data"]] == [unit(text) for text in texts]
    assert [each["index"] for each in answer["data"]] == [*range(300)]


def test_a_batch_that_fails_in_its_third_part_is_one_error(gateway: Running, up: ScriptedUpstream) -> None:
    def third_fails(request: Request) -> Sequence[Step]:
        return (
            [Status(400, {}, b'{"error": {"message": "too long"}}')]
            if len(up.requests) == 3
            else gemini_embedder(request)
        )

    up.answers(third_fails)
    reply = gateway.post({"model": "search", "input": ["x"] * 250}, path=PATH)
    assert (reply.status_code, list(reply.json())) == (400, ["error"])
    assert len(up.requests) == 3


@pytest.mark.parametrize("count", [0, 1, 3])
def test_another_number_of_vectors_is_no_answer(gateway: Running, up: ScriptedUpstream, count: int) -> None:
    up.answers(lambda _: [Json(200, {"embeddings": [{"values": [0.5, 0.5]}] * count})])
    assert gateway.post({"model": "search", "input": ["a", "b"]}, path=PATH).status_code == 502


def test_tokens_cannot_be_embedded(gateway: Running, up: ScriptedUpstream) -> None:
    reply = gateway.post({"model": "search", "input": [1, 2, 3]}, path=PATH)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "unsupported_by_provider")
    assert up.requests == []


def test_googles_count_is_told_else_an_estimate_that_is_marked(gateway: Running, up: ScriptedUpstream) -> None:
    estimated = gateway.post({"model": "search", "input": "some words"}, path=PATH)
    row = {"values": [1.0, 0.0]}
    up.plays(Json(200, {"embeddings": [row], "usageMetadata": {"promptTokenCount": 9}}))
    counted = gateway.post({"model": "search", "input": "some words"}, path=PATH)
    assert estimated.headers["x-gateway-tokens"] == "estimate"
    assert estimated.json()["usage"]["total_tokens"] > 0
    assert counted.json()["usage"] == {"prompt_tokens": 9, "total_tokens": 9}
    assert "x-gateway-tokens" not in counted.headers


def test_each_call_of_a_batch_counts_against_the_rate_limit(up: ScriptedUpstream) -> None:
    up.answers(gemini_embedder)
    limits = [{"provider": "g", "requestsPerMinute": 2, "maxWaitSeconds": 0}]
    with running(config(up, rateLimits=limits)) as gateway:
        within = gateway.post({"model": "search", "input": ["x"] * 200}, path=PATH)
        beyond = gateway.post({"model": "search", "input": "x"}, path=PATH)
    assert (within.status_code, beyond.status_code) == (200, 429)
    assert len(up.requests) == 2


def test_a_batch_with_more_calls_than_the_limit_allows_is_a_429(up: ScriptedUpstream) -> None:
    up.answers(gemini_embedder)
    limits = [{"provider": "g", "requestsPerMinute": 2, "maxWaitSeconds": 0}]
    with running(config(up, rateLimits=limits)) as gateway:
        assert gateway.post({"model": "search", "input": ["x"] * 201}, path=PATH).status_code == 429
    assert len(up.requests) == 2, "what was sent is counted, and nothing is sent beyond the limit"


def test_the_same_model_behind_googles_compatible_api_takes_over(up: ScriptedUpstream) -> None:
    def google(request: Request) -> Sequence[Step]:
        return embedder(request) if "/openai/" in request.path else [Status(503)]

    up.answers(google)
    address = f"{up.url}/v1beta"
    providers = {
        "g": {"type": "gemini", "apiKey": "k", "apiEndpoint": address},
        "o": {"type": "gemini", "api": "openai", "apiKey": "k", "apiEndpoint": address},
        "chat": provider(up.base_url),
    }
    served = {"providers": providers, "modelAliases": [alias("search", f"g/{MODEL}", "chat/gpt", f"o/models/{MODEL}")]}
    with running(served) as gateway:
        reply = gateway.post({"model": "search", "input": "a"}, path=PATH)
    assert reply.headers["x-gateway-provider"] == "o"
    assert up.requests[-1].path == "/v1beta/openai/embeddings"


@pytest.mark.parametrize("path", ["/v1/completions", "/v1/rerank", "/v1/moderations"])
def test_it_has_no_other_endpoint_beside_chat(gateway: Running, up: ScriptedUpstream, path: str) -> None:
    reply = gateway.post({"model": "search", "input": "a", "prompt": "a"}, path=path)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "unsupported_by_provider")
    assert up.requests == []
