"""Completions, rerank and moderations through a whole gateway: what passes, what moves on, and what is refused."""

import json
import threading
from collections.abc import Iterator, Sequence

import openai
import pytest

from tests.support.passed import events_of_completion
from tests.support.running import alias, events, provider, running
from tests.support.upstream_script import Cut, Done, Json, ScriptedUpstream, Sse, Stall, Status, Step, WaitFor

FIM = {"model": "code", "prompt": "def f(", "suffix": "\n    return a", "max_tokens": 8, "temperature": 0.0}
WHOLE = {"id": "cmpl-1", "object": "text_completion", "model": "m", "choices": [{"text": "a):", "index": 0}]}


@pytest.fixture
def other() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as upstream:
        yield upstream


def served(up: ScriptedUpstream, *others: ScriptedUpstream, names: Sequence[str] = ("code",)) -> dict[str, object]:
    """Aliases for these names, each with all providers in order."""
    providers = {f"p{number}": provider(each.base_url) for number, each in enumerate((up, *others))}
    return {
        "providers": providers,
        "modelAliases": [
            alias(name, *(f"{each}/m{number}" for number, each in enumerate(providers))) for name in names
        ],
    }


# Completions -------------------------------------------------------------------------------------------------------


def test_a_body_with_a_suffix_passes_unchanged(up: ScriptedUpstream) -> None:
    up.plays(Json(200, {**WHOLE, "usage": {"prompt_tokens": 2, "completion_tokens": 3}}))
    body = json.dumps(FIM, indent=1).encode()
    with running(served(up)) as gateway:
        reply = gateway.post(body, path="/v1/completions")
    assert up.requests[0].body == body.replace(b'"code"', b'"m0"')
    assert up.requests[0].path == "/v1/completions"
    assert reply.json() == {**WHOLE, "model": "code", "usage": {"prompt_tokens": 2, "completion_tokens": 3}}


@pytest.mark.usefixtures("each_driver")
def test_a_stream_passes_byte_for_byte_but_for_the_model(up: ScriptedUpstream) -> None:
    sent = events_of_completion("one two three")
    up.plays(Sse(sent), Done())
    with running(served(up)) as gateway:
        reply = gateway.post({**FIM, "stream": True}, path="/v1/completions")
    expected = "".join(f"data: {event}\n\n" for event in [*sent, "[DONE]"])
    assert reply.text == expected.replace('"m"', '"code"')
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert reply.headers["x-gateway-attempts"] == "p0/m0=200"


@pytest.mark.usefixtures("each_driver")
def test_openais_client_reads_the_stream_with_its_usage(up: ScriptedUpstream) -> None:
    usage = json.dumps({"choices": [], "usage": {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}})
    up.plays(Sse([*events_of_completion("one two three"), usage]), Done())
    with running(served(up)) as gateway:
        options: openai.types.chat.ChatCompletionStreamOptionsParam = {"include_usage": True}
        stream = gateway.client().completions.create(model="code", prompt="x", stream=True, stream_options=options)
        chunks = list(stream)
    assert "".join(each.choices[0].text for each in chunks if each.choices) == "onetwothree"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 5
    assert up.requests[0].json()["stream_options"] == {"include_usage": True}


def test_a_stream_that_was_not_asked_for_usage_is_not(up: ScriptedUpstream) -> None:
    up.plays(Sse(events_of_completion("one")), Done())
    with running(served(up)) as gateway:
        gateway.post({**FIM, "stream": True}, path="/v1/completions")
    assert up.requests[0].json() == {**FIM, "model": "m0", "stream": True}


BEFORE_CONTENT: dict[str, tuple[Step, ...]] = {
    "503": (Status(503),),
    "an error with 200": (Json(200, {"error": {"message": "busy", "code": 503}}),),
    "an error event": (Sse([json.dumps({"error": {"message": "busy", "code": 503}})]),),
    "nothing": (Done(),),
    "no text": (Sse([json.dumps({"choices": [{"index": 0, "text": ""}]})]), Cut()),
    "HTML": (Status(200, {"content-type": "text/html"}, b"<html></html>"),),
}


