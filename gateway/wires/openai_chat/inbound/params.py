"""Reads the parameters of a request in neutral form.

Source: https://platform.openai.com/docs/api-reference/chat/create. Beyond OpenAI's fields it reads `top_k`, which most
other servers take, `reasoning` with an `effort` (OpenRouter's form), and `logprobs` as a number (Together's form).
"""

from gateway.core.request import JsonOutput, Params
from gateway.wires.field_reader import FieldReader


def read_params(request: FieldReader) -> Params:
    """Read the parameters.

    Raises:
        InvalidRequest: naming the field.
    """
    logprobs, top_logprobs = _logprobs(request)
    limit, older = request.integer("max_completion_tokens"), request.integer("max_tokens")
    return Params(
        temperature=request.number("temperature"),
        top_p=request.number("top_p"),
        top_k=_top_k(request),
        max_tokens=older if limit is None else limit,
        stop=_stop(request),
        seed=request.integer("seed"),
        presence_penalty=request.number("presence_penalty"),
        frequency_penalty=request.number("frequency_penalty"),
        logprobs=logprobs,
        top_logprobs=top_logprobs,
        effort=_effort(request),
        verbosity=request.text("verbosity"),
        output=_output(request),
        modalities=tuple(name.lower() for name in request.texts("modalities")),
        parallel_calls=request.flag("parallel_tool_calls"),
    )


def _top_k(request: FieldReader) -> int | None:
    value = request.integer("top_k")
    return value if value and value > 0 else None  # 0 and -1 mean "all tokens" (vLLM)


def _stop(request: FieldReader) -> tuple[str, ...]:
    value = request.raw("stop")
    stops = (value,) if isinstance(value, str) else request.texts("stop")
    return tuple(text for text in stops if text)


def _logprobs(request: FieldReader) -> tuple[bool, int | None]:
    wanted, top = request.raw("logprobs"), request.integer("top_logprobs")
    if wanted is None or isinstance(wanted, bool):
        return wanted is True, top
    count = request.integer("logprobs") or 0
    return count > 0, count if top is None and count > 0 else top


def _effort(request: FieldReader) -> str | None:
    effort, reasoning = request.text("reasoning_effort"), request.object("reasoning")
    nested = reasoning.text("effort") if reasoning else None
    return (effort or nested or "").strip().lower() or None


def _output(request: FieldReader) -> JsonOutput | None:
    form = request.object("response_format")
    if form is None:
        return None
    kind = form.needed_text("type")
    if kind == "json_object":
        return JsonOutput()
    if kind == "json_schema":
        described = form.needed_object("json_schema")
        return JsonOutput(
            described.json("schema"),
            described.text("name") or "",
            described.flag("strict"),
            described.text("description") or "",
        )
    if kind != "text":
        form.skip("response_format")
    return None
