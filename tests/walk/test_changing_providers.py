"""A conversation whose provider is another one at every turn, as an agent's is that picks its model by the task.

Each answer has reasoning, a text and mostly two calls, and the caller keeps all of it as clients of its wire do. So
every provider gets what all the others have made: it must refuse none of it, miss none of it, and read nothing that
another vendor has signed.
"""

import base64
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.support.messages import WEATHER, post, sound
from tests.support.running import Running, alias, running
from tests.support.strict_vendor import Vendor, cities, said, thought, weather
from tests.support.strict_vendors import AnthropicVendor, ChatVendor, GeminiVendor, ResponsesVendor
from tests.support.upstream_script import ScriptedUpstream
from tests.validators.openai_responses import final, response_faults, stream_faults

ROUTE = ["chat", "claude", "gem", "resp", "chat", "resp", "claude", "chat", "gem", "claude", "resp", "gem", "chat"]
"""Each provider comes after each other one once."""


def question(turn: int) -> str:
    return f"Question {turn}?"


def image(turn: int | str) -> str:
    """A picture in base64, unlike that of any other turn."""
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + f"picture {turn:>9}".encode()).decode()


def url(turn: int | str) -> str:
    return f"data:image/png;base64,{image(turn)}"


class Caller(ABC):
    """A client with its history. `images_in_results`: whether results may hold pictures in its wire."""

    images_in_results = True

    def __init__(self, gateway: Running, *, streamed: bool) -> None:
        self.gateway = gateway
        self.streamed = streamed
        self.history: list[Any] = []
        self.calls: list[Any] = []

    @abstractmethod
    def ask(self, model: str, turn: int) -> None:
        """Give the results of the open calls, ask the next question, and keep the answer."""


class ChatCaller(Caller):
    """Keeps the message as it came."""

    images_in_results = False

    def ask(self, model: str, turn: int) -> None:
        for call in self.calls:
            city = city_of(call["function"]["arguments"])
            self.history.append({"role": "tool", "tool_call_id": call["id"], "content": weather(city)})
        parts = [{"type": "text", "text": question(turn)}, {"type": "image_url", "image_url": {"url": url(turn)}}]
        self.history.append({"role": "user", "content": parts})
        message = self.kept(self._answer(model))
        self.history.append(message)
        self.calls = message.get("tool_calls") or []

    def kept(self, message: dict[str, Any]) -> dict[str, Any]:
        """The message as the client keeps it."""
        return message

    def _answer(self, model: str) -> dict[str, Any]:
        function = {"name": WEATHER["name"], "parameters": WEATHER["input_schema"]}
        asked: Any = {
            "model": model,
            "messages": self.history,
            "tools": [{"type": "function", "function": function}],
            "reasoning_effort": "medium",
        }
        if not self.streamed:
            reply = self.gateway.post(asked)
            assert reply.status_code == 200, reply.text
            whole: dict[str, Any] = reply.json()["choices"][0]["message"]
            return whole
        with self.gateway.client().chat.completions.stream(**asked) as opened:
            return opened.get_final_completion().choices[0].message.to_dict()


class PlainChatCaller(ChatCaller):
    """Keeps the fields of OpenAI's API alone."""

    def kept(self, message: dict[str, Any]) -> dict[str, Any]:
        calls = [
            {"id": call["id"], "type": "function", "function": {k: call["function"][k] for k in ("name", "arguments")}}
            for call in message.get("tool_calls") or ()
        ]
        return {"role": "assistant", "content": message["content"], **({"tool_calls": calls} if calls else {})}


class MessagesCaller(Caller):
    """Keeps the blocks as they came."""

    def ask(self, model: str, turn: int) -> None:
        blocks: list[Any] = []
        for call in self.calls:
            city = call["input"]["city"]
            result = [{"type": "text", "text": weather(city)}, self._image(city)]
            blocks.append({"type": "tool_result", "tool_use_id": call["id"], "content": result})
        blocks += [{"type": "text", "text": question(turn)}, self._image(turn)]
        self.history.append({"role": "user", "content": blocks})
        asked = {
            "model": model,
            "max_tokens": 4000,
            "messages": self.history,
            "tools": [WEATHER],
            "thinking": {"type": "adaptive"},
            "stream": self.streamed,
        }
        content = sound(post(self.gateway, asked))["content"]
        self.history.append({"role": "assistant", "content": content})
        self.calls = [block for block in content if block["type"] == "tool_use"]

    def _image(self, turn: int | str) -> dict[str, Any]:
        return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": image(turn)}}


