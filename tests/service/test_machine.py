"""Commands and files of this machine."""

import sys
from pathlib import Path

import pytest

from gateway.service.log_tail import MAX_BYTES, last_lines
from gateway.service.machine import Machine, Ran, run
from gateway.service.manager import ServiceFailed
from tests.support.fakes import FakeClock


def nothing(*command: str, seconds: float) -> Ran:
    raise AssertionError(command)


def machine(home: Path) -> Machine:
    return Machine(nothing, home, {}, FakeClock())


def python(code: str, seconds: float = 30) -> Ran:
    return run(sys.executable, "-c", code, seconds=seconds)


def test_a_command_gives_its_code_and_both_its_outputs() -> None:
    done = python("import sys; print('out', flush=True); print('err', file=sys.stderr, flush=True); sys.exit(3)")
    assert (done.code, done.output.split()) == (3, ["out", "err"])


@pytest.mark.skipif(sys.platform == "win32", reason="the code pages of Windows consoles decode every byte")
def test_what_cannot_be_decoded_is_shown_all_the_same() -> None:
    assert "xff" in python("import sys; sys.stdout.buffer.write(b'\\xff')").output.encode("unicode_escape").decode()


def test_a_program_that_is_not_there_is_told() -> None:
    with pytest.raises(ServiceFailed, match="no-such-program cannot be run: "):
        run("no-such-program", seconds=1)


def test_one_that_takes_too_long_is_given_up() -> None:
    with pytest.raises(ServiceFailed, match="has not ended within"):
        python("import time; time.sleep(60)", seconds=0.01)


def test_a_file_is_written_once_and_its_folder_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "unit"
    assert [machine(tmp_path).write(path, b"text") for _ in range(2)] == [True, False]
    assert machine(tmp_path).write(path, b"other")
    assert [each.read_bytes() for each in path.parent.iterdir()] == [b"other"]


def test_a_file_that_cannot_be_written_or_removed_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ServiceFailed, match="unit cannot be written: "):
        machine(tmp_path).write(tmp_path / "file" / "unit", b"text")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ServiceFailed, match="folder cannot be removed: "):
        machine(tmp_path).remove(tmp_path / "folder")


def test_a_file_is_removed_once(tmp_path: Path) -> None:
    (tmp_path / "unit").write_bytes(b"")
    assert [machine(tmp_path).remove(tmp_path / "unit") for _ in range(2)] == [True, False]


def test_a_wait_ends_when_it_has_come_about_or_when_its_time_is_over(tmp_path: Path) -> None:
    answers = iter([False, False, True])
    assert machine(tmp_path).until(lambda: next(answers), 10)
    assert not machine(tmp_path).until(lambda: False, 10)


def test_of_a_long_log_only_the_end_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * MAX_BYTES + b"\n" + b"a\nb\n\xff\n")
    assert last_lines(path, 50) == ["a", "b", "\\xff"]
    assert last_lines(path, 2) == ["b", "\\xff"]
    path.write_bytes(b"")
    assert last_lines(path, 2) == []
