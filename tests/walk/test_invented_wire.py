"""A wire that nothing of the gateway knows, over providers of two others: one row adds it, and everything works."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from gateway.server.routes import ENDPOINTS
from tests.support.block_wire import PATH, ROW
from tests.support.block_wire.caller import (
    LIVE,
    SHOWN,
    errand,
    heard,
    oracle,
    outcome,
    question,
    seeker,
    thought,
    words,
)
from tests.support.edge import connect_to, read_all
from tests.support.running import Running, alias, chat, running
from tests.support.spoken_answers import COMPLETION, GEMINI, OPENAI, PROMPT, Calls, Says, Thinks, Wire
from tests.support.upstream_script import Json, ScriptedUpstream, Status

MODELS = {"openai": "p/gpt-x", "gemini": "p/gemini-3-pro-preview"}
TOKENS = {"in": PROMPT, "out": COMPLETION}
LOOK = {
    "name": "look/up",
    "purpose": "Looks it up.",
    "form": {"type": "object", "properties": {"of": {"type": "string"}}},
}


@pytest.fixture(params=[OPENAI, GEMINI], ids=lambda wire: wire.name)
def wire(request: pytest.FixtureRequest) -> Wire:
    """The provider's."""
    found: Wire = request.param
    return found


@pytest.fixture
def gateway(wire: Wire, up: ScriptedUpstream) -> Iterator[Running]:
    config = {"providers": {"p": wire.provider(up)}, "modelAliases": [alias("best", MODELS[wire.name])]}
    with running(config, endpoints=(*ENDPOINTS, ROW)) as served:
        yield served


def ask(gateway: Running, body: object, **headers: str) -> Mapping[str, Any]:
    """A whole answer."""
    reply = gateway.post(body, path=PATH, headers=headers)
    assert reply.status_code == 200, reply.text
    answer: Mapping[str, Any] = reply.json()
    return answer


def asked(up: ScriptedUpstream) -> Any:
    """The body of the last request."""
    return up.requests[-1].json()


# Answers -----------------------------------------------------------------------------------------------------------


def test_a_whole_answer(gateway: Running, wire: Wire, up: ScriptedUpstream) -> None:
    up.plays(wire.whole(Says("Forty-two.")))
    answer = ask(gateway, question())
    assert answer["answer"].startswith("orc_")
    assert {**answer, "answer": "orc_"} == {
        "answer": "orc_",
        "mind": "best",
        "blocks": [words("Forty-two.")],
        "end": "said",
        "tokens": TOKENS,
    }


def test_a_stream_adds_up_to_the_whole_answer(gateway: Running, wire: Wire, up: ScriptedUpstream) -> None:
    spoken = (Thinks("Hm. "), Thinks("So."), Says("Forty-"), Says("two."), Calls("look_up", {"of": "why"}))
    up.plays(wire.whole(*spoken))
    up.plays(*wire.stream(*spoken))
    request = question(errands=[LOOK])
    whole = gateway.post(request, path=PATH, headers=SHOWN).json()
    stream = heard(gateway.post(request, path=LIVE, headers=SHOWN))
    made = {"errand": "made by each"} if wire is GEMINI else {}
    assert [{**one, **made} for one in stream.as_whole["blocks"]] == [{**one, **made} for one in whole["blocks"]]
    assert {**stream.as_whole, "blocks": ()} == {**whole, "blocks": ()}
    assert [one["is"] for one in stream.blocks] == ["thought", "words", "errand"]
    assert stream.pieces[:2] == [2, 2]
    assert (stream.names[:2], stream.names[-2:]) == (["begin", "open"], ["close", "end"])
    assert stream.as_whole["end"] == "errands"


def test_blocks_stand_in_the_order_in_which_they_were_said(gateway: Running, wire: Wire, up: ScriptedUpstream) -> None:
    up.plays(*wire.stream(Says("One."), Calls("look_up", {"of": "it"}), Says("Two.")))
    stream = heard(gateway.post(question(errands=[LOOK]), path=LIVE))
    assert [one["is"] for one in stream.blocks] == ["words", "errand", "words"]
    assert [one["words"] for one in stream.blocks if "words" in one] == ["One.", "Two."]


