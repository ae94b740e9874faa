"""`key NAME`: a key that is shown once, with lines that a configuration takes as they are."""

from pathlib import Path

import pytest

from gateway.commands.key import key
from gateway.config.loader import parse
from gateway.core.errors import KeyRefused
from gateway.server.guard import Guard
from tests.support.served import run_here


def test_the_first_line_is_the_key_and_nothing_is_written(tmp_path: Path) -> None:
    done = run_here("key", "ci", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    made = done.stdout.splitlines()[0]
    assert made.startswith("lgw_") and len(made) == 47
    assert done.stdout.count(made) == 1, "the lines to paste have its hash"
    assert list(tmp_path.iterdir()) == []
    assert run_here("key", "ci", cwd=tmp_path).stdout.splitlines()[0] != made


@pytest.mark.parametrize("name", ["ci", "my.laptop", "a-b_c", "0", "N" * 64])
def test_its_lines_are_taken_as_they_are(name: str) -> None:
    lines = key(name).splitlines()
    start = lines.index("    clients:")
    text = "\n".join(line.removeprefix("    ") for line in lines[start : start + 2])
    found = parse(f"{text}\nproviders: {{demo: {{}}}}".encode(), "config.yaml", env={}).config
    guard = Guard.of(found.gateway, 8080, found.clients)
    asked = {"REQUEST_METHOD": "GET", "PATH_INFO": "/v1/models", "HTTP_HOST": "localhost"}
    assert guard.check({**asked, "HTTP_X_API_KEY": lines[0]}).name == name
    with pytest.raises(KeyRefused):
        guard.check({**asked, "HTTP_X_API_KEY": lines[0][:-1]})


@pytest.mark.parametrize("name", ["", "a b", "-x", "a/b", "ключ", "a\n", "a=b", "N" * 65])
def test_what_is_no_name_is_bad_usage(tmp_path: Path, name: str) -> None:
    done = run_here("key", "--", name, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "letters, digits" in done.stderr and len(done.stderr.splitlines()) == 1


def test_without_a_name_it_is_bad_usage(tmp_path: Path) -> None:
    assert run_here("key", cwd=tmp_path).returncode == 2
