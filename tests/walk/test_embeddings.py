"""Embeddings through a whole gateway: the real client, both encodings, one model's vectors only, honest errors."""

import json
from collections.abc import Iterator, Sequence
from typing import Literal

import openai
import pytest

from tests.support.passed import (
    base64_of,
    embedder,
    embedder_of_numbers,
    vector_of,
)
from tests.support.running import alias, provider, running
from tests.support.upstream_script import Body, Head, Json, ScriptedUpstream, Status, Step
from tests.support.upstream_steps import Respond

PATH = "/v1/embeddings"
SMALL = "text-embedding-3-small"


def config(up: ScriptedUpstream, *aliases: object, **more: object) -> dict[str, object]:
    return {"providers": {"a": provider(up.base_url)}, "modelAliases": list(aliases), **more}


def two(first: ScriptedUpstream, second: ScriptedUpstream, *aliases: object) -> dict[str, object]:
    providers = {"a": provider(first.base_url), "b": provider(second.base_url)}
    return {"providers": providers, "modelAliases": list(aliases)}


def asked(model: str = "search", given: object = "Hello", **fields: object) -> dict[str, object]:
    return {"model": model, "input": given, **fields}


@pytest.fixture
def other() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as upstream:
        yield upstream


# Real clients and encodings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("server", [embedder, embedder_of_numbers], ids=["knows base64", "numbers only"])
@pytest.mark.parametrize("encoding", [openai.omit, "float", "base64"])
def test_openais_client_gets_the_providers_vectors_in_any_encoding(
    up: ScriptedUpstream, server: Respond, encoding: Literal["float", "base64"] | openai.Omit
) -> None:
    up.answers(server)
    texts = ["Hello", "안녕하세요", 'quotes " and \\ and {brackets]']
    with running(config(up, alias("search", f"a/{SMALL}"))) as gateway:
        answer = gateway.client().embeddings.create(model="search", input=texts, encoding_format=encoding)
    vectors = [each.embedding for each in answer.data]
    expected = [vector_of(text) for text in texts]
    assert vectors == ([base64_of(each) for each in expected] if encoding == "base64" else [*map(list, expected)])
    assert [each.index for each in answer.data] == [0, 1, 2]
    assert (answer.model, answer.usage.prompt_tokens) == ("search", 7)
    assert up.requests[0].json()["encoding_format"] == ("float" if encoding == "float" else "base64"), (
        "openai-python asks for base64"
    )
    assert up.requests[0].json()["model"] == SMALL


def test_the_request_leaves_as_it_came_but_for_its_model(up: ScriptedUpstream) -> None:
    up.answers(embedder)
    future = b'"dimensions":4.0e0, "model":"search", "future": [{"model": "x"}], "user":"u"}'
    body = b' {"input" : "a \\u00e9 \\"model\\"",\n ' + future
    with running(config(up, alias("search", "a/m"))) as gateway:
        assert gateway.post(body, path=PATH).status_code == 200
    assert up.requests[0].body == body.replace(b'"model":"search"', b'"model":"m"')
    assert up.requests[0].path == PATH
    assert "user-agent" in up.requests[0].headers
    assert up.requests[0].headers["content-type"] == "application/json"


def test_an_answer_in_order_passes_byte_for_byte_but_for_its_model(up: ScriptedUpstream) -> None:
    content = b'{ "data":[{"embedding":[0.10, 1e-3],"index":0 ,"note":1}], "model" :"m", "usage":{"total_tokens":3}}\n'
    up.plays(Status(200, {"content-type": "application/json"}, content))
    with running(config(up, alias("search", "a/m"))) as gateway:
        reply = gateway.post(asked(), path=PATH)
    assert reply.content == content.replace(b'"m"', b'"search"')
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-gateway-attempts"] == "a/m=200"


def test_a_body_of_2048_inputs_passes(up: ScriptedUpstream) -> None:
    up.answers(embedder)
    texts = [f"text {number} of many" for number in range(2048)]
    tokens = [[number, number + 1] for number in range(2048)]
    with running(config(up, alias("search", "a/m"))) as gateway:
        create = gateway.client().embeddings.create
        of_texts, of_tokens = create(model="search", input=texts), create(model="search", input=tokens)
    assert [each.embedding for each in of_texts.data] == [list(vector_of(each)) for each in texts]
    assert [each.embedding for each in of_tokens.data] == [list(vector_of(each)) for each in tokens]


def test_the_providers_own_name_is_shown_where_that_is_set(up: ScriptedUpstream) -> None:
    up.answers(embedder)
    with running(config(up, alias("search", "a/m"), gateway={"responseModel": "upstream"})) as gateway:
        assert gateway.post(asked(), path="/embeddings").json()["model"] == "m"


