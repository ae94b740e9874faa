"""Answers of a provider of the Responses API: read into neutral form, and passed on to callers of the same wire."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.answer import ChatChunk, ChatResponse, ChoiceDelta, Citation, Usage
from gateway.core.deltas import assemble
from gateway.core.provider_failures import (
    ContextTooLong,
    InvalidAnswer,
    ProviderFailure,
    RateLimited,
    RequestRejected,
    StreamBroken,
    Unavailable,
)
from gateway.core.rendered import Rendered
from gateway.core.request import Tool
from gateway.core.response_store import ResponseStore
from gateway.core.source import Source
from gateway.wires.base import Naming
from gateway.wires.openai_responses.outbound import OpenAIResponsesProvider
from gateway.wires.reasoning_memory import ReasoningMemory
from tests.support.responses import a_store, asked, callers, chunk, encoder
from tests.support.responses_answers import call, encoded, events, message, reasoning, response
from tests.validators.openai_responses import events as events_of
from tests.validators.openai_responses import final, response_faults, stream_faults

NOW = 1_800_000_000
OWN = Rendered(b"")
NEUTRAL = Rendered(b"", neutral=True)
ANSWER = (reasoning("Hm."), message("I look."), call("go", '{"a": 1}'))


def wire(memory: ReasoningMemory | None = None) -> OpenAIResponsesProvider:
    return OpenAIResponsesProvider("oai", memory or ReasoningMemory())


def decoded(raw: bytes, asked_with: Rendered = NEUTRAL, memory: ReasoningMemory | None = None) -> list[ChatChunk]:
    """The chunks of a whole stream."""
    decoder = wire(memory).decoder(NOW, asked_with)
    chunks = [*decoder.feed(raw), *decoder.close()]
    assert decoder.fault is None
    assert decoder.done and decoder.complete
    return chunks


def neutral(raw: bytes, **more: Any) -> tuple[ChoiceDelta, ...]:
    return assemble(decoded(raw, **more), Source("x", {})).deltas


def whole(body: dict[str, Any], asked_with: Rendered = NEUTRAL) -> ChatResponse:
    return wire().parse_response(json.dumps(body).encode(), NOW, asked_with)


class TestNeutral:
    def test_an_answer(self) -> None:
        thought, said, called, end = _parts(neutral(encoded(*events(*ANSWER))))
        assert thought.reasoning == "Hm."
        assert thought.reasoning_extra["openai"] == {"item": ANSWER[0]}
        assert said.text == "I look."
        (piece,) = called.calls
        assert (piece.id, piece.name, piece.arguments, piece.ended) == ("call_1", "go", '{"a": 1}', True)
        assert end.finish == "tool_calls"

    def test_usage_and_envelope(self) -> None:
        counts = {
            "input_tokens": 10,
            "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 1},
            "output_tokens": 7,
            "output_tokens_details": {"reasoning_tokens": 2},
            "total_tokens": 17,
        }
        found = whole(response(message("Hi"), usage=counts))
        assert found.usage == Usage(10, 7, 4, 2, 1)
        assert found.envelope is not None
        assert (found.envelope.id, found.envelope.model) == ("resp_provider_1", "gpt-x-2026")

    @pytest.mark.parametrize(
        ("status", "details", "finish"),
        [
            ("completed", None, "stop"),
            ("incomplete", {"reason": "max_output_tokens"}, "length"),
            ("incomplete", {"reason": "content_filter"}, "content_filter"),
        ],
    )
    def test_finishes(self, status: str, details: Any, finish: str) -> None:
        body = {"status": status, "incomplete_details": details}
        *_, last = neutral(encoded(*events(message("Hi"), **body)))
        assert last.finish == finish
        assert whole(response(message("Hi"), **body)).deltas[-1].finish == finish

    def test_refusals_citations_and_images(self) -> None:
        cited = message("It rains.")
        cited["content"][0]["annotations"] = [
            {"type": "url_citation", "url": "https://x.org", "title": "X", "start_index": 0, "end_index": 2}
        ]
        refused = message("", "msg_2")
        refused["content"] = [{"type": "refusal", "refusal": "No."}]
        image = {"id": "ig_1", "type": "image_generation_call", "status": "completed", "result": "aGk="}
        deltas = neutral(encoded(*events(message("Hm. "), cited | {"id": "msg_3"}, refused, image)))
        assert "".join(delta.text for delta in deltas) == "Hm. It rains."
        assert [each for delta in deltas for each in delta.citations] == [Citation("https://x.org", "X", 4, 6)]
        assert "".join(delta.refusal for delta in deltas) == "No."
        assert [media.data for delta in deltas for media in delta.images] == ["aGk="]

    def test_names_are_the_callers(self) -> None:
        asked_with = Rendered(b"", neutral=True, tools={"a_b": Tool("a/b")})
        deltas = neutral(encoded(*events(call("a_b"))), asked_with=asked_with)
        assert deltas[0].calls[0].name == "a/b"

    def test_a_custom_call(self) -> None:
        item = {"id": "ctc_1", "type": "custom_tool_call", "call_id": "c", "name": "patch", "input": "*** x"}
        (piece,) = neutral(encoded(*events(item)))[0].calls
        assert (piece.kind, piece.arguments) == ("custom", "*** x")

    def test_reasoning_is_kept_for_the_next_turn_of_a_caller_that_has_no_place_for_it(self) -> None:
        memory = ReasoningMemory()
        neutral(encoded(*events(*ANSWER)), memory=memory)
        assert memory.find("call_1") == {"openai": {"items": [ANSWER[0]]}}

    def test_reasoning_text_is_read_where_there_is_no_summary(self) -> None:
        item = {
            "id": "rs_1",
            "type": "reasoning",
            "summary": [],
            "content": [{"type": "reasoning_text", "text": "Hm."}],
        }
        assert whole(response(item, message("Hi"))).deltas[0].reasoning == "Hm."

    def test_parts_of_a_summary_are_paragraphs(self) -> None:
        item = reasoning("a")
        item["summary"].append({"type": "summary_text", "text": "b"})
        assert neutral(encoded(*events(item, message("Hi"))))[0].reasoning == "a\n\nb"
        assert whole(response(item, message("Hi"))).deltas[0].reasoning == "a\n\nb"

    @pytest.mark.parametrize("keep", [("response.output_item.done", "response.completed"), ("response.completed",)])
    def test_what_a_server_says_without_deltas_is_read_once(self, keep: tuple[str, ...]) -> None:
        found = [event for event in events(*ANSWER) if event["type"] in ("response.created", *keep)]
        assert neutral(encoded(*found)) == neutral(encoded(*events(*ANSWER)))

    def test_a_stream_in_place_of_a_whole_answer_is_read_whole(self) -> None:
        found = wire().parse_response(encoded(*events(*ANSWER)), NOW, NEUTRAL)
        assert found.deltas == whole(response(*ANSWER)).deltas
        assert found.usage == Usage(7, 3)


def _parts(deltas: tuple[ChoiceDelta, ...]) -> list[ChoiceDelta]:
    """Reasoning, text, calls and the finish, each in a delta of its own."""
    kinds = [
        [delta for delta in deltas if delta.reasoning],
        [delta for delta in deltas if delta.text],
        [delta for delta in deltas if delta.calls],
        [delta for delta in deltas if delta.finish],
    ]
    return [found[0] for found in kinds]


texts = st.text("ab ß", min_size=1, max_size=6)
ITEMS = st.lists(
    st.one_of(
        texts.map(message),
        texts.map(reasoning),
        st.sampled_from(["{}", '{"a":1}']).map(lambda arguments: call("go", arguments)),
    ),
    min_size=1,
    max_size=5,
)


@given(ITEMS, st.data())
def test_a_stream_adds_up_to_the_whole_answer_wherever_it_is_cut(items: list[Any], data: st.DataObject) -> None:
    for number, item in enumerate(items):
        item["id"] = f"{item['id']}_{number}"
        if "call_id" in item:
            item["call_id"] = f"call_{number}"
    raw = encoded(*events(*items))
    at = data.draw(st.integers(0, len(raw)))
    decoder = wire().decoder(NOW, NEUTRAL)
    chunks = [*decoder.feed(raw[:at]), *decoder.feed(raw[at:]), *decoder.close()]
    assert assemble(chunks, Source("x", {})).deltas == whole(response(*items)).deltas


class TestFailures:
    def fault(self, *found: dict[str, Any]) -> ProviderFailure:
        decoder = wire().decoder(NOW, OWN)
        decoder.feed(encoded(*found))
        assert decoder.fault is not None
        return decoder.fault

    @pytest.mark.parametrize(
        ("code", "means"),
        [
            ("server_error", Unavailable),
            ("rate_limit_exceeded", RateLimited),
            ("context_length_exceeded", ContextTooLong),
        ],
    )
    def test_a_failed_response_is_a_failure_by_its_code(self, code: str, means: type[ProviderFailure]) -> None:
        body = response(status="failed", error={"code": code, "message": "It failed."})
        found = self.fault({"type": "response.failed", "sequence_number": 1, "response": body})
        assert isinstance(found, means)
        assert found.message == "It failed."
        with pytest.raises(means):
            whole(body)

    @pytest.mark.parametrize(
        "event",
        [
            {"type": "error", "code": "server_error", "message": "It failed.", "param": None},
            {"type": "error", "error": {"code": "server_error", "message": "It failed."}},
        ],
    )
    def test_an_error_event_in_both_its_forms(self, event: dict[str, Any]) -> None:
        found = self.fault(event)
        assert isinstance(found, Unavailable)
        assert found.message == "It failed."

    def test_a_failure_without_a_reason(self) -> None:
        assert isinstance(self.fault({"type": "response.failed", "response": response(status="failed")}), InvalidAnswer)

    @pytest.mark.parametrize(
        "body", [b"", b"[]", b"{", b'{"output":[]}', b'{"id":"x","object":"response","output":[]}']
    )
    def test_what_is_no_answer(self, body: bytes) -> None:
        with pytest.raises(ProviderFailure):
            wire().parse_response(body, NOW, NEUTRAL)

    def test_an_unfinished_stream_is_no_whole_answer(self) -> None:
        with pytest.raises(InvalidAnswer):
            wire().parse_response(encoded(*events(message("Hi"))[:-1]), NOW, NEUTRAL)

    def test_foreign_reasoning_names_what_to_leave_out(self) -> None:
        body = {"error": {"code": "invalid_encrypted_content", "message": "It cannot be verified.", "type": "x"}}
        found = wire().parse_error(400, {}, json.dumps(body).encode())
        assert isinstance(found, RequestRejected)
        assert found.refused_fields == ("reasoning",)

    def test_unreadable_events_are_skipped(self) -> None:
        decoder = wire().decoder(NOW, OWN)
        chunks = decoder.feed(b"data: {\n\ndata: []\n\ndata: {}\n\n" + encoded(*events(message("Hi"))))
        assert decoder.skipped == 3
        assert any(each.has_content for each in chunks)


def passed(
    found: list[dict[str, Any]], store: ResponseStore | None = None, model: str | None = "alias", **fields: Any
) -> bytes:
    """The caller's stream for these events of a provider of the same wire."""
    writer = encoder(asked(**fields), store, model)
    raw = writer.answered_by("oai/gpt-x", None)
    raw += b"".join(writer.encode(each) for each in decoded(encoded(*found), OWN))
    return raw + writer.end()