@pytest.mark.parametrize("steps", BEFORE_CONTENT.values(), ids=BEFORE_CONTENT)
def test_a_stream_that_fails_before_its_first_text_moves_on(
    up: ScriptedUpstream, other: ScriptedUpstream, steps: tuple[Step, ...]
) -> None:
    up.answers(lambda _: steps)
    other.plays(Sse(events_of_completion("good")), Done())
    with running(served(up, other)) as gateway:
        reply = gateway.post({**FIM, "stream": True}, path="/v1/completions")
    assert reply.headers["x-gateway-provider"] == "p1"
    assert events(reply.text)[-1] == "[DONE]"


@pytest.mark.usefixtures("each_driver")
def test_a_whole_answer_where_a_stream_was_asked_for_becomes_one(up: ScriptedUpstream) -> None:
    ended = {"text": "a):", "index": 0, "finish_reason": "stop"}
    up.plays(Json(200, {**WHOLE, "choices": [ended]}))
    with running(served(up)) as gateway:
        chunks = events(gateway.post({**FIM, "stream": True}, path="/v1/completions").text)
    assert chunks == [{**WHOLE, "model": "code", "choices": [ended]}, "[DONE]"]


BREAKS: dict[str, tuple[Step, ...]] = {
    "cut": (Cut(),),
    "ended without a finish": (),
    "an error event": (Sse([json.dumps({"error": {"message": "out of memory"}})]),),
}


@pytest.mark.usefixtures("each_driver")
@pytest.mark.parametrize("ending", BREAKS.values(), ids=BREAKS)
def test_a_broken_stream_never_looks_whole(
    up: ScriptedUpstream, other: ScriptedUpstream, ending: tuple[Step, ...]
) -> None:
    up.plays(Sse(events_of_completion("one two")[:2]), *ending)
    with running(served(up, other)) as gateway:
        told = events(gateway.post({**FIM, "stream": True}, path="/v1/completions").text)
    last = told[-1]
    assert isinstance(last, dict)
    assert list(last) == ["error"]
    assert "[DONE]" not in told
    assert not [each for each in told if isinstance(each, dict) and "finish_reason" in json.dumps(each)]
    assert other.requests == [], "a completion is not resumed: its suffix has no place in a continuation"


def test_a_caller_that_leaves_ends_the_providers_stream(up: ScriptedUpstream) -> None:
    up.plays(Sse(events_of_completion("one two")[:1]), Stall())
    with running(served(up)) as gateway:
        stream = gateway.client().completions.create(model="code", prompt="x", stream=True)
        assert next(iter(stream)).choices[0].text == "one"
        stream.close()
        assert up.requests[0].client_gone.wait(10)


def test_streams_of_several_prompts_end_when_each_has_ended(up: ScriptedUpstream) -> None:
    first = json.dumps({"choices": [{"index": 0, "text": "a", "finish_reason": "stop"}]})
    second = json.dumps({"choices": [{"index": 1, "text": "b", "finish_reason": "stop"}]})
    up.plays(Sse([first]), Cut())
    up.plays(Sse([first, second]))
    body = {"model": "code", "prompt": ["x", "y"], "stream": True}
    with running(served(up)) as gateway:
        cut, whole = (events(gateway.post(body, path="/v1/completions").text) for _ in range(2))
    assert isinstance(cut[-1], dict)
    assert "error" in cut[-1]
    assert whole[-1] == "[DONE]"


@pytest.mark.usefixtures("often_looked_after")
def test_a_slow_target_of_a_large_body_is_not_asked_beside_another(
    up: ScriptedUpstream, other: ScriptedUpstream
) -> None:
    go = threading.Event()
    up.answers(lambda _: [WaitFor(go), Json(200, WHOLE)])
    body = {**FIM, "prompt": "x" * (1 << 20)}
    with running(served(up, other)) as gateway:
        asking = threading.Thread(target=gateway.post, args=(body,), kwargs={"path": "/v1/completions"})
        asking.start()
        up.wait_for_requests(1)
        go.set()
        asking.join(10)
    assert other.requests == []


# Rerank ------------------------------------------------------------------------------------------------------------

RANKED = {"id": "r", "model": "m0", "results": [{"index": 1, "relevance_score": 0.98}], "meta": {"billed_units": {}}}
RANK = {"model": "rank", "query": "q", "documents": ["a", {"text": "b"}], "top_n": 1, "return_documents": False}


