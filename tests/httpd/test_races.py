"""Races on real sockets: callers that leave, reset, pipeline or read slowly, while Python changes threads as often as
it can. Whatever they do, the server serves on, every answer is whole and its own, and no fault is logged."""

import logging
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.edge import Served, get, read_answer
from tests.httpd import callers

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


@pytest.fixture(autouse=True)
def often_switched() -> Iterator[None]:
    """Python changes threads every microsecond."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def patterns(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    """Answers ?NAME/SIZE with the pattern of that name, of that size."""
    environ["wsgi.input"].read()
    name, _, size = environ["QUERY_STRING"].partition("/")
    body = callers.pattern(name.encode(), int(size or 0))
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


@pytest.mark.parametrize(
    ("kind", "count"), [("expect_and_reset", 400), ("ask_and_leave", 400), ("ask_on_and_on", 8), ("read_slowly", 12)]
)
def test_the_server_serves_on_and_every_answer_is_its_own(
    kind: str, count: int, caplog: pytest.LogCaptureFixture
) -> None:
    with Served(patterns, threads=64) as served:
        callers.run(kind, served.address[1], count, processes=3)
        with served.connect() as connection:
            connection.sendall(get(b"/health"))
            assert read_answer(connection).status == 200
    assert [record.getMessage() for record in caplog.records if record.levelno > logging.INFO] == []
