"""Four vendors that think, call tools, and refuse what the real ones would refuse, for conversations among them.

Each answers 400 where its schema or its rules are broken: a call without a result, a result without a call, and
reasoning that it has not signed or that was changed since. Sources: the vendors' schemas in tests/schemas, and
https://platform.openai.com/docs/guides/function-calling, https://platform.openai.com/docs/guides/reasoning,
https://ai.google.dev/gemini-api/docs/thought-signatures (2026-11).
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from gateway.wires.gemini.signatures import PLACEHOLDER
from tests.support import anthropic_answers as anthropic
from tests.support import gemini_answers as google
from tests.support import responses_answers as responses
from tests.support.anthropic_server import blocks_of, vendor_fault
from tests.support.running import provider
from tests.support.strict_vendor import Pairs, Vendor, cities, said, thought, validator
from tests.support.upstream_script import Done, Json, Sse, Step
from tests.validators.openai_responses import request_faults

TOOL: Final = "get_weather"


class ChatVendor(Vendor):
    """OpenAI's chat completions: they refuse a key that they do not know. A null is absent for them, and they take back
    the annotations of their own answers."""

    name, model = "chat", "gpt-4o"
    _KEYS: Final = {
        "system": {"role", "content", "name"},
        "developer": {"role", "content", "name"},
        "user": {"role", "content", "name"},
        "assistant": {"role", "content", "name", "refusal", "tool_calls", "annotations"},
        "tool": {"role", "content", "tool_call_id"},
    }

    def section(self) -> dict[str, object]:
        return provider(self.up.base_url, apiKey="k", messageExtras="strip")

    def pairs(self, body: Any) -> Pairs:
        results = {each["tool_call_id"]: _words(each["content"]) for each in body["messages"] if each["role"] == "tool"}
        calls = [call for message in body["messages"] for call in message.get("tool_calls") or ()]
        return [(json.loads(call["function"]["arguments"])["city"], results[call["id"]]) for call in calls]

    def _rules(self, body: Any) -> Iterator[str]:
        body = {**body, "messages": [_given(message) for message in body["messages"]]}
        schema = validator("openai.json", "CreateChatCompletionRequest")
        yield from (fault.message for fault in schema.iter_errors(body))
        waiting: list[str] = []
        for at, message in enumerate([*body["messages"], {"role": "user"}]):
            if unknown := set(message) - self._KEYS[message["role"]]:
                yield f"messages.{at}: unknown keys {sorted(unknown)}"
            if message["role"] == "tool":
                if message["tool_call_id"] not in waiting:
                    yield f"messages.{at}: a result without a call"
                    continue
                waiting.remove(message["tool_call_id"])
                continue
            if waiting:
                yield f"messages.{at}: calls without results: {waiting}"
            waiting = [call["id"] for call in message.get("tool_calls", ())]
            yield from (f"messages.{at}: the id {each!r} is too long" for each in waiting if len(each) > 40)

    def _speak(self, *, streamed: bool) -> Sequence[Step]:
        calls = [
            {
                "id": f"call_{city}",
                "type": "function",
                "function": {"name": TOOL, "arguments": json.dumps({"city": city})},
            }
            for city in cities(self.turn)
        ]
        finish = "tool_calls" if calls else "stop"
        head = {"id": f"chatcmpl-{self.turn}", "created": 1, "model": self.model}
        message = {"role": "assistant", "reasoning_content": thought(self.turn), "content": said(self.turn)}
        if not streamed:
            whole = {**message, **({"tool_calls": calls} if calls else {})}
            choice = {"index": 0, "message": whole, "logprobs": None, "finish_reason": finish}
            return (Json(200, {**head, "object": "chat.completion", "choices": [choice]}),)
        deltas: list[dict[str, Any]] = [{**message, "content": ""}, {"content": said(self.turn)}]
        deltas += [{"tool_calls": [{"index": at, **call}]} for at, call in enumerate(calls)]
        choices: list[Any] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
        choices.append({"index": 0, "delta": {}, "finish_reason": finish})
        chunks = [json.dumps({**head, "object": "chat.completion.chunk", "choices": [each]}) for each in choices]
        return (Sse(chunks), Done())


class AnthropicVendor(Vendor):
    """Anthropic's Messages API: it signs its thinking, and reads it only as it was."""

    name, model = "claude", "claude-opus-5-5"

    def section(self) -> dict[str, object]:
        return {"type": "anthropic", "apiKey": "k", "apiEndpoint": self.up.url}

    def pairs(self, body: Any) -> Pairs:
        blocks = self._blocks(body)
        results = {each["tool_use_id"]: _words(each["content"]) for each in blocks if each["type"] == "tool_result"}
        return [(each["input"]["city"], results[each["id"]]) for each in blocks if each["type"] == "tool_use"]

    def _rules(self, body: Any) -> Iterator[str]:
        if fault := vendor_fault(body):
            yield fault
        for block in self._blocks(body):
            if block["type"] == "thinking" and self.signed.get(block["signature"]) != block["thinking"]:
                yield f"Invalid `signature` in `thinking` block: {block}"

    def _blocks(self, body: Any) -> list[Any]:
        return [block for message in body["messages"] for block in blocks_of(message["content"])]

    def _speak(self, *, streamed: bool) -> Sequence[Step]:
        calls = [anthropic.call(TOOL, {"city": city}, f"toolu_{city}") for city in cities(self.turn)]
        thinks = anthropic.thinking(thought(self.turn), self._sign("Eq"))
        stop = "tool_use" if calls else "end_turn"
        answer = anthropic.message(thinks, anthropic.text(said(self.turn)), *calls, stop=stop)
        return anthropic.stream(answer) if streamed else (Json(200, answer),)