def test_thoughts_are_for_callers_that_ask_for_them_by_header(
    gateway: Running, wire: Wire, up: ScriptedUpstream
) -> None:
    for _ in range(2):
        up.plays(wire.whole(Thinks("Hm."), Says("Yes.")))
        up.plays(*wire.stream(Thinks("Hm."), Says("Yes.")))
    for headers, blocks in ((SHOWN, [thought("Hm."), words("Yes.")]), ({}, [words("Yes.")])):
        assert ask(gateway, question(), **headers)["blocks"] == blocks
        assert heard(gateway.post(question(), path=LIVE, headers=headers)).said == blocks


# Tools -------------------------------------------------------------------------------------------------------------


def test_tools_are_called_by_the_callers_names_and_their_results_go_back(
    gateway: Running, wire: Wire, up: ScriptedUpstream
) -> None:
    up.plays(*wire.stream(Calls("look_up", {"of": "a"}), Calls("look_up", {"of": "b"})))
    up.plays(wire.whole(Says("Both.")))
    first = heard(gateway.post(question(errands=[LOOK]), path=LIVE)).said
    assert [(one["tool"], one["input"]) for one in first] == [("look/up", {"of": "a"}), ("look/up", {"of": "b"})]
    ids = [one["errand"] for one in first]
    assert len(set(ids)) == 2 and all(ids)
    results = seeker(outcome(ids[1], "B"), outcome(ids[0], "A", failed=True), words("Well?"))
    answer = ask(gateway, question(seeker(words("Look.")), oracle(*first), results, errands=[LOOK]))
    assert answer["blocks"] == [words("Both.")]
    if wire is OPENAI:
        _, said, *told, last = asked(up)["messages"]
        assert [call["id"] for call in said["tool_calls"]] == ids
        assert {call["function"]["name"] for call in said["tool_calls"]} == {"look_up"}
        assert [(one["tool_call_id"], one["content"]) for one in told] == [(ids[0], "Error: A"), (ids[1], "B")]
        assert last == {"role": "user", "content": "Well?"}
    else:
        _, model, user = asked(up)["contents"]
        calls = [part["functionCall"] for part in model["parts"]]
        assert [(call["name"], call["args"]) for call in calls] == [("look_up", {"of": "a"}), ("look_up", {"of": "b"})]
        told = [part["functionResponse"]["response"] for part in user["parts"][:-1]]
        assert [next(iter(one.values())) for one in told] == ["A", "B"]
        assert "error" in told[0] and user["parts"][-1] == {"text": "Well?"}


def test_an_errand_whose_input_is_no_object_is_asked_of_another_target(up: ScriptedUpstream) -> None:
    broken = {"id": "id-0", "type": "function", "function": {"name": "look_up", "arguments": "[1, 2"}}
    message = {"role": "assistant", "content": None, "tool_calls": [broken]}
    with ScriptedUpstream() as second:
        config = {
            "providers": {"p": OPENAI.provider(up), "q": GEMINI.provider(second)},
            "modelAliases": [alias("best", "p/gpt-x", "q/gemini-3-pro-preview")],
        }
        up.answers(lambda _: (Json(200, {"choices": [{"index": 0, "message": message}]}),))
        second.plays(GEMINI.whole(Calls("look_up", {"of": "a"})))
        with running(config, endpoints=(*ENDPOINTS, ROW)) as gateway:
            reply = gateway.post(question(errands=[LOOK]), path=PATH)
    (block,) = reply.json()["blocks"]
    assert block == errand(block["errand"], "look/up", {"of": "a"})
    assert reply.headers["x-gateway-provider"] == "q"


# Requests ----------------------------------------------------------------------------------------------------------


