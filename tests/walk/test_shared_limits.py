"""Two gateways and a real server between them, all as processes: what reaches the provider, whatever happens there.

A minute of the gateways' limits has two seconds here.
"""

import json
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.ports import free_port, open_listener
from tests.support.redis_server import Asking, RedisServer, needs_redis
from tests.support.running import chat
from tests.support.served import ROOT, Served, serving

pytestmark = [needs_redis, pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="SIGSTOP is POSIX's")]

MINUTE = 2.0
LIMIT = 20
SLACK = 0.3
"""Seconds that a request may take from the gateway to the provider on a busy machine: a window counts from when it
leaves there. A limit that is not held shows as another share of it, half as many again at least."""
ANSWER = json.dumps(
    {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "ok"}}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
).encode()


class Provider:
    """Answers every chat, and knows when each came."""

    def __init__(self) -> None:
        came = self.came = list[float]()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                came.append(time.monotonic())
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(ANSWER)))
                self.end_headers()
                self.wfile.write(ANSWER)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def most(self, since: float = 0.0, until: float = float("inf")) -> int:
        """The most that came in any window."""
        times = sorted(each for each in self.came if since <= each <= until)
        return max((sum(at <= each < at + MINUTE - SLACK for each in times) for at in times), default=0)


class SlowWay:
    """A way to a server on which each direction takes its time."""

    def __init__(self, port: int, seconds: float) -> None:
        self._port = port
        self._seconds = seconds
        self._listener = open_listener()
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near = self._listener.accept()[0]
                far = socket.create_connection(("127.0.0.1", self._port))
                for each in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=each, daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while body := source.recv(65_536):
                time.sleep(self._seconds)
                sink.sendall(body)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def close(self) -> None:
        self._listener.close()


def configured(folder: Path, provider: Provider, redis_port: int, **more: object) -> Path:
    path = folder / "config.yaml"
    redis = {"url": f"redis://127.0.0.1:{redis_port}/0", **more}
    config = {
        "gateway": {"page": False, "reload": "manual", "drainSeconds": 0},
        "ledger": {"enabled": False},
        "logging": {"level": "warning"},
        "providers": {"up": {"type": "openai", "apiEndpoint": provider.url, "apiKey": "k"}},
        "rateLimits": [{"provider": "up", "requestsPerMinute": LIMIT, "maxQueueSize": 200, "maxWaitSeconds": 60}],
        "sharing": {"engine": "redis", "redis": redis},
    }
    path.write_text(json.dumps(config))
    return path


def gateway(config: Path, log: Path, ahead: float = 0.0) -> AbstractContextManager[Served]:
    program = ("-m", "tests.support.short_minutes", str(MINUTE), str(ahead))
    return serving("--config", str(config), cwd=ROOT, log=log, program=program)


def ask(served: Served) -> tuple[int, float]:
    """One call: its status, and the seconds that it took."""
    began = time.monotonic()
    with closing(served.connect()) as connection:
        connection.request(
            "POST", "/v1/chat/completions", json.dumps(chat("up/m")), {"content-type": "application/json"}
        )
        answer = connection.getresponse()
        answer.read()
        return answer.status, time.monotonic() - began


def at_once(gateways: Sequence[Served], calls: int, clients: int = 50) -> list[tuple[int, float]]:
    """So many calls by so many clients, in turn at each gateway."""
    todo, answers = list(range(calls)), list[tuple[int, float]]()

    def client() -> None:
        while True:
            try:
                number = todo.pop()
            except IndexError:
                return
            answers.append(ask(gateways[number % len(gateways)]))

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return answers


@pytest.fixture
def provider() -> Iterator[Provider]:
    with closing(Provider()) as running:
        yield running


def test_two_gateways_hold_one_limit_whatever_their_clocks_say(tmp_path: Path, provider: Provider) -> None:
    with ExitStack() as stack:
        redis = stack.enter_context(closing(RedisServer()))
        config = configured(tmp_path, provider, redis.port)
        both = [
            stack.enter_context(gateway(config, tmp_path / f"log{number}", ahead))
            for number, ahead in enumerate((0.0, 3600.0))
        ]
        began = time.monotonic()
        answers = at_once(both, 100)
        assert [status for status, _ in answers] == [200] * 100
        assert len([each for each in provider.came if each < min(provider.came) + MINUTE - SLACK]) == LIMIT
        assert provider.most() <= LIMIT
        assert time.monotonic() - began >= 4 * MINUTE - SLACK


