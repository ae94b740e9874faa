"""Renders a request from neutral form, for a caller of another wire.

The answer is always asked as a stream, which some servers of this wire give alone; it is assembled where the caller
wants a whole one. Nothing is stored with the provider. Its reasoning is asked for in the form in which it can be sent
back. The conversation is in conversation.py.
Source: https://platform.openai.com/docs/api-reference/responses/create.
"""

from collections.abc import Callable
from typing import Final

from gateway.core.errors import InvalidRequest
from gateway.core.provider_failures import UnsupportedByTarget
from gateway.core.rendered import Ask, Rendered
from gateway.core.request import ChatRequest, JsonOutput, Params, Prompt, Tool, ToolChoice
from gateway.core.strict_json import JsonObject, JsonValue, dumps
from gateway.wires.adjusted_prompt import REASONING, adjusted, lowers_limit
from gateway.wires.field_reader import printable
from gateway.wires.openai_params import NAMES, effort, schema_name
from gateway.wires.openai_responses.outbound import conversation
from gateway.wires.reasoning_memory import ReasoningMemory
from gateway.wires.tool_names import ToolNames, names_in

STRICT: Final = "strict"
"""The neutral name of that field of a function, which some servers refuse."""
LEAST_TOKENS: Final = 16
"""The smallest limit that the API takes."""
_ENCRYPTED: Final = "reasoning.encrypted_content"
_LOGPROBS: Final = "message.output_text.logprobs"


def render(chat: ChatRequest, model: str, ask: Ask, memory: ReasoningMemory) -> Rendered:
    """The body for a provider.

    Args:
        chat: stays unchanged, because the next candidate gets it too.
        model: the provider's name for the model.
        ask: how this try is made.
        memory: reasoning before the calls of the history.

    Raises:
        InvalidRequest: no provider could read the request.
        UnsupportedByTarget: this wire cannot express a part of it.
    """
    if chat.choices > 1:
        raise UnsupportedByTarget("This provider gives one answer, and not several.", param="n")
    given, without = chat.prompt(), ask.adjustments.without
    prompt = adjusted(given, ask.adjustments)
    dropped: dict[str, None] = dict.fromkeys(map(printable, prompt.unmapped))
    if lowers_limit(given, ask.adjustments):
        dropped.setdefault("max_tokens")
    names = ToolNames(NAMES, names_in(prompt))
    setting = conversation.Setting(names, ReasoningMemory() if REASONING in without else memory, dropped.setdefault)
    declared = names.declared(prompt.tools)
    body: JsonObject = {
        "model": model,
        "input": conversation.render(prompt.messages, setting),
        **_params(prompt.params, dropped.setdefault),
    }
    body |= _tools(prompt, declared, names, strict=STRICT not in without)
    return Rendered(dumps(body), dropped=tuple(dropped), tools=declared, neutral=True)


def _params(params: Params, drop: Callable[[str], object]) -> JsonObject:
    unsaid = {
        "stop": params.stop or None,
        "seed": params.seed,
        "presence_penalty": params.presence_penalty,
        "frequency_penalty": params.frequency_penalty,
        "top_k": params.top_k,
        "modalities": params.modalities if set(params.modalities) - {"text"} else None,
    }
    for name, value in unsaid.items():
        if value is not None:
            drop(name)
    include: list[JsonValue] = [_ENCRYPTED, *([_LOGPROBS] if params.logprobs else [])]
    form: JsonObject = {"format": _output(params.output), "verbosity": params.verbosity}
    reasoning: JsonObject = {"effort": effort(params), "summary": "auto" if params.show_reasoning else None}
    limit = params.max_tokens
    given: dict[str, JsonValue] = {
        "stream": True,
        "store": False,
        "include": include,
        "temperature": params.temperature,
        "top_p": params.top_p,
        "max_output_tokens": None if limit is None else max(limit, LEAST_TOKENS),
        "top_logprobs": params.top_logprobs if params.logprobs else None,
        "reasoning": _some(reasoning),
        "text": _some(form),
    }
    return {name: value for name, value in given.items() if value is not None}


def _some(fields: JsonObject) -> JsonObject | None:
    return {name: value for name, value in fields.items() if value is not None} or None


def _output(output: JsonOutput | None) -> JsonObject | None:
    if output is None:
        return None
    if output.schema is None:
        return {"type": "json_object"}
    described: JsonObject = {
        "type": "json_schema",
        "name": schema_name(output),
        "schema": output.schema,
        "strict": output.strict or False,  # false where a caller of another wire does not say, true in this one
    }
    return {**described, "description": output.description} if output.description else described


def _tools(prompt: Prompt, declared: dict[str, Tool], names: ToolNames, *, strict: bool) -> JsonObject:
    """`tools`, `tool_choice` and `parallel_tool_calls`; the last two only with tools, because servers refuse them
    alone. `strict`: whether the server takes that field of a function."""
    choice = prompt.tool_choice
    hosted: list[JsonValue] = [{"type": each.kind} for each in prompt.hosted]
    if not (declared or hosted):
        if choice is not None and choice.mode == "required":
            raise InvalidRequest("tool_choice asks for a tool that is not among tools.", param="tool_choice")
        return {}
    body: JsonObject = {"tools": [*(_tool(name, tool, strict=strict) for name, tool in declared.items()), *hosted]}
    if choice is not None:
        body["tool_choice"] = _choice(choice, declared, names)
    if prompt.params.parallel_calls is not None:
        body["parallel_tool_calls"] = prompt.params.parallel_calls
    return body


def _tool(name: str, tool: Tool, *, strict: bool) -> JsonObject:
    described: JsonObject = {"type": tool.kind, "name": name}
    if tool.description:
        described["description"] = tool.description
    if tool.kind == "custom":
        if tool.grammar is not None:
            syntax, definition = tool.grammar
            described["format"] = {"type": "grammar", "syntax": syntax, "definition": definition}
        return described
    parameters: JsonObject = tool.parameters or {"type": "object", "properties": {}}
    described["parameters"] = parameters
    return {**described, "strict": tool.strict or False} if strict else described


def _choice(choice: ToolChoice, declared: dict[str, Tool], names: ToolNames) -> JsonValue:
    allowed = [name for name in map(names.sent, dict.fromkeys(choice.names)) if name in declared]
    if choice.names and not allowed:
        raise InvalidRequest("tool_choice asks for a tool that is not among tools.", param="tool_choice")
    if not allowed or choice.mode == "none":
        return choice.mode
    chosen: list[JsonValue] = [{"type": declared[name].kind, "name": name} for name in allowed]
    if choice.mode == "required" and len(chosen) == 1:
        return chosen[0]
    return {"type": "allowed_tools", "mode": choice.mode, "tools": chosen}
