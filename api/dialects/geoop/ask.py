"""Words to questions: which jobs a GeoOp request is about, and what it wants to become of them.

Invariants: pure; a list is ordered newest first unless asked otherwise; an unknown parameter is refused, since a misspelt filter must not answer
everything. A write is decided on the jobs as found, so that every item at fault is told at once, and saved only while they are still so.
Errors: Invalid and BadSyntax for the whole request, BatchRefused for items by their index, UnknownJob for the job of a path."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from typing import Final, TypeVar
from uuid import UUID

import pydantic_core
from pydantic import BaseModel, ValidationError

from api.dialects.geoop import words
from api.dialects.geoop.changes import Standing, change, creation
from api.dialects.geoop.entry import TELLING
from api.dialects.geoop.models import CancelIn, ChangeIn, NewJobIn
from api.dialects.geoop.statuses import CANCELED
from api.dialects.native.ask import conditions, envelope
from api.dialects.native.words import idempotency_key, single, whole
from api.faults import invalid
from api.operation import Asked, Resolve
from ledger.commands import Command, Write
from ledger.errors import (
    BatchRefused,
    Failure,
    IdentityTaken,
    Invalid,
    LedgerError,
    UnknownJob,
)
from ledger.job import Job
from ledger.names import Name, by_number
from ledger.plan import plan
from ledger.settings import PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX
from projections.filters import FILTERS, SORTS, Sort
from projections.question import Named, Offset, Query

PAGE_MAX: Final = 2**31 - 1  # the last page that can be asked for
_PAGING: Final = frozenset({"page", "recordsPerPage", "recordsCount", "sort"})
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}

_Item = TypeVar("_Item", bound=BaseModel)
_Steps = list[tuple[int, Command]]


def jobs(asked: Asked) -> Query:
    """GET /jobs"""
    words.check_version(asked)
    given = single(asked, _PAGING, many=FILTERS)
    page, size = paging(asked)
    return Query(
        project=asked.who.project,
        conditions=conditions(asked.query),
        sort=_sort(given.get("sort", "-created")),
        window=Offset((page - 1) * size),
        limit=size,
        total=counted(asked),
        as_of=asked.as_of,
        telling=TELLING,
    )


def paging(asked: Asked) -> tuple[int, int]:
    """Which page, from 1, and how many jobs are on one."""
    given = dict(asked.query)
    size = whole(given, "recordsPerPage", PAGE_LIMIT_DEFAULT, 1, PAGE_LIMIT_MAX)
    return whole(given, "page", 1, 1, PAGE_MAX), size


def counted(asked: Asked) -> bool:
    """Whether the answer says how many jobs and pages there are."""
    word = dict(asked.query).get("recordsCount", "true").lower()
    if word not in _BOOLEANS:
        raise Invalid("recordsCount is true or false.", field="recordsCount")
    return _BOOLEANS[word]


def job(asked: Asked) -> Named:
    """GET /jobs/{id}"""
    words.check_version(asked)
    single(asked, ())
    number = words.number(asked)
    assert number is not None, "the path has an id"
    return Named(asked.who.project, numbers=(number,), as_of=asked.as_of)


def create(asked: Asked) -> Resolve:
    """POST /jobs"""
    items, failures = _read(asked, NewJobIn)
    named = {index: _identities(item) for index, item in items.items()}

    def then(found: Mapping[Name, Job]) -> Write | None:
        steps: _Steps = []
        refused = list(failures)
        for index, item in items.items():
            try:
                for name in named[index]:
                    _check_free(name, found)
                steps += ((index, command) for command in creation(asked, item))
            except LedgerError as error:
                refused.append(Failure(index, error))
        return _decided(asked, steps, refused, {})

    names = (name for one in named.values() for name in one)
    return _resolve(asked, names, then)


def patch(asked: Asked) -> Resolve:
    """PATCH /jobs and PATCH /jobs/{id}"""
    return _changes(asked, *_read(asked, ChangeIn))


def delete(asked: Asked) -> Resolve:
    """DELETE /jobs and DELETE /jobs/{id}"""
    items, failures = _read(asked, CancelIn)
    canceled = {
        index: ChangeIn.model_construct(
            id=item.id, status=CANCELED, note=item.note, occurred_at=item.occurred_at
        )
        for index, item in items.items()
    }
    return _changes(asked, canceled, failures)


def _changes(asked: Asked, items: Mapping[int, ChangeIn], failures: Sequence[Failure]) -> Resolve:
    named = words.number(asked)

    def then(found: Mapping[Name, Job]) -> Write | None:
        steps: _Steps = []
        refused = list(failures)
        known: dict[UUID, Job] = {job.id: job for job in found.values()}
        standing: dict[UUID, Standing] = {}
        for index, item in items.items():
            job = found.get(by_number(item.id))
            try:
                if named is not None and item.id != named:
                    raise Invalid("The path names another job.", field="id")
                if job is None:
                    raise UnknownJob(f"There is no job {item.id}.")
                first = job.id not in standing
                stands = standing.setdefault(job.id, Standing.of(job))
                for event, note in change(item, stands):
                    said = envelope(asked, note, item.occurred_at)
                    steps.append(
                        (index, Command(job.id, event, said, job.version if first else None))
                    )
                    first = False
            except UnknownJob as error:
                if named is not None:
                    raise
                refused.append(Failure(index, error))
            except LedgerError as error:
                refused.append(Failure(index, error))
        return _decided(asked, steps, refused, known)

    return _resolve(asked, (by_number(item.id) for item in items.values()), then)


def _resolve(
    asked: Asked, names: Iterable[Name], then: Callable[[Mapping[Name, Job]], Write | None]
) -> Resolve:
    return Resolve(asked.who.project, tuple(dict.fromkeys(names)), then, idempotency_key(asked))


def _decided(
    asked: Asked, steps: _Steps, failures: Sequence[Failure], known: Mapping[UUID, Job]
) -> Write | None:
    """The write of some commands, each beside the index of its item. Raises BatchRefused with every item that would be refused."""
    write = Write(tuple(command for _, command in steps), idempotency_key(asked), len(asked.body))
    refused = {failure.index: failure for failure in failures}
    for index, error in _tried(asked, write, known):
        # What follows from an item's first mistake is no mistake of its own.
        item = steps[index][0]
        refused.setdefault(item, Failure(item, error))
    if refused:
        raise BatchRefused(tuple(refused[index] for index in sorted(refused)))
    return write if steps else None


def _tried(
    asked: Asked, write: Write, known: Mapping[UUID, Job]
) -> Iterable[tuple[int, LedgerError]]:
    if not write.commands:
        return
    try:
        plan(write, known, asked.now, asked.new_id, count(1).__next__)
    except BatchRefused as error:
        yield from ((failure.index, failure.error) for failure in error.failures)
    except LedgerError as error:
        yield 0, error


def _read(asked: Asked, model: type[_Item]) -> tuple[dict[int, _Item], list[Failure]]:
    """The items of a request by their index, and what is wrong with the others."""
    words.check_version(asked)
    single(asked, ())
    found: dict[int, _Item] = {}
    failures = []
    for index, raw in enumerate(words.items(asked)):
        try:
            found[index] = model.model_validate_json(pydantic_core.to_json(raw))
        except ValidationError as error:
            failures.append(Failure(index, invalid(error)))
    return found, failures


def _identities(item: NewJobIn) -> tuple[Name, ...]:
    given = (Name("request_id", item.request_id or ""), Name("source_id", item.source_id or ""))
    return tuple(name for name in given if name.value)


def _check_free(name: Name, found: Mapping[Name, Job]) -> None:
    if (holder := found.get(name)) is not None:
        raise IdentityTaken(
            f"Job {holder.number} has the {name.kind} {name.value}.",
            field=name.kind,
            holder=holder.id,
        )


def _sort(word: str) -> tuple[Sort, ...]:
    descending, name = word.startswith("-"), word.removeprefix("-")
    if name not in SORTS:
        raise Invalid(
            f"sort is one of {', '.join(SORTS)}, with a minus in front for descending.",
            field="sort",
        )
    return (Sort(name, descending),)
