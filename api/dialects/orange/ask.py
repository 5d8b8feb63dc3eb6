"""Words to questions: which jobs an Orange request is about.

Invariants: pure; a list always counts, and is ordered newest first unless it says otherwise. Units: offset and limit count jobs.
Errors: Invalid, UnknownJob."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from api.dialects.orange import words
from api.dialects.orange.item import Listed, said
from api.operation import Asked
from ledger.errors import UnknownJob
from ledger.job import Phase, State
from ledger.settings import PAGE_LIMIT_MAX
from projections.filters import FILTERS, Condition, job_id
from projections.question import Named, Offset, Query, Telling

LIMIT_DEFAULT: Final = 100  # jobs in an answer when the caller names no number
# Filters that the product lacks, under the ledger's own names.
EXTRAS: Final = (
    *("type", "command", "owner", "request_id", "number", "source_id"),
    *("created_from", "created_to", "updated_from", "updated_to"),
)

# Orange's states that are states of the ledger: the ledger keeps counts of those.
_WHOLE: Final = {
    frozenset({Phase.ACKNOWLEDGED}): (State.CREATED, State.QUEUED),
    frozenset({Phase.COMPLETED}): (State.SUCCEEDED,),
    frozenset({Phase.IN_PROGRESS, Phase.FAILED}): (State.PROCESSING, State.FAILED, State.CANCELED),
}


def jobs(asked: Asked) -> Query:
    """GET /projects/{projectId}/jobs"""
    return Query(
        project=asked.path_params["projectId"],
        conditions=tuple(_conditions(asked)),
        sort=words.sort(asked),
        window=Offset(words.whole(asked, "offset", 0, 0, words.INT32_MAX)),
        limit=words.whole(asked, "limit", LIMIT_DEFAULT, 1, PAGE_LIMIT_MAX),
        total=True,
        as_of=asked.as_of,
        telling=Telling(Listed._fields, said, asked.base_url),
    )


def job(asked: Asked) -> Named:
    """GET /projects/{projectId}/jobs/{jobId}"""
    try:
        named = job_id(asked.path_params["jobId"])
    except ValueError as error:
        raise UnknownJob("There is no such job.") from error
    return Named(asked.path_params["projectId"], ids=(named,), as_of=asked.as_of)


def _conditions(asked: Asked) -> Iterable[Condition]:
    yield from _in_states(words.states(asked))
    if (name := words.one(asked, "resource")) is not None:
        yield words.condition("resource", "object", name)
    for name in EXTRAS:
        if given := [word for key, word in asked.query if key == name]:
            yield words.condition(name, name, *given)


def _in_states(asked_for: tuple[Phase, ...]) -> Iterable[Condition]:
    """The states asked for, as states of the ledger where they are whole ones."""
    wanted = frozenset(asked_for)
    if not wanted or wanted == frozenset(Phase):
        return
    whole = [states for phases, states in _WHOLE.items() if phases <= wanted]
    if frozenset().union(*(phases for phases in _WHOLE if phases <= wanted)) == wanted:
        yield Condition(FILTERS["state"], tuple(state for states in whole for state in states))
    else:
        yield Condition(FILTERS["phase"], asked_for)
