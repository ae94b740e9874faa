"""What the second target says where it is asked to go on with a stream that broke off.

The caller gets the true text or the error in the stream, never another text with a finish. Where the continuation does
not prove its place, the target is asked for the whole answer, which has to repeat what the caller has.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from gateway.core.text_end import anchor
from tests.faults.table import DONE, ERROR, ROLE, SECOND, Fault, Reply, Second, called, event, fragment, sse

Asked = tuple[Literal["go on", "whole"], ...]
Said = Reply | bytes | str | None
GOES_ON: Final[Asked] = ("go on",)
TWICE: Final[Asked] = ("go on", "go on")
ASKED_AGAIN: Final[Asked] = ("go on", "whole")
WHOLE_AT_ONCE: Final[Asked] = ("whole",)

TEXT: Final = (
    "Water boils at 100 degrees. On a high mountain, for example on Mont Blanc, it boils earlier: at about 85 degrees. "
    "Tea that is made there tastes weak. A lid keeps the steam in, and so the pressure rises."
)
CUT: Final = TEXT.index("stes weak")
"""In a word, where a row does not say another place."""
PLACES: Final = {"in a word": CUT, "behind a blank": TEXT.index("weak"), "behind a sentence": TEXT.index(" A lid")}
BEFORE_BLANKS: Final = {"behind a word": TEXT.index(" earlier") + 40, "behind a sentence": TEXT.index(" Tea") + 40}
"""Cuts whose last forty characters begin with a blank."""
CODE: Final = (
    "Run it:\n\n```python\nfor n in range(3):\n    print('It boils.')\n    print(n + 1)\n```\n\nThat is all.\n"
)
IN_CODE: Final = {"in a line": CODE.index("(n + 1)"), "behind a line": CODE.index("    print(n")}
SCRIPTS: Final = {
    "Korean": "물은 섭씨 100도에서 끓습니다. 높은 산에서는 더 일찍 끓습니다. 그래서 차 맛이 약해집니다.",
    "Arabic": "يغلي الماء عند مئة درجة. وعلى الجبال العالية يغلي قبل ذلك، فيكون طعم الشاي ضعيفا.",
    "joined": "It boils 😊! A family 👨\u200d👩\u200d👧 drinks tea at the cafe\u0301, and e\u0301te\u0301 is long.",
}
LINES: Final = "All work and no play makes Jack a dull boy.\n" * 5
WORDS: Final = "ha " * 30
PRIME: Final = "11 is prime, as is 13."
ELSE: Final = "Something else is to be said about tea and mountains, and it begins in another way."


def stream(text: str, *, each: int = 9, finish: str | None = "stop") -> bytes:
    """A text as a stream, in events of `each` characters; without a finish it breaks off."""
    said = b"".join(event({"content": text[place : place + each]}) for place in range(0, len(text), each))
    return ROLE + said + (event({}, finish) + DONE if finish else b"")


def row(kind: str, shape: str, said: Said, *, cut: int = CUT, text: str = TEXT, **more: Any) -> Fault:
    """A row: the stream breaks off behind `cut` characters of `text`, and the second target goes on with `said`.

    Args:
        kind, shape: its name.
        said: None: it goes on as it was asked to. A text is streamed, and bytes are the body of a stream.
        cut, text: as above.
        more: the fields of Second, and `two`.
    """
    two = more.pop("two", SECOND)
    body = stream(said) if isinstance(said, str) else said
    second = Second(text, Reply(body) if isinstance(body, bytes) else body, **{"asked": GOES_ON, **more})
    broken, told = stream(text[:cut], each=7, finish=None), (200, "stream_interrupted")
    return Fault(f"continued: {kind}", shape, 3, ERROR, two, stream=broken, told=told, second=second)


def rows(kind: str, shapes: Mapping[str, Said], **more: Any) -> Iterator[Fault]:
    """A row for each of these continuations, all at one cut."""
    return (row(kind, shape, said, **more) for shape, said in shapes.items())


def aside(kind: str, shapes: Mapping[str, Said], **more: Any) -> Iterator[Fault]:
    """The same, where the continuation is put aside, and the whole answer is asked for, which is right."""
    return rows(kind, shapes, asked=ASKED_AGAIN, **more)


def lost(kind: str, shapes: Mapping[str, Said], *, asked: Asked = GOES_ON, **more: Any) -> Iterator[Fault]:
    """The same, where the answer ends with the error in the stream."""
    return rows(kind, shapes, two=ERROR, asked=asked, **more)


def last_words(counts: Sequence[int], cut: int) -> dict[str, str]:
    """The rest behind the cut, with so many words in front of it."""
    return {f"{count}": " ".join(TEXT[:cut].split(" ")[-count:]) + TEXT[cut:] for count in counts}


def refused(status: int, message: str) -> Reply:
    body = {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}
    return Reply(json.dumps(body).encode(), status, "application/json")


COPY: Final = anchor(TEXT[:CUT])
"""What the target is asked to begin with."""
REST: Final = TEXT[CUT:]
FINISH: Final = event({}, "stop") + DONE
WEAK: Final = PLACES["behind a blank"]

ACCEPTED: Final = (
    *(row("as asked", shape, None, cut=cut) for shape, cut in PLACES.items()),
    *rows("in events of another size", {f"{each}": stream(COPY + REST, each=each) for each in (1, 40, 41, 999)}),
    *(row("from the start", shape, TEXT, cut=cut) for shape, cut in PLACES.items()),
    *rows("from a sentence", {each: TEXT[TEXT.index(each) :] for each in ("On a high", "at about")}),
    *rows("overlapping by many words", last_words((10, 15, 20), WEAK), cut=WEAK),
    *(row("without the leading blank", shape, TEXT[cut - 39 :], cut=cut) for shape, cut in BEFORE_BLANKS.items()),
    *rows(
        "thinking first",
        {
            each: ROLE + event({each: "The text goes on."}) + stream(COPY + REST)
            for each in ("reasoning_content", "reasoning")
        },
    ),
    *(row("in an open fence", shape, None, cut=cut, text=CODE) for shape, cut in IN_CODE.items()),
    *(row("in another script", shape, None, cut=60, text=text) for shape, text in SCRIPTS.items()),
    *rows(
        "empty behind a whole text",
        {"a finish alone": ROLE + FINISH, "the copy alone": anchor(TEXT)},
        cut=len(TEXT),
    ),
    row("a phrase that repeats", "lines", None, cut=150, text=LINES, asked=WHOLE_AT_ONCE),
    row("a phrase that repeats", "words", None, cut=45, text=WORDS, asked=WHOLE_AT_ONCE),
    *(row("a very short text", f"{cut}", None, cut=cut, text=PRIME, asked=WHOLE_AT_ONCE) for cut in (1, 5, 10)),
)
PUT_ASIDE: Final = (
    *aside("overlapping by too few words", last_words((2, 4), WEAK), cut=WEAK),
    *(each for shape, cut in PLACES.items() for each in aside("exact, without a copy", {shape: TEXT[cut:]}, cut=cut)),
    *aside(
        "in other words", {"from the start": "Water starts to boil at 100 degrees.", "from the cut": "ste of nothing."}
    ),
    *aside(
        "in another case", {"upper": (COPY + REST).upper(), "the first letter": COPY[0].swapcase() + COPY[1:] + REST}
    ),
    *aside(
        "a copy with a change",
        {f"at {place}": COPY[:place] + "#" + COPY[place + 1 :] + REST for place in (0, 20, len(COPY) - 1)},
    ),
    *aside("with words in front", {each: each + COPY + REST for each in ("Sure, here it is: ", "<begin>", "...")}),
    *aside("in a fence of its own", {info: f"```{info}\n{COPY}{REST}\n```" for info in ("", "text")}),
    *(
        each
        for shape, cut in IN_CODE.items()
        for each in (
            *aside("the fence opened anew", {shape: "```python\n" + CODE[cut:]}, cut=cut, text=CODE),
            *aside("empty in a fence", {shape: ROLE + FINISH}, cut=cut, text=CODE),
        )
    ),
    *aside(
        "empty in a sentence",
        {"a finish alone": ROLE + FINISH, "blanks": " \n", "the copy": COPY, "the copy and a line end": COPY + "\n"},
    ),
    *aside("repeating more", {"the copy twice": COPY * 2 + REST, "the whole twice": TEXT[:CUT] * 2 + REST}),
    *aside(
        "a call in place of words",
        {each: called(fragment('{"a":1}', name="f"), finish=each) for each in ("tool_calls", "stop")},
    ),
    *aside(
        "refused as a wrong request",
        {
            "400": refused(400, "The last message must not follow an assistant message."),
            "422": refused(422, "messages: roles must alternate"),
        },
    ),
    *aside(
        "refused as too long",
        {f"{status}": refused(status, "This model's maximum context length is 10 tokens.") for status in (400, 413)},
    ),
    *(
        each
        for blanks in (" ", "\n\n")
        for each in aside("the whole answer behind blanks", {repr(blanks): REST}, again=Reply(stream(blanks + TEXT)))
    ),
)

FAILS: Final = sse('{"error": {"message": "The engine died.", "code": 500}}')
IN_COPY: Final = stream(COPY[:20], finish=None)
BEHIND_COPY: Final = stream(COPY + REST[:30], finish=None)
WHOLE_ANSWERS: Final = {
    "something else": stream(ELSE),
    "another number": stream(TEXT.replace("100", "212")),
    "a part": stream(TEXT[:20]),
    "broken before the cut": stream(TEXT[:20], finish=None),
    "broken behind the cut": stream(TEXT[: CUT + 20], finish=None),
}
SAFETY: Final = "Your request was rejected by our safety system."
LOST: Final = (
    *(
        each
        for shape, again in WHOLE_ANSWERS.items()
        for each in lost("another whole answer too", {shape: ELSE}, asked=ASKED_AGAIN, again=Reply(again))
    ),
    *lost("breaks again", {"the body ends": BEHIND_COPY, "the connection ends": Reply(BEHIND_COPY, cut=True)}),
    *lost("breaks again in the copy", {"the body ends": IN_COPY, "the connection ends": Reply(IN_COPY, cut=True)}),
    *lost("an error behind words", {"in the copy": IN_COPY + FAILS, "behind the copy": BEHIND_COPY + FAILS + DONE}),
    *lost("a finish that breaks off", {each: BEHIND_COPY + event({}, each) + DONE for each in ("error", "ABORT")}),
    *lost("an error at once", {"in the stream": FAILS, "a 503": refused(503, "Overloaded.")}, asked=TWICE),
    *lost(
        "no answer to be read",
        {"a page": Reply(b"<html><title>Maintenance</title></html>", media="text/html"), "no body": b""},
        asked=TWICE,
    ),
    *lost("content refused", {f"{status}": refused(status, SAFETY) for status in (400, 403)}),
    *lost("key refused", {f"{status}": refused(status, "Incorrect API key provided.") for status in (400, 401)}),
)

ROWS: Final[tuple[Fault, ...]] = (*ACCEPTED, *PUT_ASIDE, *LOST)
