"""The protocol of a connection's owner holds in every order of steps, and the model finds what is made wrong in it."""

import ast
import itertools
import re
from pathlib import Path

import pytest

from tests.httpd import ownership_model
from tests.httpd.ownership_model import Planted, Variant, explore

NOT_KNOWN = "a caller leaves, and who serves it will not know"

EITHER = (False, True)
VARIANTS = [Variant(*one) for one in itertools.product((1, 2, 3), EITHER, EITHER, EITHER, EITHER)]

PLANTED = [
    (Planted.NO_RECHECK, Variant(2), "a request waits"),
    (Planted.NO_RECHECK, Variant(1, fin=True), "a FIN is not seen"),
    (Planted.NO_RECHECK_OF_OTHERS, Variant(2, fin=True), NOT_KNOWN),
    (Planted.LOOK_BEFORE_GIVE_BACK, Variant(2), "a request waits"),
    (Planted.LOOK_BEFORE_GIVE_BACK, Variant(1, fin=True), "a FIN is not seen"),
    (Planted.LOOK_BEFORE_GIVE_BACK, Variant(1, drain=True), "a draining connection is open"),
    (Planted.CLOSE_WHOEVER_HAS_IT, Variant(1, fin=True), "LOOP hands over or closes what is of WORKER"),
    (Planted.DRAIN_NOT_LOOKED_AT, Variant(1, drain=True), "a draining connection is open"),
    (Planted.FLAG_FOR_PEEKED, Variant(2, fin=True), NOT_KNOWN),
    (Planted.PEEK_FOR_EVER, Variant(2), "the loop spins"),
    (Planted.CLOSED_IS_SETTLED, Variant(1, drain=True), "a closed connection is registered"),
    (Planted.CLOSED_IS_READY, Variant(1, fin=True, drain=True), "the loop peeks at a closed connection"),
    (Planted.CLOSING_IS_READ, Variant(2, closing=True), "a request is read behind the last answer"),
    (Planted.LATE_QUESTION, Variant(3, fin=True), NOT_KNOWN),
    (Planted.GIVE_BACK_AS_WELL, Variant(2), "WORKER hands over or closes what is of LOOP"),
    (Planted.WAIT_AS_WELL, Variant(2), "two threads read"),
]


def named(variant: Variant) -> str:
    return "-".join([str(variant.requests), *(name for name in variant._fields[1:] if getattr(variant, name))])


SLOW = [one for one in VARIANTS if sum(one[1:]) > {1: 4, 2: 2, 3: 0}[one.requests]]
"""They take a quarter of a second and more."""


@pytest.mark.parametrize(
    "variant",
    [pytest.param(one, id=named(one), marks=[pytest.mark.slow] * (one in SLOW)) for one in VARIANTS],
)
def test_the_protocol_has_no_fault(variant: Variant) -> None:
    result = explore(variant)
    assert result.fault is None, str(result)


@pytest.mark.parametrize(
    ("planted", "variant", "fault"),
    PLANTED,
    ids=[f"{planted.name}-{named(variant)}" for planted, variant, _ in PLANTED],
)
def test_what_is_made_wrong_is_found(planted: Planted, variant: Variant, fault: str) -> None:
    result = explore(variant, frozenset({planted}))
    print(f"{planted.value}: {len(result.path)} steps to: {result}")
    assert result.fault == fault
    assert result.path[0] == "world: a request comes"
    assert all(re.fullmatch(r"(world|loop|worker [12]|relay|asker): \w[\w ;,'=+>-]*", step) for step in result.path)


def test_each_planted_fault_is_looked_for() -> None:
    assert {planted for planted, _, _ in PLANTED} == set(Planted)


def test_no_value_waits_on_the_stack_while_a_thread_yields() -> None:
    """The place of a thread is where it stands and its local names, so an expression has one yield, beside and, or."""

    def yields(node: ast.AST) -> bool:
        return any(isinstance(part, ast.Yield | ast.YieldFrom) for part in ast.walk(node))

    for node in ast.walk(ast.parse(Path(ownership_model.__file__).read_text(encoding="utf-8"))):
        if isinstance(node, ast.expr) and not isinstance(node, ast.BoolOp | ast.IfExp):
            assert sum(yields(part) for part in ast.iter_child_nodes(node)) < 2, ast.unparse(node)
        assert not (isinstance(node, ast.For | ast.With) and yields(node)), ast.unparse(node)
