"""The arithmetic of deltas: joining those of a stream, and what they say in a word.

`joined` keeps the order of what was said, for wires whose answers are blocks. `merged` gives up the order and makes one
delta a choice, for a wire whose answers have none. This module knows no wire format, and no vendor.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec.structs import replace

from gateway.core.answer import ChatChunk, ChatResponse, ChoiceDelta, Envelope, ToolCallDelta, Usage
from gateway.core.source import Source

_ORDER: Final = ("reasoning", "text", "refusal", "calls", "images")
"""The order of what is said inside one delta."""


def plain_text(deltas: tuple[ChoiceDelta, ...]) -> str | None:
    """The text of deltas that add nothing but text and reasoning to the first choice; None for all others."""
    if len(deltas) == 1:
        one = deltas[0]
        return one.text if _is_plain(one) else None
    return "".join(each.text for each in deltas) if all(map(_is_plain, deltas)) else None


def has_content(deltas: Iterable[ChoiceDelta]) -> bool:
    """Whether the deltas say anything to the caller; a finish or a signature alone says nothing."""
    return any(one.text or one.reasoning or one.calls or one.refusal or one.images for one in deltas)


def merged(deltas: Sequence[ChoiceDelta]) -> tuple[ChoiceDelta, ...]:
    """One delta a choice, in the order in which the choices first appear."""
    if len(deltas) < 2:
        return tuple(deltas)
    sums: dict[int, ChoiceDelta] = {}
    for further in deltas:
        so_far = sums.get(further.index)
        sums[further.index] = further if so_far is None else add(so_far, further)
    return tuple(sums.values())


def joined(deltas: Iterable[ChoiceDelta]) -> tuple[ChoiceDelta, ...]:
    """The deltas of a whole answer: neighbours of one choice are one as long as the order of what was said stays, the
    pieces of a call are one piece, and the choices come in their order."""
    choices: dict[int, list[ChoiceDelta]] = {}
    for further in deltas:
        said = choices.setdefault(further.index, [])
        new = _without_continued_calls(said, further)
        if said and _keeps_order(said[-1], new):
            said[-1] = add(said[-1], new)
        else:
            said.append(replace(new, calls=_one_piece_each(new.calls)) if len(new.calls) > 1 else new)
    return tuple(delta for index in sorted(choices) for delta in choices[index])


def assemble(chunks: Iterable[ChatChunk], source: Source) -> ChatResponse:
    """The whole answer that the chunks of a stream add up to.

    Args:
        chunks: all of one answer, in neutral form and in order.
        source: the source of the whole answer.
    """
    usage: Usage | None = None
    envelope: Envelope | None = None
    deltas: list[ChoiceDelta] = []
    for chunk in chunks:
        usage = chunk.usage or usage
        envelope = chunk.envelope or envelope
        deltas += chunk.deltas
    return ChatResponse(usage, source, envelope, joined(deltas))


def add(so_far: ChoiceDelta, further: ChoiceDelta) -> ChoiceDelta:
    """The sum of two deltas of one choice; the pieces of a call become one."""
    return ChoiceDelta(
        index=so_far.index,
        text=so_far.text + further.text,
        reasoning=so_far.reasoning + further.reasoning,
        refusal=so_far.refusal + further.refusal,
        calls=_one_piece_each((*so_far.calls, *further.calls)) if further.calls else so_far.calls,
        images=so_far.images + further.images,
        citations=so_far.citations + further.citations,
        logprobs=so_far.logprobs + further.logprobs,
        finish=further.finish or so_far.finish,
        native_finish=further.native_finish or so_far.native_finish,
        extra={**so_far.extra, **further.extra},
        reasoning_extra={**so_far.reasoning_extra, **further.reasoning_extra},
        stop_sequence=further.stop_sequence or so_far.stop_sequence,
    )


def _is_plain(one: ChoiceDelta) -> bool:
    return one.index == 0 and not (one.refusal or one.calls or one.images or one.logprobs)


def _keeps_order(so_far: ChoiceDelta, further: ChoiceDelta) -> bool:
    """Whether both said in one delta are in the order in which they were said."""
    if so_far.reasoning_extra and (further.reasoning or further.reasoning_extra):
        return False  # another block of reasoning
    first = next((at for at, name in enumerate(_ORDER) if getattr(further, name)), len(_ORDER))
    if further.reasoning_extra:
        first = 0
    return not any(getattr(so_far, name) for name in _ORDER[first + 1 :])


def _without_continued_calls(said: list[ChoiceDelta], further: ChoiceDelta) -> ChoiceDelta:
    """The delta without the pieces of calls that began before it; those are added where the call began."""
    if not (further.calls and said):
        return further
    own: list[ToolCallDelta] = []
    for piece in further.calls:
        place = next((at for at, delta in enumerate(said) if _begins(delta, piece.index)), None)
        if place is None:
            own.append(piece)
        else:
            said[place] = replace(said[place], calls=_one_piece_each((*said[place].calls, piece)))
    return further if len(own) == len(further.calls) else replace(further, calls=tuple(own))


def _begins(delta: ChoiceDelta, index: int) -> bool:
    return any(piece.index == index for piece in delta.calls)


def _one_piece_each(pieces: Iterable[ToolCallDelta]) -> tuple[ToolCallDelta, ...]:
    calls: dict[int, ToolCallDelta] = {}
    for piece in pieces:
        begun = calls.get(piece.index)
        calls[piece.index] = piece if begun is None else _longer(begun, piece)
    return tuple(calls.values())


def _longer(begun: ToolCallDelta, piece: ToolCallDelta) -> ToolCallDelta:
    return replace(
        begun,
        arguments=begun.arguments + piece.arguments,
        ended=begun.ended or piece.ended,
        extra={**begun.extra, **piece.extra},
    )
