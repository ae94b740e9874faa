"""Many callers at once: nothing lost, nothing mixed up, everything given back."""

import json
import os
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import pytest
import requests

from tests.support.running import Running, alias, chat, events, provider, running
from tests.support.upstream_script import Done, Request, ScriptedUpstream, Sse, Step, WaitFor, json_answer, sse_events

STREAMS = 30
SHORT = 200
WORDS = 20


def text_of(chunks: Sequence[object]) -> str:
    """What a stream's events say."""
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if isinstance(chunk, dict) and chunk["choices"]]
    return "".join(delta.get("content") or "" for delta in deltas)


def said_by(number: int) -> str:
    return " ".join(f"{number}:{word}" for word in range(WORDS))


def number_in(request: Request) -> int:
    return int(request.json()["messages"][0]["content"])


def test_30_streams_and_200_short_requests_at_once() -> None:
    all_streams_run = threading.Barrier(STREAMS + 1, timeout=60)
    may_end = threading.Event()

    def answer(request: Request) -> Sequence[Step]:
        number = number_in(request)
        if not request.json().get("stream"):
            return (json_answer(f"short {number}", model=f"real-{number}"),)
        spoken = sse_events(said_by(number), model=f"real-{number}")
        return (Sse(spoken[: WORDS // 2]), WaitFor(may_end), Sse(spoken[WORDS // 2 :]), Done())

    def stream(gateway: Running, number: int) -> tuple[int, Sequence[object]]:
        with requests.post(
            f"{gateway.url}/v1/chat/completions", json=chat("best", str(number), stream=True), stream=True, timeout=60
        ) as response:
            lines = response.iter_lines()
            first = next(lines)
            all_streams_run.wait()
            return number, events("\n".join(line.decode() for line in [first, *lines]))

    def short(gateway: Running, number: int) -> tuple[int, dict[str, object]]:
        reply = requests.post(f"{gateway.url}/v1/chat/completions", json=chat("best", str(number)), timeout=60)
        assert reply.status_code == 200, reply.text
        body: dict[str, object] = reply.json()
        return number, body

    with ScriptedUpstream() as up:
        up.answers(answer)
        config = {
            "gateway": {"threads": 64},  # so that there is room for all of them
            "providers": {"a": provider(up.base_url)},
            "modelAliases": [alias("best", "a/m")],
        }
        with running(config) as gateway, ThreadPoolExecutor(STREAMS + SHORT) as pool, ExitStack() as closing:
            closing.callback(may_end.set)
            streams = [pool.submit(stream, gateway, number) for number in range(STREAMS)]
            all_streams_run.wait()
            shorts = [pool.submit(short, gateway, number) for number in range(1000, 1000 + SHORT)]
            assert gateway.get("/health").json() == {"status": "ok"}
            for number, body in (each.result() for each in shorts):
                assert body["choices"][0]["message"]["content"] == f"short {number}"  # type: ignore[index]
            may_end.set()
            for number, chunks in (each.result() for each in streams):
                assert chunks[-1] == "[DONE]"
                assert text_of(chunks) == said_by(number)
        assert len(up.requests) == STREAMS + SHORT
    # `running` has asserted that every thread of the gateway has ended


def open_sockets() -> int:
    """Sockets of this process."""
    found = 0
    for entry in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # the listing's own descriptor is in the list
            found += os.readlink(f"/proc/self/fd/{entry}").startswith("socket:")
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")
def test_sockets_are_back_after_callers_that_come_and_go() -> None:
    before = open_sockets()
    with ScriptedUpstream() as up:
        config = {"providers": {"a": provider(up.base_url)}, "modelAliases": [alias("best", "a/m")]}
        with running(config) as gateway:
            for number in range(20):
                with requests.post(
                    f"{gateway.url}/v1/chat/completions",
                    json=chat("best", stream=number % 2 == 0),
                    stream=True,
                    timeout=60,
                ) as response:
                    assert response.status_code == 200
                    if number % 3:
                        response.raw.read(20)  # and leave
            served = json.loads(gateway.post(chat("best")).text)
            assert served["choices"]
    assert open_sockets() == before


def test_health_and_models_answer_while_every_model_thread_is_busy() -> None:
    threads = 8
    may_end = threading.Event()
    with ScriptedUpstream() as up:
        up.answers(lambda request: (WaitFor(may_end), json_answer("late")))
        config = {
            "gateway": {"threads": threads},
            "providers": {"a": provider(up.base_url)},
            "modelAliases": [alias("best", "a/m")],
        }
        with running(config) as gateway, ThreadPoolExecutor(2 * threads) as pool:
            slow = [
                pool.submit(requests.post, f"{gateway.url}/v1/chat/completions", json=chat("best"), timeout=60)
                for _ in range(2 * threads)
            ]
            up.wait_for_requests(threads - 1)
            assert gateway.get("/health").status_code == 200
            assert gateway.get("/v1/models").status_code == 200
            may_end.set()
            assert [each.result().status_code for each in slow] == [200] * 2 * threads
