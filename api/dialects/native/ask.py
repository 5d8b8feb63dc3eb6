"""Words to questions: how the native API's requests are read.

Invariants: pure; an unknown parameter, a repeated single one or a field that does not fit is refused with its name, never ignored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar, cast
from uuid import UUID

import pydantic_core
from pydantic import BaseModel, ValidationError

from api import cursor, repeats
from api.dialects.native import row
from api.dialects.native.models import NewEvents, NewJob, NewJobs, _NewEvent
from api.dialects.native.words import (
    idempotency_key,
    if_match,
    job_id,
    min_position,
    single,
    single_of,
    whole,
)
from api.faults import Forbidden, invalid, invalid_batch
from api.operation import Asked, Nothing, Scope
from ledger import settings
from ledger.commands import Command, Write
from ledger.errors import BatchRefused, Failure, Invalid
from ledger.events import EVENTS, Created, Envelope, Event
from ledger.past import AsOf
from projections.filters import FILTERS, SORTS, Condition, Sort
from projections.question import Feed, Named, Offset, Query, Tally, Telling

_Model = TypeVar("_Model", bound=BaseModel)
_Said = tuple[_NewEvent, Event]
_LIST_WORDS = frozenset({"sort", "limit", "cursor", "count", "min_position"})
_FROM_THE_START = Offset(0)


def page(asked: Asked) -> Query:
    """GET .../jobs, answered with each job as it is said."""
    return jobs(asked, row.TELLING)


def jobs(asked: Asked, telling: Telling | None = None) -> Query:
    """A list of jobs. Its words are read once, however often they come."""
    query = _list(asked.path_params["project"], asked.query, asked.as_of, telling)
    given = {name: word for name, word in asked.query if name == "min_position"}
    least = min_position(asked, given)
    return replace(query, min_position=least) if least else query


@lru_cache(maxsize=settings.STATEMENTS_KEPT_MAX)
def _list(
    project: str, given: tuple[tuple[str, str], ...], as_of: AsOf | None, telling: Telling | None
) -> Query:
    words = single_of(given, _LIST_WORDS, many=FILTERS)
    query = Query(
        project=project,
        conditions=conditions(given),
        sort=_sort(words.get("sort", "-created")),
        window=_FROM_THE_START,
        limit=whole(words, "limit", settings.PAGE_LIMIT_DEFAULT, 1, settings.PAGE_LIMIT_MAX),
        total=_count(words.get("count")),
        as_of=as_of,
        telling=telling,
    )
    if "cursor" not in words:
        return query
    return replace(query, window=cursor.decode(words["cursor"], query))


def conditions(query: Iterable[tuple[str, str]]) -> tuple[Condition, ...]:
    """The filters among a query's words; a filter given several times takes any of its values."""
    found: dict[str, list[str]] = {}
    for name, word in query:
        if name in FILTERS:
            found.setdefault(name, []).append(word)
    return tuple(_condition(name, words) for name, words in found.items())


def _condition(name: str, words: list[str]) -> Condition:
    row = FILTERS[name]
    if len(words) > 1 and not row.many:
        raise Invalid(f"{name} may be given once.", field=name)
    try:
        return Condition(row, tuple(row.parse(word) for word in words))
    except ValueError as error:
        raise Invalid(f"{name}: {error}", field=name) from error


def _sort(word: str) -> tuple[Sort, ...]:
    descending, name = word.startswith("-"), word.removeprefix("-")
    if name not in SORTS:
        raise Invalid(
            f"sort is one of {', '.join(SORTS)}, with a minus in front for descending.",
            field="sort",
        )
    return (Sort(name, descending),)


def _count(word: str | None) -> bool:
    if word not in (None, "exact", "none"):
        raise Invalid("count is exact or none.", field="count")
    return word == "exact"


def job(asked: Asked) -> Named:
    """GET .../jobs/{id}"""
    words = single(asked, {"min_position"})
    return Named(
        asked.path_params["project"],
        ids=(job_id(asked),),
        min_position=min_position(asked, words),
        as_of=asked.as_of,
    )


def feed(asked: Asked) -> Feed:
    """GET .../events and GET .../jobs/{id}/events"""
    words = single(asked, {"after", "limit"})
    return Feed(
        project=asked.path_params["project"],
        after=whole(words, "after", 0, 0, settings.COUNT_MAX),
        limit=whole(words, "limit", settings.FEED_LIMIT_DEFAULT, 1, settings.FEED_LIMIT_MAX),
        job_id=job_id(asked) if "id" in asked.path_params else None,
        as_of=asked.as_of,
    )


def tally(asked: Asked) -> Tally:
    """GET .../counts"""
    words = single(asked, {"min_position"})
    return Tally(asked.path_params["project"], min_position(asked, words), asked.as_of)


def nothing(asked: Asked) -> Nothing:
    """An operation that needs no question."""
    return Nothing()