class ResponsesCaller(Caller):
    """Keeps the items as they came, and has nothing stored."""

    def ask(self, model: str, turn: int) -> None:
        items: list[Any] = []
        for call in self.calls:
            city = city_of(call["arguments"])
            output = [{"type": "input_text", "text": weather(city)}, self._image(city)]
            items.append({"type": "function_call_output", "call_id": call["call_id"], "output": output})
        items.append({"role": "user", "content": [{"type": "input_text", "text": question(turn)}, self._image(turn)]})
        tool = {"type": "function", "name": WEATHER["name"], "parameters": WEATHER["input_schema"], "strict": False}
        asked = {"model": model, "tools": [tool], "reasoning": {"effort": "medium", "summary": "auto"}}
        response = self._response({**asked, **self.remembers(items), "stream": self.streamed})
        self.answered(response)
        self.calls = [item for item in response["output"] if item["type"] == "function_call"]

    def remembers(self, items: list[Any]) -> dict[str, Any]:
        """The fields that hold the conversation."""
        self.history += items
        return {"input": self.history, "store": False, "include": ["reasoning.encrypted_content"]}

    def answered(self, response: dict[str, Any]) -> None:
        """Keep the answer."""
        self.history += response["output"]

    def _response(self, asked: dict[str, Any]) -> dict[str, Any]:
        reply = self.gateway.post(asked, path="/v1/responses")
        assert reply.status_code == 200, reply.text
        if self.streamed:
            assert stream_faults(reply.content) == []
            return final(reply.content)
        whole: dict[str, Any] = reply.json()
        assert response_faults(whole) == []
        return whole

    def _image(self, turn: int | str) -> dict[str, Any]:
        return {"type": "input_image", "image_url": url(turn), "detail": "auto"}


class StoredResponsesCaller(ResponsesCaller):
    """Keeps nothing, and names the answer before."""

    latest: str | None = None

    def remembers(self, items: list[Any]) -> dict[str, Any]:
        return {"input": items, "previous_response_id": self.latest}

    def answered(self, response: dict[str, Any]) -> None:
        self.latest = response["id"]


def city_of(arguments: str) -> str:
    """The city in a call's arguments."""
    city: str = json.loads(arguments)["city"]
    return city


@pytest.fixture
def vendors() -> Iterator[dict[str, Vendor]]:
    with ExitStack() as stack:
        kinds: tuple[Callable[[ScriptedUpstream], Vendor], ...]
        kinds = (ChatVendor, AnthropicVendor, GeminiVendor, ResponsesVendor)
        found: dict[str, Vendor] = {
            each.name: each for each in (kind(stack.enter_context(ScriptedUpstream())) for kind in kinds)
        }
        for each in found.values():
            each.others = [other for other in found.values() if other is not each]
        yield found


@pytest.fixture
def gateway(vendors: dict[str, Vendor]) -> Iterator[Running]:
    """An alias for each vendor, by its name."""
    config = {
        "providers": {name: each.section() for name, each in vendors.items()},
        "modelAliases": [alias(f"best-{name}", f"{name}/{each.model}") for name, each in vendors.items()],
    }
    with running(config) as served:
        yield served


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("kind", [ChatCaller, PlainChatCaller, MessagesCaller, ResponsesCaller, StoredResponsesCaller])
def test_every_provider_reads_what_all_others_have_made(
    kind: type[Caller], streamed: bool, gateway: Running, vendors: dict[str, Vendor]
) -> None:
    caller = kind(gateway, streamed=streamed)
    for turn, name in enumerate(ROUTE):
        vendor = vendors[name]
        vendor.turn = turn
        own = dict(vendor.signed)
        caller.ask(f"best-{name}", turn)
        assert [fault for each in vendors.values() for fault in each.faults] == []
        assert sum(len(each.up.requests) for each in vendors.values()) == turn + 1, "one request a turn"
        sent = vendor.up.requests[-1]
        called = [city for before in range(turn) for city in cities(before)]
        assert vendor.pairs(sent.json()) == [(city, weather(city)) for city in called]
        pictures = [image(before) for before in range(turn + 1)]
        pictures += [image(city) for city in called] if caller.images_in_results else []
        texts = [question(before) for before in range(turn + 1)] + [said(before) for before in range(turn)]
        raw = sent.body.decode()
        assert {each: raw.count(each) for each in pictures + texts} == dict.fromkeys(pictures + texts, 1)
        back = {own[signature] for signature in own if signature in raw}
        assert back >= {thought(before) for before in turns_of(name, turn) if cities(before)}, "its own come back"


def turns_of(name: str, turn: int) -> list[int]:
    """The turns before this one in which a provider signed its reasoning."""
    return [before for before in range(turn) if ROUTE[before] == name != ChatVendor.name]
