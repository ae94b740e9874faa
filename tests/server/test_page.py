"""The page's files, and who may read them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.core.errors import InternalFault, RouteNotFound
from gateway.handler.reply import Reply
from gateway.server.page_route import POLICY, PageFiles, page_rows
from gateway.server.routes import Asked
from tests.support.auth_server import AuthServer
from tests.support.page import PAGE, config, token_of
from tests.support.running import running

DOCUMENT = b'<!doctype html><script type="module" src="/gateway/page/page.js"></script>'
FILES = {"page.html": DOCUMENT, "page.js": b'import "./words.js";', "words.js": b"export {};", "LICENSE": b"MIT"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def asked(**arguments: str) -> Asked:
    return Asked({}, None, draining=False, started=0, arguments=arguments)  # type: ignore[arg-type]


def answer(files: PageFiles, name: str | None = None) -> Reply:
    page, file = (row.route(lambda text: text) for row in page_rows(files))
    return page.answer(asked()) if name is None else file.answer(asked(name=name))


class TestFiles:
    def test_the_page_names_its_files_by_addresses_that_change_with_them(self, folder: Path) -> None:
        first = PageFiles(folder)
        assert f"/gateway/page/{first.version}/page.js".encode() in first.document
        (folder / "words.js").write_bytes(b"export const en = {};")
        assert PageFiles(folder).version != first.version
        assert answer(first, f"{first.version}/words.js").body == b"export {};", "they are read once"

    def test_the_page_is_fetched_anew_and_its_files_are_kept_for_ever(self, folder: Path) -> None:
        files = PageFiles(folder)
        page, file = dict(answer(files).headers), dict(answer(files, f"{files.version}/page.js").headers)
        assert page["Cache-Control"] == "no-store"
        assert file["Cache-Control"] == "public, max-age=31536000, immutable"
        assert page["Content-Type"] == "text/html; charset=utf-8"
        assert file["Content-Type"] == "text/javascript; charset=utf-8"
        for headers in (page, file):
            assert headers["Content-Security-Policy"] == POLICY
            assert headers["Referrer-Policy"] == "no-referrer"
            assert headers["Cross-Origin-Opener-Policy"] == "same-origin"

    @pytest.mark.parametrize(
        "name", ["page.js", "0/page.js", "{}/page.html", "{}/LICENSE", "{}/../page.js", "{}/", "{}", "", "{}/a/page.js"]
    )
    def test_nothing_else_is_a_file_of_the_page(self, folder: Path, name: str) -> None:
        files = PageFiles(folder)
        with pytest.raises(RouteNotFound):
            answer(files, name.format(files.version))

    def test_a_page_without_its_files_says_so(self, tmp_path: Path) -> None:
        with pytest.raises(InternalFault, match="missing"):
            answer(PageFiles(tmp_path))
        with pytest.raises(InternalFault, match="cannot be read"):
            answer(PageFiles(tmp_path / "nothing"))

    def test_the_policy_lets_nothing_in_and_nothing_out(self) -> None:
        assert POLICY == (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
            "form-action 'none'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
        )


@pytest.fixture
def server() -> Iterator[AuthServer]:
    with AuthServer() as running_server:
        running_server.grants.interval = 1
        yield running_server


class TestTheWholeGateway:
    def test_a_page_that_is_off_is_an_unknown_path(self, server: AuthServer, tmp_path: Path) -> None:
        with running(config(server, tmp_path, page=False)) as gateway:
            headers = token_of(gateway)
            for path in ("/", "/gateway/page/0/page.js", "/gateway/login/x"):
                reply = gateway.get(path, headers=headers)
                assert reply.status_code == 404 and reply.json()["error"]["code"] == "unknown_url"
            assert gateway.post({"provider": "acme"}, path="/gateway/login", headers=headers).status_code == 404
            assert gateway.get("/gateway/status.json").status_code == 200

    @pytest.mark.parametrize("path", ["/gateway", "/gateway/", "/gateway/x", "/gateway/status", "/gateway/page"])
    def test_what_is_not_listed_is_no_page(self, path: str) -> None:
        with running() as gateway:
            reply = gateway.get(path)
            assert reply.status_code == 404 and reply.headers["content-type"] == "application/json"

    def test_another_page_reads_nothing_of_our_own(self, server: AuthServer, tmp_path: Path) -> None:
        with running(config(server, tmp_path)) as gateway:
            for path in ("/", "/gateway/status.json", "/gateway/calls.json", "/gateway/usage.json", "/metrics"):
                for origin in (PAGE, "https://evil.example", gateway.url.replace("127.0.0.1", "localhost")):
                    reply = gateway.get(path, headers={"origin": origin})
                    assert reply.status_code == 403 and "access-control-allow-origin" not in reply.headers
            assert gateway.get("/v1/models", headers={"origin": PAGE}).headers["access-control-allow-origin"] == PAGE
