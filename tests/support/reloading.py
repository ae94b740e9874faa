"""A gateway whose configuration file is edited while it serves."""

import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import requests

from gateway.config.overrides import Overrides
from gateway.config_file import ConfigFile
from tests.support.edge import connect_to, post, until
from tests.support.running import THREADS, Running, alias, chat, provider, running
from tests.support.upstream_script import (
    Done,
    Request,
    ScriptedUpstream,
    Sse,
    Step,
    WaitFor,
    json_answer,
    sse_answer,
    sse_events,
)

RELOAD = "/gateway/reload"
TEXT = "one two three"
KEY = "sk-first-0123456789"


class Edited:
    """A running gateway and its file."""

    def __init__(self, gateway: Running, path: Path) -> None:
        self.served = gateway
        self.path = path
        self._writes = 0

    @property
    def generation(self) -> int:
        return self.served.gateway.generation

    def write(self, config: Mapping[str, object] | bytes) -> None:
        """Put another content into the file, in one step. It is old, so that a reload need not wait for its end."""
        beside = self.path.with_name("beside.yaml")
        beside.write_bytes(_text(config))
        self._writes += 1
        os.utime(beside, (self._writes, self._writes))
        beside.replace(self.path)

    def post(self, **headers: str) -> requests.Response:
        """Ask it to reload, over HTTP."""
        return self.served.post({}, path=RELOAD, headers=headers)

    def reload(self, config: Mapping[str, object] | bytes) -> dict[str, object]:
        """Write and reload. Returns what the gateway says, with the HTTP status."""
        self.write(config)
        answer = self.post()
        return {"status": answer.status_code, **answer.json()}

    def until_generation(self, number: int) -> None:
        """Wait until the gateway has seen the file by itself."""
        until(lambda: self.generation >= number)


@contextmanager
def edited(
    folder: Path, config: Mapping[str, object], env: Mapping[str, str] | None = None, *, watched: bool = False
) -> Iterator[Edited]:
    """A gateway that serves a file.

    Args:
        folder: of the file.
        config: its first content.
        env: its environment.
        watched: whether it looks at the file by itself; else only what asks for a reload has one.
    """
    path = folder / "config.yaml"
    settings = dict(config)
    if not watched:
        settings = manual(settings)
    path.write_bytes(_text(settings))
    file = ConfigFile(path, env or {}, Overrides(port=0))
    with running(env=env, file=file) as gateway:
        yield Edited(gateway, path)


def manual(config: Mapping[str, object]) -> dict[str, object]:
    """The same, and nothing is looked at unasked."""
    settings = config.get("gateway", {})
    assert isinstance(settings, Mapping)
    return {**config, "gateway": {"threads": THREADS, "reload": "manual", **settings}}


def _text(config: Mapping[str, object] | bytes) -> bytes:
    return config if isinstance(config, bytes) else json.dumps(config).encode()


def config(up: ScriptedUpstream, name: str = "acme", **sections: object) -> dict[str, object]:
    """A provider, an alias for it, and more."""
    return manual(
        {
            "providers": {name: provider(up.base_url, apiKey=KEY)},
            "modelAliases": [alias("best", f"{name}/m")],
            **sections,
        }
    )


def limited(up: ScriptedUpstream, number: int, **more: object) -> dict[str, object]:
    return config(up, rateLimits=[{"provider": "acme", "requestsPerMinute": number, **more}])


def answering(request: Request) -> Sequence[Step]:
    return sse_answer(TEXT) if request.json().get("stream") else (json_answer(TEXT),)


class Stream:
    """A stream through the gateway that its provider holds in the middle."""

    def __init__(self, gateway: Edited, up: ScriptedUpstream, model: str = "best") -> None:
        self._go_on = threading.Event()
        up.plays(Sse(sse_events(TEXT)[:2]), WaitFor(self._go_on), Sse(sse_events(TEXT)[2:]), Done())
        self.caller = connect_to(gateway.served)
        self.caller.sendall(post(b"/v1/chat/completions", json.dumps(chat(model, stream=True)).encode()))
        self.text = b""
        while b"one" not in self.text:
            self.text += self.caller.recv(1 << 16)

    def ends_whole(self) -> bool:
        self._go_on.set()
        while b"[DONE]" not in self.text and (piece := self.caller.recv(1 << 16)):
            self.text += piece
        self.caller.close()
        return b"three" in self.text and b"[DONE]" in self.text and b"error" not in self.text
