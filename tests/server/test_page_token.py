"""The page's token: its file, and the verb that gives it to the page."""

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.commands.accounts import CommandFailed
from gateway.commands.console import Console
from gateway.commands.open import open_page
from gateway.config.loader import load
from gateway.server.page_token import read_token
from tests.support.auth_server import AuthServer
from tests.support.page import token_of, written
from tests.support.running import running


@pytest.fixture
def server() -> Iterator[AuthServer]:
    with AuthServer() as running_server:
        running_server.grants.interval = 1
        yield running_server


class Terminal(Console):
    """One that nobody watches."""

    def __init__(self) -> None:
        super().__init__({})
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


class TestToken:
    def test_it_stands_in_a_private_file_while_the_gateway_runs(self, server: AuthServer, tmp_path: Path) -> None:
        with running(file=written(tmp_path, server)) as gateway:
            assert read_token(tmp_path) == gateway.gateway.runtime.page_token
            path = tmp_path / "page-token"
            assert len(path.read_text()) == 32
            if sys.platform != "win32":
                assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert not path.exists()

    def test_another_start_makes_another_one(self, server: AuthServer, tmp_path: Path) -> None:
        file = written(tmp_path, server)
        with running(file=file) as first:
            with running(file=file) as second:
                assert read_token(tmp_path) == second.gateway.runtime.page_token
                assert token_of(first) != token_of(second)
            assert not (tmp_path / "page-token").exists()

    def test_the_file_of_another_gateway_stays(self, server: AuthServer, tmp_path: Path) -> None:
        file = written(tmp_path, server)
        with running(file=file):
            (tmp_path / "page-token").write_text("0" * 32)
        assert (tmp_path / "page-token").read_text() == "0" * 32

    def test_without_a_configuration_file_or_a_page_there_is_none(
        self, server: AuthServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        with running(), running(file=written(tmp_path, server, page=False)):
            assert read_token(tmp_path) is None

    @pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere")
    def test_where_it_cannot_be_written_the_gateway_serves_all_the_same(
        self, server: AuthServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        file = written(tmp_path, server)
        tmp_path.chmod(0o500)
        try:
            with running(file=file) as gateway:
                assert gateway.get("/health").status_code == 200
                assert "nobody can log in or out on the page" in caplog.text
        finally:
            tmp_path.chmod(0o700)


class TestOpen:
    def test_it_prints_the_address_with_the_token_behind_the_mark(self, server: AuthServer, tmp_path: Path) -> None:
        file = written(tmp_path, server)
        with running(file=file) as gateway:
            file = written(tmp_path, server, port=gateway.gateway.port)
            terminal = Terminal()
            open_page(load(file.path, env={}), terminal)
            assert terminal.said == [f"{gateway.url}/#token={token_of(gateway)['x-gateway-token']}"]

    def test_without_a_gateway_it_says_so(self, server: AuthServer, tmp_path: Path) -> None:
        with pytest.raises(CommandFailed, match="No gateway runs"):
            open_page(load(written(tmp_path, server, port=9).path, env={}), Terminal())

    def test_without_a_page_it_says_so(self, server: AuthServer, tmp_path: Path) -> None:
        with pytest.raises(CommandFailed, match="There is no page"):
            open_page(load(written(tmp_path, server, page=False).path, env={}), Terminal())
