"""Answers of the endpoints beside chat, as providers write them."""

import base64
import json
import struct
from collections.abc import Sequence

from tests.support.upstream_script import Json, Request, Step

Vector = Sequence[float]


def vector_of(text: object) -> tuple[float, ...]:
    """A vector that tells its text apart, of numbers that float32 has exactly."""
    seed = sum(str(text).encode()) % 997
    return (seed / 1024, -0.5, len(str(text)) / 4096, 0.25)


def base64_of(vector: Vector) -> str:
    """Little-endian float32, as OpenAI writes it."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def embeddings(vectors: Sequence[Vector | str], *, model: str = "m", tokens: int = 7) -> Json:
    """An answer with these vectors."""
    data = [
        {"object": "embedding", "index": index, "embedding": vector if isinstance(vector, str) else list(vector)}
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return Json(200, {"object": "list", "data": data, "model": model, "usage": usage})


def inputs_of(request: Request) -> list[object]:
    """The inputs of an embeddings request, one for each vector."""
    given = request.json()["input"]
    return given if isinstance(given, list) and not isinstance(given[0], int) else [given]


def embedder(request: Request) -> Sequence[Step]:
    """A server that knows both encodings."""
    asked = request.json()
    vectors = [vector_of(each) for each in inputs_of(request)]
    written = [base64_of(each) if asked.get("encoding_format") == "base64" else each for each in vectors]
    return [embeddings(written, model=asked["model"])]


def embedder_of_numbers(request: Request) -> Sequence[Step]:
    """A server that does not know base64, as many on people's own machines."""
    return [embeddings([vector_of(each) for each in inputs_of(request)], model=request.json()["model"])]


def gemini_embedder(request: Request) -> Sequence[Step]:
    """Gemini's own API. Its vectors are not of unit length."""
    texts = [each["content"]["parts"][0]["text"] for each in request.json()["requests"]]
    return [Json(200, {"embeddings": [{"values": list(vector_of(text))} for text in texts]})]


def events_of_completion(text: str, *, model: str = "m") -> list[str]:
    """A completion's events, as a server with a taste of its own writes them: blanks, odd numbers, unknown fields."""
    events = [
        {"id": "cmpl-1", "object": "text_completion", "created": 1, "choices": [{"text": word, "index": 0}]}
        for word in text.split(" ")
    ]
    events.append({"choices": [{"text": "", "index": 0, "finish_reason": "stop"}], "took": 1.50})
    return [json.dumps({**event, "model": model}, separators=(" , ", " :  ")) for event in events]
