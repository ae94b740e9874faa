"""By which command a worker is started: the one that has started its parent."""

import sys
from contextlib import closing

import pytest

from gateway.workers.launch import door, launch
from tests.support.edge import until

PYTHON = "/venv/bin/python3"


@pytest.mark.parametrize(
    ("original", "arguments", "expected"),
    [
        (["python", "app.py"], [], [PYTHON, "app.py"]),
        (["python", "app.py", "serve", "-c", "x.yaml"], ["serve", "-c", "x.yaml"], [PYTHON, "app.py"]),
        (
            ["python3", "-X", "dev", "-m", "gateway", "--port", "0"],
            ["--port", "0"],
            [PYTHON, "-X", "dev", "-m", "gateway"],
        ),
        ([PYTHON, "/venv/bin/llm-gateway", "serve"], ["serve"], [PYTHON, "/venv/bin/llm-gateway"]),
        (["python", "app.py", "app.py"], ["app.py"], [PYTHON, "app.py"]),
    ],
)
def test_it_comes_in_by_the_door_of_its_parent(original: list[str], arguments: list[str], expected: list[str]) -> None:
    assert door(original, arguments, PYTHON) == expected


@pytest.mark.skipif(sys.platform == "win32", reason="several workers are POSIX's")
def test_a_program_that_is_not_there_leaves_no_socket_open() -> None:
    with pytest.raises(OSError, match="No such file or directory"):
        launch(0, (), ("/no/such/program",))


@pytest.mark.skipif(sys.platform == "win32", reason="several workers are POSIX's")
def test_it_is_told_its_number_and_its_connection() -> None:
    program = """
import socket, sys
with socket.socket(fileno=int(sys.argv[-1])) as end:
    sys.exit(0 if end.family == socket.AF_UNIX and sys.argv[1:-1] == ["serve", "--worker", "7", "--hub"] else 1)
"""
    process = launch(7, (), (sys.executable, "-c", program))
    with closing(process.channel):
        until(lambda: process.exit_code is not None)
        assert process.exit_code == 0
