"""A server whose answers are patterns, here or as a process of its own: `python -m tests.httpd.serving`."""

import gc
import mmap
import os
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.httpd.listening import bind
from gateway.httpd.server import HttpServer
from gateway.process import limit_malloc
from tests.httpd import callers
from tests.support.edge import MIB, application

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def patterns(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    """Answers ?NAME/SIZE with the pattern of that name, of that size."""
    environ["wsgi.input"].read()
    name, _, size = environ["QUERY_STRING"].partition("/")
    body = bytes(memoryview(callers.pattern(name.encode(), int(size or 0))))  # memory of its own, as an answer has
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def main() -> None:
    """Say the port; then, for each line, resident bytes and open descriptors, once nobody is served any more."""
    limit_malloc()
    sockets = bind("127.0.0.1", 0)
    server = HttpServer(application(patterns), sockets, threads=64, max_body=MIB)
    server.start()
    print(sockets[0].getsockname()[1], flush=True)
    for _ in sys.stdin:
        server.wait_idle(callers.LIMIT)
        while server.connections:
            threading.Event().wait(0.01)
        gc.collect()
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE
        print(resident, len(os.listdir("/proc/self/fd")), flush=True)


if __name__ == "__main__":
    main()
