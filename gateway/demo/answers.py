"""What the demo provider answers: a pure function from a request to an answer.

It repeats the user's words, calls a tool when tools are given, quotes a tool's result, fills a schema: enough to see
every path through the gateway work, and never anything that could be taken for a model's thinking.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from gateway.core.errors import InvalidRequest
from gateway.demo.filling import fill
from gateway.demo.request import ChatRequest, Function, count_words

ABOUT = (
    "This is the gateway's built-in demo provider; "
    "set OPENAI_API_KEY or add a provider to config.yaml to talk to a real model."
)
REASONING = "The demo provider does not think, it looks at the last message."
LONGEST_QUOTE = 400  # characters; an agent's prompt said back at length looks to the agent like instructions
LONGEST_FIELD = 200  # characters of a string in filled JSON

_PIECE = re.compile(r"\S+\s*|\s+")
_ANY_OBJECT: dict[str, object] = {"properties": {"answer": {"type": "string"}}, "required": ["answer"]}


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call; `arguments` is JSON text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the `n` answers. `content` is None where tools are called; `finish` is OpenAI's finish_reason."""

    content: str | None
    finish: str
    calls: tuple[ToolCall, ...] = ()
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """Words, which is what the demo counts as tokens."""

    prompt: int
    completion: int
    reasoning: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The choices, and what they are said to have cost."""

    choices: tuple[Choice, ...]
    usage: Usage


def answer(request: ChatRequest, new_call_id: Callable[[], str]) -> Answer:
    """Answer `request`.

    Args:
        new_call_id: makes the id of a tool call, a new one each time.

    Raises:
        InvalidRequest: tool_choice names a function that is not among the tools.
    """
    to_call = _functions_to_call(request)
    if to_call:
        choices = tuple(_calling(request, to_call, new_call_id) for _ in range(request.n or 1))
    else:
        choices = (_saying(request),) * (request.n or 1)
    return Answer(choices, _usage(request, choices))


def pieces(text: str) -> list[str]:
    """`text` word by word, each with the white space after it; joined they are `text` again."""
    return _PIECE.findall(text)


# Tools -------------------------------------------------------------------------------------------------------------


def _functions_to_call(request: ChatRequest) -> tuple[Function, ...]:
    functions, choice = request.functions, request.tool_choice
    if not functions or choice == "none" or request.messages[-1].role == "tool":
        return ()
    if choice is not None and not isinstance(choice, str) and choice.function:
        wanted = choice.function.name
        named = tuple(function for function in functions if function.name == wanted)[:1]
        if not named:
            raise InvalidRequest(f"tool_choice names {wanted!r}, which is not in tools.", param="tool_choice")
        return named
    several = re.search(r"\b(both|all)\b", request.question.text, re.IGNORECASE)
    return functions if several and request.parallel_tool_calls is not False else functions[:1]


def _calling(request: ChatRequest, functions: tuple[Function, ...], new_call_id: Callable[[], str]) -> Choice:
    subject = _subject(request.question.text)
    calls = tuple(
        ToolCall(new_call_id(), function.name, _json(_arguments(function, subject))) for function in functions
    )
    return Choice(None, "tool_calls", calls, REASONING if request.reasons else "")


def _arguments(function: Function, subject: str) -> dict[str, object]:
    """Only what the schema requires: an option nobody asked for might do something nobody asked for."""
    filled = fill(function.parameters or {"type": "object"}, subject, optional=False)
    return filled if isinstance(filled, dict) else {}


def _subject(text: str) -> str:
    """The last capitalised word that starts no sentence: "What is the weather in Paris?" is about Paris.

    One plain word and never the whole text, since a tool may be a shell.
    """
    inside = re.findall(r"(?<![.?!:\s])\s+([^\W\d_]{2,})", text)
    return next((word for word in reversed(inside) if word[0].isupper()), "")


# Text --------------------------------------------------------------------------------------------------------------


def _saying(request: ChatRequest) -> Choice:
    """The answer in words or JSON, cut where `stop` or the word limit says so."""
    text, finish = _before_stop(_content(request), request.stops), "stop"
    reasoning = REASONING if request.reasons else ""
    if request.word_limit is not None:
        said, room = _first_words(reasoning, request.word_limit)
        cut, _ = _first_words(text, room)
        if said != reasoning or cut != text:
            reasoning, text, finish = said, cut, "length"
    return Choice(text, finish, reasoning=reasoning)


def _content(request: ChatRequest) -> str:
    form = request.response_format
    if form is None or form.type not in ("json_object", "json_schema"):
        return _sentence(request)
    schema = form.json_schema.schema if form.json_schema else None
    if form.type == "json_object" or not schema:
        return _json(fill(_ANY_OBJECT, _sentence(request)))
    told = " ".join(request.tool_results) or request.question.text
    return _json(fill(schema, told[:LONGEST_FIELD]))


def _sentence(request: ChatRequest) -> str:
    if results := request.tool_results:
        who = "tool" if len(results) == 1 else "tools"
        return f"The {who} said: {_quote('; '.join(results))}\n\n{ABOUT}"
    question = request.question
    said = f"You said: {_quote(question.text)}" if question.text.strip() else "You said nothing."
    received = f"\n\nI also received {_listed(question.attachments)}." if question.attachments else ""
    return f"{said}{received}\n\n{ABOUT}"


def _quote(text: str) -> str:
    return text if len(text) <= LONGEST_QUOTE else text[:LONGEST_QUOTE] + "..."


def _listed(things: tuple[str, ...]) -> str:
    *others, last = things
    return f"{', '.join(others)} and {last}" if others else last


def _before_stop(text: str, stops: tuple[str, ...]) -> str:
    """Up to the stop text that comes first, which is left out itself."""
    return text[: min((at for stop in stops if (at := text.find(stop)) >= 0), default=len(text))]


def _first_words(text: str, limit: int) -> tuple[str, int]:
    """As much of `text` as has `limit` words, and how many words are left to say."""
    kept = ""
    for piece in pieces(text):
        if not limit and piece.strip():
            break
        kept += piece
        limit -= bool(piece.strip())
    return kept, limit


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _usage(request: ChatRequest, choices: tuple[Choice, ...]) -> Usage:
    reasoning = count_words(choice.reasoning for choice in choices)
    said = count_words(choice.content or "" for choice in choices)
    called = count_words(f"{call.name} {call.arguments}" for choice in choices for call in choice.calls)
    return Usage(count_words(message.text for message in request.messages), reasoning + said + called, reasoning)
