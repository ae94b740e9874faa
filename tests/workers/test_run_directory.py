"""The folder of what workers share: whose it is, and when it goes."""

import os
import stat
import sys
from pathlib import Path

import pytest

from gateway.workers.run_directory import LOCK, MOST, NoRunDirectory, RunDirectory

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="several workers are POSIX's")


def test_it_is_private_and_goes_with_its_gateway(tmp_path: Path) -> None:
    folder = RunDirectory.open(8080, {"XDG_RUNTIME_DIR": str(tmp_path)})
    assert folder.path == tmp_path / "llm-gateway-8080"
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    (folder.path / "rests").write_bytes(b"x")
    folder.remove()
    folder.remove()
    assert list(tmp_path.iterdir()) == []


def test_without_a_folder_for_it_it_is_in_the_temporary_one_under_the_users_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = RunDirectory.open(8080, {})
    assert folder.path == tmp_path / f"llm-gateway-{os.stat(tmp_path).st_uid}-8080"
    folder.remove()


def test_what_a_killed_gateway_has_left_is_swept(tmp_path: Path) -> None:
    left = tmp_path / "llm-gateway-8080"
    (left / "deep").mkdir(parents=True)
    (left / "rests").write_bytes(b"x")
    (left / "deep" / "file").write_bytes(b"x")
    (left / "elsewhere").symlink_to(tmp_path)
    left.chmod(0o755)
    folder = RunDirectory.open(8080, {"XDG_RUNTIME_DIR": str(tmp_path)})
    assert [each.name for each in folder.path.iterdir()] == [LOCK]
    assert stat.S_IMODE(left.stat().st_mode) == 0o700
    folder.remove()
    assert tmp_path.exists(), "a link is not followed"


def test_one_that_is_held_is_another_gateways(tmp_path: Path) -> None:
    environ = {"XDG_RUNTIME_DIR": str(tmp_path)}
    first = RunDirectory.open(8080, environ)
    (first.path / "rests").write_bytes(b"x")
    held = [RunDirectory.open(8080, environ) for _ in range(MOST - 1)]
    assert held[0].path == tmp_path / "llm-gateway-8080-2"
    assert (first.path / "rests").exists()
    with pytest.raises(NoRunDirectory, match=r"other gateways run on port 8080\.$"):
        RunDirectory.open(8080, environ)
    for each in (first, *held):
        each.remove()


@pytest.mark.parametrize("kind", ["file", "link", "stranger"])
def test_one_that_is_not_this_users_is_refused_in_words(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "llm-gateway-8080"
    if kind == "file":
        place.write_bytes(b"")
    elif kind == "link":
        place.symlink_to(tmp_path)
    else:
        place.mkdir()
        monkeypatch.setattr("gateway.workers.run_directory._me", lambda: os.stat(tmp_path).st_uid + 1)
    with pytest.raises(NoRunDirectory, match=r"not a folder of this user|cannot be made or opened"):
        RunDirectory.open(8080, {"XDG_RUNTIME_DIR": str(tmp_path)})


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    with pytest.raises(NoRunDirectory, match="cannot be made or opened: No such file or directory"):
        RunDirectory.open(8080, {"XDG_RUNTIME_DIR": str(tmp_path / "nowhere")})