def test_a_stopped_server_holds_up_no_call_and_breaks_no_share(tmp_path: Path, provider: Provider) -> None:
    """Ten seconds of SIGSTOP under load; then killed, and back empty."""
    with ExitStack() as stack:
        redis = stack.enter_context(closing(RedisServer()))
        config = configured(tmp_path, provider, redis.port)
        both = [stack.enter_context(gateway(config, tmp_path / f"log{number}")) for number in range(2)]
        watch = Asking(redis)
        while watch.plain("ZCARD", "gw:{default}:members") < 2 or not heard_of_two(both):
            time.sleep(0.05)
        redis.pause()
        stopped = time.monotonic()
        answers = [ask(both[number % 2]) for number in range(LIMIT)]
        assert {status for status, _ in answers} == {200}
        print("slowest call:", max(seconds for _, seconds in answers))
        assert sum(seconds > 0.25 for _, seconds in answers) <= 2, "one call a process waits for the server"
        assert provider.most(stopped) <= LIMIT
        at_once(both, 3 * LIMIT)
        assert provider.most(stopped + MINUTE) <= LIMIT
        while time.monotonic() < stopped + 10:
            at_once(both, LIMIT)
        redis.resume()
        back = time.monotonic()
        while time.monotonic() < back + 20 and not all(is_up(each) for each in both):
            at_once(both, 4)
        assert all(is_up(each) for each in both)
        at_once(both, 3 * LIMIT)
        assert provider.most(stopped + MINUTE) <= LIMIT + 1  # a gateway sees its grant a moment after it was given
        redis.kill()
        at_once(both, LIMIT)
        redis.start()
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and not all(is_up(each) for each in both):
            at_once(both, 4)
        assert all(is_up(each) for each in both)
        restarted = time.monotonic()
        at_once(both, 4 * LIMIT)
        assert provider.most(restarted) <= LIMIT + 1
        watch.link.close()


def test_a_slow_server_makes_calls_slow_and_keeps_the_limit(tmp_path: Path, provider: Provider) -> None:
    with ExitStack() as stack:
        redis = stack.enter_context(closing(RedisServer()))
        way = stack.enter_context(closing(SlowWay(redis.port, 0.025)))
        config = configured(tmp_path, provider, way.port, timeoutMilliseconds=2000)
        both = [stack.enter_context(gateway(config, tmp_path / f"log{number}")) for number in range(2)]
        assert {status for status, _ in at_once(both, 3 * LIMIT)} == {200}
        assert provider.most() <= LIMIT
        assert all(is_up(each) for each in both)


def test_workers_ask_the_server_themselves(tmp_path: Path, provider: Provider) -> None:
    with closing(RedisServer()) as redis, closing(Asking(redis)) as watch:
        config = configured(tmp_path, provider, redis.port)
        whole = json.loads(config.read_text())
        whole["gateway"]["workers"] = 2
        whole["rateLimits"][0]["maxWaitSeconds"] = 0
        config.write_text(json.dumps(whole))
        with serving("--config", str(config), cwd=tmp_path, log=tmp_path / "log") as served:
            statuses = [status for status, _ in at_once([served], 2 * LIMIT)]
            assert sorted(statuses) == [200] * LIMIT + [429] * LIMIT
            assert watch.plain("ZCARD", "gw:{default}:members") == 2
            assert is_up(served)


def is_up(served: Served) -> bool:
    return metric(served, "llm_gateway_sharing_up") == 1


def heard_of_two(both: Sequence[Served]) -> bool:
    for each in both:
        with closing(each.connect()) as connection:
            connection.request("GET", "/gateway/explain?model=up/m")
            shown = json.loads(connection.getresponse().read())
            if shown["sharing"]["gateways"] != 2:
                return False
    return True


def metric(served: Served, name: str) -> float:
    with closing(served.connect()) as connection:
        connection.request("GET", "/metrics")
        found = re.search(rf"(?m)^{name} (\S+)", connection.getresponse().read().decode())
        assert found is not None
        return float(found[1])
