"""The states of a server that may be away, against what they are to promise."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.sharing.circuit import FIRST_PAUSE, LONGEST_PAUSE, Circuit

STEPS = st.lists(st.tuples(st.sampled_from(["fail", "late", "try", "answer"]), st.floats(0, 40)), max_size=40)


@given(STEPS)
def test_it_is_away_from_a_failure_of_its_generation_until_an_answer(steps: list[tuple[str, float]]) -> None:
    now, circuit, tries = 0.0, Circuit(0.0), 0
    for kind, seconds in steps:
        now += seconds
        before, generation = circuit.state, circuit.generation
        if kind == "fail":
            assert circuit.failed(now, generation) == (before == "up")
            if before == "up":
                tries = 0
                assert circuit.next_try == now + FIRST_PAUSE
        elif kind == "late" and generation > 1:
            assert not circuit.failed(now, generation - 1)
            assert circuit.state == before, "a failure of an earlier generation is over"
        elif before == "away" and kind == "try":
            circuit.tried(now)
            tries += 1
            assert circuit.next_try == now + min(2**tries * FIRST_PAUSE, LONGEST_PAUSE)
        elif before == "away" and kind == "answer":
            circuit.answered(now)
            assert (circuit.state, circuit.generation) == ("up", generation + 1)
        assert circuit.since <= now
        assert (circuit.generation == generation) or kind == "answer"