@pytest.mark.parametrize("path", ["/v1/rerank", "/rerank", "/v2/rerank"])
def test_a_ranking_passes_but_for_its_model(up: ScriptedUpstream, path: str) -> None:
    up.plays(Json(200, RANKED))
    with running(served(up, names=["rank"])) as gateway:
        reply = gateway.post(RANK, path=path)
    assert up.requests[0].json() == {**RANK, "model": "m0"}
    assert up.requests[0].path == "/v1/rerank"
    assert reply.json() == {**RANKED, "model": "rank"}


def test_a_ranking_moves_on_to_another_model_and_that_is_told(up: ScriptedUpstream, other: ScriptedUpstream) -> None:
    up.answers(lambda _: [Status(503)])
    other.plays(Json(200, {"results": [{"index": 0, "relevance_score": 0.5}]}))
    with running(served(up, other, names=["rank"])) as gateway:
        reply = gateway.post(RANK, path="/v1/rerank")
    assert reply.json() == {"results": [{"index": 0, "relevance_score": 0.5}]}, "no model is added where there is none"
    assert reply.headers["x-gateway-attempts"].endswith("p1/m1=200")
    assert reply.headers["x-gateway-model"] == "m1"


def test_a_target_without_the_endpoint_is_not_asked(up: ScriptedUpstream, other: ScriptedUpstream) -> None:
    providers = {
        "ollama": {"type": "ollama", "apiEndpoint": up.base_url},
        "vllm": {"type": "vllm", "apiEndpoint": other.base_url},
    }
    other.plays(Json(200, RANKED))
    configured = {"providers": providers, "modelAliases": [alias("rank", "ollama/m", "vllm/m")]}
    with running(configured) as gateway:
        reply = gateway.post(RANK, path="/v1/rerank")
    assert reply.status_code == 200
    assert (len(up.requests), len(other.requests)) == (0, 1)


# Moderations -------------------------------------------------------------------------------------------------------

FLAGGED = {"id": "modr-1", "model": "m0", "results": [{"flagged": True, "categories": {}, "category_scores": {}}]}
DEFAULT = "omni-moderation-latest"


def test_a_moderation_without_a_model_reaches_the_alias_of_openais_default(up: ScriptedUpstream) -> None:
    up.plays(Json(200, FLAGGED))
    with running(served(up, names=[DEFAULT])) as gateway:
        answer = gateway.client().moderations.create(input="text")
    assert answer.results[0].flagged
    assert answer.model == DEFAULT
    assert up.requests[0].json() == {"model": "m0", "input": "text"}


def test_without_such_an_alias_it_is_a_404_that_says_so(up: ScriptedUpstream) -> None:
    with running(served(up)) as gateway, pytest.raises(openai.NotFoundError) as unknown:
        gateway.client().moderations.create(input="text")
    assert DEFAULT in unknown.value.message
    assert "alias" in unknown.value.message


NO_VERDICT: dict[str, Step] = {
    "down": Status(503),
    "no results": Json(200, {"id": "modr-1", "model": "m0", "results": []}),
    "nothing": Json(200, {}),
}


@pytest.mark.parametrize("answer", NO_VERDICT.values(), ids=NO_VERDICT)
def test_where_nobody_answers_there_is_an_error_and_no_verdict(
    up: ScriptedUpstream, other: ScriptedUpstream, answer: Step
) -> None:
    up.answers(lambda _: [answer])
    other.answers(lambda _: [answer])
    with running(served(up, other, names=[DEFAULT])) as gateway:
        reply = gateway.post({"input": "text"}, path="/v1/moderations")
    assert reply.status_code in (502, 503)
    assert list(reply.json()) == ["error"]


# What is not there -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1/files", "/v1/batches", "/v1/assistants/a/x", "/v1/vector_stores", "/v1/videos"])
def test_what_keeps_state_at_one_vendor_is_a_404_that_says_so(up: ScriptedUpstream, path: str) -> None:
    with running(served(up)) as gateway:
        reply = gateway.post({}, path=path)
    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "unknown_url")
    assert "one provider" in reply.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/completions", "/v1/rerank", "/v1/moderations"])
def test_a_web_page_that_is_not_known_may_not_ask(up: ScriptedUpstream, path: str) -> None:
    with running(served(up)) as gateway:
        form = gateway.post(b"a=b", path=path, headers={"content-type": "text/plain"})
        foreign = gateway.post({}, path=path, headers={"origin": "https://evil.example"})
        wrong = gateway.get(path)
    assert (form.status_code, foreign.status_code, wrong.status_code) == (415, 403, 405)
    assert up.requests == []
