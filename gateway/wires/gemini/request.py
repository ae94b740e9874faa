"""Renders a chat request as GenerateContentRequest; the parts of it are rendered in modules of their own.

It is always rendered from neutral form, because no caller speaks this wire. The model is part of the URL and streaming
is another method, so neither is in the body.

Source: https://ai.google.dev/api/generate-content, and for fields of a caller for Google alone
https://ai.google.dev/gemini-api/docs/openai#extra-body.
"""

import re
from typing import Final

from gateway.core.rendered import Ask, Rendered
from gateway.core.request import ChatRequest, Prompt
from gateway.core.strict_json import JsonObject, JsonValue, dumps
from gateway.wires.adjusted_prompt import adjusted, lowers_limit
from gateway.wires.dropped import Drop, Dropped
from gateway.wires.gemini import contents, params, tools
from gateway.wires.gemini.models import traits
from gateway.wires.gemini.signatures import VENDOR, Signatures
from gateway.wires.reasoning_memory import ReasoningMemory
from gateway.wires.tool_names import ToolNames, names_in

_HARM: Final = re.compile(r"HARM_CATEGORY_[A-Z_]+")
_THRESHOLD: Final = re.compile(r"[A-Z_]+")
_GOOGLE: Final = f"extra_body.{VENDOR}"


def render(chat: ChatRequest, model: str, memory: ReasoningMemory, ask: Ask) -> Rendered:
    """The body for Google.

    Args:
        chat: the request.
        model: Google's name for the model, with or without "models/".
        memory: data of the calls in the history.
        ask: how this try is made.

    Raises:
        InvalidRequest: no provider could read the request.
        UnsupportedByTarget: Gemini does not support a part that cannot be left out.
    """
    given, about = chat.prompt(), traits(model)
    prompt = adjusted(given, ask.adjustments)
    drop = Dropped()
    if lowers_limit(given, ask.adjustments):
        drop("max_tokens")
    if prompt.params.verbosity is not None:
        drop("verbosity")  # no model has one
    for name in prompt.unmapped:
        drop(name)
    names = ToolNames(tools.NAMES, names_in(prompt))
    setting = contents.Setting(about.generation, names, Signatures(memory), drop)
    conversation = contents.render(prompt.messages, setting)
    system = [*conversation.system, *_some(params.schema_as_words(prompt, about))]
    config = params.render(prompt, chat.choices, about, drop)
    body: JsonObject = {
        "contents": conversation.contents,
        **({"systemInstruction": {"parts": [{"text": text} for text in system]}} if system else {}),
        **tools.render(prompt, names, drop),
        **({"generationConfig": config} if config else {}),
        **_to_google(prompt, drop),
    }
    choices = config.get("candidateCount")
    return Rendered(
        body=dumps(body),
        dropped=drop.names,
        choices=choices if isinstance(choices, int) else 1,
        tools=names.declared(prompt.tools),
        neutral=True,
        single_call=prompt.params.parallel_calls is False,  # Gemini has no word for it
    )


def _some(text: str | None) -> list[str]:
    return [text] if text else []


def _to_google(prompt: Prompt, drop: Drop) -> JsonObject:
    """Fields for Google alone beside OpenAI's fields, in snake_case or camelCase, as Google's JSON allows. thinking.py
    renders `thinking_config`."""
    fields = prompt.extra.get(VENDOR)
    body: JsonObject = {}
    for key, value in fields.items() if isinstance(fields, dict) else ():  # params.py refuses other types
        match key.replace("_", "").lower():
            case "thinkingconfig":
                continue
            case "cachedcontent" if isinstance(value, str) and value:
                body["cachedContent"] = value
                continue
            case "safetysettings" if settings := _safety(value):
                body["safetySettings"] = settings
                if settings == value:
                    continue
        if value not in (None, [], {}):
            drop(f"{_GOOGLE}.{key}")
    return body


def _safety(settings: JsonValue) -> list[JsonValue]:
    """The safety settings that have a valid category and threshold."""
    return [
        {"category": setting["category"], "threshold": setting["threshold"]}
        for setting in (settings if isinstance(settings, list) else ())
        if isinstance(setting, dict)
        and _is(_HARM, setting.get("category"))
        and _is(_THRESHOLD, setting.get("threshold"))
    ]


def _is(pattern: re.Pattern[str], value: JsonValue) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
