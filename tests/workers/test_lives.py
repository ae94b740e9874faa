"""What a gateway of several workers survives, as real processes: dead workers, failing ones, a dead parent, a stop."""

import http.client
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from tests.support.edge import until
from tests.support.other_processes import is_running, stop
from tests.support.running import alias, chat
from tests.support.served import HANG, ROOT
from tests.support.several_workers import JSON, Workers, configuration, workers
from tests.support.upstream_script import Done, Request, ScriptedUpstream, Sse, Step, WaitFor, json_answer, sse_events

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="several workers are POSIX's"),
]
TEXT = "one two three"
KILL = getattr(signal, "SIGKILL", 9)


class Streams:
    """Streams that their provider holds in the middle until `go_on`; each has begun."""

    def __init__(self, upstream: ScriptedUpstream) -> None:
        self.go_on = threading.Event()
        self._open: list[tuple[http.client.HTTPConnection, http.client.HTTPResponse]] = []
        upstream.answers(self._answer)

    def _answer(self, request: Request) -> "tuple[Step, ...]":
        if not request.json().get("stream"):
            return (json_answer(TEXT),)
        first, rest = sse_events(TEXT)[:2], sse_events(TEXT)[2:]
        return (Sse(first), WaitFor(self.go_on), Sse(rest), Done())

    def begin(self, gateway: Workers, count: int) -> None:
        for _ in range(count):
            connection, response = gateway.stream()
            assert response.readline()
            self._open.append((connection, response))

    def end(self) -> list[bool]:
        """Whether each has ended whole."""
        self.go_on.set()
        return [self._is_whole(*each) for each in self._open]

    def close(self) -> None:
        self.go_on.set()
        for connection, response in self._open:
            response.close()
            connection.close()

    @staticmethod
    def _is_whole(connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> bool:
        text = b""
        with closing(connection), closing(response), suppress(OSError, http.client.HTTPException):
            text = response.read()
        return b"three" in text and text.rstrip().endswith(b"[DONE]")


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as scripted:
        yield scripted


@pytest.fixture
def streams(upstream: ScriptedUpstream) -> Iterator[Streams]:
    held = Streams(upstream)
    yield held
    held.close()


def ended_by(gateway: Workers) -> list[object]:
    return [each["worker"] for each in gateway.lines if each["event"] == "call" and each.get("streamed")]


def sum_of_calls(gateway: Workers) -> float:
    """All calls, as /metrics has them."""
    _, text = gateway.get("/metrics")
    lines = [each for each in text.decode().splitlines() if each.startswith("llm_gateway_requests_total{")]
    return sum(float(each.rpartition(" ")[2]) for each in lines)


def test_a_worker_that_is_killed_takes_its_own_calls_and_nothing_else(
    upstream: ScriptedUpstream, streams: Streams, tmp_path: Path
) -> None:
    with workers(tmp_path, configuration(upstream.base_url)) as gateway:
        streams.begin(gateway, 10)
        before = gateway.processes
        os.kill(before[0], KILL)
        assert [gateway.call() for _ in range(20)] == [200] * 20, "whoever comes meanwhile is answered"
        whole = streams.end()
        until(lambda: len(ended_by(gateway)) == sum(whole))
        assert set(ended_by(gateway)) <= {1}
        if sys.platform == "linux":
            assert 0 < sum(whole) < 10, "both had some"
        until(lambda: gateway.processes.get(0, before[0]) != before[0])


def test_under_load_a_kill_costs_the_calls_of_one_worker_and_no_counter_goes_down(
    upstream: ScriptedUpstream, streams: Streams, tmp_path: Path
) -> None:
    with workers(tmp_path, configuration(upstream.base_url)) as gateway:
        stopping, failed, answered, sums = threading.Event(), [], [0] * 8, []

        def calling(number: int) -> None:
            while not stopping.is_set():
                try:
                    assert gateway.call() == 200
                    answered[number] += 1
                except (OSError, http.client.HTTPException) as fault:
                    failed.append(fault)

        callers = [threading.Thread(target=calling, args=(number,)) for number in range(8)]
        for each in callers:
            each.start()
        try:
            for turn in range(3):
                until(lambda: min(answered) >= 5 * (turn + 1))  # noqa: B023 - it is over before the next turn
                sums.append(sum_of_calls(gateway))
                before = gateway.processes
                os.kill(before[turn % 2], KILL)
                sums.append(sum_of_calls(gateway))
                until(lambda: gateway.processes.get(turn % 2) not in (None, before[turn % 2]))  # noqa: B023
                sums.append(sum_of_calls(gateway))
        finally:
            stopping.set()
            for each in callers:
                each.join(HANG)
        assert len(failed) <= 3 * len(callers), "each caller had one call under way when a worker was killed"
        assert sums == sorted(sums)
        assert gateway.stop() == 0


def test_a_limit_is_that_of_all_workers_and_outlives_them(
    upstream: ScriptedUpstream, streams: Streams, tmp_path: Path
) -> None:
    limit = {"provider": "a", "requestsPerMinute": 20, "maxQueueSize": 0}
    with workers(tmp_path, {**configuration(upstream.base_url), "rateLimits": [limit]}) as gateway:
        with ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(lambda _: gateway.call(), range(40)))
        assert statuses.count(200) == 20
        for number, process in gateway.processes.items():
            os.kill(process, KILL)
            until(lambda: gateway.processes.get(number) not in (None, process))  # noqa: B023 - it is over before
        assert {gateway.call() for _ in range(20)} == {429}
        assert len(upstream.requests) == 20