def test_the_request_reaches_the_provider_in_its_own_wire(gateway: Running, wire: Wire, up: ScriptedUpstream) -> None:
    up.plays(wire.whole(Says("Yes.")))
    fields: dict[str, Any] = {
        "creed": "Be brief.",
        "length": 99,
        "heat": 0.5,
        "halt": ["END"],
        "choose": "look/up",
        "ponder": "low",
    }
    ask(gateway, question(seeker(words("Why?")), errands=[LOOK], **fields))
    body = asked(up)
    if wire is OPENAI:
        assert body == {
            "model": "gpt-x",
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}],
            "max_tokens": 99,
            "temperature": 0.5,
            "stop": ["END"],
            "reasoning_effort": "low",
            "tools": [
                {
                    "type": "function",
                    "function": {"name": "look_up", "description": LOOK["purpose"], "parameters": LOOK["form"]},
                }
            ],
            "tool_choice": {"type": "function", "function": {"name": "look_up"}},
        }
    else:
        assert body["contents"] == [{"role": "user", "parts": [{"text": "Why?"}]}]
        assert body["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
        config = body["generationConfig"]
        assert (config["maxOutputTokens"], config["temperature"], config["stopSequences"]) == (99, 0.5, ["END"])
        assert config["thinkingConfig"] == {"thinkingLevel": "LOW"}
        assert body["toolConfig"]["functionCallingConfig"] == {"mode": "ANY", "allowedFunctionNames": ["look_up"]}


def test_what_is_left_out_has_the_wires_own_names(gateway: Running, wire: Wire, up: ScriptedUpstream) -> None:
    up.plays(wire.whole(Says("Yes.")))
    reply = gateway.post(question(breadth="low", one_errand=True, incense="myrrh"), path=PATH)
    left_out = set(reply.headers["x-gateway-dropped"].split(","))
    assert left_out == {"breadth", "incense"}


def test_headers(gateway: Running, wire: Wire, up: ScriptedUpstream) -> None:
    up.plays(wire.whole(Says("Yes.")))
    up.plays(*wire.stream(Says("Yes.")))
    for path in (PATH, LIVE):
        reply = gateway.post(question(), path=path)
        assert reply.headers["oracle-id"] == reply.headers["x-request-id"]
        assert reply.headers["x-gateway-provider"] == "p"
        assert reply.headers["x-gateway-attempts"] == f"{MODELS[wire.name]}=200"
    assert "oracle-id" not in gateway.post(chat("none")).headers, "the other rows keep theirs"


# Errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [PATH, LIVE])
def test_an_error_before_content_is_the_wires_own(
    gateway: Running, wire: Wire, up: ScriptedUpstream, path: str
) -> None:
    up.answers(lambda _: (Status(503),))
    reply = gateway.post(question(), path=path)
    assert (reply.status_code, reply.headers["content-type"]) == (530, "application/json")
    assert set(reply.json()) == {"oracle_says", "omen", "at"}
    assert reply.json()["omen"] == "provider_unavailable"


@pytest.mark.parametrize("path", [PATH, LIVE])
def test_an_unknown_model(gateway: Running, path: str) -> None:
    reply = gateway.post(question(mind="nobody"), path=path)
    assert (reply.status_code, reply.json()["omen"]) == (410, "model_not_found")


def test_a_request_at_fault_is_told_in_the_wires_own_terms(gateway: Running) -> None:
    faults: list[tuple[object, Mapping[str, str], str]] = [
        (b"{", {}, "body"),
        (question(length="long"), {}, "length"),
        (question(seeker({"is": "song"})), {}, "talk[0].blocks[0].is"),
        ({"talk": [seeker(words("Why?"))]}, {}, "mind"),
        (question(), {"oracle-thoughts": "loud"}, "oracle-thoughts"),
        (question(choose="must"), {}, "choose"),  # the provider's wire finds that, in OpenAI's terms
    ]
    for body, headers, at in faults:
        reply = gateway.post(body, path=PATH, headers=headers)
        assert (reply.status_code, reply.json()["at"]) == (422, at), reply.text


def test_the_servers_refusals_have_the_wires_status_and_body(gateway: Running) -> None:
    refusals = {
        405: gateway.get(PATH),
        415: gateway.post(b"why", path=PATH, headers={"content-type": "text/plain"}),
        421: gateway.post(question(), path=PATH, headers={"host": "evil.example"}),
    }
    for status, reply in refusals.items():
        assert (reply.status_code, set(reply.json())) == (status, {"oracle_says", "omen", "at"})
        assert reply.headers["oracle-id"]
    with connect_to(gateway) as connection:
        connection.sendall(b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
        head, _, body = read_all(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 507 ") and set(json.loads(body)) == {"oracle_says", "omen", "at"}