class TestSameWire:
    def test_events_pass_as_they_are_but_for_the_model(self) -> None:
        found = events(*ANSWER, {"type": "brand_new_call", "id": "x_1", "stuff": [1, None]})
        found.insert(-1, {"type": "response.brand_new.event", "sequence_number": len(found) - 1, "x": {"y": 1}})
        found[-1]["sequence_number"] += 1
        assert passed(found, model=None) == encoded(*found)
        assert passed(found) == encoded(*found).replace(b'"model":"gpt-x-2026"', b'"model":"alias"')

    def test_no_delta_is_made(self) -> None:
        assert all(each.deltas == () for each in decoded(encoded(*events(*ANSWER)), OWN))

    def test_a_whole_answer_passes_but_for_the_model(self) -> None:
        body = response(*ANSWER)
        found = whole(body, OWN)
        assert found.deltas == ()
        written = json.loads(callers().render_response(found, asked(), Naming("alias", usage=True)))
        assert written == {**body, "model": "alias"}

    def test_plain_text_is_known(self) -> None:
        chunks = decoded(encoded(*events(reasoning("Hm."), message("one two"))), OWN)
        plain = [each.plain for each in chunks]
        assert None not in plain
        assert "".join(text or "" for text in plain) == "one two"
        assert [each.has_content for each in chunks[:3]] == [False, False, False]

    def test_what_is_not_plain_is_known(self) -> None:
        assert None in [each.plain for each in decoded(encoded(*events(call("go"))), OWN)]

    @pytest.mark.parametrize("keep", [("response.output_item.done", "response.completed"), ("response.completed",)])
    def test_text_without_deltas_is_plain_too(self, keep: tuple[str, ...]) -> None:
        found = [event for event in events(message("one two")) if event["type"] in ("response.created", *keep)]
        chunks = decoded(encoded(*found), OWN)
        assert [each.plain for each in chunks if each.has_content] == ["one two"]

    def test_the_answer_is_kept_under_the_providers_id_with_its_maker(self) -> None:
        store = a_store()
        raw = passed(events(*ANSWER), store)
        assert store.response(final(raw)["id"], "") == final(raw)
        answered = {"type": "function_call_output", "call_id": "call_1", "output": "x"}
        follow_up = asked(store, previous_response_id="resp_provider_1", input=[answered])
        assert follow_up.source.stored is not None
        assert follow_up.source.stored.provider == "oai"

    def test_behind_a_heartbeat_the_response_keeps_the_id_that_the_caller_has_seen(self) -> None:
        store = a_store()
        writer = encoder(store=store)
        raw = writer.heartbeat() + writer.answered_by("oai/gpt-x", None)
        raw += b"".join(writer.encode(each) for each in decoded(encoded(*events(*ANSWER)), OWN)) + writer.end()
        assert stream_faults(raw) == []
        assert final(raw)["output"] == [*ANSWER]
        assert final(raw)["id"] != "resp_provider_1"
        kept = store.conversation(final(raw)["id"], "")
        assert kept is not None
        assert kept.provider == ""

    def test_a_heartbeat_within_shifts_the_numbers(self) -> None:
        writer = encoder()
        first, *rest = decoded(encoded(*events(message("one two"))), OWN)
        raw = writer.answered_by("oai/gpt-x", None) + writer.encode(first) + writer.heartbeat()
        raw += b"".join(map(writer.encode, rest)) + writer.end()
        assert stream_faults(raw) == []

    def test_a_broken_stream_fails_under_the_providers_identity(self) -> None:
        writer = encoder()
        found = events(reasoning("Hm."), message("one two"))[:-3]
        chunks = wire().decoder(NOW, OWN).feed(encoded(*found))
        raw = writer.answered_by("oai/gpt-x", None) + b"".join(map(writer.encode, chunks))
        raw += writer.error(StreamBroken("It broke."))
        assert stream_faults(raw) == []
        assert final(raw)["id"] == "resp_provider_1"
        assert [item["type"] for item in final(raw)["output"]] == ["reasoning"]


