"""Streams of the Responses API event by event, as servers write them, and as no server should."""

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from tests.support.responses_answers import encoded, events, message

PLACE = '"item_id":"msg_1","output_index":0,"content_index":0'
SAYS = "response.output_text.delta"
USUAL = {
    "OpenAI's": (SAYS, '"sequence_number":NUMBER,PLACE,"delta":"TEXT","logprobs":[],"obfuscation":"PAD"'),
    "in another order": (
        SAYS,
        '"content_index":0,"delta":"TEXT","logprobs":[],"obfuscation":"PAD","output_index":0,"sequence_number":NUMBER',
    ),
    "padded first": (SAYS, '"obfuscation":"PAD","sequence_number":NUMBER,PLACE,"delta":"TEXT"'),
    "a compatible server's": (SAYS, '"sequence_number":NUMBER,PLACE,"delta":"TEXT","logprobs":[]'),
    "of a summary": (
        "response.reasoning_summary_text.delta",
        '"sequence_number":NUMBER,"item_id":"rs_1","output_index":1,"summary_index":0,"delta":"TEXT"',
    ),
    "of reasoning": ("response.reasoning_text.delta", '"sequence_number":NUMBER,"output_index":1,"delta":"TEXT"'),
    "of a call": (
        "response.function_call_arguments.delta",
        '"sequence_number":NUMBER,"item_id":"fc_1","output_index":2,"delta":"TEXT","obfuscation":"PAD"',
    ),
    "of a custom tool's input": ("response.custom_tool_call_input.delta", '"sequence_number":NUMBER,"delta":"TEXT"'),
    "of a refusal": ("response.refusal.delta", '"sequence_number":NUMBER,PLACE,"delta":"TEXT"'),
}
ODD = {
    "with probabilities": (
        SAYS,
        '"sequence_number":NUMBER,PLACE,"delta":"TEXT","logprobs":[{"token":"a"}]',
    ),
    "with blanks": (SAYS, '"sequence_number": NUMBER, PLACE, "delta": "TEXT"'),
    "without a number": (SAYS, 'PLACE,"delta":"TEXT"'),
    "with a number for a text": (SAYS, '"sequence_number":NUMBER,PLACE,"delta":7'),
    "with a text for a number": (SAYS, '"sequence_number":"NUMBER",PLACE,"delta":"TEXT"'),
    "with a key twice": (SAYS, '"sequence_number":NUMBER,PLACE,"delta":"TEXT","delta":"PAD"'),
    "with a delta inside": (SAYS, '"sequence_number":NUMBER,PLACE,"delta":"TEXT","more":{"delta":"PAD"}'),
    "with another delta first": (SAYS, '"sequence_number":NUMBER,"more":{"delta":"PAD"},"delta":"TEXT"'),
    "with a number inside": (SAYS, '"more":{"sequence_number":NUMBER},"sequence_number":NUMBER,"delta":"TEXT"'),
    "with another's name": (SAYS, '"type":"response.refusal.delta","sequence_number":NUMBER,"delta":"TEXT"'),
    "with a float": (SAYS, '"sequence_number":NUMBER,"delta":"TEXT","score":1.50'),
    "of a response": (SAYS, '"sequence_number":NUMBER,"delta":"TEXT","response":{"id":"r","model":"theirs"}'),
    "an error": ("error", '"sequence_number":NUMBER,"message":"TEXT","code":"server_error"'),
    "unknown": ("response.audio.delta", '"sequence_number":NUMBER,"delta":"TEXT"'),
    "a note": ("response.output_text.annotation.added", '"sequence_number":NUMBER,PLACE,"annotation":{"a":"TEXT"}'),
    "a part's end": ("response.content_part.done", '"sequence_number":NUMBER,PLACE,"part":{"type":"output_text"}'),
    "a message's begin": (
        "response.output_item.added",
        '"sequence_number":NUMBER,"output_index":3,"item":{"type":"message","id":"msg_3"}',
    ),
    "a call's begin": (
        "response.output_item.added",
        '"sequence_number":NUMBER,"output_index":2,"item":{"type":"function_call","id":"fc_1","call_id":"c","name":"go"}',
    ),
    "an item's end": (
        "response.output_item.done",
        '"sequence_number":NUMBER,"item":{"type":"message","content":[{"type":"output_text","text":"TEXT"}]}',
    ),
    "the end": (
        "response.completed",
        '"sequence_number":NUMBER,"response":{"id":"r","output":[]}',
    ),
}
SHAPES = USUAL | ODD
OPENING = encoded(*events(message("Hi there"))[:4])
OPENED = 4

texts = st.one_of(
    st.sampled_from(
        (
            *("", "a", " b", "\\n", '\\"', "\\\\", "\\/", "\\u00e9", "\\ud83d\\ude00", "\\ud83d", "é", "\x7f"),
            *("\x01", '"', '","delta":"x', "\\", '"}\n\n', "\xa0", "\\u0001", "\\b", "\\f", "data: ", "\r", "\n"),
        )
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=4).map(
        lambda text: json.dumps(text, ensure_ascii=False)[1:-1]
    ),
    st.text('ab\\"u0\n', max_size=4),
)


@dataclass(frozen=True)
class Written:
    """An event as a server writes it, but for its number."""

    shape: str
    text: str = "a"
    pad: str = "x"
    end: str = "\n\n"
    named: bool = True

    def numbered(self, number: int) -> bytes:
        kind, fields = SHAPES[self.shape]
        filled = fields.replace("PLACE", PLACE).replace("NUMBER", str(number))
        filled = filled.replace("TEXT", self.text).replace("PAD", self.pad)
        event = f"event: {kind}\n" if self.named else ""
        return f'{event}data: {{"type":"{kind}",{filled}}}{self.end}'.encode()


def stream_of(written: Sequence[Written], jumps: Sequence[int] = (), start: int = OPENED) -> bytes:
    """The events with their numbers, one of which is left out before the events at `jumps`."""
    numbers = itertools.accumulate((2 if at in jumps else 1 for at in range(1, len(written))), initial=start)
    return b"".join(event.numbered(number) for event, number in zip(written, numbers, strict=False))


usual = st.builds(Written, st.sampled_from([*USUAL]), texts, texts)
plain = st.builds(Written, st.sampled_from([*USUAL]), st.sampled_from(["a", "é", "\\n", " b c"]))
odd = st.builds(
    Written,
    st.sampled_from([*SHAPES]),
    texts,
    texts,
    st.sampled_from(["\n\n"] * 4 + ["\r\n\r\n", "\n", "\r\r", "\n\n\n", "\n\n: hm\n\n", "\n\nid: 1\n\n", ""]),
    st.sampled_from([True, True, False]),
)
runs = st.one_of(
    st.builds(lambda one, count: [one] * count, st.one_of(usual, plain, odd), st.integers(1, 4)),
    st.lists(plain, max_size=4),
    st.lists(st.one_of(usual, odd), max_size=2),
)
streams = st.builds(
    lambda parts, jumps: stream_of([one for part in parts for one in part], jumps),
    st.lists(runs, max_size=8),
    st.one_of(st.just([]), st.lists(st.integers(1, 20), max_size=1)),
)
cuts = st.lists(st.integers(0, 6_000), max_size=8)