# Failover ----------------------------------------------------------------------------------------------------------


def test_another_server_of_the_same_model_takes_over(up: ScriptedUpstream, other: ScriptedUpstream) -> None:
    up.plays(Status(429, {"retry-after": "30"}))
    other.answers(embedder)
    with running(two(up, other, alias("search", f"a/{SMALL}", f"b/openai/{SMALL}"))) as gateway:
        reply = gateway.post(asked(), path=PATH)
    assert reply.json()["data"][0]["embedding"] == list(vector_of("Hello"))
    assert reply.headers["x-gateway-attempts"] == f"a/{SMALL}=429,b/openai/{SMALL}=200"


def test_another_model_never_answers(up: ScriptedUpstream, other: ScriptedUpstream) -> None:
    up.answers(lambda _: [Status(503)])
    other.answers(embedder)
    with running(two(up, other, alias("search", f"a/{SMALL}", "b/nomic-embed-text"))) as gateway:
        replies = [gateway.post(asked(), path=PATH) for _ in range(4)]  # cooling down or not
    assert {reply.status_code for reply in replies} == {503}
    assert other.requests == []


def test_an_alias_may_say_that_its_vectors_are_the_same(up: ScriptedUpstream, other: ScriptedUpstream) -> None:
    up.answers(lambda _: [Status(503)])
    other.answers(embedder)
    same = alias("search", "a/nomic-embed-text", "b/nomic-embed-text:latest", sameVectors=True)
    with running(two(up, other, same)) as gateway:
        assert gateway.post(asked(), path=PATH).status_code == 200


ROW = {"object": "embedding", "index": 0, "embedding": [0.5]}
BROKEN = {
    "nothing": Status(200, {"content-type": "application/json"}),
    "HTML": Status(200, {"content-type": "text/html"}, b"<html>welcome</html>"),
    "cut JSON": Status(200, {"content-type": "application/json"}, b'{"data": [{"embedding": [0.5'),
    "no data": Json(200, {"object": "list"}),
    "too few": Json(200, {"data": [ROW]}),
    "too many": Json(200, {"data": [{**ROW, "index": index} for index in range(3)]}),
    "an index twice": Json(200, {"data": [ROW, ROW]}),
    "an empty vector": Json(200, {"data": [ROW, {"index": 1, "embedding": []}]}),
    "a null in it": Json(200, {"data": [ROW, {"index": 1, "embedding": [None]}]}),
    "no vector": Json(200, {"data": [ROW, {"index": 1}]}),
    "two lengths": Json(200, {"data": [ROW, {"index": 1, "embedding": [0.5, 0.5]}]}),
    "text for numbers": Json(200, {"data": [ROW, {"index": 1, "embedding": ["a"]}]}),
    "base64 that is none": Json(200, {"data": [ROW, {"index": 1, "embedding": "%%%%"}]}),
    "an error": Json(200, {"error": {"message": "out of memory", "type": "server_error"}}),
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_a_broken_answer_is_a_failure_that_moves_on(
    up: ScriptedUpstream, other: ScriptedUpstream, answer: Step, encoding: str
) -> None:
    up.answers(lambda _: [answer])
    other.answers(embedder)
    with running(two(up, other, alias("search", "a/m", "b/m"))) as gateway:
        reply = gateway.post(asked(given=["one", "two"], encoding_format=encoding), path=PATH)
        alone = gateway.post(asked("a/m", ["one", "two"], encoding_format=encoding), path=PATH)
    assert reply.status_code == 200
    assert len(reply.json()["data"]) == 2
    assert alone.status_code in (500, 502)
    assert "data" not in alone.json()


def test_rows_out_of_order_come_back_in_order(up: ScriptedUpstream) -> None:
    rows = [{"index": index, "embedding": [index / 2]} for index in (2, 0, 1)]
    up.plays(Json(200, {"data": rows, "model": "m", "usage": {"prompt_tokens": 3, "total_tokens": 3}}))
    with running(config(up, alias("search", "a/m"))) as gateway:
        answer = gateway.client().embeddings.create(model="search", input=["a", "b", "c"], encoding_format="float")
    assert [(each.index, each.embedding) for each in answer.data] == [(0, [0.0]), (1, [0.5]), (2, [1.0])]
    assert answer.usage.total_tokens == 3


# Who has the endpoint ----------------------------------------------------------------------------------------------


def test_a_vendor_without_it_is_passed_over(up: ScriptedUpstream) -> None:
    up.answers(embedder)
    providers = {"groq": {"apiKey": "k"}, "a": provider(up.base_url)}
    served = {"providers": providers, "modelAliases": [alias("search", "groq/llama", "a/m")]}
    with running(served) as gateway:
        reply = gateway.post(asked(), path=PATH)
    assert reply.status_code == 200
    assert reply.headers["x-gateway-attempts"] == "a/m=200"


def test_alone_it_is_a_400_that_says_so() -> None:
    served = {"providers": {"groq": {"apiKey": "k"}}, "modelAliases": [alias("search", "groq/llama")]}
    with running(served) as gateway, pytest.raises(openai.BadRequestError) as refused:
        gateway.client().embeddings.create(model="search", input="Hello")
    assert refused.value.code == "unsupported_by_provider"
    assert "/v1/embeddings" in refused.value.message and "`search`" in refused.value.message


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_server_that_turns_out_not_to_have_it_is_sound_for_chats(
    up: ScriptedUpstream, other: ScriptedUpstream, status: int
) -> None:
    up.plays(Status(status, {}, b"404 page not found"))
    up.plays(Status(status, {}, b"404 page not found"))
    other.answers(embedder)
    with running(two(up, other, alias("search", "a/m", "b/m"))) as gateway:
        moved = gateway.post(asked(), path=PATH)
        alone = gateway.post(asked("a/m"), path=PATH)
        chat = gateway.post({"model": "a/m", "messages": [{"role": "user", "content": "Hi"}]})
    assert moved.headers["x-gateway-attempts"] == "a/m=cannot,b/m=200"
    assert (alone.status_code, alone.json()["error"]["code"]) == (400, "unsupported_by_provider")
    assert chat.headers["x-gateway-attempts"] == "a/m=200"


def test_a_model_that_the_provider_does_not_have_is_a_404(up: ScriptedUpstream) -> None:
    up.plays(Json(404, {"error": {"message": "The model `m` does not exist", "code": "model_not_found"}}))
    with running(config(up, alias("search", "a/m"))) as gateway:
        reply = gateway.post(asked(), path=PATH)
    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "model_not_found")