def new_jobs(asked: Asked) -> Write:
    """POST .../jobs: one job, or {"jobs": [...]}"""
    single(asked, set())
    many = holds(asked.body, "jobs")
    batch = (
        _parsed(NewJobs, asked.body, batch=True).jobs if many else (_parsed(NewJob, asked.body),)
    )
    return _write(asked, tuple(_creation(asked, one) for one in batch))


def new_event(asked: Asked) -> Write:
    """POST .../jobs/{id}/events: one event, or {"events": [...]} in order"""
    single(asked, set())
    path_id = job_id(asked)
    batch = _new_events(asked)
    for index, (one, _) in enumerate(batch):
        if one.job not in (None, path_id):
            raise BatchRefused(
                (Failure(index, Invalid("The path names another job.", field="job")),)
            )
    return _write(asked, tuple([_command(asked, *one, path_id) for one in batch]))


def new_events(asked: Asked) -> Write:
    """POST .../events: {"events": [{"job": ..., "event": ...}, ...]}"""
    single(asked, set())
    batch = _new_events(asked)
    nameless = [index for index, (one, _) in enumerate(batch) if one.job is None]
    if nameless:
        error = Invalid("job: Name the job that the event is of.", field="job")
        raise BatchRefused(tuple(Failure(index, error) for index in nameless))
    commands = [_command(asked, one, event, cast("UUID", one.job)) for one, event in batch]
    return _write(asked, tuple(commands))


def _new_events(asked: Asked) -> tuple[_Said, ...]:
    bare = repeats.BARE.fullmatch(asked.body) is not None
    return (_bare_events if bare else _read_events)(asked.body)


def _read_events(body: bytes) -> tuple[_Said, ...]:
    if holds(body, "events"):
        return _with_events(_parsed(NewEvents, body, batch=True))
    # One event is a batch of one, but its faults are its own.
    try:
        return _with_events(NewEvents.model_validate_json(b'{"events":[' + body + b"]}"))
    except ValidationError as error:
        fault = invalid_batch(error)
        if isinstance(fault, BatchRefused) and len(fault.failures) == 1:
            raise fault.failures[0].error from error
        raise fault from error


# Most events have a name and nothing else to say, so that the same few bytes come again and again. Whatever says more is nobody's to keep.
_bare_events = lru_cache(maxsize=settings.BARE_EVENTS_KEPT_MAX)(_read_events)


def _with_events(batch: NewEvents) -> tuple[_Said, ...]:
    """What was said, each beside the event that it makes."""
    return tuple(
        (cast("_NewEvent", new), kind.of_checked(_fields(new, kind)))
        for new, kind in ((new, EVENTS[new.TOPIC]) for new in batch.events)
    )


def _parsed(model: type[_Model], body: bytes, *, batch: bool = False) -> _Model:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise (invalid_batch(error) if batch else invalid(error)) from error


def holds(body: bytes, name: str) -> bool:
    """Whether the body is an object with this key at its top. Only bodies that may have it are read twice."""
    if b'"%b"' % name.encode() not in body:
        return False
    try:
        parsed = pydantic_core.from_json(body)
    except ValueError:
        return False
    return isinstance(parsed, dict) and name in parsed


def _creation(asked: Asked, new: NewJob) -> Command:
    if not asked.who.may(Scope.JOBS_WRITE):
        raise Forbidden("This needs the scope jobs:write.")
    given = _fields(new, Created)
    given["owner"] = new.owner or asked.who.name
    return Command(
        asked.new_id(), Created.of_checked(given), envelope(asked, new.note, new.occurred_at)
    )


def _fields(new: BaseModel, event: type[Event]) -> dict[str, Any]:
    """What a checked request says of the event itself."""
    given = new.__dict__
    return {name: given[name] for name in _FIELDS[event]}


_FIELDS = {event: tuple(event.model_fields) for event in EVENTS.values()}


def _command(asked: Asked, new: _NewEvent, event: Event, job: UUID) -> Command:
    topic = event.TOPIC
    if topic not in _CANCELING and not asked.who.may(Scope.JOBS_WRITE):
        raise Forbidden(f"{topic} needs the scope jobs:write; this key may only cancel.")
    return Command(job, event, envelope(asked, new.note, new.occurred_at), if_match(asked))


_CANCELING = frozenset({"job.canceled"})


def envelope(
    asked: Asked, note: str | None = None, occurred_at: datetime | None = None
) -> Envelope:
    """Who says it: always the credential's own name and id."""
    who = asked.who
    return Envelope(
        project=who.project,
        actor=who.name,
        credential_id=who.key_id,
        request_id=asked.request_id,
        note=note,
        occurred_at=occurred_at,
    )


def _write(asked: Asked, commands: tuple[Command, ...]) -> Write:
    return Write(commands, idempotency_key(asked), len(asked.body))