def test_connections_that_wait_at_a_dead_worker_are_answered(
    upstream: ScriptedUpstream, streams: Streams, tmp_path: Path
) -> None:
    """A stopped worker accepts nothing, so what comes for it waits in its sockets; then it is killed."""
    with workers(tmp_path, configuration(upstream.base_url)) as gateway:
        stopped = gateway.processes[0]
        stop(stopped)
        with ExitStack() as opened:
            waiting = [opened.enter_context(closing(gateway.connect())) for _ in range(40)]
            for each in waiting:
                each.request("POST", "/v1/chat/completions", json.dumps(chat("best")), JSON)
            os.kill(stopped, KILL)
            assert [each.getresponse().status for each in waiting] == [200] * 40


def test_a_reload_that_one_worker_cannot_take_over_changes_none(
    upstream: ScriptedUpstream, streams: Streams, tmp_path: Path
) -> None:
    content = configuration(upstream.base_url)
    with workers(tmp_path, content, door=_door(tmp_path, FAILS_TO_BUILD)) as gateway:
        gateway.write({**content, "modelAliases": [alias("best", "a/m"), alias("fast", "a/m")]})
        status, answer = gateway.reload()
        assert status == 422
        assert answer["generation"] == 1
        assert "worker 1 cannot serve it: by a fault of the gateway" in json.dumps(answer)
        assert gateway.generations() == {1}
        assert {gateway.call("fast") for _ in range(10)} == {404}
        assert gateway.stop() == 0


def test_a_stream_goes_through_a_reload_whole(upstream: ScriptedUpstream, streams: Streams, tmp_path: Path) -> None:
    content = configuration(upstream.base_url)
    with workers(tmp_path, content) as gateway:
        streams.begin(gateway, 6)
        gateway.write({**content, "modelAliases": [alias("best", "a/m"), alias("fast", "a/m")]})
        gateway.parent.send_signal(signal.Signals["SIGHUP"])
        until(lambda: gateway.generations() == {2})
        assert streams.end() == [True] * 6


def test_a_stop_lets_streams_end_and_leaves_nothing(
    upstream: ScriptedUpstream, streams: Streams, tmp_path: Path
) -> None:
    with workers(tmp_path, configuration(upstream.base_url)) as gateway:
        streams.begin(gateway, 6)
        running = list(gateway.processes.values())
        gateway.parent.send_signal(signal.SIGTERM)
        gateway.until_said("Stopping")
        until(lambda: _refused(gateway))
        assert streams.end() == [True] * 6
        assert gateway.parent.wait(HANG) == 0
        assert not any(map(is_running, running))
        assert gateway.shared == []


def test_answers_that_outlast_the_drain_are_cut_and_counted(
    upstream: ScriptedUpstream, streams: Streams, tmp_path: Path
) -> None:
    with workers(tmp_path, configuration(upstream.base_url, drainSeconds=0.2)) as gateway:
        streams.begin(gateway, 4)
        assert gateway.stop(signal.SIGINT) == 0
        assert gateway.said.endswith("Stopped; 4 answers were cut after 0.2 s.\n")


def test_a_second_signal_ends_all_at_once(upstream: ScriptedUpstream, streams: Streams, tmp_path: Path) -> None:
    with workers(tmp_path, configuration(upstream.base_url)) as gateway:
        streams.begin(gateway, 4)
        running = list(gateway.processes.values())
        gateway.parent.send_signal(signal.SIGTERM)
        gateway.until_said("Stopping")
        assert gateway.stop() == 1
        until(lambda: not any(map(is_running, running)))
        assert gateway.shared == []


