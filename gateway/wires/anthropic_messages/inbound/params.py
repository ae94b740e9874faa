"""Reads the parameters of a request in neutral form.

Source: https://platform.claude.com/docs/en/api/messages/create, and for the reasoning
https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking and /effort.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from gateway.core.errors import InvalidRequest
from gateway.core.request import JsonOutput, Params
from gateway.core.strict_json import JsonObject
from gateway.wires.anthropic_messages.inbound.fields import Fields
from gateway.wires.field_reader import FieldReader

EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")
SCHEMA_NAME: Final = "output"
"""The name of an answer's schema, which other wires require and this one does not have."""
_BY_BUDGET: Final = ((1_024, "minimal"), (4_096, "low"), (16_384, "medium"))
"""The effort up to a budget of so many tokens; above it is `high`."""
_EFFORT_OF: Final[Mapping[str, str]] = {"disabled": "none", "between_tools": "low", "adaptive": "high"}
"""The effort of a kind of thinking, where the request names no effort."""


class _Thinking(Struct, frozen=True):
    """How the model is to reason: see Params."""

    effort: str | None = None
    budget: int | None = None
    show: bool = False
    off: bool = False


def read_params(request: Fields, said_effort: str | None, *, parallel_calls: bool | None) -> Params:
    """Read the parameters.

    Args:
        request: the request.
        said_effort: the one that a message of the conversation sets.
        parallel_calls: whether the model may call several tools at once.

    Raises:
        InvalidRequest: naming the field.
    """
    effort, output = _output_config(request)
    thinking = _thinking(request.object("thinking"))
    wanted = _known_effort(said_effort or effort)
    return Params(
        temperature=request.number("temperature"),
        top_p=request.number("top_p"),
        top_k=request.integer("top_k"),
        max_tokens=request.integer("max_tokens"),
        stop=tuple(text for text in request.texts("stop_sequences") if text),
        effort=thinking.effort if thinking.off else wanted or thinking.effort,
        reasoning_budget=thinking.budget,
        show_reasoning=thinking.show,
        output=output,
        parallel_calls=parallel_calls,
    )


def shows_reasoning(fields: JsonObject) -> bool:
    """Whether the caller wants to see the reasoning: it asks for it, and does not leave it out of the answer."""
    thinking = fields.get("thinking")
    return (
        isinstance(thinking, dict)
        and thinking.get("type") not in (None, "disabled")
        and thinking.get("display") != "omitted"
    )


def _output_config(request: Fields) -> tuple[str | None, JsonOutput | None]:
    config = request.object("output_config")
    if config is None:
        return None, None
    form = config.object("format")
    if form is None:
        return config.text("effort"), None
    if form.needed_text("type") != "json_schema":
        form.skip("output_config.format")
        return config.text("effort"), None
    return config.text("effort"), JsonOutput(form.json("schema"), SCHEMA_NAME, form.flag("strict"))


def _thinking(thinking: FieldReader | None) -> _Thinking:
    if thinking is None:
        return _Thinking()
    kind, budget = thinking.needed_text("type"), thinking.integer("budget_tokens")
    thinking.ignore("block_binding")  # about signatures, which only Anthropic reads
    show = kind != "disabled" and thinking.text("display") != "omitted"
    if kind == "enabled" and budget is not None:
        effort = next((effort for most, effort in _BY_BUDGET if budget <= most), "high")
        return _Thinking(effort, budget, show)
    if kind not in _EFFORT_OF:
        thinking.skip("thinking.type")
        return _Thinking()
    return _Thinking(_EFFORT_OF[kind], None, show, off=kind == "disabled")


def _known_effort(effort: str | None) -> str | None:
    if effort is not None and effort not in EFFORTS:
        raise InvalidRequest(
            f"output_config.effort: Input should be {', '.join(EFFORTS)}.", param="output_config.effort"
        )
    return effort
