"""Tables of cases: all run, all that fail are named, and nothing of a test is lost."""

import inspect

import pytest

from tests.support.cases import each_case


def test_every_case_runs_and_each_that_fails_is_named() -> None:
    seen = []

    @each_case("number", range(6), ids=lambda number: f"the number {number}")
    def odd(number: int) -> None:
        seen.append(number)
        assert number % 3

    with pytest.RaisesGroup(AssertionError, AssertionError) as failed:
        odd()
    assert seen == [0, 1, 2, 3, 4, 5]
    assert [error.__notes__ for error in failed.value.exceptions] == [
        ["the case: the number 0"],
        ["the case: the number 3"],
    ]


def test_a_raise_that_did_not_come_is_a_failure_as_others_are() -> None:
    seen = []

    @each_case("number", [1, 2])
    def raises(number: int) -> None:
        seen.append(number)
        with pytest.raises(ValueError, match="never"):
            pass

    with pytest.raises(BaseExceptionGroup, match="2 of 2 cases"):
        raises()
    assert seen == [1, 2]


def test_tables_multiply_and_fixtures_pass_through() -> None:
    seen: list[object] = []

    @each_case(("left", "right"), [(1, 2), (3, 4)])
    @each_case("word", ["a", "b"], ids=["first", "second"])
    def note(word: str, left: int, right: int, where: list[object]) -> None:
        where.append((word, left, right))

    assert list(inspect.signature(note).parameters) == ["where"]
    note(where=seen)
    assert seen == [("a", 1, 2), ("b", 1, 2), ("a", 3, 4), ("b", 3, 4)]


def test_marks_stay() -> None:
    @each_case("number", [1])
    @pytest.mark.parametrize("word", ["a"])
    def nothing(number: int, word: str) -> None: ...

    assert [mark.name for mark in vars(nothing)["pytestmark"]] == ["parametrize"]


def test_a_case_that_is_skipped_is_told_and_skips_no_other() -> None:
    @each_case("number", [1, 2])
    def skips(number: int) -> None:
        pytest.skip("not here")

    with pytest.raises(AssertionError, match="leave this one out of the table: 1"):
        skips()


def test_an_empty_table_and_a_name_that_is_no_argument_are_mistakes() -> None:
    with pytest.raises(AssertionError, match="holds nothing"):
        each_case("number", [])
    with pytest.raises(AssertionError, match="does not take wrong"):

        @each_case("wrong", [1])
        def takes_another(number: int) -> None: ...
