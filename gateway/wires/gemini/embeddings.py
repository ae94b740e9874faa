"""Embeddings in Gemini's own API: a request as batchEmbedContents calls, and their answers as vectors.

Google embeds up to 100 texts a call, so a longer list becomes several calls, of which all must answer.
Sources: https://ai.google.dev/api/embeddings and https://ai.google.dev/gemini-api/docs/embeddings (2026-11).
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec
from msgspec import Raw, Struct

from gateway.core.errors import InvalidRequest
from gateway.core.provider_failures import InvalidAnswer, UnsupportedByTarget
from gateway.core.strict_json import JsonFault, JsonObject, JsonValue, dumps, loads
from gateway.core.token_estimate import tokens_in
from gateway.wires.field_reader import FieldReader, printable
from gateway.wires.gemini.errors import holds_error, parse_in_stream
from gateway.wires.gemini.signatures import VENDOR
from gateway.wires.untrusted_fields import an_object, count

BATCH: Final = 100
"""Texts of one call: "at most 100 requests can be in one batch", as the API itself says (2026-11)."""
ROUNDING: Final = 1e-3
"""How far from 1 the length of a vector may be that was normalised, and written with few digits."""
_OURS: Final = frozenset({"input", "model", "encoding_format", "dimensions", "extra_body", "user"})
_TO_GOOGLE: Final = {"task_type": "taskType", "taskType": "taskType", "title": "title"}
_EXTRA: Final = f"extra_body.{VENDOR}"


class EmbeddingCalls(Struct, frozen=True):
    """A request in Google's form.

    Attributes:
        bodies: one for each call, in the order of the texts.
        sizes: how many texts each has.
        dropped: fields that Google's form does not have, by their names in OpenAI's.
        tokens: an estimate of what the texts have, for answers without counts.
    """

    bodies: tuple[bytes, ...]
    sizes: tuple[int, ...]
    dropped: tuple[str, ...]
    tokens: int


class Vectors(Struct, frozen=True):
    """The vectors of all calls, and their token counts; `tokens` is None where one call reported none."""

    vectors: list[list[float]]
    tokens: int | None


def render(fields: JsonObject, model: str) -> EmbeddingCalls:
    """An embeddings request for Google.

    Args:
        fields: the request in OpenAI's form.
        model: Google's name for the model, with or without "models/".

    Raises:
        InvalidRequest: a field has the wrong type.
        UnsupportedByTarget: the input is not text.
    """
    texts, reader = _texts(fields.get("input")), FieldReader(fields)
    shared: JsonObject = {"model": model if "/" in model else f"models/{model}"}
    if (dimensions := reader.integer("dimensions")) is not None:
        shared["outputDimensionality"] = dimensions
    dropped = [printable(name) for name in fields if name not in _OURS and fields[name] is not None]
    if fields.get("user") is not None:
        dropped.append("user")
    dropped += _for_google(reader, shared)
    batches = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
    return EmbeddingCalls(
        tuple(_body(batch, shared) for batch in batches),
        tuple(map(len, batches)),
        tuple(dropped),
        sum(map(tokens_in, texts)),
    )


def parse(bodies: Sequence[bytes], sizes: Sequence[int]) -> Vectors:
    """The vectors of the answers to all calls, of unit length as OpenAI's are.

    Args:
        bodies: the answers, in the order of the calls.
        sizes: how many texts each call had.

    Raises:
        InvalidAnswer: an answer has no vectors, or another number of them, or vectors of different lengths.
        ProviderFailure: an answer holds an error.
    """
    answers = [_answer(body, size) for body, size in zip(bodies, sizes, strict=True)]
    vectors = [_of_unit_length(row.values) for answer in answers for row in answer.embeddings]
    if len({len(vector) for vector in vectors}) > 1:
        raise InvalidAnswer("The provider's answer has vectors of different lengths.")
    counts = [_tokens(answer.usageMetadata) for answer in answers]
    return Vectors(vectors, sum(counts) if all(counts) else None)


class _Row(Struct, frozen=True):
    values: list[float]


class _Answer(Struct, frozen=True):
    embeddings: list[_Row]
    usageMetadata: Raw = Raw(b"null")  # noqa: N815 - Google's name


_ANSWER: Final = msgspec.json.Decoder(_Answer)


def _texts(given: JsonValue) -> list[str]:
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise UnsupportedByTarget("Gemini embeds texts, and takes no tokens or other parts as input.", param="input")
    return [text for text in texts if isinstance(text, str)]


def _body(texts: Iterable[str], shared: JsonObject) -> bytes:
    requests: list[JsonValue] = [{**shared, "content": {"parts": [{"text": text}]}} for text in texts]
    return dumps({"requests": requests})


def _for_google(reader: FieldReader, shared: JsonObject) -> Iterator[str]:
    """Add the fields for Google alone to those of each text. Yields the names of those that Google does not have."""
    more = reader.object("extra_body")
    own = more.json(VENDOR) if more is not None else None
    for name, value in (own or {}).items():
        if name not in _TO_GOOGLE:
            yield f"{_EXTRA}.{printable(name)}"
        elif not isinstance(value, str):
            raise InvalidRequest(f"{_EXTRA}.{name} must be a string.", param=f"{_EXTRA}.{name}")
        else:
            shared[_TO_GOOGLE[name]] = value


def _answer(body: bytes, size: int) -> _Answer:
    try:
        answer = _ANSWER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _failure_of(body) from None
    if len(answer.embeddings) != size:
        raise InvalidAnswer(f"The provider's answer has {len(answer.embeddings)} vectors for {size} inputs.")
    if not all(row.values for row in answer.embeddings):
        raise InvalidAnswer("The provider's answer has an empty vector.")
    return answer


def _tokens(metadata: Raw) -> int:
    """The count of the texts' tokens; 0 where there is none."""
    try:
        return count(an_object(loads(bytes(metadata))).get("promptTokenCount"))
    except JsonFault:
        return 0


def _failure_of(body: bytes) -> Exception:
    """The failure that a body without vectors means."""
    try:
        value = loads(body)
    except JsonFault as fault:
        return InvalidAnswer(f"The provider's answer is not JSON: {fault}")
    return parse_in_stream(value) if holds_error(value) else InvalidAnswer("The provider's answer has no vectors.")


def _of_unit_length(vector: list[float]) -> list[float]:
    """The vector with length 1. Google gives shortened vectors as they are left, and OpenAI's all have that length. One
    that has it already stays as it came, bit for bit."""
    length = math.sqrt(math.fsum(number * number for number in vector))
    if length == 0 or not math.isfinite(length) or abs(length - 1) <= ROUNDING:
        return vector
    return [number / length for number in vector]
