"""Messages name the command by which the gateway was started."""

import pytest

from gateway.core.program import program


@pytest.mark.parametrize(
    ("started", "named"),
    [
        ("app.py", "python app.py"),
        ("/opt/gateway/app.py", "python app.py"),
        ("/home/me/.local/bin/llm-gateway", "llm-gateway"),
        ("llm-gateway.exe", "llm-gateway"),
        ("llm-gateway-script.py", "llm-gateway"),
        ("/lib/python3.11/site-packages/gateway/__main__.py", "python -m gateway"),
        ("/lib/python3.11/site-packages/pytest/__main__.py", "python app.py"),
        ("-c", "python app.py"),
        ("", "python app.py"),
    ],
)
def test_each_door_has_its_words(started: str, named: str) -> None:
    assert program(started, "/usr/bin/python") == named


@pytest.mark.parametrize(
    ("interpreter", "started", "named"),
    [
        (".venv/bin/python", "app.py", ".venv/bin/python app.py"),
        ("python3", "app.py", "python3 app.py"),
        ("../gateway/.venv/bin/python", "../gateway/app.py", "../gateway/.venv/bin/python ../gateway/app.py"),
        ("/usr/bin/python3.11", "app.py", "python app.py"),
        ("my folder/python", "app.py", "python app.py"),
        (".venv/bin/python", "/opt/gateway/app.py", "python app.py"),
        (".venv/bin/python", "/opt/pytest/__main__.py", "python app.py"),
        (".venv/bin/python", "/opt/gateway/__main__.py", "python -m gateway"),
        ("", "app.py", "python app.py"),
    ],
)
def test_python_is_named_as_it_was_typed(interpreter: str, started: str, named: str) -> None:
    assert program(started, interpreter) == named


def test_it_reads_the_arguments_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/usr/bin/llm-gateway", "status"])
    assert program() == "llm-gateway"
