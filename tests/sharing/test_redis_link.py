"""Connections to a real server, one that is not there, one that stops, and one that asks for a password."""

import sys
import threading
import time
from contextlib import closing

import pytest

from gateway.sharing.address import RedisAddress
from gateway.sharing.faults import UnusableServer
from gateway.sharing.redis_link import MOST_CONNECTIONS, RedisAway, RedisLink
from gateway.sharing.script import Script, plain
from gateway.sharing.server_check import check_server
from tests.support.ports import free_port
from tests.support.redis_server import RedisServer, needs_redis
from tests.support.tls import FOLDER, TRUSTED

pytestmark = needs_redis

PATIENT = 5.0


def linked(server: RedisServer, timeout: float = PATIENT) -> RedisLink:
    return RedisLink(RedisAddress(server.url), timeout)


def test_answers_come_in_the_order_of_the_commands(redis: RedisServer) -> None:
    with closing(linked(redis)) as link:
        assert link.ask([plain("ECHO", "one"), plain("ECHO", 2)]) == [b"one", b"2"]
        assert link.ask([]) == []


def test_a_script_that_the_server_does_not_know_is_sent_in_full_once(redis: RedisServer) -> None:
    script = Script("return {KEYS[1], ARGV[1]}")
    with closing(linked(redis)) as link:
        link.ask([plain("SCRIPT", "FLUSH")])
        ask = script.command(["key"], "word")
        assert link.ask([plain("PING"), ask, ask]) == [b"PONG", [b"key", b"word"], [b"key", b"word"]]
        assert link.ask([plain("INFO", "commandstats")])[0].count(b"cmdstat_eval:calls") == 1


def test_an_error_is_the_servers_failure_and_spoils_no_connection(redis: RedisServer) -> None:
    with closing(linked(redis)) as link:
        with pytest.raises(RedisAway, match="unknown command"):
            link.ask([plain("NONSENSE")])
        assert link.ask([plain("PING")]) == [b"PONG"]


def test_a_server_that_is_not_there_says_so_at_once() -> None:
    link = RedisLink(RedisAddress(f"redis://127.0.0.1:{free_port()}"), 30.0)
    with pytest.raises(RedisAway, match="refused"):
        link.ask([plain("PING")])


def test_a_word_after_a_wrong_answer_is_not_read_by_the_next_one(redis: RedisServer) -> None:
    """A connection on which an answer is still to come is never used again."""
    with closing(linked(redis, 0.2)) as link:
        slow = Script(
            "local from = redis.call('TIME') while true do local now = redis.call('TIME') "
            "if (now[1] - from[1]) * 1000000 + now[2] - from[2] > 400000 then return 'late' end end"
        )
        with pytest.raises(RedisAway):
            link.ask([slow.command([])])
        deadline = time.monotonic() + PATIENT
        while time.monotonic() < deadline:
            try:
                assert link.ask([plain("PING")]) == [b"PONG"]
                return
            except RedisAway:
                continue  # it still runs the script
        raise AssertionError("the server never came back")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGSTOP")
def test_who_waits_for_a_stopped_server_waits_no_longer_when_it_is_given_up() -> None:
    with closing(RedisServer()) as server, closing(linked(server, 30.0)) as link:
        assert link.ask([plain("PING")]) == [b"PONG"]
        server.pause()
        failed = threading.Event()

        def ask() -> None:
            try:
                link.ask([plain("PING")])
            except RedisAway:
                failed.set()

        waiting = [threading.Thread(target=ask) for _ in range(3)]
        for each in waiting:
            each.start()
        deadline = time.monotonic() + PATIENT
        while any(each.is_alive() for each in waiting) and time.monotonic() < deadline:
            link.abandon()
            waiting[0].join(0.01)
        server.resume()
        assert failed.is_set() and not any(each.is_alive() for each in waiting)


def test_so_many_connections_are_made_and_no_more(redis: RedisServer) -> None:
    with closing(linked(redis)) as link:
        blocked = threading.Barrier(MOST_CONNECTIONS * 2)
        answers: list[object] = []

        def ask() -> None:
            blocked.wait()
            answers.append(link.ask([plain("INCR", "asked")])[0])

        asking = [threading.Thread(target=ask) for _ in range(MOST_CONNECTIONS * 2)]
        for each in asking:
            each.start()
        for each in asking:
            each.join()
        assert sorted(map(int, map(str, answers))) == list(range(1, MOST_CONNECTIONS * 2 + 1))
        clients = link.ask([plain("CLIENT", "LIST")])[0].count(b"id=")
        assert clients <= MOST_CONNECTIONS


@pytest.mark.parametrize("login", ["", ":wrong@", "nobody:secret@"])
def test_a_wrong_password_is_no_failure_that_passes(login: str) -> None:
    with closing(RedisServer(("--requirepass", "secret"))) as server:
        link = RedisLink(RedisAddress(f"redis://{login}127.0.0.1:{server.port}/0"), PATIENT)
        with pytest.raises(UnusableServer, match="does not accept the user or the password") as told:
            check_server(link, "redis://here")
        assert "secret" not in str(told.value)
        right = RedisLink(RedisAddress(f"redis://:secret@127.0.0.1:{server.port}/0"), PATIENT)
        assert check_server(right, "redis://here") == ()
        link.close()
        right.close()


def test_a_server_that_drops_what_it_keeps_is_warned_of() -> None:
    with closing(RedisServer(("--maxmemory-policy", "allkeys-lru"))) as server, closing(linked(server)) as link:
        assert "set noeviction" in check_server(link, "redis://here")[0]


@pytest.mark.parametrize(
    ("certificate", "trusted", "failure"),
    [("here", True, None), ("here", False, "CERTIFICATE_VERIFY_FAILED"), ("elsewhere", True, "IP address mismatch")],
)
def test_a_servers_certificate_is_verified_and_its_name(
    certificate: str, trusted: bool, failure: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in TRUSTED.items() if trusted else ():
        monkeypatch.setenv(name, value)
    port, file = free_port(), str(FOLDER / f"{certificate}.pem")
    files = ("--tls-cert-file", file, "--tls-key-file", file, "--tls-ca-cert-file", str(FOLDER / "root.pem"))
    with closing(RedisServer(("--tls-port", str(port), "--tls-auth-clients", "no", *files))):
        link = RedisLink(RedisAddress(f"rediss://127.0.0.1:{port}/0"), PATIENT)
        with closing(link):
            if failure is None:
                assert link.ask([plain("PING")]) == [b"PONG"]
                return
            with pytest.raises(RedisAway, match=failure):
                link.ask([plain("PING")])
