"""What Gemini answers, for a scripted upstream that plays it: bodies, errors and streams as Google writes them.

Sources: https://ai.google.dev/api/generate-content, https://cloud.google.com/apis/design/errors.
"""

import json
from collections.abc import Mapping
from typing import Any

from tests.support.upstream_script import Body, Head, Json, Step

COUNTS: Mapping[str, int] = {"promptTokenCount": 7, "candidatesTokenCount": 3, "totalTokenCount": 10}
RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"
QUOTA_FAILURE = "type.googleapis.com/google.rpc.QuotaFailure"
ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"


def text(words: str, **more: object) -> dict[str, Any]:
    """A part that says something."""
    return {"text": words, **more}


def call(name: str, args: Mapping[str, object], **more: object) -> dict[str, Any]:
    """A part that calls a function; `id` goes into the call, `thoughtSignature` beside it."""
    native = {"id": more.pop("id")} if "id" in more else {}
    return {"functionCall": {"name": name, "args": dict(args), **native}, **more}


def said(*parts: Mapping[str, object], finish: str | None = "STOP", **more: object) -> dict[str, Any]:
    """A GenerateContentResponse with one candidate: a whole answer, or one event of a stream."""
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    head = {"usageMetadata": COUNTS, "modelVersion": "gemini-2.5-pro", "responseId": "r-1"}
    return {"candidates": [candidate], **head, **more}


def blocked(reason: str = "PROHIBITED_CONTENT") -> dict[str, Any]:
    """What comes in place of an answer to a prompt that is refused."""
    counts = {"promptTokenCount": 7, "totalTokenCount": 7}
    return {"promptFeedback": {"blockReason": reason}, "usageMetadata": counts, "responseId": "r-1"}


def event(value: object) -> Body:
    """One event of a stream, with the line ends that Google sends."""
    return Body(f"data: {json.dumps(value)}\r\n\r\n".encode())


def stream(*events: object) -> tuple[Step, ...]:
    """A stream; it ends without any [DONE]."""
    return (Head(200, {"Content-Type": "text/event-stream"}), *(event(each) for each in events))


def error(code: int, status: str, message: str = "Something is wrong.", *details: object) -> dict[str, Any]:
    """Google's error object."""
    told = {"code": code, "message": message, "status": status}
    return {"error": {**told, "details": list(details)} if details else told}


def refusal(code: int, status: str, message: str = "Something is wrong.", *details: object) -> Json:
    """An answer that is an error."""
    return Json(code, error(code, status, message, *details))


def retry_info(delay: str) -> dict[str, str]:
    """The detail that says when to ask again."""
    return {"@type": RETRY_INFO, "retryDelay": delay}


def quota(quota_id: str) -> dict[str, object]:
    """The detail that says which limit was passed."""
    return {"@type": QUOTA_FAILURE, "violations": [{"quotaId": quota_id, "quotaMetric": "m"}]}


def reason(word: str) -> dict[str, object]:
    """The detail that says in one word what is wrong."""
    return {"@type": ERROR_INFO, "reason": word, "domain": "googleapis.com"}
