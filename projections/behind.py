"""Behind: where a page begins, as a job's values in an order, and as parameters of the statement that reads on from there.

Invariants: what `after_of` says of a job, `values_of` finds it by again. Errors: Invalid for values that no such order has, since they come from
outside."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from ledger.errors import Invalid
from ledger.job import Job
from projections.filters import SORTS, Sort
from projections.question import After


def after_of(job: Job, sort: tuple[Sort, ...]) -> After:
    """Where the page behind a job begins."""
    return after_row([getattr(job, SORTS[one.column].column) for one in sort], job.number)


def after_row(values: Iterable[object], number: int) -> After:
    """Where the page begins that is behind the job with this number and these values of the order."""
    return After(tuple(map(_word, values)), number)


def _word(value: object) -> str:
    return value.isoformat(timespec="microseconds") if isinstance(value, datetime) else str(value)


def values_of(after: After, sort: tuple[Sort, ...]) -> dict[str, Any]:
    """The cursor's values as parameters k0, k1, ... They come from outside: a cursor is not signed."""
    if len(after.values) != len(sort):
        raise Invalid("The cursor belongs to a list in another order.", field="cursor")
    values: dict[str, Any] = {"after": after.number}
    for nth, (one, word) in enumerate(zip(sort, after.values, strict=True)):
        try:
            values[f"k{nth}"] = SORTS[one.column].parse(word or "")
        except ValueError as error:
            raise Invalid(
                f"The cursor is not one that this ledger gave out: {error}", field="cursor"
            ) from error
    return values
