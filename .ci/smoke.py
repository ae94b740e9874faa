"""A first walk through a gateway that has just started: what README's `curl` lines show, checked.

    python smoke.py LOG PID

waits until the file LOG tells the address and /health answers, then asks the embedded demo provider. It needs the
standard library only, so that it runs where nothing but the gateway's own requirements is installed.
"""

import json
import os
import re
import sys
import time
import urllib.request
from pathlib import Path

START_SECONDS = 300.0
"""Enough for the installation that comes before the start."""
ANSWER_SECONDS = 30.0
PAUSE_SECONDS = 0.1
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")

direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class SmokeError(Exception):
    """What was seen is not what should be."""


def main() -> None:
    """Run the checks in order; the first that fails ends it with one line and exit code 1."""
    log, pid = Path(sys.argv[1]), int(sys.argv[2])
    try:
        base = started(log, pid)
        for check in (models, whole, streamed):
            print(f"{check.__name__}: {check(base)}", flush=True)
    except (SmokeError, OSError, ValueError, LookupError, TypeError) as fault:
        sys.exit(f"smoke: {type(fault).__name__}: {fault}")


def started(log: Path, pid: int) -> str:
    """The address, once /health answers there."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        found = ADDRESS.search(log.read_text(errors="replace"))
        if found and healthy(found[0]):
            return found[0]
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            raise SmokeError("the gateway ended before it answered") from None
        time.sleep(PAUSE_SECONDS)
    raise SmokeError(f"no answer from /health within {START_SECONDS:g} s")


def healthy(base: str) -> bool:
    """Whether /health says ok."""
    try:
        status, _, body = ask(f"{base}/health")
    except OSError:
        return False
    return status == 200 and json.loads(body) == {"status": "ok"}


def models(base: str) -> str:
    """GET /v1/models lists the demo."""
    _, _, body = ask(f"{base}/v1/models")
    listed = [each["id"] for each in json.loads(body)["data"]]
    expect("demo" in listed, f"demo is not among {listed}")
    return ", ".join(listed)


def whole(base: str) -> str:
    """A chat is answered with content."""
    _, kind, body = ask(f"{base}/v1/chat/completions", chat(stream=False))
    expect(kind == "application/json", f"the answer's content type is {kind}")
    answer = json.loads(body)
    expect(answer["object"] == "chat.completion", f"the answer is a {answer['object']}")
    content = answer["choices"][0]["message"]["content"]
    expect(isinstance(content, str) and content.strip() != "", "the answer has no content")
    return repr(content)


def streamed(base: str) -> str:
    """A streamed chat has content and ends with [DONE]."""
    _, kind, body = ask(f"{base}/v1/chat/completions", chat(stream=True))
    expect(kind == "text/event-stream", f"the stream's content type is {kind}")
    events = [line.removeprefix("data: ") for line in body.decode().splitlines() if line.startswith("data: ")]
    expect(events[-1] == "[DONE]", f"the stream ends with {events[-1]}")
    choices = [choice for event in events[:-1] for choice in json.loads(event)["choices"]]
    content = "".join(choice["delta"].get("content") or "" for choice in choices)
    expect(content.strip() != "", "the stream has no content")
    return f"{content!r} in {len(events)} events"


def chat(*, stream: bool) -> bytes:
    """A request's body."""
    asked = {"model": "demo", "stream": stream, "messages": [{"role": "user", "content": "Hello from the smoke run"}]}
    return json.dumps(asked).encode()


def ask(url: str, body: bytes | None = None) -> tuple[int, str, bytes]:
    """Status, content type and body of one exchange.

    Raises:
        OSError: no connection, or a status of 400 and above.
    """
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with direct.open(request, timeout=ANSWER_SECONDS) as reply:
        return reply.status, reply.headers.get_content_type(), reply.read()


def expect(holds: bool, otherwise: str) -> None:
    """Raise SmokeError where it does not hold."""
    if not holds:
        raise SmokeError(otherwise)


if __name__ == "__main__":
    main()
