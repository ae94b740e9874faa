"""Renders a request from neutral form, for a caller of another wire.

What the neutral form has and this wire, or this server, has not is named in `dropped`; what changes no meaning is left
out silently. The conversation is in conversation.py.
Source: https://platform.openai.com/docs/api-reference/chat/create.
"""

from collections.abc import Callable

from msgspec.structs import replace

from gateway.core.errors import InvalidRequest
from gateway.core.rendered import Ask, Rendered
from gateway.core.request import ChatRequest, JsonOutput, Params, Prompt, Tool
from gateway.core.strict_json import JsonObject, JsonValue, dumps
from gateway.wires import custom_tools
from gateway.wires.adjusted_prompt import adjusted, lowers_limit
from gateway.wires.field_reader import printable
from gateway.wires.openai_chat.outbound import conversation, history
from gateway.wires.openai_chat.outbound.dialect import Dialect
from gateway.wires.openai_params import NAMES, effort, schema_name
from gateway.wires.tool_names import ToolNames, names_in


def render(chat: ChatRequest, model: str, ask: Ask, dialect: Dialect) -> Rendered:
    """The body for a provider.

    Args:
        chat: stays unchanged, because the next candidate gets it too.
        model: the provider's name for the model.
        ask: how this try is made.
        dialect: what the server takes.

    Raises:
        InvalidRequest: no provider could read the request.
        UnsupportedByTarget: this wire cannot express a part of it.
    """
    without, given = ask.adjustments.without, chat.prompt()
    prompt = adjusted(given, ask.adjustments)
    if without:
        dialect = replace(dialect, fields=dialect.fields - without)
    dropped: dict[str, None] = dict.fromkeys(map(printable, prompt.unmapped))
    if lowers_limit(given, ask.adjustments):
        dropped.setdefault("max_tokens")
    names = ToolNames(NAMES, names_in(prompt))
    setting = conversation.Setting(names, dialect, dropped.setdefault)
    declared = names.declared(_allowed(prompt))
    messages: JsonValue = conversation.render(prompt.messages, setting)
    if dialect.message_keys is not None:
        messages, left_out = history.clean(messages, dialect)
        dropped |= dict.fromkeys(left_out)
    body: JsonObject = {"model": model, "messages": messages}
    if chat.stream:
        body["stream"] = True
        if ask.usage and "usage" not in without:
            body["stream_options"] = {"include_usage": True}
    if chat.choices > 1:
        body["n"] = chat.choices
    body |= _params(prompt.params, dialect, dropped.setdefault)
    body |= _tools(prompt, declared, names, dialect)
    for hosted in prompt.hosted:
        dropped.setdefault(hosted.field)
    return Rendered(dumps(body), dropped=tuple(dropped), choices=chat.choices, tools=declared, neutral=True)


def _params(params: Params, dialect: Dialect, drop: Callable[[str], object]) -> JsonObject:
    takes = dialect.fields
    limit = "max_completion_tokens" if "max_completion_tokens" in takes else "max_tokens"
    given: dict[str, JsonValue] = {
        "temperature": params.temperature,
        "top_p": params.top_p,
        limit: params.max_tokens,
        "stop": [*params.stop] or None,
        "seed": params.seed,
        "presence_penalty": params.presence_penalty,
        "frequency_penalty": params.frequency_penalty,
        "logprobs": params.logprobs or None,
        "top_logprobs": params.top_logprobs if params.logprobs else None,
        "response_format": _output(params.output),
        "modalities": [*params.modalities] or None,
    }
    for name, value in (
        ("top_k", params.top_k),
        ("reasoning_effort", effort(params)),
        ("verbosity", params.verbosity),
    ):
        if value is not None and name not in takes:
            drop(name)
        else:
            given[name] = value
    return {name: value for name, value in given.items() if value is not None}


def _output(output: JsonOutput | None) -> JsonObject | None:
    if output is None:
        return None
    if output.schema is None:
        return {"type": "json_object"}
    described: JsonObject = {
        "name": schema_name(output),
        "schema": output.schema,
    }
    if output.description:
        described["description"] = output.description
    if output.strict is not None:
        described["strict"] = output.strict
    return {"type": "json_schema", "json_schema": described}


def _allowed(prompt: Prompt) -> tuple[Tool, ...]:
    """The tools that the request's choice allows: this wire's servers know one named tool or all."""
    choice = prompt.tool_choice
    if choice is None or not choice.names:
        return prompt.tools
    return tuple(tool for tool in prompt.tools if tool.name in choice.names)


def _tools(prompt: Prompt, declared: dict[str, Tool], names: ToolNames, dialect: Dialect) -> JsonObject:
    """`tools`, `tool_choice` and `parallel_tool_calls`; the last two only with tools, because servers refuse them
    alone."""
    choice = prompt.tool_choice
    if not declared:
        if choice is not None and choice.mode == "required":
            raise InvalidRequest("tool_choice asks for a tool that is not among tools.", param="tool_choice")
        return {}
    body: JsonObject = {"tools": [_tool(name, tool, dialect) for name, tool in declared.items()]}
    if choice is not None and choice.mode == "required" and len(set(choice.names)) == 1:
        name = names.sent(choice.names[0])
        kind = "custom" if declared[name].kind == "custom" and dialect.custom_tools else "function"
        body["tool_choice"] = {"type": kind, kind: {"name": name}}
    elif choice is not None:
        body["tool_choice"] = choice.mode
    if prompt.params.parallel_calls is not None:
        body["parallel_tool_calls"] = prompt.params.parallel_calls
    return body


def _tool(name: str, tool: Tool, dialect: Dialect) -> JsonObject:
    if tool.kind == "custom" and dialect.custom_tools:
        return {"type": "custom", "custom": _custom(name, tool)}
    described: JsonObject = {"name": name}
    text = custom_tools.description(tool) if tool.kind == "custom" else tool.description
    if text:
        described["description"] = text
    parameters = custom_tools.parameters() if tool.kind == "custom" else tool.parameters
    if parameters is not None:
        described["parameters"] = parameters
    if tool.strict is not None and "strict" in dialect.fields:
        described["strict"] = tool.strict
    return {"type": "function", "function": described}


def _custom(name: str, tool: Tool) -> JsonObject:
    described: JsonObject = {"name": name}
    if tool.description:
        described["description"] = tool.description
    if tool.grammar is not None:
        syntax, definition = tool.grammar
        described["format"] = {"type": "grammar", "grammar": {"syntax": syntax, "definition": definition}}
    return described
