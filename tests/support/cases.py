"""Many small cases in one test, where each is a line of a table and takes less time than a test of its own does.

`@each_case` stands where `@pytest.mark.parametrize` would. All cases run, and each that fails is named. Fixtures are
those of one test, so a case may leave nothing behind.
"""

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import pytest

Test = Callable[..., None]
SHOWN: Final = 300
"""So many characters of a case name it where it has no other name."""


def each_case(
    names: str | Sequence[str], cases: Iterable[object], ids: Iterable[str] | Callable[[Any], object] = repr
) -> Callable[[Test], Test]:
    """Make a test of one case a test of all of them.

    Args:
        names: of the arguments that a case gives: a name, or a sequence of names.
        cases: a value each, or where there is a sequence of names, as many values as names.
        ids: how each is named where it fails: a name for each, or what tells a value.
    """
    wanted = [names] if isinstance(names, str) else list(names)
    table = [(case,) if isinstance(names, str) else tuple(case) for case in cases]  # type: ignore[arg-type]
    assert table, "a table without cases holds nothing"
    known = [", ".join(str(ids(value)) for value in case)[:SHOWN] for case in table] if callable(ids) else list(ids)

    def decorate(test: Test) -> Test:
        def all_cases(**fixtures: object) -> None:
            failed: list[BaseException] = []
            for name, case in zip(known, table, strict=True):
                try:
                    test(**dict(zip(wanted, case, strict=True)), **fixtures)
                except pytest.skip.Exception as skipped:
                    raise AssertionError(
                        f"A skip would skip all cases; leave this one out of the table: {name}"
                    ) from skipped
                except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - told with the others
                    error.add_note(f"the case: {name}")
                    failed.append(error)
            if failed:
                raise BaseExceptionGroup(f"{len(failed)} of {len(table)} cases", failed)

        signature = inspect.signature(test)
        rest = [each for name, each in signature.parameters.items() if name not in wanted]
        assert len(rest) + len(wanted) == len(signature.parameters), f"{test.__name__} does not take {names}"
        vars(all_cases).update(vars(test), __signature__=signature.replace(parameters=rest))
        all_cases.__name__, all_cases.__qualname__, all_cases.__doc__ = test.__name__, test.__qualname__, test.__doc__
        all_cases.__module__ = test.__module__
        return all_cases

    return decorate
