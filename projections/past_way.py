"""Ways: how jobs of the past are come by, which of the ways is the shortest, and when.

Invariants: pure; `plain` can always be gone, a shorter one where few enough jobs are on it, which is counted first. Units: jobs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from ledger import settings
from ledger.job import Outcome, Phase, State
from ledger.past import AsOf
from projections import statement
from projections.question import Query

_FAILED: Final = (Outcome.REJECTED, Outcome.INCOMPLETE, Outcome.EXHAUSTED, Outcome.FAILED)
_FAILURES: Final = frozenset({Outcome.RETRYING, *_FAILED})
# What a state or a phase is made of.
OUTCOMES: Final[Mapping[str, Mapping[str, tuple[Outcome, ...]]]] = MappingProxyType(
    {
        "state": {
            **{one.value: (Outcome(one.value),) for one in State if one is not State.FAILED},
            State.FAILED.value: (Outcome.RETRYING, *_FAILED),
        },
        "phase": {
            Phase.ACKNOWLEDGED.value: (Outcome.CREATED, Outcome.QUEUED),
            Phase.IN_PROGRESS.value: (Outcome.PROCESSING, Outcome.RETRYING),
            Phase.COMPLETED.value: (Outcome.SUCCEEDED,),
            Phase.FAILED.value: (*_FAILED, Outcome.CANCELED),
        },
    }
)

# The ways to jobs of the past. walk: in an order that never changes; touch: in that of their last change; split: those that stand as they stood, as
# now, and beside them the few that have gone on since; stab: the few that were in some states.
Way: TypeAlias = Literal["walk", "touch", "split", "stab"]
# What a job's stays say of it.
_STANDING: Final = frozenset({"state", "outcome", "phase"})
# Names that few jobs share: the shortest way to them is by these.
_NAMES: Final = frozenset({"id", "number", "request_id", "source_id"})
_RARE: Final = _NAMES | {"object", "owner"}


def way(query: Query, then: AsOf) -> Way:
    """The shortest way, if few enough jobs are on it; else `plain`."""
    usual = plain(query)
    columns = {condition.filter.column for condition in query.conditions}
    if then.happened is not None or columns & _NAMES:
        return usual
    if statement.places(query.sort)[0].column == "updated_at":
        return "stab" if columns & _STANDING else usual
    sorts = {place.column for place in statement.places(query.sort)}
    return "split" if (columns | sorts) & _STANDING else usual


def plain(query: Query) -> Way:
    """The way that can always be gone."""
    columns = {condition.filter.column for condition in query.conditions}
    by_change = statement.places(query.sort)[0].column == "updated_at"
    return "touch" if by_change and not columns & _RARE else "walk"


def few_max(found: Way) -> int:
    """How many jobs are few on a way."""
    return settings.PAST_STANDING_MAX if found == "stab" else settings.PAST_FEW_MAX


def states(query: Query) -> list[str]:
    """The states that the jobs asked for can be in."""
    found = {str(state) for state in State}
    for condition in query.conditions:
        column = condition.filter.column
        if column in _STANDING:
            parts = OUTCOMES.get(column, {})
            outcomes = {
                one for value in condition.values for one in parts.get(str(value), (str(value),))
            }
            found &= {"Failed" if one in _FAILURES else str(one) for one in outcomes}
    return sorted(found)
