"""GET / and the files of the page, under addresses that have their hash.

The files are read once, when the page is first asked for. They hold no data, so they are open to everybody who may
reach the gateway at all; what the page shows it fetches, and for that it shows a key. Whatever goes wrong in a browser
because of what somebody else has written (a model's name, a provider's text), these headers keep from acting:
https://www.w3.org/TR/CSP3/, https://www.w3.org/TR/trusted-types/, https://html.spec.whatwg.org/ (COOP).
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Final

from gateway.core.errors import InternalFault, RouteNotFound
from gateway.handler.reply import Reply
from gateway.server.paths import PAGE, PAGE_FILES
from gateway.server.routes import Asked, Endpoint, Row
from gateway.wires.base import CallerWire
from gateway.wires.openai_chat.inbound import OpenAIChatCallers

FOLDER: Final = Path(__file__).with_name("page")
NAMES: Final = frozenset({"page", "page_file"})
"""Of the rows."""
DOCUMENT: Final = "page.html"
TYPES: Final[Mapping[str, str]] = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
}
"""By ending. A file of another kind is not served."""
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
PROTECTION: Final = (
    ("Content-Security-Policy", POLICY),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)
"""Beside nosniff and Cross-Origin-Resource-Policy, which every reply has."""
FOR_EVER: Final = ("Cache-Control", "public, max-age=31536000, immutable")
NOT_KEPT: Final = ("Cache-Control", "no-store")
HASH: Final = 12
"""Hexadecimal digits of the hash."""


class PageFiles:
    """The page's files. Safe to use from many threads: two may read them at once and find the same.

    Args:
        folder: where they are. The document names each as /gateway/page/NAME, and files name each other relatively.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder

    @cached_property
    def files(self) -> Mapping[str, bytes]:
        """Their contents by name, without the document."""
        return {name: content for name, content in self._read.items() if name != DOCUMENT}

    @cached_property
    def version(self) -> str:
        """The hash of all files, in their addresses: what a file refers to has the same one."""
        digest = sha256()
        for name, content in sorted(self.files.items()):
            digest.update(f"{name} {len(content)}\\n".encode() + content)
        return digest.hexdigest()[:HASH]

    @cached_property
    def document(self) -> bytes:
        """The page, which names the files by their addresses.

        Raises:
            InternalFault: it is missing.
        """
        if DOCUMENT not in self._read:
            raise InternalFault("The page's files are missing. Install the gateway anew.")
        return self._read[DOCUMENT].replace(PAGE_FILES.encode(), f"{PAGE_FILES}{self.version}/".encode())

    @cached_property
    def _read(self) -> Mapping[str, bytes]:
        try:
            found = [each for each in self._folder.iterdir() if each.suffix in TYPES and each.is_file()]
            return {each.name: each.read_bytes() for each in found}
        except OSError as fault:
            raise InternalFault(f"The page's files cannot be read: {fault.strerror}.") from None


def page_rows(files: PageFiles) -> Sequence[Row]:
    """The rows of the page and its files."""

    def page(_asked: Asked, _: CallerWire) -> Reply:
        return Reply(200, (("Content-Type", TYPES[".html"]), NOT_KEPT, *PROTECTION), files.document)

    def file(asked: Asked, _wire: CallerWire) -> Reply:
        version, _, name = asked.arguments["name"].partition("/")
        content = files.files.get(name)
        if content is None or version != files.version:
            raise RouteNotFound("The page has no such file now. Load it again.")
        return Reply(200, (("Content-Type", TYPES[Path(name).suffix]), FOR_EVER, *PROTECTION), content)

    return (
        Endpoint("page", PAGE, ("GET",), OpenAIChatCallers, page),
        Endpoint("page_file", f"{PAGE_FILES}<path:name>", ("GET",), OpenAIChatCallers, file),
    )
