"""The demo provider's answers: a pure function from a request to an answer.

An answer repeats the user's words, calls a tool if there are tools, quotes a tool's result, or fills a schema. That is
enough to see every path through the gateway work, and it never looks like the thinking of a model.
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
LONGEST_QUOTE = 400  # characters; to an agent, a long echo of its own prompt looks like instructions
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
    """One of the `n` answers. `content` is None if tools are called; `finish` is OpenAI's finish_reason."""

    content: str | None
    finish: str
    calls: tuple[ToolCall, ...] = ()
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts. The demo counts words."""

    prompt: int
    completion: int
    reasoning: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The choices and their token counts."""

    choices: tuple[Choice, ...]
    usage: Usage


def answer(request: ChatRequest, new_call_id: Callable[[], str]) -> Answer:
    """Answer a request.

    Args:
        request: what the gateway asks.
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
    """The words of `text`, each with the white space after it. Joined they are `text` again."""
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
    """Only the arguments that the schema requires: an optional one could do something that the user did not ask for."""
    filled = fill(function.parameters or {"type": "object"}, subject, optional=False)
    return filled if isinstance(filled, dict) else {}


def _subject(text: str) -> str:
    """The last capitalised word that does not start a sentence: "What is the weather in Paris?" gives Paris.

    It is one plain word and never the whole text, because a tool may be a shell.
    """
    inside = re.findall(r"(?<![.?!:\s])\s+([^\W\d_]{2,})", text)
    return next((word for word in reversed(inside) if word[0].isupper()), "")


# Text --------------------------------------------------------------------------------------------------------------


def _saying(request: ChatRequest) -> Choice:
    """The answer in words or JSON, up to a `stop` text or the word limit."""
    text, finish = _before_stop(_content(request), request.stops), "stop"
    reasoning = REASONING if request.reasons else ""
    if request.word_limit is not None:
        first_reasoning, room = _first_words(reasoning, request.word_limit)
        first_text, _ = _first_words(text, room)
        if first_reasoning != reasoning or first_text != text:
            reasoning, text, finish = first_reasoning, first_text, "length"
    return Choice(text, finish, reasoning=reasoning)


def _content(request: ChatRequest) -> str:
    form = request.response_format
    if form is None or form.type not in ("json_object", "json_schema"):
        return _sentence(request)
    schema = form.json_schema.schema if form.json_schema else None
    if form.type == "json_object" or not schema:
        return _json(fill(_ANY_OBJECT, _sentence(request)))
    text = " ".join(request.tool_results) or request.question.text
    return _json(fill(schema, text[:LONGEST_FIELD]))


def _sentence(request: ChatRequest) -> str:
    if results := request.tool_results:
        who = "tool" if len(results) == 1 else "tools"
        return f"The {who} said: {_quote('; '.join(results))}\n\n{ABOUT}"
    question = request.question
    quoted = f"You said: {_quote(question.text)}" if question.text.strip() else "You said nothing."
    received = f"\n\nI also received {_listed(question.attachments)}." if question.attachments else ""
    return f"{quoted}{received}\n\n{ABOUT}"


def _quote(text: str) -> str:
    return text if len(text) <= LONGEST_QUOTE else text[:LONGEST_QUOTE] + "..."


def _listed(things: tuple[str, ...]) -> str:
    *others, last = things
    return f"{', '.join(others)} and {last}" if others else last


def _before_stop(text: str, stops: tuple[str, ...]) -> str:
    """The text before the stop text that comes first."""
    return text[: min((at for stop in stops if (at := text.find(stop)) >= 0), default=len(text))]


def _first_words(text: str, limit: int) -> tuple[str, int]:
    """The first `limit` words of `text`, and how many words of the limit are left."""
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
    content = count_words(choice.content or "" for choice in choices)
    calls = count_words(f"{call.name} {call.arguments}" for choice in choices for call in choice.calls)
    return Usage(count_words(message.text for message in request.messages), reasoning + content + calls, reasoning)
