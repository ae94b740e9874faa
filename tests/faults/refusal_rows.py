"""Refusals that are told in words, whatever status, shape and language they come in.

A line of refusals.jsonl is one: its `body` is a real one, as tests/wires/refusals says where each was seen; a text is
sent as it is. Without a `status` it comes inside a 200, and as the first event of a stream, or, with `behind_words`, in
the middle of one. `told` is the status and code that the caller gets where nobody answers. `next` says whether another
target is asked: it is not where the request is wrong or its content refused.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.faults.table import BEGUN, DONE, STOP, Fault, ends, fails, sse

LINES: Final = (Path(__file__).parent / "refusals.jsonl").read_text(encoding="utf-8").splitlines()


def refused(row: Mapping[str, Any]) -> Fault:
    """The row of the table for a line of the file."""
    outcome = fails if row["next"] else ends
    told = tuple(row["told"]) if row["told"] else None
    return outcome(row["kind"], row["shape"], section=1, told=told, **sent(row))


def sent(row: Mapping[str, Any]) -> dict[str, Any]:
    """What the provider sends."""
    body = row["body"]
    is_text = isinstance(body, str)
    data = body.encode() if is_text else json.dumps(body, ensure_ascii=False).encode()
    if "status" in row:
        media = "application/json" if not is_text else "text/html" if body.startswith("<") else "text/plain"
        return {"status": row["status"], "media": media, "whole": data, "stream": data}
    if row.get("behind_words"):
        return {"stream": BEGUN + sse(data) + STOP}
    return {"whole": data, "stream": sse(data) + DONE}


ROWS: Final[tuple[Fault, ...]] = tuple(refused(json.loads(line)) for line in LINES)
