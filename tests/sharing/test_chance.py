"""Bytes of chance: the same for all that share a file, and others for others."""

import sys
from pathlib import Path

import pytest

from gateway.sharing.chance import BYTES, shared_bytes

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="files are not shared between processes on Windows")


def test_all_have_what_the_first_has_made(tmp_path: Path) -> None:
    first = shared_bytes(tmp_path / "key")
    assert len(first) == BYTES
    assert shared_bytes(tmp_path / "key") == first
    assert shared_bytes(tmp_path / "other") != first
