"""`explain --endpoint`: who is not asked at an endpoint beside chat, and why."""

from pathlib import Path

import pytest

from gateway.commands.explain import Explained, as_text
from gateway.config import schema
from tests.commands.test_explain import NOW, Explaining
from tests.support.running import running
from tests.support.served import run_here


def test_it_says_who_is_not_asked_at_an_endpoint_and_why(tmp_path: Path) -> None:
    told_of = Explaining(tmp_path, "abc")
    shown = told_of.explain(endpoint="embeddings")
    assert [(each.provider, each.place) for each in shown.candidates] == [("b", 2)]
    assert [(each.provider, each.why) for each in shown.left_out] == [
        ("a", "its provider has no embeddings"),
        ("c", "its provider has no embeddings"),
    ]
    text = as_text(Explained(shown, None, None), schema.Gateway(), NOW)
    assert text.startswith("best at embeddings (")
    assert text.endswith(
        "not asked: a/m: its provider has no embeddings\nnot asked: c/m: its provider has no embeddings"
    )
    assert told_of.explain().left_out == ()


def test_the_running_gateway_is_asked_for_the_endpoint_too(tmp_path: Path) -> None:
    with running() as gateway:
        said = gateway.get("/gateway/explain?model=demo&endpoint=rerank").json()
        unknown = gateway.get("/gateway/explain?model=demo&endpoint=nope")
        port = gateway.url.rpartition(":")[2]
        shown = run_here("explain", "--port", port, "demo", "--endpoint", "rerank", cwd=tmp_path)
    assert (said["endpoint"], said["candidates"]) == ("rerank", [])
    assert said["left_out"] == [{"provider": "demo", "model": "demo", "why": "its provider has no rerank"}]
    assert (unknown.status_code, unknown.json()["error"]["param"]) == (400, "endpoint")
    assert "not asked: demo/demo: its provider has no rerank" in shown.stdout
    refused = run_here("explain", "--port", "0", "demo", "--endpoint", "nope", cwd=tmp_path)
    assert (refused.returncode, "There is no such endpoint" in refused.stderr) == (1, True)


@pytest.mark.parametrize(
    ("endpoint", "passing"), [("chat", "abc"), ("messages", "d"), ("responses", ""), ("embeddings", "b")]
)
def test_it_says_who_is_asked_in_the_callers_own_wire(tmp_path: Path, endpoint: str, passing: str) -> None:
    shown = Explaining(tmp_path, "abcd").explain(endpoint=endpoint)
    assert {each.provider for each in shown.candidates if each.passes} == set(passing)
    text = as_text(Explained(shown, None, None), schema.Gateway(), NOW)
    assert ("   wire: anthropic_messages, passes\n" in text) == (endpoint == "messages")
    assert ("   wire: openai_chat, translated\n" in text) == (endpoint in ("messages", "responses"))
