"""Mapped words: steps that happen whole or not at all, whatever dies in them, and files that take another's place."""

import os
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

if sys.platform == "win32":
    pytest.skip("no flock on Windows", allow_module_level=True)

from gateway.sharing.words import JOURNAL_AT, WORD, Words
from tests.support.stores import interrupted

SIZE = 8
changes = st.lists(st.tuples(st.integers(0, SIZE - 1), st.integers(-9, 9)), max_size=12)


def words(path: Path, *, layout: str = "numbers", size: int = SIZE, entries: int = 16) -> Words:
    return Words(path, layout=layout, size=size, entries=entries)


def values(of: Words) -> list[int]:
    with of:
        return list(of.ints)


def change(of: Words, steps: list[tuple[int, int]]) -> None:
    with of:
        for place, value in steps:
            of.put(place, value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "words"


def test_what_one_process_writes_another_reads(path: Path) -> None:
    one, other = words(path), words(path)
    assert values(other) == [0] * SIZE
    with one:
        one.put(3, -7)
        one.put_float(4, 0.5)
    with other:
        assert (other.ints[3], other.floats[4]) == (-7, 0.5)
    assert path.stat().st_mode & 0o777 == 0o600


@given(first=changes, second=changes)
def test_a_step_that_dies_after_any_store_leaves_the_old_state(
    tmp_path_factory: pytest.TempPathFactory, first: list[tuple[int, int]], second: list[tuple[int, int]]
) -> None:
    path = tmp_path_factory.mktemp("words") / "words"
    dying = words(path)
    change(dying, first)
    old = values(dying)
    *broken, whole = interrupted(dying, path, lambda: change(dying, second))
    new = values(dying)
    for state in broken:
        path.write_bytes(state)
        assert values(words(path)) == old
    path.write_bytes(whole)
    assert values(words(path)) == new


def test_putting_right_what_a_dead_process_left_may_die_as_well(path: Path) -> None:
    dying = words(path)
    change(dying, [(0, 1), (1, 2)])
    states = list(interrupted(dying, path, lambda: change(dying, [(0, 5), (0, 6), (1, 7)])))
    path.write_bytes(states[-2])
    survivor = words(path)
    path.write_bytes(states[-2])
    for state in interrupted(survivor, path, lambda: values(survivor)):
        path.write_bytes(state)
        assert values(words(path))[:2] == [1, 2]


def test_who_has_the_file_open_puts_it_right(path: Path) -> None:
    dying, survivor = words(path), words(path)
    change(dying, [(0, 1)])
    states = list(interrupted(dying, path, lambda: change(dying, [(0, 5)])))
    path.write_bytes(states[-2])
    assert values(survivor)[0] == 1


def test_a_step_that_raises_is_undone(path: Path) -> None:
    one = words(path)
    change(one, [(0, 1)])

    def fail() -> None:
        with one:
            one.put(0, 2)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert values(one)[0] == 1


def test_what_was_committed_stays_when_the_rest_of_the_step_is_undone(path: Path) -> None:
    one = words(path)

    def fail() -> None:
        with one:
            one.put(0, 2)
            one.commit()
            one.put(0, 3)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert values(one)[0] == 2


def test_a_step_of_more_changes_than_the_journal_has_room_for_is_undone(path: Path) -> None:
    one = words(path, entries=2)
    with pytest.raises(RuntimeError, match="more than 2 words"):
        change(one, [(0, 1), (1, 1), (2, 1)])
    assert values(one) == [0] * SIZE


@pytest.mark.parametrize("header", range(4), ids=["magic", "version", "layout", "boot"])
def test_a_file_of_another_kind_is_made_anew(path: Path, header: int) -> None:
    change(words(path), [(0, 1)])
    content = bytearray(path.read_bytes())
    content[header * WORD] ^= 1
    path.write_bytes(content)
    assert values(words(path)) == [0] * SIZE


@pytest.mark.parametrize("content", [b"", b"x", b"x" * JOURNAL_AT * WORD, b"x" * 4096])
def test_what_is_no_such_file_is_made_anew(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert values(words(path)) == [0] * SIZE


def test_a_file_that_was_cut_is_made_anew(path: Path) -> None:
    change(words(path), [(0, 1)])
    os.truncate(path, path.stat().st_size - WORD)
    assert values(words(path)) == [0] * SIZE


def test_a_larger_one_is_needed(path: Path) -> None:
    words(path)
    assert len(values(words(path, size=SIZE + 1))) == SIZE + 1


def test_no_link_is_followed(path: Path) -> None:
    target = path.with_name("elsewhere")
    target.write_bytes(b"")
    path.symlink_to(target)
    with pytest.raises(OSError, match="symbolic"):
        words(path)
    assert target.read_bytes() == b""


def grow(of: Words, size: int) -> None:
    def fill(old: memoryview, new: memoryview) -> None:
        new[: len(old)] = old

    with of:
        of.replace(size, 16, fill)


def test_others_go_on_in_the_file_that_has_taken_its_place(path: Path) -> None:
    seen: list[int] = []
    one = words(path)
    other = Words(path, layout="numbers", size=SIZE, entries=16, opened=lambda opened: seen.append(1))
    change(one, [(0, 1)])
    grow(one, SIZE + 2)
    with one:
        one.put(SIZE + 1, 9)
    assert values(other) == [1, *[0] * SIZE, 9]
    assert len(seen) == 2
    change(other, [(1, 4)])
    assert values(one)[:2] == [1, 4]
    assert values(words(path))[:2] == [1, 4]


def test_who_keeps_a_view_of_the_old_file_does_not_keep_its_lock(path: Path) -> None:
    one, other = words(path), words(path)
    with one:
        view = one.ints
    grow(one, SIZE + 2)
    assert values(other) == [0] * (SIZE + 2)
    assert len(view) == SIZE


def test_who_dies_between_the_mark_and_the_new_file_leaves_the_old_one(path: Path) -> None:
    one, other = words(path), words(path)
    change(one, [(0, 1)])
    marked = next(state for state in interrupted(one, path, lambda: one._head.__setitem__(6, 1)) if state[6 * WORD])
    path.write_bytes(marked)
    assert values(other)[0] == 1
    change(other, [(0, 2)])
    assert values(one)[0] == 2


def test_threads_that_step_at_once_do_not_lose_a_change(path: Path) -> None:
    shared = [words(path), words(path)]

    def count(of: Words) -> None:
        for _ in range(200):
            with of:
                of.put(0, of.ints[0] + 1)

    threads = [threading.Thread(target=count, args=(shared[number % 2],)) for number in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert values(shared[0])[0] == 1200


def test_closing_is_idempotent_and_ends_it(path: Path) -> None:
    one = words(path)
    one.close()
    one.close()
    with pytest.raises(ValueError, match="descriptor"):
        values(one)
