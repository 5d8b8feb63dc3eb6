"""Fixed columns: what a question's filters leave no choice of, so that its order does without it.

Invariants: pure; a state, an outcome and a phase are three names of one thing, and `STANDS` says which go together, as `ledger.job.Job` does.
PostgreSQL does not know it: asked for jobs of one outcome in the order of their phase, it would walk the whole index of phases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from ledger.job import Outcome, Phase, State
from projections.filters import Condition
from projections.question import After, Query

NAMES: Final = ("outcome", "state", "phase")

# What a job of each outcome is called in the columns beside it.
STANDS: Final[Mapping[Outcome, tuple[State, Phase]]] = MappingProxyType(
    {
        Outcome.CREATED: (State.CREATED, Phase.ACKNOWLEDGED),
        Outcome.QUEUED: (State.QUEUED, Phase.ACKNOWLEDGED),
        Outcome.PROCESSING: (State.PROCESSING, Phase.IN_PROGRESS),
        Outcome.SUCCEEDED: (State.SUCCEEDED, Phase.COMPLETED),
        Outcome.RETRYING: (State.FAILED, Phase.IN_PROGRESS),
        Outcome.REJECTED: (State.FAILED, Phase.FAILED),
        Outcome.INCOMPLETE: (State.FAILED, Phase.FAILED),
        Outcome.EXHAUSTED: (State.FAILED, Phase.FAILED),
        Outcome.FAILED: (State.FAILED, Phase.FAILED),
        Outcome.CANCELED: (State.CANCELED, Phase.FAILED),
    }
)


def needed(query: Query, column: str, nth: int | None) -> bool:
    """Whether a question's order needs this column, the `nth` of its cursor. Another list's cursor may say otherwise, and has its way."""
    if nth is None or column not in NAMES:
        return True
    value = columns(query.conditions).get(column)
    values = query.window.values if isinstance(query.window, After) else ()
    return value is None or (nth < len(values) and values[nth] != value)


def columns(conditions: Iterable[Condition]) -> Mapping[str, str]:
    """The columns of which all jobs asked for have one value, with that value."""
    left = [
        {"outcome": outcome, "state": state, "phase": phase}
        for outcome, (state, phase) in STANDS.items()
    ]
    for condition in conditions:
        name = condition.filter.column
        if name in NAMES:
            left = [one for one in left if one[name] in condition.values]
    return {
        name: str(left[0][name])
        for name in NAMES
        if left and all(one[name] == left[0][name] for one in left)
    }
