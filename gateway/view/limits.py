"""Rows of limits, of providers and of clients, for the page."""

from collections.abc import Iterator

from gateway.limits.slots import SHORT_UNITS, UNIT_SECONDS, RowStatus
from gateway.server.account_json import LimitNow
from gateway.server.status_json import LONGEST


def numbers_of(row: RowStatus, model: str = "") -> Iterator[LimitNow]:
    """The numbers of a row.

    Args:
        row: of limits.
        model: the pattern of the models that it counts; "" for all.
    """
    for unit in row.units:
        yield LimitNow(
            SHORT_UNITS[unit.unit],
            model[:LONGEST],
            unit.used,
            unit.limit,
            UNIT_SECONDS.get(unit.unit),
            row.waiting,
            round(row.wait, 3),
        )
