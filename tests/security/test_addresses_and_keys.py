"""Whom the gateway asks, and with which key, is no caller's choice: what made LiteLLM's CVE-2024-6587 does nothing."""

import json
from collections.abc import Iterator

import pytest

from gateway.wires.addresses import REFUSED
from tests.security.hostile import GOOGLE_KEY, KEY, Scene, check_reply, refused, scene
from tests.support.running import chat
from tests.support.upstream_script import ScriptedUpstream

THEIRS = "sk-of-the-attacker-0123456789"
WITHOUT_EFFECT = ("timeout", "organization", "project", "model_list", "fallbacks", "deployment_id", "region_name")
NAMES = (
    "../../x?key=stolen",
    "m#fragment",
    "m?alt=json",
    "m:generateContent",
    "m%2f..%2fx",
    "..",
    "//evil.example/m",
    "http://evil.example/m",
    "@evil.example",
    "m\\..\\x",
)
UNPRINTABLE = ("m\r\nHost: evil.example", "m\nx", "m\x00", "m\x1b[31m", "m\u2028x", "m\u202ex")


@pytest.fixture(scope="module")
def one() -> Iterator[Scene]:
    with scene() as found:
        yield found


@pytest.fixture
def attacker() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as scripted:
        yield scripted


@pytest.mark.parametrize("model", ["oa", "gm"])
@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_field_that_names_a_server_or_a_key_is_refused_by_its_name(one: Scene, name: str, model: str) -> None:
    one.forget()
    error = refused(reply := one.gateway.post(chat(model, **{name: "my-private-value"})))
    assert (reply.status_code, error["param"], error["code"]) == (400, name, "unsupported_parameter")
    assert "configuration" in error["message"] and "my-private-value" not in error["message"]
    assert one.openai.requests == one.gemini.requests == []


def test_it_is_refused_in_the_extra_body_too_and_as_any_kind_of_value(one: Scene) -> None:
    for value in ("x", 1, True, [], {}, ["x"], {"x": "y"}, ""):
        error = refused(one.gateway.post(chat("oa", extra_body={"google": {}, "api_base": value})))
        assert (error["param"], error["code"]) == ("extra_body.api_base", "unsupported_parameter")


def test_null_says_nothing_and_is_no_reason_to_refuse(one: Scene) -> None:
    assert one.gateway.post(chat("oa", api_base=None, api_key=None)).status_code == 200


@pytest.mark.parametrize("model", ["oa", "gm", "openai/m", "gemini/gemini-2.5-pro"])
def test_no_field_sends_a_request_or_the_key_to_a_server_of_the_callers(
    one: Scene, attacker: ScriptedUpstream, model: str
) -> None:
    """The replay of CVE-2024-6587, with every name at once and each by itself, and in headers and the address too."""
    one.forget()
    names = (*sorted(REFUSED), *WITHOUT_EFFECT)
    bodies = [dict.fromkeys(names, attacker.base_url), *({name: attacker.base_url} for name in names)]
    told = {name.replace("_", "-"): attacker.base_url for name in names} | {"x-api-base": attacker.base_url}
    told["x-forwarded-host"] = told["forwarded"] = attacker.url.removeprefix("http://")
    for fields in bodies:
        check_reply(one.gateway.post(chat(model, **fields)))
    path = f"/v1/chat/completions?api_base={attacker.base_url}&key={THEIRS}"
    reply = one.gateway.post(chat(model), path=path, headers={**told, "authorization": f"Bearer {THEIRS}"})
    assert reply.status_code == 200
    assert attacker.connections == 0
    came = [*one.openai.requests, *one.gemini.requests]
    assert len(came) == len(WITHOUT_EFFECT) + 1
    for request in came:
        assert request.headers.get("authorization", f"Bearer {KEY}") == f"Bearer {KEY}"
        assert request.headers.get("x-goog-api-key", GOOGLE_KEY) == GOOGLE_KEY
        assert THEIRS not in f"{request.path} {request.headers}"
        assert attacker.url not in f"{request.path} {request.headers}"


@pytest.mark.parametrize("name", NAMES)
def test_a_model_name_stays_a_name_in_the_body_of_a_provider_that_has_it_there(one: Scene, name: str) -> None:
    one.forget()
    assert one.gateway.post(chat(f"openai/{name}")).status_code == 200
    (sent,) = one.openai.requests
    assert sent.path == "/v1/chat/completions"
    assert sent.json()["model"] == name


@pytest.mark.parametrize("name", NAMES)
def test_a_model_name_that_could_change_an_address_reaches_no_provider_that_has_it_there(one: Scene, name: str) -> None:
    one.forget()
    error = refused(reply := one.gateway.post(chat(f"gemini/{name}")))
    assert (reply.status_code, error["param"]) == (404, "model")
    assert one.gemini.requests == []


@pytest.mark.parametrize("where", ["", "openai/", "gemini/", "oa/", "nobody/"])
@pytest.mark.parametrize("name", [*NAMES, *UNPRINTABLE])
def test_no_model_name_is_more_than_a_name(one: Scene, where: str, name: str) -> None:
    """Nor does an alias have its own rules: what is no alias and no `provider/model` is not found."""
    check_reply(reply := one.gateway.post(chat(where + name)))
    assert reply.status_code in ((200, 404) if name.isprintable() else (400,))
    described = one.gateway.get("/v1/models/" + json.dumps(where + name)[1:-1].replace("?", "%3F").replace("#", "%23"))
    assert described.status_code in (200, 404) and not set(described.headers) & {"host", "set-cookie"}


def test_a_model_name_has_an_end(one: Scene) -> None:
    assert refused(one.gateway.post(chat("openai/" + "m" * 10_000)))["param"] == "model"
