"""Names in any language: what the output can show stays, and no text is a fault."""

import io
from collections.abc import Mapping

import pytest

from gateway.cli import adapt_output

TEXT = "설정/모델-✓ é"


class Console(io.BytesIO):
    def isatty(self) -> bool:
        return True


def written(to: io.BytesIO, platform: str, environ: Mapping[str, str], encoding: str = "cp1252") -> bytes:
    stream = io.TextIOWrapper(to, encoding=encoding, write_through=True)
    adapt_output(stream, platform, environ)
    stream.write(TEXT)
    stream.flush()
    return to.getvalue()


def test_on_windows_a_file_or_a_pipe_gets_utf_8() -> None:
    assert written(io.BytesIO(), "win32", {}) == TEXT.encode()


@pytest.mark.parametrize(
    ("to", "platform", "environ"),
    [
        (Console(), "win32", {}),
        (io.BytesIO(), "win32", {"PYTHONIOENCODING": "cp1252"}),
        (io.BytesIO(), "linux", {}),
    ],
    ids=["a console", "asked for", "another system"],
)
def test_elsewhere_the_output_decides_and_the_rest_is_escaped(
    to: io.BytesIO, platform: str, environ: Mapping[str, str]
) -> None:
    assert written(to, platform, environ) == b"\\uc124\\uc815/\\ubaa8\\ub378-\\u2713 \xe9"


def test_an_output_that_is_no_stream_of_bytes_stays_as_it_is() -> None:
    adapt_output(None, "win32", {})
    text = io.StringIO()
    adapt_output(text, "win32", {})
    assert text.getvalue() == ""
