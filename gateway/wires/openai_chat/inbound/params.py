"""How a request wants to be answered, in our words.

Source: https://platform.openai.com/docs/api-reference/chat/create. Beyond it: `top_k`, which most other servers take,
`reasoning` with an `effort` (OpenRouter's form), and `logprobs` as a number (Together's).
"""

from gateway.core.request import JsonOutput, Params
from gateway.wires.field_reader import FieldReader


def read_params(asked: FieldReader) -> Params:
    """How to answer.

    Raises:
        InvalidRequest: naming the field.
    """
    logprobs, top_logprobs = _logprobs(asked)
    limit, older = asked.integer("max_completion_tokens"), asked.integer("max_tokens")
    return Params(
        temperature=asked.number("temperature"),
        top_p=asked.number("top_p"),
        top_k=_top_k(asked),
        max_tokens=older if limit is None else limit,
        stop=_stop(asked),
        seed=asked.integer("seed"),
        presence_penalty=asked.number("presence_penalty"),
        frequency_penalty=asked.number("frequency_penalty"),
        logprobs=logprobs,
        top_logprobs=top_logprobs,
        effort=_effort(asked),
        output=_output(asked),
        modalities=tuple(name.lower() for name in asked.texts("modalities")),
        parallel_calls=asked.flag("parallel_tool_calls"),
    )


def _top_k(asked: FieldReader) -> int | None:
    value = asked.integer("top_k")
    return value if value and value > 0 else None  # 0 and -1 are vLLM's words for "all"


def _stop(asked: FieldReader) -> tuple[str, ...]:
    value = asked.raw("stop")
    stops = (value,) if isinstance(value, str) else asked.texts("stop")
    return tuple(text for text in stops if text)


def _logprobs(asked: FieldReader) -> tuple[bool, int | None]:
    wanted, top = asked.raw("logprobs"), asked.integer("top_logprobs")
    if wanted is None or isinstance(wanted, bool):
        return wanted is True, top
    count = asked.integer("logprobs") or 0
    return count > 0, count if top is None and count > 0 else top


def _effort(asked: FieldReader) -> str | None:
    said, reasoning = asked.text("reasoning_effort"), asked.object("reasoning")
    nested = reasoning.text("effort") if reasoning else None
    return (said or nested or "").strip().lower() or None


def _output(asked: FieldReader) -> JsonOutput | None:
    form = asked.object("response_format")
    if form is None:
        return None
    kind = form.needed_text("type")
    if kind == "json_object":
        return JsonOutput()
    if kind == "json_schema":
        told = form.needed_object("json_schema")
        told.ignore("strict")  # a provider that reads a schema keeps to it
        return JsonOutput(told.json("schema"), told.text("name") or "")
    if kind != "text":
        form.skip("response_format")
    return None
