"""The encoder of a streamed answer: chunks to the caller's server-sent events.

For chunks of this wire it only sets the model's name and removes usage that the caller did not ask for. It writes
chunks of another wire from their neutral form (`chunks.py`).
Source: https://platform.openai.com/docs/api-reference/chat-streaming.
"""

from collections.abc import Callable, Iterable

from gateway.core.answer import ChatChunk, Usage
from gateway.core.errors import GatewayError
from gateway.core.sse import DONE, comment, encode
from gateway.core.strict_json import JsonObject, dumps
from gateway.wires.base import Decoder, Naming, Passthrough
from gateway.wires.openai_chat import WIRE, passthrough
from gateway.wires.openai_chat.inbound.chunks import NeutralChunks
from gateway.wires.openai_chat.inbound.resume import HEAD, StreamJoiner, skip_text
from gateway.wires.openai_errors import render_error


class ChunkEncoder:
    """Implements Encoder of gateway.wires.base.

    Args:
        naming: what the answer shows the caller.
        mask: removes secrets from an error's texts.
    """

    def __init__(self, naming: Naming, mask: Callable[[str], str]) -> None:
        self._naming = naming
        self._mask = mask
        self._neutral = NeutralChunks(naming)
        self._head: JsonObject | None = None
        self._joiner: StreamJoiner | None = None

    def encode(self, chunk: ChatChunk, skip: int = 0) -> bytes:
        if chunk.source.wire != WIRE:
            return _events(self._neutral.bodies(chunk, skip))
        body = chunk.source.body
        if skip and not skip_text(body, skip):
            return b""
        if self._naming.model is not None:
            body["model"] = self._naming.model
        if self._head is None:
            self._head = {name: body.get(name) for name in HEAD}
        if self._joiner is not None:
            self._joiner.adapt(body)
        if not self._naming.usage and body.pop("usage", None) and not body.get("choices"):
            return b""  # the usage chunk, which the gateway asked for and the caller did not
        return encode(dumps(body))

    def passthrough(self, decoder: Decoder) -> Passthrough | None:
        return passthrough.between(decoder, self)

    @property
    def has_begun(self) -> bool:
        """Whether it has written a chunk of its own wire and keeps the head of it."""
        return self._head is not None

    def heartbeat(self) -> bytes:
        return comment("keep-alive")

    def answered_by(self, provider: str, spent: Usage | None) -> bytes:
        head = self._neutral.head or self._head
        if head is None:
            return b""
        self._joiner = StreamJoiner(head, spent)
        self._neutral = NeutralChunks(self._naming, joined=head, spent=spent)
        return comment(f"resumed on {provider}")

    def end(self) -> bytes:
        return _events(self._neutral.last()) + encode(DONE)

    def error(self, error: GatewayError) -> bytes:
        return encode(render_error(error, self._mask))


def _events(bodies: Iterable[JsonObject]) -> bytes:
    return b"".join(encode(dumps(body)) for body in bodies)