REFUSED = {
    "no JSON": (b"{", "body"),
    "no object": (b"[]", "body"),
    "no model": (b'{"input": "a"}', "model"),
    "a number for a model": (b'{"input": "a", "model": 1}', "model"),
    "no input": (b'{"model": "search"}', "input"),
    "no inputs": (b'{"model": "search", "input": []}', "input"),
    "a server's address": (b'{"model": "search", "input": "a", "api_base": "http://x"}', "api_base"),
}


@pytest.mark.parametrize(("body", "param"), REFUSED.values(), ids=REFUSED)
def test_a_request_that_cannot_be_right_is_refused(up: ScriptedUpstream, body: bytes, param: str) -> None:
    with running(config(up, alias("search", "a/m"))) as gateway:
        reply = gateway.post(body, path=PATH)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)
    assert up.requests == []


def test_an_unknown_model_is_a_404(up: ScriptedUpstream) -> None:
    with running(config(up, alias("search", "a/m"))) as gateway, pytest.raises(openai.NotFoundError) as unknown:
        gateway.client().embeddings.create(model="serch", input="Hello")
    assert unknown.value.code == "model_not_found"


def test_what_a_provider_refuses_is_told_as_it_said_and_nothing_is_learned_from_it(up: ScriptedUpstream) -> None:
    error = {"message": "Unsupported parameter: 'dimensions'", "type": "invalid_request_error", "param": "dimensions"}
    up.answers(lambda _: [Json(400, {"error": {**error, "code": "unsupported_parameter"}})])
    with running(config(up, alias("search", "a/m"))) as gateway:
        reply = gateway.post(asked(dimensions=4), path=PATH)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, "dimensions")
    assert len(up.requests) == 1, "asking again as it was would be refused again"


def test_a_large_answer_in_pieces_is_read_whole(up: ScriptedUpstream) -> None:
    rows = [{"index": index, "embedding": [0.25] * 1536} for index in range(256)]
    content = json.dumps({"data": rows, "model": "m"}).encode()
    up.plays(Head(200, {"content-type": "application/json"}), *map(Body, _pieces(content)))
    with running(config(up, alias("search", "a/m"))) as gateway:
        reply = gateway.post(asked(given=["x"] * 256), path=PATH)
    assert reply.content == content.replace(b'"model": "m"', b'"model": "search"')


def _pieces(content: bytes) -> Sequence[bytes]:
    return [content[start : start + 100_000] for start in range(0, len(content), 100_000)]