def test_workers_whose_parent_is_killed_let_their_streams_end_and_end(
    upstream: ScriptedUpstream, streams: Streams, tmp_path: Path
) -> None:
    content = configuration(upstream.base_url)
    with workers(tmp_path, content) as gateway:
        streams.begin(gateway, 6)
        running = list(gateway.processes.values())
        gateway.parent.kill()
        gateway.parent.wait(HANG)
        until(lambda: _refused(gateway))
        assert all(map(is_running, running)), "they have streams"
        assert streams.end() == [True] * 6
        until(lambda: not any(map(is_running, running)))


def test_a_signal_to_all_processes_is_one_stop(upstream: ScriptedUpstream, streams: Streams, tmp_path: Path) -> None:
    """A terminal and some supervisors signal every process of a group."""
    with workers(tmp_path, configuration(upstream.base_url)) as gateway:
        streams.begin(gateway, 4)
        for each in (gateway.parent.pid, *gateway.processes.values()):
            os.kill(each, signal.SIGINT)
        gateway.until_said("Stopping")
        assert streams.end() == [True] * 4
        assert gateway.parent.wait(HANG) == 0


def test_five_deaths_in_a_minute_are_said_and_the_rest_serves(
    upstream: ScriptedUpstream, streams: Streams, tmp_path: Path
) -> None:
    with workers(tmp_path, configuration(upstream.base_url), door=_door(tmp_path, DIES_AGAIN)) as gateway:
        os.kill(gateway.processes[1], KILL)
        until(lambda: b"degraded" in gateway.get("/health")[1])
        assert gateway.get("/health") == (200, b'{"status":"degraded"}')
        gateway.until_said("Five workers have died within a minute.")
        assert [gateway.call() for _ in range(20)] == [200] * 20
        assert gateway.stop() == 0


def test_a_configuration_that_one_worker_cannot_serve_is_served_by_none(
    upstream: ScriptedUpstream, streams: Streams, tmp_path: Path
) -> None:
    door = _door(tmp_path, CANNOT_START)
    with workers(tmp_path, configuration(upstream.base_url), door=door, serving=False) as gateway:
        assert gateway.parent.wait(HANG) == 1
        assert "Worker 1 has ended with exit code 3." in gateway.said
        assert "Stopped: a worker could not start" in gateway.said
        assert gateway.shared == []


def test_where_one_socket_is_shared_each_worker_accepts_on_it(
    upstream: ScriptedUpstream, streams: Streams, tmp_path: Path
) -> None:
    """As on macOS, whose system spreads no connections."""
    with workers(tmp_path, configuration(upstream.base_url), door=_door(tmp_path, "", ONE_SOCKET)) as gateway:
        for number in (0, 1):
            assert [gateway.call() for _ in range(10)] == [200] * 10
            process = gateway.processes[number]
            os.kill(process, KILL)
            assert [gateway.call() for _ in range(10)] == [200] * 10
            until(lambda: gateway.processes.get(number) not in (None, process))  # noqa: B023 - it is over before
        gateway.until_serving()
        assert gateway.stop() == 0


ONE_SOCKET = """
import types
import gateway.httpd.listening
gateway.httpd.listening.sys = types.SimpleNamespace(platform="darwin")
"""
FAILS_TO_BUILD = """
import gateway.worker
def fails(self, loaded, generation):
    raise RuntimeError("made to fail")
gateway.worker.Gateway.prepare = fails
"""
DIES_AGAIN = """
if Path("died").exists():
    os._exit(4)
Path("died").touch()
"""
CANNOT_START = "os._exit(3)"


def _door(folder: Path, defect: str, everywhere: str = "") -> tuple[str]:
    """A door by which worker 1 has a defect, and all processes another one."""
    path = folder / "defective.py"
    indented = "\n".join(f"    {line}" for line in (defect.strip() or "pass").splitlines())
    path.write_text(
        f"""import os, sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
if "--worker" in sys.argv and sys.argv[sys.argv.index("--worker") + 1] == "1":
{indented}
{everywhere}
from gateway.__main__ import main
main()
"""
    )
    return (str(path),)


def _refused(gateway: Workers) -> bool:
    try:
        with closing(gateway.connect()) as connection:
            connection.connect()
    except ConnectionError:
        return True
    return False