class TestResumed:
    def begun(self, count: int) -> tuple[Any, bytes]:
        """A stream of the same wire that broke off after so many events."""
        writer = encoder()
        found = events(reasoning("Hm."), message("one two"))[:count]
        chunks = wire().decoder(NOW, OWN).feed(encoded(*found))
        return writer, writer.answered_by("oai/gpt-x", None) + b"".join(map(writer.encode, chunks))

    def texts(self, raw: bytes) -> list[str]:
        assert stream_faults(raw) == []
        return [part["text"] for item in final(raw)["output"] if item["type"] == "message" for part in item["content"]]

    def test_by_another_wire_in_the_open_item(self) -> None:
        writer, raw = self.begun(11)
        raw += writer.answered_by("b/m", Usage(1, 1))
        further = (ChoiceDelta(0, reasoning="Another's."), ChoiceDelta(0, text="two three"))
        raw += writer.encode(chunk(*further, usage=Usage(2, 2)))
        raw += writer.end()
        assert self.texts(raw) == ["one two three"]
        assert final(raw)["id"] == "resp_provider_1"
        assert final(raw)["usage"]["total_tokens"] == 6

    def test_by_the_same_wire_in_the_open_item(self) -> None:
        writer, raw = self.begun(11)
        raw += writer.answered_by("b/m", None)
        second = events(reasoning("Another's.", "rs_2"), message("two three", "msg_9"), id="resp_provider_2")
        raw += b"".join(map(writer.encode, decoded(encoded(*second), OWN))) + writer.end()
        assert self.texts(raw) == ["one two three"]
        assert "resp_provider_2" not in raw.decode()

    def test_of_another_wire_by_this_one(self) -> None:
        writer = encoder()
        raw = writer.answered_by("a/m", None) + writer.encode(chunk(ChoiceDelta(0, text="one ")))
        raw += writer.answered_by("oai/gpt-x", None)
        raw += b"".join(map(writer.encode, decoded(encoded(*events(message("two"))), OWN))) + writer.end()
        assert self.texts(raw) == ["one two"]

    def test_reasoning_that_was_open_is_ended_as_far_as_it_came(self) -> None:
        writer, raw = self.begun(5)
        raw += writer.answered_by("b/m", None)
        raw += writer.encode(chunk(ChoiceDelta(0, text="one"))) + writer.end()
        assert self.texts(raw) == ["one"]
        assert [item["type"] for item in final(raw)["output"]] == ["reasoning", "message"]


def test_every_answer_here_is_one_of_the_schema() -> None:
    assert response_faults(response(*ANSWER)) == []
    assert stream_faults(encoded(*events(*ANSWER))) == []
    assert len(events_of(encoded(*events(*ANSWER)))) == len(events(*ANSWER))
