"""The demo provider's embeddings: a pure function from texts to vectors.

Each word turns the vector in a direction of its own, which follows from its hash. Texts that share words are therefore
near each other, which is enough to see a search work, and the same text gives the same vector on every machine.
Format: https://platform.openai.com/docs/api-reference/embeddings.
"""

import base64
import hashlib
import math
import struct
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from gateway.core.errors import InvalidRequest
from gateway.demo.request import JsonObject, count_words, decoded

DIMENSIONS = 64
MOST_DIMENSIONS = 1024
MOST_INPUTS = 2048  # as OpenAI's
_BYTES_OF_HASH = 32


class EmbeddingRequest(Struct, frozen=True):
    """The body of POST /v1/embeddings. An input may be tokens, which count as words here."""

    model: str
    input: str | tuple[str | int | tuple[int, ...], ...]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Meta(ge=1, le=MOST_DIMENSIONS)] | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """The inputs; tokens as the words of a text."""
        if isinstance(self.input, str):
            return (self.input,)
        if self.input and isinstance(self.input[0], int):
            return (" ".join(map(str, self.input)),)
        return tuple(each if isinstance(each, str) else _words(each) for each in self.input)


_decoder = msgspec.json.Decoder(EmbeddingRequest)


def read_embedding_request(body: bytes) -> EmbeddingRequest:
    """Parse a request body.

    Raises:
        InvalidRequest: it is not JSON, or a field has the wrong shape; `param` names it.
        ModelNotFound: the model is none of the demo's.
    """
    request = decoded(body, _decoder, "embeddings")
    if not 0 < len(request.texts) <= MOST_INPUTS or not all(text.strip() for text in request.texts):
        raise InvalidRequest(f"input must be one text that is not empty, or 1 to {MOST_INPUTS} of them.", param="input")
    return request


def render_embeddings(request: EmbeddingRequest) -> JsonObject:
    """The answer to a request."""
    size = request.dimensions or DIMENSIONS
    tokens = count_words(request.texts)
    data = [
        {"object": "embedding", "index": index, "embedding": _written(vector_of(text, size), request)}
        for index, text in enumerate(request.texts)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": request.model, "usage": usage}


def vector_of(text: str, size: int) -> tuple[float, ...]:
    """The vector of a text: the sum of its words' directions, of length 1."""
    total = [0.0] * size
    for word in text.lower().split():
        for place, number in enumerate(_direction(word, size)):
            total[place] += number
    length = math.sqrt(math.fsum(number * number for number in total)) or 1.0
    return tuple(number / length for number in total)


def _direction(word: str, size: int) -> Sequence[int]:
    """Numbers from -127 to 128 that follow from the word."""
    blocks = range(-(-size // _BYTES_OF_HASH))
    data = b"".join(hashlib.sha256(f"{block} {word}".encode()).digest() for block in blocks)
    return [byte - 127 for byte in data[:size]]


def _written(vector: Sequence[float], request: EmbeddingRequest) -> str | list[float]:
    if request.encoding_format == "base64":
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")
    return list(vector)


def _words(tokens: str | int | tuple[int, ...]) -> str:
    return " ".join(map(str, tokens)) if isinstance(tokens, tuple) else str(tokens)
