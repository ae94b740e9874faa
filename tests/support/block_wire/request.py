"""Reads a request of the invented wire.

    {"mind": "best", "creed": "Be brief.", "talk": [TURN, ...], "errands": [{"name", "purpose", "form"}, ...],
     "choose": "may" | "must" | "never" | NAME, "one_errand": bool, "length": tokens, "heat": number, "halt": [text],
     "ponder": effort, "breadth": verbosity}

A turn is {"by": "seeker" | "oracle", "blocks": [BLOCK, ...]}. A block `is` words or a thought ({"words"}), an errand
({"errand": id, "tool", "input": {}}), or, of the seeker, an outcome ({"errand": id, "words", "failed"}). A stream is
asked for in the query (`live=yes`), and thoughts by the header `oracle-thoughts`.
"""

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Final, Literal
from urllib.parse import parse_qs

from msgspec.structs import replace

from gateway.core.errors import InvalidRequest
from gateway.core.request import ChatRequest, Message, Params, Part, Prompt, Reasoning, Text, Tool, ToolCall, ToolChoice
from gateway.core.source import RequestContext, Source
from gateway.core.strict_json import JsonFault, JsonObject, JsonValue, as_object, dumps, loads
from gateway.core.text_end import anchor
from gateway.wires.field_reader import FieldReader

WIRE: Final = "block_talk"
THOUGHTS: Final = "oracle-thoughts"
CONTINUE: Final = (
    "Your answer broke off. It ended with:\n<tail>{tail}</tail>\nGo on with it. Begin with an exact copy of these "
    "characters:\n<begin>{begin}</begin>\nand say behind them what comes next, and nothing else."
)
_TAIL: Final = 200
_MODES: Final[Mapping[str, Literal["auto", "none", "required"]]] = {"may": "auto", "must": "required", "never": "none"}


def parse(body: bytes, context: RequestContext) -> ChatRequest:
    """Read and check a request. Raises InvalidRequest, which names the field as this wire does."""
    try:
        fields = as_object(loads(body))
    except JsonFault as fault:
        raise InvalidRequest(f"The oracle reads JSON only: {fault}", param="body") from None
    if context.headers.get(THOUGHTS, "shown") not in ("shown", "hidden"):
        raise InvalidRequest(f"{THOUGHTS} must be shown or hidden.", param=THOUGHTS)
    source = Source(WIRE, fields, context.headers, context.query)
    prompt(source)
    return ChatRequest(
        model=FieldReader(fields).needed_text("mind"),
        stream=parse_qs(context.query).get("live") == ["yes"],
        wants_usage=True,
        source=source,
        prompt=lambda: prompt(source),
        plain=True,
    )


def shows_thoughts(source: Source) -> bool:
    """Whether the caller gets thoughts."""
    return source.headers.get(THOUGHTS) == "shown"


def continued(chat: ChatRequest, text_so_far: str) -> ChatRequest:
    """The request that asks to go on where the text ends."""
    fields = chat.source.body
    before = fields.get("talk")
    wish = CONTINUE.format(tail=text_so_far[-_TAIL:], begin=anchor(text_so_far))
    talk: list[JsonValue] = [
        *(before if isinstance(before, list) else ()),
        {"by": "oracle", "blocks": [{"is": "words", "words": text_so_far}]},
        {"by": "seeker", "blocks": [{"is": "words", "words": wish}]},
    ]
    source = replace(chat.source, body={**fields, "talk": talk})
    return replace(chat, source=source, prompt=lambda: prompt(source))


def prompt(source: Source) -> Prompt:
    """The request in neutral form."""
    request = FieldReader(source.body)
    request.ignore("mind")
    creed = request.text("creed")
    system = (Message("system", (Text(creed),)),) if creed else ()
    turns = request.objects("talk")
    if not turns:
        raise request.wrong_type("talk", "an array with at least one turn")
    return Prompt(
        messages=(*system, *(message for turn in turns for message in _turn(turn))),
        tools=tuple(map(_tool, request.objects("errands"))),
        tool_choice=_choice(request.text("choose")),
        params=_params(request, shows_thoughts(source)),
        unmapped=tuple(request.unread()),
    )


def _params(request: FieldReader, shown: bool) -> Params:
    alone = request.flag("one_errand")
    return Params(
        max_tokens=request.integer("length"),
        temperature=request.number("heat"),
        stop=request.texts("halt"),
        effort=request.text("ponder"),
        verbosity=request.text("breadth"),
        show_reasoning=shown,
        parallel_calls=None if alone is None else not alone,
    )


def _tool(errand: FieldReader) -> Tool:
    return Tool(errand.needed_text("name"), errand.text("purpose") or "", errand.json("form"))


def _choice(choose: str | None) -> ToolChoice | None:
    if choose is None:
        return None
    return ToolChoice(_MODES[choose]) if choose in _MODES else ToolChoice("required", (choose,))


def _turn(turn: FieldReader) -> Iterator[Message]:
    """A turn of the oracle is one message; the seeker's outcomes are messages of their own."""
    by, blocks = turn.needed_text("by"), turn.objects("blocks")
    if by == "oracle":
        yield Message("assistant", tuple(map(_part, blocks)))
    elif by == "seeker":
        for outcome, some in groupby(blocks, lambda block: block.raw("is") == "outcome"):
            if outcome:
                yield from map(_outcome, some)
            else:
                yield Message("user", tuple(map(_part, some)))
    else:
        raise turn.wrong_type("by", "seeker or oracle")


def _outcome(block: FieldReader) -> Message:
    said = (Text(block.text("words") or ""),)
    return Message("tool", said, call_id=block.needed_text("errand"), failed=block.flag("failed") is True)


def _part(block: FieldReader) -> Part:
    match block.raw("is"):
        case "words":
            return Text(block.needed_text("words"))
        case "thought":
            return Reasoning(block.needed_text("words"))
        case "errand":
            given: JsonObject = block.json("input") or {}
            return ToolCall(block.needed_text("errand"), block.needed_text("tool"), dumps(given).decode())
        case _:
            raise block.wrong_type("is", "words, thought, errand or outcome")
