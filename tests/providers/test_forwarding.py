"""Endpoints beside chat at a provider: where each goes, and what its failures mean."""

import re
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.auth.credential import Credential
from gateway.config import schema
from gateway.core.clock import SystemClock
from gateway.core.no_op import no_op
from gateway.core.passed import PASSED, EndpointName
from gateway.core.provider_failures import CredentialRefused, UnsupportedByTarget
from gateway.providers.base import AttemptContext, Forwarded, Forwarder
from gateway.providers.catalog import Resolved, resolve
from gateway.providers.factory import ProviderFactory
from gateway.providers.vendors import EVERY_PATH, VENDORS
from gateway.wires.passed.request import parse
from gateway.wires.reasoning_memory import ReasoningMemory
from tests.support.upstream_script import Json, ScriptedUpstream, Status

GUIDE = (Path(__file__).parents[2] / "docs" / "endpoints.md").read_text(encoding="utf-8")
KEYS = {vendor.key_env: "sk-canary-0123456789" for vendor in VENDORS.values() if vendor.key_env}


def row(name: str, **settings: object) -> Resolved:
    return resolve(name, schema.Provider(**settings), KEYS)  # type: ignore[arg-type]


@contextmanager
def forwarder(resolved: Resolved, endpoint: str) -> Iterator[Forwarder]:
    factory = ProviderFactory(pool_size=2, environ={}, clock=SystemClock(), memory=ReasoningMemory())
    with closing(factory.build(resolved, endpoint, lambda: None)) as provider:
        assert isinstance(provider, Forwarder)
        yield provider


def context() -> AttemptContext:
    return AttemptContext(
        model="m",
        credential=Credential("none", None, ""),
        deadline=time.monotonic() + 30,
        first_content=30.0,
        on_wait=lambda _: None,
        on_sent=no_op,
    )


def test_a_path_that_begins_with_a_slash_begins_at_the_host(up: ScriptedUpstream) -> None:
    up.plays(Json(200, {"results": [{"index": 0, "relevance_score": 1.0}]}))
    up.plays(Json(200, {"data": [{"index": 0, "embedding": [1.0]}]}))
    with forwarder(row("cohere"), f"{up.url}/compatibility/v1") as cohere:
        cohere.forward(parse("rerank", b'{"model": "x"}'), context())
        cohere.forward(parse("embeddings", b'{"model": "x", "input": "a"}'), context())
    assert [request.path for request in up.requests] == ["/v2/rerank", "/compatibility/v1/embeddings"]


def test_a_provider_without_the_endpoint_is_not_asked(up: ScriptedUpstream) -> None:
    with forwarder(row("groq"), up.base_url) as groq, pytest.raises(UnsupportedByTarget, match="groq has no rerank"):
        groq.forward(parse("rerank", b'{"model": "x"}'), context())
    assert up.requests == []


def test_the_refusal_of_a_path_is_told_from_that_of_a_model(up: ScriptedUpstream) -> None:
    with forwarder(row("vllm"), up.base_url) as vllm:
        asked = parse("rerank", b'{"model": "x"}')
        up.plays(Status(404, {}, b'{"detail": "Not Found"}'))
        with pytest.raises(UnsupportedByTarget, match="vllm has no rerank for m, and answered 404: Not Found"):
            vllm.forward(asked, context())
        up.plays(Json(404, {"error": {"message": "The model `m` does not exist."}}))
        with pytest.raises(UnsupportedByTarget) as missing:
            vllm.forward(asked, context())
    assert (missing.value.status, missing.value.code) == (404, "model_not_found")


OTHER_USE = {
    "OpenAI, embeddings": (403, "You are not allowed to generate embeddings from this model"),
    "OpenAI, completions": (404, "This is a chat model and not supported in the v1/completions endpoint."),
    "Google": (404, "models/m is not found for API version v1beta, or is not supported for embedContent."),
}


@pytest.mark.parametrize(("status", "message"), OTHER_USE.values(), ids=OTHER_USE)
def test_a_model_that_is_not_for_this_is_no_fault_of_the_key_or_the_model(
    up: ScriptedUpstream, status: int, message: str
) -> None:
    up.plays(Json(status, {"error": {"message": message}}))
    with forwarder(row("openai"), up.base_url) as openai, pytest.raises(UnsupportedByTarget) as refused:
        openai.forward(parse("embeddings", b'{"model": "x", "input": "a"}'), context())
    assert (refused.value.status, refused.value.counts_against_target) == (400, False)
    assert message in refused.value.message


def test_a_key_that_is_refused_is_named(up: ScriptedUpstream) -> None:
    up.plays(Json(401, {"error": {"message": "Incorrect API key provided"}}))
    with forwarder(row("openai"), up.base_url) as openai, pytest.raises(CredentialRefused) as refused:
        openai.forward(parse("embeddings", b'{"model": "x", "input": "a"}'), context())
    assert refused.value.message.startswith("openai refused ")


def test_an_answer_that_is_read_has_its_counts(up: ScriptedUpstream) -> None:
    up.plays(Json(200, {"results": [{"index": 0}], "usage": {"total_tokens": 9}}, {"x-ratelimit-limit-requests": "5"}))
    with forwarder(row("jina"), up.base_url) as jina:
        answer = jina.forward(parse("rerank", b'{"model": "x"}'), context())
    assert isinstance(answer, Forwarded)
    assert answer.usage is not None
    assert (answer.usage.prompt, answer.headers["x-ratelimit-limit-requests"]) == (9, "5")


# The rows ----------------------------------------------------------------------------------------------------------

EXPECTED: dict[str, set[EndpointName]] = {
    "openai": {"embeddings", "completions", "moderations"},
    "groq": set(),
    "gemini": {"embeddings"},
    "mistral": {"embeddings", "moderations"},
    "deepseek": {"completions"},
    "vllm": {"embeddings", "completions", "rerank"},
    "demo": {"embeddings"},
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_vendors_row_says_what_it_has(name: str) -> None:
    assert set(row(name).paths) == EXPECTED[name]


def test_every_path_is_a_reference_to_the_base_address() -> None:
    for vendor in VENDORS.values():
        for endpoint, path in {**vendor.paths, **vendor.own_paths}.items():
            assert endpoint in PASSED
            assert "://" not in path and not path.startswith("//")


def test_a_row_holds_at_the_vendors_own_address_and_for_programs_that_people_run() -> None:
    elsewhere = "https://llm.example.com/v1"
    assert row("groq", api_endpoint=elsewhere).paths == EVERY_PATH
    assert row("mine", type="openai", api_endpoint=elsewhere, api_key_env="GROQ_API_KEY").paths == EVERY_PATH
    assert row("ollama", api_endpoint="http://192.168.0.9:11434/v1").paths == VENDORS["ollama"].paths


def test_googles_compatible_api_has_its_own_paths() -> None:
    native, compatible = row("gemini"), row("gemini", api="openai")
    assert (native.paths["embeddings"], compatible.paths["embeddings"]) == ("batchEmbedContents", "embeddings")
    assert replace(native, paths=compatible.paths).wire != compatible.wire


def test_the_guide_tells_of_every_vendor_what_its_row_does() -> None:
    rows = [line.split("|")[1:-1] for line in GUIDE.splitlines() if line.startswith("| `")]
    told = {name: cells for first, *cells in rows for name in re.findall(r"`([a-z]+)`", first)}
    for name, vendor in VENDORS.items():
        yes = {endpoint for endpoint, cell in zip(PASSED, told[name], strict=True) if cell.strip().startswith("yes")}
        assert yes == set(vendor.paths), name
