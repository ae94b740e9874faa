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
    assert program(started) == named


def test_it_reads_the_arguments_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/usr/bin/llm-gateway", "status"])
    assert program() == "llm-gateway"
