"""Checks the vectors of an embeddings answer, and writes them in the encoding that was asked for.

A client stores vectors beside its texts by their order, so one that is missing or out of place spoils an index without
a sign. An answer therefore has as many vectors as there were inputs, in order, and all of one length, or it is none.
Many servers do not know base64, which OpenAI's clients ask for by themselves, and send numbers all the same.
Source: https://platform.openai.com/docs/api-reference/embeddings/object.
"""

import base64
import binascii
import struct
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import msgspec
from msgspec import Raw, Struct

from gateway.core.provider_failures import InvalidAnswer
from gateway.core.strict_json import JsonValue, dumps

FLOAT: Final = "float"
BASE64: Final = "base64"
_BYTES_OF_NUMBER: Final = 4


class _Row(Struct, frozen=True):
    """One vector, undecoded: thousands of them pass as they came."""

    embedding: Raw
    index: int | None = None


class _Answer(Struct, frozen=True):
    """What is read of an answer."""

    data: list[_Row]
    usage: Raw = Raw(b"null")


class Checked(Struct, frozen=True):
    """An answer that has what was asked for. `usage`: JSON of its token counts, undecoded."""

    content: bytes
    usage: bytes


_Members: TypeAlias = dict[str, Raw]
_ANSWER: Final = msgspec.json.Decoder(_Answer)
_MEMBERS: Final = msgspec.json.Decoder(_Members)
_NUMBERS: Final = msgspec.json.Decoder(list[float])
_TEXT: Final = msgspec.json.Decoder(str)


def checked(body: bytes, wanted: int, encoding: JsonValue) -> Checked | None:
    """An answer with a vector for each input, in order, each in the encoding that was asked for.

    Args:
        body: the provider's.
        wanted: the number of inputs.
        encoding: `encoding_format` of the request. None stands for numbers; one that is not OpenAI's is left to the
            provider.

    Returns:
        The answer, with the provider's own body where nothing has to be changed; None where the body has no vectors.

    Raises:
        InvalidAnswer: it has other vectors than were asked for.
    """
    try:
        answer = _ANSWER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    rows, usage = answer.data, bytes(answer.usage)
    ordered = _in_order(rows, wanted)
    vectors = [bytes(row.embedding) for row in ordered]
    converted = _converted(vectors, FLOAT if encoding is None else encoding)
    if rows == ordered and converted == vectors and all(row.index is not None for row in rows):
        return Checked(body, usage)
    return Checked(_with_vectors(_MEMBERS.decode(body), converted), usage)


def render(vectors: Sequence[Sequence[float]], encoding: JsonValue, members: Mapping[str, JsonValue]) -> bytes:
    """An answer with these vectors and members. `encoding` is as in `checked`."""
    written = [dumps(_encoded(vector) if encoding == BASE64 else list(vector)) for vector in vectors]
    return _with_vectors({name: Raw(dumps(value)) for name, value in members.items()}, written)


def _in_order(rows: list[_Row], wanted: int) -> list[_Row]:
    """The rows by their index, or as they came where none has one."""
    if len(rows) != wanted:
        raise InvalidAnswer(f"The provider's answer has {len(rows)} vectors for {wanted} inputs.")
    if all(row.index is None for row in rows):
        return rows
    places = {row.index: row for row in rows}
    if places.keys() != set(range(wanted)):
        raise InvalidAnswer("The provider's answer has vectors whose indexes are not those of the inputs.")
    return [places[index] for index in range(wanted)]


def _converted(vectors: Sequence[bytes], encoding: JsonValue) -> list[bytes]:
    """The vectors' JSON in the encoding, one by one, because all of them decoded would take ten times their bytes. As
    they came where they are in it; also, and unread, where the encoding is not OpenAI's."""
    if encoding not in (FLOAT, BASE64):
        return [*vectors]
    converted, lengths = [], set()
    for vector in vectors:
        is_text = vector.startswith(b'"')
        numbers = _decoded(vector) if is_text else _numbers_of(vector)
        lengths.add(len(numbers))
        if is_text == (encoding == BASE64):
            converted.append(vector)
        else:
            converted.append(dumps([*numbers] if is_text else _encoded(numbers)))
    if len(lengths) > 1 or 0 in lengths:
        raise InvalidAnswer("The provider's answer has an empty vector, or vectors of different lengths.")
    return converted


def _numbers_of(vector: bytes) -> list[float]:
    try:
        return _NUMBERS.decode(vector)
    except msgspec.DecodeError:
        raise InvalidAnswer("The provider's answer has a vector that is not of numbers.") from None


def _encoded(vector: Sequence[float]) -> str:
    """Little-endian float32 in base64, as OpenAI writes it."""
    try:
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")
    except OverflowError:
        raise InvalidAnswer("The provider's answer has a number that is no float32.") from None


def _decoded(vector: bytes) -> tuple[float, ...]:
    try:
        data = base64.b64decode(_TEXT.decode(vector), validate=True)
    except (msgspec.DecodeError, binascii.Error, ValueError):
        raise InvalidAnswer("The provider's answer has a vector that is not base64.") from None
    if len(data) % _BYTES_OF_NUMBER:
        raise InvalidAnswer("The provider's answer has a vector whose base64 is not of float32.")
    return struct.unpack(f"<{len(data) // _BYTES_OF_NUMBER}f", data)


def _with_vectors(members: _Members, vectors: Sequence[bytes]) -> bytes:
    """The members of an answer with these vectors as its data."""
    data = [{"object": "embedding", "index": index, "embedding": Raw(vector)} for index, vector in enumerate(vectors)]
    head = {"object": Raw(b'"list"'), **members}
    return msgspec.json.encode({**head, "data": data})
