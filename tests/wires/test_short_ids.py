"""Ids of calls for vendors that limit them."""

import re

from hypothesis import given
from hypothesis import strategies as st

from gateway.wires.short_ids import nine_letters


@given(st.text(max_size=60))
def test_any_id_becomes_nine_letters_and_digits_and_stays_so(id: str) -> None:
    short = nine_letters(id)
    assert re.fullmatch("[A-Za-z0-9]{9}", short)
    assert nine_letters(id) == short == nine_letters(short)


def test_different_ids_stay_different() -> None:
    ids = [f"call_{number}" for number in range(10_000)]
    assert len({nine_letters(id) for id in ids}) == len(ids)
