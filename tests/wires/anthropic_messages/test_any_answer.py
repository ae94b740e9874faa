"""Any answer by the rules of the neutral form becomes a sound stream and a sound message."""

from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.answer import ChoiceDelta, ToolCallDelta
from gateway.core.strict_json import JsonObject
from tests.validators import anthropic_answers as validate
from tests.wires.anthropic_messages.answers import PLAIN, THINKING, piece, said, streamed, whole

words = st.text("ab \n", max_size=4)


@st.composite
def answers(draw: st.DrawFn) -> list[ChoiceDelta]:
    """Any answer by the rules of the neutral form: pieces of calls interleave, and each call ends once."""
    deltas: list[ChoiceDelta] = []
    texts: dict[int, str] = {}
    running: set[int] = set()
    for _ in range(draw(st.integers(0, 12))):
        match draw(st.sampled_from(["said", "begin", "add", "end"])):
            case "begin":
                texts[len(texts)] = draw(st.sampled_from(["{}", '{"a": 1}', ""]))
                index = len(texts) - 1
                running.add(index)
                deltas.append(piece(index, begins=True))
            case "add" if running:
                index = draw(st.sampled_from(sorted(running)))
                cut = draw(st.integers(0, len(texts[index])))
                deltas.append(piece(index, texts[index][:cut]))
                texts[index] = texts[index][cut:]
            case "end" if running:
                index = draw(st.sampled_from(sorted(running)))
                running.remove(index)
                deltas.append(piece(index, texts[index], ended=True))
            case _:
                extra: JsonObject = draw(st.sampled_from([{}, {}, {"v": {"s": "x"}}]))
                deltas.append(said(draw(words), reasoning=draw(words), refusal=draw(words), reasoning_extra=extra))
    deltas += [piece(index, texts[index], ended=True) for index in sorted(running)]
    return [*deltas, said(finish=draw(st.sampled_from(["stop", "length", "content_filter"])))]


@given(answers(), st.booleans())
def test_any_answer_is_a_sound_stream_that_says_all_of_it(deltas: list[ChoiceDelta], thinks: bool) -> None:
    raw = streamed(*deltas, request=THINKING if thinks else PLAIN)
    blocks = validate.message_of(raw)["content"]
    assert [block["id"] for block in blocks if block["type"] == "tool_use"] == _called(deltas)
    assert _together(blocks, "thinking") == ("".join(delta.reasoning for delta in deltas) if thinks else "")
    spoken = "".join(delta.text + delta.refusal for delta in deltas)
    assert _together(blocks, "text") == spoken


@given(answers())
def test_any_whole_answer_is_sound(deltas: list[ChoiceDelta]) -> None:
    message = whole(*deltas, request=THINKING)
    assert [block["id"] for block in message["content"] if block["type"] == "tool_use"] == _called(deltas)


def _called(deltas: Sequence[ChoiceDelta]) -> list[str]:
    begun: Iterator[ToolCallDelta] = (call for delta in deltas for call in delta.calls if call.id)
    return [call.id for call in begun]


def _together(blocks: Sequence[Any], kind: str) -> str:
    return "".join(block.get(kind, "") for block in blocks)
