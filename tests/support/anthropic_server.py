"""What api.anthropic.com refuses: the first thing that it would answer 400 to, in about its words.

A scripted upstream that refuses by it shows that a request is more than valid by the schema. Sources:
https://platform.claude.com/docs/en/api/messages/create and the pages on tool use, extended thinking, vision, prompt
caching and prefill beside it (2026-11).
"""

import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema

SCHEMA: Final = Path(__file__).parents[1] / "schemas" / "anthropic.json"
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
_ID: Final = re.compile(r"[A-Za-z0-9_-]+")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_IMAGES: Final = ("image/jpeg", "image/png", "image/gif", "image/webp")
_KNOWN: Final = frozenset(
    (
        "model", "messages", "max_tokens", "system", "tools", "tool_choice", "thinking", "output_config",
        "stop_sequences", "stream", "metadata", "temperature", "top_p", "top_k", "cache_control", "service_tier",
        "context_management",
    )
)  # fmt: skip
_BLOCK_KEYS: Final = {
    "text": {"text", "cache_control"},
    "image": {"source", "cache_control"},
    "document": {"source", "title", "cache_control"},
    "tool_use": {"id", "name", "input", "cache_control"},
    "tool_result": {"tool_use_id", "content", "is_error", "cache_control"},
    "thinking": {"thinking", "signature"},
    "redacted_thinking": {"data"},
}


@cache
def validator(root: str) -> jsonschema.Draft202012Validator:
    defs = json.loads(SCHEMA.read_text("utf-8"))["$defs"]
    return jsonschema.Draft202012Validator({"$ref": f"#/$defs/{root}", "$defs": defs})


def schema_faults(body: Any) -> list[str]:
    """What of a request the vendor's schema does not have."""
    root = "MessageCreateParamsStreaming" if body.get("stream") else "MessageCreateParamsNonStreaming"
    faults = [
        f"{'/'.join(map(str, fault.absolute_path))}: {fault.message}" for fault in validator(root).iter_errors(body)
    ]
    if "context_management" in body:
        own = validator("BetaContextManagementConfigParam")
        faults += [fault.message for fault in own.iter_errors(body["context_management"])]
    return faults


def vendor_fault(body: Any, *, new: bool = True) -> str | None:
    """The first fault of a request; None where it would be answered.

    Args:
        body: the request.
        new: for a model of 2026 (no prefill, no sampling, adaptive thinking, system messages inside the conversation),
            else for one of 2025.
    """
    return next(_faults(body, new=new), None)


def _faults(body: Any, *, new: bool) -> Iterator[str]:
    yield from (f"{name}: Field required" for name in ("model", "max_tokens", "messages") if body.get(name) is None)
    yield from (f"{name}: Extra inputs are not permitted" for name in body if name not in _KNOWN)
    yield from schema_faults(body)
    yield from _sampling(body, new=new)
    yield from _thinking(body, new=new)
    yield from _tools(body)
    if json.dumps(body).count('"cache_control": {') > 4:
        yield "A maximum of 4 blocks with cache_control may be provided."
    if any(not stop.strip() for stop in body.get("stop_sequences", ())):
        yield "stop_sequences: each stop sequence must contain non-whitespace"
    yield from (_blank("system") for block in blocks_of(body.get("system")) if not block["text"].strip())
    yield from _conversation(body["messages"], new=new)


def _sampling(body: Any, *, new: bool) -> Iterator[str]:
    if new and (body.get("temperature", 1) != 1 or body.get("top_p", 1) != 1 or "top_k" in body):
        yield "`temperature`, `top_p` or `top_k` is deprecated for this model."
    if "temperature" in body and "top_p" in body:
        yield "`temperature` and `top_p` cannot both be specified for this model. Please use only one."
    if not 0 <= body.get("temperature", 1) <= 1:
        yield "temperature: range: 0..1"
    if body["max_tokens"] < 1:
        yield "max_tokens: Input should be greater than or equal to 1"


def _thinking(body: Any, *, new: bool) -> Iterator[str]:
    thinking = body.get("thinking", {})
    kind, choice = thinking.get("type"), body.get("tool_choice", {}).get("type")
    if new and kind == "enabled":
        yield '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive".'
    if not new and kind == "adaptive":
        yield "adaptive thinking is not supported on this model"
    if not new and body.get("output_config", {}).get("effort"):
        yield "This model does not support the effort parameter."
    if kind == "enabled":
        if thinking["budget_tokens"] < 1024:
            yield "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
        if thinking["budget_tokens"] >= body["max_tokens"]:
            yield "`max_tokens` must be greater than `thinking.budget_tokens`."
        if body.get("temperature", 1) != 1 or "top_k" in body or body.get("top_p", 1) < 0.95:
            yield "`temperature` may only be set to 1 when thinking is enabled."
    if kind in ("enabled", "adaptive") and choice in ("any", "tool") and not new:
        yield "Thinking may not be enabled when tool_choice forces tool use."