class GeminiVendor(Vendor):
    """Google's Gemini of the third generation: it signs the first call of a step, or its last text."""

    name, model = "gem", "gemini-3-pro-preview"

    def section(self) -> dict[str, object]:
        return {"type": "gemini", "apiKey": "k", "apiEndpoint": f"{self.up.url}/v1beta"}

    def pairs(self, body: Any) -> Pairs:
        parts = [part for content in body["contents"] for part in content["parts"]]
        results = [part["functionResponse"]["response"]["result"] for part in parts if "functionResponse" in part]
        calls = [part["functionCall"]["args"]["city"] for part in parts if "functionCall" in part]
        return list(zip(calls, results, strict=True))

    def _rules(self, body: Any) -> Iterator[str]:
        yield from (fault.message for fault in validator("gemini.json", "GenerateContentRequest").iter_errors(body))
        calls: list[Any] = []
        for at, content in enumerate([*body["contents"], {"role": "user", "parts": []}]):
            results = [part["functionResponse"] for part in content["parts"] if "functionResponse" in part]
            if [(each["name"], each.get("id")) for each in results] != calls:
                yield f"contents.{at}: the number of function responses must be that of the calls: {results}, {calls}"
            asked = [part for part in content["parts"] if "functionCall" in part]
            calls = [(part["functionCall"]["name"], part["functionCall"].get("id")) for part in asked]
            if asked and "thoughtSignature" not in asked[0]:
                yield f"contents.{at}: function call is missing a thought_signature"
            for part in content["parts"]:
                if part.get("thoughtSignature", PLACEHOLDER) not in {PLACEHOLDER, *self.signed}:
                    yield f"contents.{at}: Thought signature is not valid: {part}"

    def _speak(self, *, streamed: bool) -> Sequence[Step]:
        signed = {"thoughtSignature": self._sign()}
        asked = cities(self.turn)
        parts = [google.text(thought(self.turn), thought=True)]
        parts.append(google.text(said(self.turn), **({} if asked else signed)))
        for at, city in enumerate(asked):
            parts.append(google.call(TOOL, {"city": city}, id=f"native-{city}", **({} if at else signed)))
        if not streamed:
            return (Json(200, google.said(*parts)),)
        return google.stream(*(google.said(part, finish=None) for part in parts), google.said())


class ResponsesVendor(Vendor):
    """OpenAI's Responses API, which stores nothing: it reads only the reasoning that it has encrypted."""

    name, model = "resp", "gpt-5"

    def section(self) -> dict[str, object]:
        return provider(self.up.base_url, apiKey="k", api="responses")

    def pairs(self, body: Any) -> Pairs:
        results = {each["call_id"]: _words(each["output"]) for each in self._items(body, "function_call_output")}
        calls = self._items(body, "function_call")
        return [(json.loads(each["arguments"])["city"], results[each["call_id"]]) for each in calls]

    def _rules(self, body: Any) -> Iterator[str]:
        yield from request_faults(body)
        if "previous_response_id" in body:
            yield f"Previous response with id '{body['previous_response_id']}' not found."
        calls = [each["call_id"] for each in self._items(body, "function_call")]
        results = [each["call_id"] for each in self._items(body, "function_call_output")]
        if sorted(calls) != sorted(set(results)) or len(set(results)) < len(results):
            yield f"No tool output found for function call, or no call for an output: {calls}, {results}"
        ids = [each["id"] for each in body["input"] if each.get("id")]
        if len(set(ids)) < len(ids):
            yield f"Duplicate item found: {ids}"
        yield from self._reasoning(body["input"])

    def _reasoning(self, items: Sequence[Any]) -> Iterator[str]:
        """A reasoning item goes with the item that came after it, and an item of the vendor's with its reasoning."""
        for item, after in zip(items, [*items[1:], {}], strict=True):
            if item.get("type") != "reasoning":
                continue
            if self.signed.get(item["encrypted_content"]) != item["summary"][0]["text"]:
                yield f"The encrypted content could not be verified: {item}"
            if after.get("type") != "function_call" and after.get("role") != "assistant":
                yield f"Item '{item['id']}' of type 'reasoning' was provided without its required following item."
        known = {item["id"].removeprefix("rs_") for item in items if item.get("type") == "reasoning"}
        for item in items:
            prefix, _, rest = item.get("id", "").partition("_")
            if prefix in ("fc", "msg") and rest[:50] not in known:
                yield f"Item '{item['id']}' was provided without its required 'reasoning' item."

    def _items(self, body: Any, kind: str) -> list[Any]:
        return [each for each in body["input"] if each.get("type") == kind]

    def _speak(self, *, streamed: bool) -> Sequence[Step]:
        unique = f"{self.turn:050x}"
        items = [responses.reasoning(thought(self.turn), f"rs_{unique}", self._sign("gAAAA"))]
        items.append(responses.message(said(self.turn), f"msg_{unique}"))
        for at, city in enumerate(cities(self.turn)):
            given = json.dumps({"city": city})
            items.append(responses.call(TOOL, given, f"fc_{unique}{at}", f"call_{city}"))
        more = {"id": f"resp_{unique}"}
        return responses.stream(*items, **more) if streamed else (responses.whole(*items, **more),)


def _given(message: dict[str, Any]) -> dict[str, Any]:
    """A message without its nulls."""
    return {name: value for name, value in message.items() if value is not None}


def _words(content: Any) -> str:
    """The texts of a result."""
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content if "text" in part)
