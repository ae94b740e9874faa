"""The bytes on the wire: requests as openai-python sends them, answers as a large provider sends them.

The real number of headers matters: parsing sixteen headers costs several times as much as parsing five, and a benchmark
without them flatters a slow parser. The user's message tells the upstream what to do, because every gateway passes it
on unchanged.
"""

import json
import re
from dataclasses import dataclass
from typing import Final

CHAT_PATH: Final = "/v1/chat/completions"
MESSAGES_PATH: Final = "/v1/messages"
RESPONSES_PATH: Final = "/v1/responses"
HEALTH_PATH: Final = "/health"
SPEECH: Final = "Hello! How can I help you today?"

CLIENT_HEADERS: Final = (
    ("Accept-Encoding", "gzip, deflate"),
    ("Connection", "keep-alive"),
    ("Accept", "application/json"),
    ("Content-Type", "application/json"),
    ("User-Agent", "OpenAI/Python 2.8.1"),
    ("X-Stainless-Lang", "python"),
    ("X-Stainless-Package-Version", "2.8.1"),
    ("X-Stainless-OS", "Linux"),
    ("X-Stainless-Arch", "x64"),
    ("X-Stainless-Runtime", "CPython"),
    ("X-Stainless-Runtime-Version", "3.12.1"),
    ("X-Stainless-Async", "false"),
    ("x-stainless-retry-count", "0"),
    ("x-stainless-read-timeout", "600"),
)
"""The headers of openai-python; Host, Authorization and Content-Length are added."""

PROVIDER_HEADERS: Final = (
    ("Date", "Mon, 24 Nov 2025 09:00:00 GMT"),
    ("Connection", "keep-alive"),
    ("access-control-expose-headers", "X-Request-ID"),
    ("openai-organization", "org-benchmark"),
    ("openai-processing-ms", "412"),
    ("openai-version", "2020-10-01"),
    ("x-ratelimit-limit-requests", "10000"),
    ("x-ratelimit-limit-tokens", "2000000"),
    ("x-ratelimit-remaining-requests", "9999"),
    ("x-ratelimit-remaining-tokens", "1999968"),
    ("x-ratelimit-reset-requests", "6ms"),
    ("x-ratelimit-reset-tokens", "0s"),
    ("x-request-id", "req_0123456789abcdef0123456789abcdef"),
    ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
    ("X-Content-Type-Options", "nosniff"),
    ("Server", "cloudflare"),
)
"""The headers of a provider behind a content network; Content-Type and the framing of the body are added."""

_SYSTEM: Final = "You are a helpful assistant."
STAMP: Final = re.compile(rb"@(\d{19})@")
"""A chunk's content: the time of its send by `time.perf_counter_ns`, which all processes of a machine share."""
STREAM_WISH: Final = re.compile(rb"stream (\d+) chunks at (\d+)/s")
DELAY_WISH: Final = re.compile(rb"answer after (\d+) ms")


@dataclass(frozen=True, slots=True)
class Target:
    """The address of a contender, and how to ask it.

    Attributes:
        port: on 127.0.0.1.
        model: the model to ask for.
        headers: the contender's own headers, besides those of every client.
        health: the path of its health check; empty if it has none.
        path: the path of chats.
        translated: the model to ask for by Messages and Responses, which becomes a chat; empty if it cannot.
    """

    port: int
    model: str
    headers: tuple[tuple[str, str], ...]
    health: str = HEALTH_PATH
    path: str = CHAT_PATH
    translated: str = ""

    @property
    def client_headers(self) -> tuple[tuple[str, str], ...]:
        return (*CLIENT_HEADERS, *self.headers)

    def post(self, body: bytes, path: str = "") -> bytes:
        """A whole HTTP request with this body, to the path of chats or another one."""
        fields = (("Host", f"127.0.0.1:{self.port}"), *self.client_headers, ("Content-Length", str(len(body))))
        return head(f"POST {path or self.path} HTTP/1.1", fields) + body


def head(first_line: str, fields: tuple[tuple[str, str], ...]) -> bytes:
    """An HTTP message's head."""
    return "\r\n".join([first_line, *(f"{name}: {value}" for name, value in fields), "", ""]).encode("ascii")


def small_chat(model: str) -> bytes:
    """A short question."""
    return _chat(model, "Say hello in one short sentence.")


def small_message(model: str) -> bytes:
    """The same question in Anthropic's Messages API."""
    asked = {"role": "user", "content": "Say hello in one short sentence."}
    fields = {"model": model, "max_tokens": 64, "system": _SYSTEM, "messages": [asked], "temperature": 0.7}
    return json.dumps(fields).encode()


def small_response(model: str) -> bytes:
    """The same question in OpenAI's Responses API, of which nothing is kept."""
    asked = "Say hello in one short sentence."
    fields = {"model": model, "input": asked, "instructions": _SYSTEM, "temperature": 0.7, "store": False}
    return json.dumps(fields).encode()


def large_chat(model: str, size: int = 120_000) -> bytes:
    """A conversation of about `size` bytes, with the escapes of code and prose."""
    piece = 'def f(x):\n\treturn "x" if x > 0 else None  # caf\u00e9, \u00fcber, and a "quote"\n'
    turns = 24
    text = piece * (size // turns // len(json.dumps(piece)) + 1)
    history = [{"role": "user" if turn % 2 == 0 else "assistant", "content": text} for turn in range(turns)]
    return json.dumps({"model": model, "messages": [*history, {"role": "user", "content": "Go on."}]}).encode()


def streamed_chat(model: str, chunks: int, rate: int) -> bytes:
    """A chat whose answer has `chunks` chunks, `rate` of them a second; with a rate of 0, as fast as possible."""
    return _chat(model, f"Please stream {chunks} chunks at {rate}/s", stream=True)


def slow_chat(model: str, milliseconds: int) -> bytes:
    """A chat whose whole answer takes that long."""
    return _chat(model, f"Please answer after {milliseconds} ms")


def _chat(model: str, text: str, **fields: object) -> bytes:
    system = {"role": "system", "content": _SYSTEM}
    messages = [system, {"role": "user", "content": text}]
    return json.dumps({"model": model, "messages": messages, "temperature": 0.7, **fields}).encode()


def whole_answer() -> bytes:
    """A provider's answer to a short question: head and about 540 bytes of JSON."""
    body = json.dumps(
        {
            "id": "chatcmpl-B1x2y3z4A5b6C7d8E9f0G1h2I3j4K",
            "object": "chat.completion",
            "created": 1763974800,
            "model": "gpt-4o-2024-08-06",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": SPEECH, "refusal": None, "annotations": []},
                    "logprobs": None,
                    "finish_reason": "stop",
                }
            ],
            "usage": {
                "prompt_tokens": 24,
                "completion_tokens": 9,
                "total_tokens": 33,
                "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
            },
            "service_tier": "default",
            "system_fingerprint": "fp_0123456789",
        },
        separators=(",", ":"),
    ).encode()
    fields = (("Content-Type", "application/json"), ("Content-Length", str(len(body))), *PROVIDER_HEADERS)
    return head("HTTP/1.1 200 OK", fields) + body