def _tools(body: Any) -> Iterator[str]:
    tools, choice = body.get("tools", []), body.get("tool_choice")
    names = [tool["name"] for tool in tools]
    if len(set(names)) < len(names):
        yield "tools: Tool names must be unique."
    for index, tool in enumerate(tools):
        at = f"tools.{index}.custom"
        if not _NAME.fullmatch(tool["name"]):
            yield f"{at}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
        if tool["input_schema"].get("type") != "object":
            yield f"{at}.input_schema.type: Field required"
        if {"oneOf", "allOf", "anyOf"} & set(tool["input_schema"]):
            yield f"{at}.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level"
    if choice and choice["type"] != "none" and not tools:
        yield "tool_choice may only be specified while providing tools."
    if choice and choice["type"] == "tool" and choice["name"] not in names:
        yield f"Tool '{choice['name']}' not found in provided tools"


def blocks_of(content: Any) -> list[Any]:
    """A content as blocks."""
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content or [])


def _conversation(messages: list[Any], *, new: bool) -> Iterator[str]:
    if not messages:
        yield "messages: at least one message is required"
        return
    if messages[0]["role"] != "user":
        yield 'messages: first message must use the "user" role'
    yield from _system_messages(messages, new=new)
    turns: list[tuple[str, list[Any]]] = []
    for index, message in enumerate(messages):
        if message["role"] == "system":
            continue
        blocks = blocks_of(message["content"])
        if not blocks:
            yield f"messages.{index}: all messages must have non-empty content"
        for position, block in enumerate(blocks):
            yield from _block(block, message["role"], f"messages.{index}.content.{position}")
        if turns and turns[-1][0] == message["role"]:
            turns[-1][1].extend(blocks)
        else:
            turns.append((message["role"], blocks))
    yield from _pairs(turns)
    if turns[-1][0] == "assistant":
        if new:
            yield "This model does not support assistant message prefill."
        final = turns[-1][1][-1].get("text", "")
        if final != final.rstrip():
            yield "messages: final assistant content cannot end with trailing whitespace"


def _system_messages(messages: list[Any], *, new: bool) -> Iterator[str]:
    for index, message in enumerate(messages):
        if message["role"] != "system":
            continue
        if not new:
            yield "messages: role 'system' is not supported on this model"
        if messages[index - 1]["role"] == "assistant":
            yield f"messages.{index}: role 'system' must follow a 'user' message"
        if index + 1 < len(messages) and messages[index + 1]["role"] not in ("assistant", "system"):
            yield f"messages.{index}: role 'system' must precede an 'assistant' message or end the array"


def _block(block: Any, role: str, at: str) -> Iterator[str]:
    kind = block["type"]
    yield from (f"{at}.{name}: Extra inputs are not permitted" for name in set(block) - _BLOCK_KEYS[kind] - {"type"})
    if kind == "text" and not block["text"].strip():
        yield _blank("messages")
    if kind == "tool_use" and (role != "assistant" or not _ID.fullmatch(block["id"])):
        yield f"{at}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
    if kind == "tool_use" and not _NAME.fullmatch(block["name"]):
        yield f"{at}.tool_use.name: String should match pattern '^[a-zA-Z0-9_-]{{1,200}}$'"
    if kind in ("image", "document") and role != "user":
        yield f"{at}: {kind} blocks are only allowed in user messages"
    for inner in [block, *(blocks_of(block.get("content")) if kind == "tool_result" else ())]:
        yield from _source(inner, at)
        if inner["type"] == "text" and not inner["text"].strip():
            yield _blank("messages")
    if kind == "thinking" and (not block["signature"] or block["signature"].startswith("gw1.")):
        yield f"{at}: Invalid `signature` in `thinking` block"
    if "thinking" in kind and role != "assistant":
        yield f"{at}: thinking blocks are only allowed in assistant messages"


def _source(block: Any, at: str) -> Iterator[str]:
    source = block.get("source", {})
    if source.get("type") != "base64":
        return
    if not _BASE64.fullmatch(source["data"]):
        yield f"{at}.source.base64.data: invalid base64 data"
    if block["type"] == "image" and source["media_type"] not in _IMAGES:
        yield f"{at}.image.source.base64.media_type: Input should be 'image/jpeg', 'image/png', ..."


def _pairs(turns: list[tuple[str, list[Any]]]) -> Iterator[str]:
    for number, (role, blocks) in enumerate(turns):
        if role == "assistant":
            ids = [block["id"] for block in blocks if block["type"] == "tool_use"]
            if len(set(ids)) < len(ids):
                yield "`tool_use` ids must be unique"
            after = turns[number + 1][1] if number + 1 < len(turns) else []
            if lost := set(ids) - {block["tool_use_id"] for block in _results(after)}:
                yield f"`tool_use` ids were found without `tool_result` blocks immediately after: {sorted(lost)}"
            if all(block["type"] in ("thinking", "redacted_thinking") for block in blocks):
                yield "The final block in an assistant message cannot be `thinking`."
            continue
        before = {block["id"] for block in turns[number - 1][1] if block["type"] == "tool_use"} if number else set()
        results = [block["tool_use_id"] for block in _results(blocks)]
        if not set(results) <= before:
            yield f"unexpected `tool_use_id` found in `tool_result` blocks: {results}"
        if len(set(results)) < len(results):
            yield "each `tool_use` must have a single result"
        if any(block["type"] != "tool_result" for block in blocks[: len(results)]):
            yield "`tool_result` blocks must come first in the content of a user message"


def _results(blocks: Iterable[Any]) -> list[Any]:
    return [block for block in blocks if block["type"] == "tool_result"]


def _blank(where: str) -> str:
    return f"{where}: text content blocks must be non-empty"
