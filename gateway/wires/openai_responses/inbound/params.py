"""Reads the parameters of a request in neutral form.

Source: https://platform.openai.com/docs/api-reference/responses/create.
"""

from typing import Final

from gateway.core.request import JsonOutput, Params
from gateway.core.strict_json import JsonObject
from gateway.wires.field_reader import FieldReader

LOGPROBS: Final = "message.output_text.logprobs"
"""In `include`: the answer carries the probabilities of its tokens."""


def read_params(request: FieldReader) -> Params:
    """Read the parameters.

    Raises:
        InvalidRequest: naming the field.
    """
    reasoning, form = request.object("reasoning"), request.object("text")
    summary = None
    if reasoning is not None:
        reasoning.ignore("context", "mode")  # how the vendor's own server treats the reasoning of earlier turns
        summary = reasoning.text("summary") or reasoning.text("generate_summary")
    top = request.integer("top_logprobs")
    return Params(
        temperature=request.number("temperature"),
        top_p=request.number("top_p"),
        max_tokens=request.integer("max_output_tokens"),
        logprobs=LOGPROBS in request.texts("include"),
        top_logprobs=top,
        effort=((reasoning.text("effort") or "").strip().lower() or None) if reasoning else None,
        show_reasoning=None if summary is None else summary != "none",
        verbosity=form.text("verbosity") if form else None,
        output=_output(form) if form else None,
        parallel_calls=request.flag("parallel_tool_calls"),
    )


def wants_json_or_logprobs(fields: JsonObject) -> bool:
    """Whether an answer cannot be joined from two streams, because it is JSON or carries probabilities."""
    form, include = fields.get("text"), fields.get("include")
    wanted = form.get("format") if isinstance(form, dict) else None
    is_text = not isinstance(wanted, dict) or wanted.get("type") in (None, "text")
    return not is_text or (isinstance(include, list) and LOGPROBS in include)


def _output(form: FieldReader) -> JsonOutput | None:
    wanted = form.object("format")
    if wanted is None:
        return None
    kind = wanted.needed_text("type")
    if kind == "json_object":
        return JsonOutput()
    if kind == "json_schema":
        return JsonOutput(
            wanted.json("schema"),
            wanted.text("name") or "",
            wanted.flag("strict"),
            wanted.text("description") or "",
        )
    if kind != "text":
        wanted.skip("text.format")
    return None
