"""Faults of OpenAI-compatible servers: calls of tools."""

from typing import Final

from tests.faults.table import (
    DONE,
    STOP,
    TEXT,
    TOOL,
    WITH_TOOL,
    Fault,
    Says,
    answer,
    called,
    ends,
    event,
    fails,
    fragment,
    mended,
    whole_calls,
)

A: Final = '{"a":1}'
CALL: Final = Says(finish="tool_calls", calls=(("f", A),))
EMPTY_CALL: Final = Says(finish="tool_calls", calls=(("f", "{}"),))
SAID: Final = Says(TEXT)
FUNCTIONS: Final = {"functions": [{"name": "f", "parameters": {"type": "object"}}]}
FORCED: Final = {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "f"}}}
CALLS: Final = (
    mended(
        "{} before the arguments",
        "with the name",
        CALL,
        stream=called(fragment("{}", name="f"), fragment('{"a":'), fragment("1}")),
        whole=answer(whole_calls(("f", "{}" + A)), "tool_calls"),
        asks=WITH_TOOL,
    ),
    mended(
        "{} before the arguments",
        "by itself",
        CALL,
        stream=called(fragment("", name="f"), fragment("{}"), fragment(A)),
        asks=WITH_TOOL,
    ),
    mended(
        "{} that nothing follows",
        "with the name",
        EMPTY_CALL,
        stream=called(fragment("{}", name="f")),
        whole=answer(whole_calls(("f", "{}")), "tool_calls"),
        asks=WITH_TOOL,
    ),
    mended(
        "{} that nothing follows",
        "no arguments at all",
        EMPTY_CALL,
        stream=called(fragment(name="f")),
        whole=answer(whole_calls(("f", "")), "tool_calls"),
        asks=WITH_TOOL,
    ),
    mended(
        "arguments sent twice",
        "at once",
        CALL,
        stream=called(fragment(A, name="f"), fragment(A)),
        whole=answer(whole_calls(("f", A + A)), "tool_calls"),
        asks=WITH_TOOL,
    ),
    mended(
        "arguments sent twice",
        "behind their pieces",
        CALL,
        stream=called(fragment("", name="f"), fragment('{"a":'), fragment("1}"), fragment(A)),
        asks=WITH_TOOL,
    ),
    mended(
        "arguments sent twice",
        "with name and id",
        CALL,
        stream=called(fragment(A, name="f"), fragment(A, name="f")),
        asks=WITH_TOOL,
    ),
    ends(
        "two different arguments",
        "in a stream",
        stream=called(fragment(A, name="f"), fragment('{"a":2}')),
        asks=WITH_TOOL,
    ),
    fails(
        "two different arguments",
        "behind each other",
        whole=answer(whole_calls(("f", A + '{"a":2}')), "tool_calls"),
        asks=WITH_TOOL,
    ),
    *(
        ends(
            "arguments that are cut",
            f"{word!r} in a stream",
            stream=called(fragment('{"a":', name="f"), finish=word),
            asks=WITH_TOOL,
        )
        for word in ("tool_calls", "stop", "zenith")
    ),
    *(
        fails("arguments that are cut", repr(word), whole=answer(whole_calls(("f", '{"a":')), word), asks=WITH_TOOL)
        for word in ("tool_calls", "stop", "zenith")
    ),
    ends(
        "arguments that are cut",
        "[DONE]",
        stream=event({"tool_calls": [fragment('{"a":', name="f")]}) + DONE,
        asks=WITH_TOOL,
    ),
    mended(
        "an empty name later",
        "text",
        CALL,
        stream=called(fragment('{"a":', name="f"), {"index": 0, "function": {"name": "", "arguments": "1}"}}),
        asks=WITH_TOOL,
    ),
    mended(
        "an empty name later",
        "null",
        CALL,
        stream=called(
            fragment('{"a":', name="f"), {"index": 0, "id": "", "function": {"name": None, "arguments": "1}"}}
        ),
        asks=WITH_TOOL,
    ),
    *(
        fails(
            "a call without a name",
            repr(name),
            stream=called({"index": 0, "id": "c", "function": {"name": name, "arguments": "{}"}}),
            whole=answer(
                {"tool_calls": [{"id": "c", "type": "function", "function": {"name": name, "arguments": "{}"}}]},
                "tool_calls",
            ),
            asks=WITH_TOOL,
        )
        for name in ("", None)
    ),
    *(
        mended(
            "stop behind a call",
            word,
            CALL,
            stream=called(fragment(A, name="f"), finish=word),
            whole=answer(whole_calls(("f", A)), word),
            asks=WITH_TOOL,
        )
        for word in ("stop", "STOP")
    ),
    mended(
        "stop behind a call",
        "that was forced",
        Says(finish="stop", calls=(("f", A),)),
        stream=called(fragment(A, name="f"), finish="stop"),
        whole=answer(whole_calls(("f", A)), "stop"),
        asks=FORCED,
    ),
    mended(
        "tool_calls for functions",
        "one",
        Says(finish="function_call", calls=(("f", A),), legacy=True),
        stream=called(fragment(A, name="f")),
        whole=answer(whole_calls(("f", A)), "tool_calls"),
        asks=FUNCTIONS,
    ),
    mended(
        "tool_calls for functions",
        "two",
        Says(finish="function_call", calls=(("f", A),), legacy=True),
        stream=called(fragment(A, name="f"), fragment("{}", index=1, name="f")),
        whole=answer(whole_calls(("f", A), ("f", "{}")), "tool_calls"),
        asks=FUNCTIONS,
    ),
    mended(
        "no calls",
        "an empty list beside words",
        SAID,
        stream=event({"role": "assistant", "content": TEXT, "tool_calls": []}) + STOP,
        whole=answer({"content": TEXT, "tool_calls": []}),
    ),
    mended(
        "no calls",
        "null beside words",
        SAID,
        stream=event({"role": "assistant", "content": TEXT, "tool_calls": None}) + STOP,
        whole=answer({"content": TEXT, "tool_calls": None}),
    ),
)

ROWS: Final[tuple[Fault, ...]] = (*CALLS,)
