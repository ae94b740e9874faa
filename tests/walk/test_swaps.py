"""Two configurations take turns under load: no call fails, none sees a mixture, and what one held goes with it."""

import gc
import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.assembly import Assembly
from gateway.config.loader import Loaded
from gateway.runtime import Current
from tests.support.edge import LIMIT, connect_to, post, until
from tests.support.running import Running, alias, chat, loaded, on_port, provider, running
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

CALLERS = 4
POOLS = ("gateway-model", "gateway-other", "gateway-resume")
TEXT = "one two three"


def config(name: str, up: ScriptedUpstream) -> dict[str, object]:
    """A configuration whose key, provider and model have that name. A call that saw two of them would show it."""
    return {
        "gateway": {"threads": 16},
        "providers": {name: provider(up.base_url, apiKey=f"sk-{name}-0123456789")},
        "modelAliases": [alias("best", f"{name}/{name}")],
        "rateLimits": [{"provider": name, "requestsPerMinute": 1_000_000}],
    }


def answer(request: Request) -> Sequence[Step]:
    """Answers if the key belongs to the model."""
    model = request.json()["model"]
    assert request.headers["authorization"] == f"Bearer sk-{model}-0123456789", "a mixture of two configurations"
    return sse_answer(TEXT) if request.json().get("stream") else (json_answer(TEXT),)


class Load:
    """Callers that ask on and on, whole and streamed, and what was wrong with the answers."""

    def __init__(self, gateway: Running) -> None:
        self.over = threading.Event()
        self.wrong: list[object] = []
        self.answered = 0
        clients = [gateway.client() for _ in range(CALLERS)]
        self._threads = [threading.Thread(target=self._ask, args=(gateway, n)) for n in range(len(clients))]
        self._clients = clients
        for thread in self._threads:
            thread.start()

    def _ask(self, gateway: Running, number: int) -> None:
        completions = self._clients[number].chat.completions
        while not self.over.is_set():
            try:
                if number % 2:
                    chunks = completions.create(model="best", messages=[{"role": "user", "content": "hi"}], stream=True)
                    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
                else:
                    whole = completions.create(model="best", messages=[{"role": "user", "content": "hi"}])
                    text = whole.choices[0].message.content or ""
            except Exception as error:  # noqa: BLE001 - none may fail
                self.wrong.append(error)
                return
            if text.strip() != TEXT:
                self.wrong.append(text)
            self.answered += 1

    def end(self) -> None:
        self.over.set()
        for thread in self._threads:
            thread.join(LIMIT)


def descriptors() -> int:
    """Of this process; always the same where the system does not tell."""
    folder = Path("/proc/self/fd")
    return len(os.listdir(folder)) if folder.exists() else 0


def swap(gateway: Running, configuration: Loaded) -> None:
    gateway.gateway.serve(on_port(configuration, gateway.gateway.port))


@pytest.mark.usefixtures("collected")
@pytest.mark.parametrize("swaps", [40, pytest.param(200, marks=pytest.mark.slow)])
def test_swaps_under_load(swaps: int) -> None:
    with ScriptedUpstream() as one, ScriptedUpstream() as two:
        for up in (one, two):
            up.answers(answer)
        configurations = [loaded(config("one", one)), loaded(config("two", two))]
        with running(config("one", one)) as gateway:
            load = Load(gateway)
            after_five = (0, 0)
            for number in range(swaps):
                before = load.answered
                swap(gateway, configurations[number % 2])
                until(lambda before=before: load.answered > before or bool(load.wrong))  # type: ignore[misc]
                if number == 5:
                    after_five = gateway_threads(), descriptors()
            threads, opened = gateway_threads(), descriptors()
            load.end()
            assert load.wrong == []
            assert threads <= after_five[0] and opened <= after_five[1] + 4 * CALLERS
            until(lambda: gateway.gateway.current.retired == 0)
            until(lambda: assemblies() == 1)  # a thread may just be leaving the last call


def assemblies() -> int:
    """How many are in memory."""
    gc.collect()
    return sum(isinstance(each, Assembly) for each in gc.get_objects())


def gateway_threads() -> int:
    """Those of the gateway, but for its pools: they start threads as calls come together, whoever is served."""
    names = [each.name for each in threading.enumerate()]
    return sum(name.startswith(("gateway", "watchdog")) and not name.startswith(POOLS) for name in names)


def test_a_configuration_that_was_replaced_closes_when_its_last_call_is_over() -> None:
    go = threading.Event()
    pieces = sse_events(TEXT)
    with ScriptedUpstream() as one, ScriptedUpstream() as two:
        one.plays(Sse(pieces[:2]), WaitFor(go), Sse(pieces[2:]), Done())
        with running(config("one", one)) as gateway, connect_to(gateway) as caller:
            caller.sendall(post(b"/v1/chat/completions", json.dumps(chat("best", stream=True)).encode()))
            text = caller.recv(1 << 16)
            while b"one" not in text:
                text += caller.recv(1 << 16)
            swap(gateway, loaded(config("two", two)))
            assert gateway.gateway.current.retired == 1
            assert gateway.post(chat("best")).headers["x-gateway-attempts"] == "two/two=200"
            assert gateway.gateway.current.retired == 1, "its stream goes on"
            go.set()
            while b"[DONE]" not in text:
                text += caller.recv(1 << 16)
            until(lambda: gateway.gateway.current.retired == 0)


class Thing:
    """Something that is served."""

    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


def test_the_pointer_closes_each_once() -> None:
    current: Current[Thing] = Current()
    with pytest.raises(RuntimeError):
        current.enter()
    one, two, three = Thing(), Thing(), Thing()
    current.swap(one)
    first, second = current.enter(), current.enter()
    current.swap(two)
    current.swap(three)  # nobody has asked two
    assert (one.closed, two.closed, current.retired) == (0, 1, 1)
    current.leave(first)
    assert one.closed == 0
    current.leave(second)
    assert (one.closed, current.retired) == (1, 0)
    assert current.enter() is three
    current.leave(three)
    assert three.closed == 0, "it is served still"
    current.swap(three)
    assert three.closed == 0
    current.swap(None)
    assert three.closed == 1
