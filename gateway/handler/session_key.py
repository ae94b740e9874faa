"""What tells the sessions of callers apart, for a provider with `sticky` accounts: prompt caches live at an account.

What the caller names comes first, because only the caller knows: the header `x-session-id`, the request's
`prompt_cache_key`, its `user` (Anthropic: `metadata.user_id`). Else a conversation is known by how it begins: a hash
of the caller's key, the system text and the first text of the user. It is keyed by chance, once for all workers, and
nothing of it is kept.
"""

from collections.abc import Iterable
from hashlib import blake2b
from secrets import token_bytes
from typing import Final

from gateway.core.errors import InvalidRequest
from gateway.core.passed import PassedRequest
from gateway.core.request import ChatRequest, Message, Text
from gateway.core.strict_json import JsonObject

OWN_KEY: Final = token_bytes(32)
"""Of a process that serves alone."""


def of_chat(request: ChatRequest, header: str, key: bytes = OWN_KEY) -> str:
    """The session of a chat.

    Args:
        request: the caller's.
        header: `x-session-id`; "" where there is none.
        key: by which conversations are hashed; workers have the same one.
    """
    if named := header or _named(request.source.body):
        return named
    try:
        messages = request.prompt().messages
    except InvalidRequest:  # what has no neutral form may still pass as it is
        return _hash(key, [request.client])
    systems = (text for message in messages if message.role == "system" for text in _texts(message))
    first = next((message for message in messages if message.role == "user"), None)
    return _hash(key, [request.client, *systems, "\0", *(_texts(first) if first else ())])


def of_passed(request: PassedRequest, header: str) -> str:
    """The session of a request beside chat, which has no conversation to be known by. Args as of `of_chat`."""
    return header or _named(request.fields)


def _named(body: JsonObject) -> str:
    metadata = body.get("metadata")
    user_id = metadata.get("user_id") if isinstance(metadata, dict) else None
    found = (body.get("prompt_cache_key"), body.get("user"), user_id)
    return next((each for each in found if isinstance(each, str) and each), "")


def _texts(message: Message) -> Iterable[str]:
    return (part.text for part in message.parts if isinstance(part, Text))


def _hash(key: bytes, parts: Iterable[str]) -> str:
    digest = blake2b(key=key, digest_size=16)
    for part in parts:
        digest.update(part.encode("utf-8", "surrogatepass"))
        digest.update(b"\0")
    return digest.hexdigest()
