"""Answers as items and events: what each end looks like, which items there are, and what a stream may never say."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.answer import (
    ChatChunk,
    ChatResponse,
    ChoiceDelta,
    Citation,
    Finish,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)
from gateway.core.deltas import joined
from gateway.core.errors import GatewayError, Limited
from gateway.core.provider_failures import (
    ContextTooLong,
    CredentialRefused,
    Evidence,
    QuotaExhausted,
    RateLimited,
    StreamBroken,
)
from gateway.core.request import ChatRequest, Media
from gateway.core.source import Source
from gateway.wires.base import Naming
from tests.support.responses import ENVELOPE, NOW, a_store, asked, callers, chunk, encoder, function, user
from tests.validators.openai_responses import events, final, response_faults, stream_faults

USAGE = Usage(10, 7, cached=4, reasoning=2, cache_write=1)


def stream(*deltas: ChoiceDelta, request: ChatRequest | None = None, usage: Usage | None = USAGE) -> bytes:
    """A stream with a chunk for each delta, to its regular end."""
    writer = encoder(request)
    raw = b"".join(writer.encode(chunk(delta)) for delta in deltas)
    raw += writer.encode(chunk(usage=usage)) + writer.end()
    assert stream_faults(raw) == []
    return raw


def whole(*deltas: ChoiceDelta, request: ChatRequest | None = None, usage: Usage | None = USAGE) -> dict[str, Any]:
    """A whole answer with these deltas."""
    response = ChatResponse(usage, Source("invented", {}), ENVELOPE, joined(deltas))
    body = json.loads(callers().render_response(response, request or asked(), Naming("alias", usage=True)))
    assert response_faults(body) == []
    assert isinstance(body, dict)
    return body


def types(raw: bytes) -> list[str]:
    return [event["type"].removeprefix("response.") for event in events(raw)]


def kinds(response: dict[str, Any]) -> list[str]:
    return [item["type"] for item in response["output"]]


def called(index: int, arguments: str = "{}", *, name: str = "go", **more: Any) -> ToolCallDelta:
    return ToolCallDelta(index, f"call_{index}", name, arguments, ended=True, **more)


class TestEnds:
    @pytest.mark.parametrize(
        ("finish", "status", "reason"),
        [
            ("stop", "completed", None),
            ("tool_calls", "completed", None),
            (None, "completed", None),
            ("length", "incomplete", "max_output_tokens"),
            ("content_filter", "incomplete", "content_filter"),
        ],
    )
    def test_the_finish_is_the_status(self, finish: Finish | None, status: str, reason: str | None) -> None:
        deltas = (ChoiceDelta(0, text="Hello"), ChoiceDelta(0, finish=finish))
        for response in (whole(*deltas), final(stream(*deltas))):
            assert response["status"] == status
            assert (response["incomplete_details"] or {}).get("reason") == reason
        assert types(stream(*deltas))[-1] == status

    def test_usage_has_all_five_counts(self) -> None:
        usage = whole(ChoiceDelta(0, text="Hello"))["usage"]
        assert usage == {
            "input_tokens": 10,
            "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 1},
            "output_tokens": 7,
            "output_tokens_details": {"reasoning_tokens": 2},
            "total_tokens": 17,
        }
        assert final(stream(ChoiceDelta(0, text="Hello")))["usage"] == usage

    def test_no_usage_is_null(self) -> None:
        assert whole(ChoiceDelta(0, text="Hello"), usage=None)["usage"] is None

    def test_a_refusal_is_a_part_of_its_own(self) -> None:
        raw = stream(
            ChoiceDelta(0, text="Well. "), ChoiceDelta(0, refusal="I will not."), ChoiceDelta(0, finish="stop")
        )
        (item,) = final(raw)["output"]
        assert [part["type"] for part in item["content"]] == ["output_text", "refusal"]
        assert final(raw)["status"] == "completed"

    def test_a_call_that_was_cut_is_incomplete(self) -> None:
        deltas = (ChoiceDelta(0, calls=(called(0, '{"a":'),), finish="length"),)
        for response in (whole(*deltas), final(stream(*deltas))):
            (item,) = response["output"]
            assert (item["status"], item["arguments"]) == ("incomplete", '{"a":')

    def test_a_whole_call_before_the_cut_is_complete(self) -> None:
        deltas = (ChoiceDelta(0, calls=(called(0),), finish="length"),)
        assert final(stream(*deltas))["output"][0]["status"] == "completed"

    def test_text_that_was_cut_is_incomplete(self) -> None:
        deltas = (ChoiceDelta(0, text="Once upon"), ChoiceDelta(0, finish="length"))
        assert final(stream(*deltas))["output"][0]["status"] == "incomplete"

    def test_other_choices_are_left_out(self) -> None:
        assert kinds(whole(ChoiceDelta(0, text="a"), ChoiceDelta(1, text="b"))) == ["message"]


class TestItems:
    def test_items_come_in_the_order_in_which_they_began(self) -> None:
        deltas = (
            ChoiceDelta(0, reasoning="Hm."),
            ChoiceDelta(0, text="I look."),
            ChoiceDelta(0, calls=(called(0), called(1))),
            ChoiceDelta(0, text="And now?"),
            ChoiceDelta(0, reasoning="Oh."),
            ChoiceDelta(0, text="Done."),
        )
        order = ["reasoning", "message", "function_call", "function_call", "message", "reasoning", "message"]
        assert kinds(whole(*deltas)) == kinds(final(stream(*deltas))) == order

    def test_blocks_of_reasoning_stay_apart(self) -> None:
        deltas = (ChoiceDelta(0, reasoning="a", reasoning_extra={"v": 1}), ChoiceDelta(0, reasoning="b"))
        assert kinds(final(stream(*deltas))) == ["reasoning", "reasoning"]

    def test_reasoning_is_shown_as_a_summary_under_an_id_of_our_own(self) -> None:
        (item,) = whole(ChoiceDelta(0, reasoning="Hm."))["output"]
        assert item["id"].startswith("rs_gw")
        assert item["summary"] == [{"type": "summary_text", "text": "Hm."}]
        assert "encrypted_content" not in item

    def test_pieces_of_calls_may_interleave(self) -> None:
        pieces = (
            ToolCallDelta(0, "call_a", "go", '{"x"'),
            ToolCallDelta(1, "call_b", "stop", "{"),
            ToolCallDelta(0, arguments=":1}", ended=True),
            ToolCallDelta(1, arguments="}", ended=True),
        )
        deltas = tuple(ChoiceDelta(0, calls=(piece,)) for piece in pieces)
        first, second = final(stream(*deltas))["output"]
        assert (first["name"], first["arguments"], first["call_id"]) == ("go", '{"x":1}', "call_a")
        assert (second["name"], second["arguments"], second["call_id"]) == ("stop", "{}", "call_b")

    def test_text_between_the_pieces_of_a_call_is_an_item_beside_it(self) -> None:
        deltas = (
            ChoiceDelta(0, calls=(ToolCallDelta(0, "call_a", "go", "{"),)),
            ChoiceDelta(0, text="Meanwhile."),
            ChoiceDelta(0, calls=(ToolCallDelta(0, arguments="}", ended=True),)),
        )
        assert kinds(final(stream(*deltas))) == ["function_call", "message"]

    def test_two_calls_with_one_id_are_told_apart(self) -> None:
        pieces = tuple(ToolCallDelta(index, "call_0", "go", "{}", ended=True) for index in range(3))
        output = final(stream(ChoiceDelta(0, calls=pieces)))["output"]
        assert len({item["call_id"] for item in output}) == 3

    def test_a_custom_tool_streams_its_bare_text(self) -> None:
        request = asked(tools=[{"type": "custom", "name": "patch"}])
        deltas = (
            ChoiceDelta(0, calls=(ToolCallDelta(0, "call_a", "patch", "*** ", "custom"),)),
            ChoiceDelta(0, calls=(ToolCallDelta(0, arguments="Begin", kind="custom", ended=True),)),
        )
        raw = stream(*deltas, request=request)
        (item,) = final(raw)["output"]
        assert (item["type"], item["input"]) == ("custom_tool_call", "*** Begin")
        assert types(raw).count("custom_tool_call_input.delta") == 2

    def test_citations_are_annotations_at_their_place_in_the_message(self) -> None:
        deltas = (
            ChoiceDelta(0, text="Look. "),
            ChoiceDelta(0, calls=(called(0),)),
            ChoiceDelta(0, text="It rains."),
            ChoiceDelta(0, citations=(Citation("https://example.org", "Weather", 6, 15),)),
        )
        *_, item = final(stream(*deltas))["output"]
        (annotation,) = item["content"][0]["annotations"]
        assert annotation == {
            "type": "url_citation",
            "url": "https://example.org",
            "title": "Weather",
            "start_index": 0,
            "end_index": 9,
        }

    def test_probabilities_stand_beside_their_text(self) -> None:
        token = TokenLogprob("Hi", -0.5, (TokenLogprob("Hi", -0.5), TokenLogprob("Yo", float("-inf"))))
        raw = stream(ChoiceDelta(0, text="Hi", logprobs=(token,)))
        (delta,) = [event for event in events(raw) if event["type"] == "response.output_text.delta"]
        assert delta["logprobs"][0]["top_logprobs"][1] == {"token": "Yo", "logprob": -9999.0}
        part = final(raw)["output"][0]["content"][0]
        assert part["logprobs"][0]["bytes"] == [72, 105]

    def test_an_image_that_a_model_made_is_an_item(self) -> None:
        raw = stream(ChoiceDelta(0, text="Look: ", images=(Media("image", "image/png", "aGk="),)))
        message, image = final(raw)["output"]
        assert message["type"] == "message"
        assert (image["type"], image["status"], image["result"]) == ("image_generation_call", "completed", "aGk=")


class TestResponse:
    def test_it_echoes_what_was_asked(self) -> None:
        fields: dict[str, Any] = {
            "instructions": "Be kind.",
            "temperature": 0.5,
            "top_p": 0.9,
            "max_output_tokens": 99,
            "metadata": {"a": "b"},
            "tools": [function("go", strict=True)],
            "tool_choice": "required",
            "parallel_tool_calls": False,
            "store": False,
            "truncation": "auto",
            "reasoning": {"effort": "low"},
            "text": {"format": {"type": "json_object"}, "verbosity": "low"},
        }
        body = whole(ChoiceDelta(0, text="{}"), request=asked(**fields))
        assert {name: body[name] for name in fields} == fields
        assert (body["model"], body["created_at"], body["background"]) == ("alias", ENVELOPE.created, False)

    def test_what_was_not_asked_has_its_default(self) -> None:
        body = whole(ChoiceDelta(0, text="x"))
        assert (body["temperature"], body["top_p"], body["instructions"]) == (None, None, None)
        assert (body["tools"], body["tool_choice"], body["parallel_tool_calls"]) == ([], "auto", True)
        assert (body["store"], body["metadata"], body["truncation"]) == (True, {}, "disabled")

    def test_the_providers_name_where_the_gateway_shows_it(self) -> None:
        writer = encoder(model=None)
        raw = writer.encode(chunk(ChoiceDelta(0, text="Hi"))) + writer.end()
        assert stream_faults(raw) == []
        assert {event["response"]["model"] for event in events(raw) if "response" in event} == {"gpt-x"}


class TestHeartbeats:
    def test_the_first_begins_the_response_and_all_are_events(self) -> None:
        writer = encoder()
        raw = writer.heartbeat() + writer.heartbeat()
        assert types(raw) == ["created", "in_progress", "keepalive", "keepalive"]
        raw += writer.encode(chunk(ChoiceDelta(0, text="Hi"))) + writer.heartbeat()
        raw += writer.encode(chunk(ChoiceDelta(0, text=" there"))) + writer.end()
        assert stream_faults(raw) == []
        assert final(raw)["created_at"] == NOW
        assert types(raw).count("created") == types(raw).count("in_progress") == 1

    def test_the_name_that_was_shown_stays(self) -> None:
        writer = encoder(model=None)
        raw = writer.heartbeat() + writer.encode(chunk(ChoiceDelta(0, text="Hi"))) + writer.end()
        assert stream_faults(raw) == []
        assert final(raw)["model"] == "alias"


class TestErrors:
    def failed(self, error: GatewayError, *deltas: ChoiceDelta) -> bytes:
        writer = encoder()
        raw = b"".join(writer.encode(chunk(delta)) for delta in deltas) + writer.error(error)
        assert stream_faults(raw) == []
        assert types(raw)[-1] == "failed"
        return raw

    def test_an_open_item_gets_no_end(self) -> None:
        raw = self.failed(StreamBroken("It broke."), ChoiceDelta(0, text="Half"), ChoiceDelta(0, text=" a"))
        assert not [kind for kind in types(raw) if kind.endswith(".done")]
        assert final(raw)["output"] == []
        assert final(raw)["error"] == {"code": "server_error", "message": "It broke."}

    def test_items_that_have_ended_stay(self) -> None:
        raw = self.failed(StreamBroken("It broke."), ChoiceDelta(0, calls=(called(0),)), ChoiceDelta(0, text="Half"))
        assert kinds(final(raw)) == ["function_call"]

    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (StreamBroken("x"), "server_error"),
            (ContextTooLong("x"), "context_length_exceeded"),
            (QuotaExhausted("x"), "insufficient_quota"),
            (CredentialRefused("x"), "invalid_prompt"),
            (Limited("x", retry_after=1.24), "rate_limit_exceeded"),
        ],
    )
    def test_codes_by_which_clients_ask_again_or_end(self, error: GatewayError, code: str) -> None:
        assert final(self.failed(error))["error"]["code"] == code

    def test_a_limit_tells_its_seconds_in_words(self) -> None:
        error = RateLimited("Slow down.", evidence=Evidence(retry_after=1.24))
        assert final(self.failed(error))["error"]["message"] == "Slow down. Please try again in 1.2s."

    def test_an_error_behind_heartbeats_belongs_to_their_response(self) -> None:
        writer = encoder()
        raw = writer.heartbeat() + writer.error(StreamBroken("x"))
        assert types(raw) == ["created", "in_progress", "keepalive", "failed"]
        assert stream_faults(raw) == []

    def test_an_error_alone_is_a_stream_too(self) -> None:
        assert stream_faults(callers().error_event(Limited("x"))) == []


class TestResumed:
    def test_the_second_stream_goes_on_in_the_open_item(self) -> None:
        writer = encoder()
        raw = writer.answered_by("a/m", None) + writer.encode(chunk(ChoiceDelta(0, reasoning="Hm.")))
        raw += writer.encode(chunk(ChoiceDelta(0, text="Once upon")))
        comment = writer.answered_by("b/m", Usage(1, 2))
        assert comment == b": resumed on b/m\n\n"
        raw += comment + writer.encode(chunk(ChoiceDelta(0, reasoning="Another's thoughts.")))
        raw += writer.encode(chunk(ChoiceDelta(0, text="upon a time"), usage=Usage(10, 20)), skip=4)
        raw += writer.end()
        assert stream_faults(raw) == []
        reasoning, message = final(raw)["output"]
        assert reasoning["summary"][0]["text"] == "Hm."
        assert message["content"][0]["text"] == "Once upon a time"
        assert final(raw)["usage"]["total_tokens"] == 33

    def test_a_second_stream_before_any_text_may_think(self) -> None:
        writer = encoder()
        writer.answered_by("a/m", None)
        raw = writer.heartbeat() + writer.answered_by("b/m", None)
        raw += writer.encode(chunk(ChoiceDelta(0, reasoning="Hm."))) + writer.encode(chunk(ChoiceDelta(0, text="A")))
        raw += writer.end()
        assert stream_faults(raw) == []
        assert kinds(final(raw)) == ["reasoning", "message"]


class TestCompaction:
    def test_the_answer_is_one_item_that_comes_back_as_a_message(self) -> None:
        request = asked(input=[user("x"), {"type": "compaction_trigger"}], stream=True)
        raw = stream(
            ChoiceDelta(0, reasoning="Hm."), ChoiceDelta(0, text="We did "), ChoiceDelta(0, text="it."), request=request
        )
        (item,) = final(raw)["output"]
        assert item["type"] == "compaction"
        assert types(raw) == ["created", "in_progress", "output_item.added", "output_item.done", "completed"]
        (message,) = asked(input=[item]).prompt().messages
        assert "We did it." in str(message.parts)


class TestKept:
    def test_whole_answers_and_streams_are_kept_and_failed_ones_are_not(self) -> None:
        store = a_store()
        response = ChatResponse(USAGE, Source("invented", {}), ENVELOPE, (ChoiceDelta(0, text="Hello"),))
        body = json.loads(callers(store).render_response(response, asked(), Naming("alias", usage=True)))
        assert store.response(body["id"], "") == body
        writer = encoder(store=store)
        raw = writer.encode(chunk(ChoiceDelta(0, text="Hi"))) + writer.end()
        assert store.response(final(raw)["id"], "") == final(raw)
        broken = encoder(store=store)
        raw = broken.encode(chunk(ChoiceDelta(0, text="Hi"))) + broken.error(StreamBroken("x"))
        assert store.response(final(raw)["id"], "") is None

    def test_nothing_is_kept_where_the_caller_does_not_want_it(self) -> None:
        store = a_store()
        writer = encoder(asked(store=False), store)
        raw = writer.encode(chunk(ChoiceDelta(0, text="Hi"))) + writer.end()
        assert store.response(final(raw)["id"], "") is None

    def test_a_chain_of_answers_can_be_continued(self) -> None:
        store = a_store()
        previous: dict[str, Any] = {}
        for number in range(3):
            request = asked(store, input=f"question {number}", **previous)
            writer = encoder(request, store)
            raw = writer.encode(chunk(ChoiceDelta(0, text=f"answer {number}"))) + writer.end()
            assert final(raw)["previous_response_id"] == previous.get("previous_response_id")
            previous = {"previous_response_id": final(raw)["id"]}
        texts = [str(message.parts) for message in asked(store, input="last", **previous).prompt().messages]
        assert len(texts) == 7
        assert "question 0" in texts[0]
        assert "answer 2" in texts[5]


texts = st.text("ab c", min_size=1, max_size=4)
DELTAS = st.lists(
    st.one_of(
        st.builds(lambda text: ChoiceDelta(0, text=text), texts),
        st.builds(lambda text: ChoiceDelta(0, reasoning=text), texts),
        st.builds(lambda text: ChoiceDelta(0, reasoning=text, reasoning_extra={"v": {"signature": text}}), texts),
        st.builds(lambda text: ChoiceDelta(0, refusal=text), texts),
        st.builds(lambda text, thought: ChoiceDelta(0, reasoning=thought, text=text), texts, texts),
    ),
    max_size=8,
)
ARGUMENTS = st.sampled_from(["", "{}", '{"a":1}', '{"text":"\\u00e9 \\"x\\""}'])


@st.composite
def answers(draw: st.DrawFn) -> list[ChoiceDelta]:
    """Deltas of an answer, with calls whose pieces interleave."""
    deltas = draw(DELTAS)
    for index, arguments in enumerate(draw(st.lists(ARGUMENTS, max_size=3))):
        cut = draw(st.integers(0, len(arguments)))
        pieces = (
            ToolCallDelta(index, f"call_{index}", "go", arguments[:cut]),
            ToolCallDelta(index, arguments=arguments[cut:], ended=True),
        )
        at = draw(st.integers(0, len(deltas)))
        later = draw(st.integers(at, len(deltas)))
        deltas.insert(later, ChoiceDelta(0, calls=(pieces[1],)))
        deltas.insert(at, ChoiceDelta(0, calls=(pieces[0],)))
    return [*deltas, ChoiceDelta(0, finish=draw(st.sampled_from(["stop", "length", None])))]


def without_ids(response: dict[str, Any]) -> list[dict[str, Any]]:
    return [{name: value for name, value in item.items() if name != "id"} for item in response["output"]]


@given(answers())
def test_every_stream_is_sound_and_adds_up_to_the_whole_answer(deltas: list[ChoiceDelta]) -> None:
    raw = stream(*deltas)
    assert without_ids(final(raw)) == without_ids(whole(*deltas))


@given(answers(), st.data())
def test_a_stream_that_breaks_anywhere_fails_and_says_nothing_that_looks_like_an_end(
    deltas: list[ChoiceDelta], data: st.DataObject
) -> None:
    chunks: list[ChatChunk] = [chunk(delta) for delta in deltas[: data.draw(st.integers(0, len(deltas)))]]
    writer = encoder()
    raw = b"".join(writer.encode(each) for each in chunks) + writer.error(StreamBroken("It broke."))
    assert stream_faults(raw) == []
    assert types(raw)[-1] == "failed"
    assert "completed" not in types(raw)
