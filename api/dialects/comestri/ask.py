"""Words to questions: which jobs a Comestri request is about, and which job it makes.

Invariants: pure; a list is ordered newest first, always counts, and its ranges include both ends; a new job is created and queued in one
write, so that it is saved ready to process or not at all. Errors: Invalid, UnknownJob."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from pydantic import ValidationError

from api.dialects.comestri import moments, words
from api.dialects.comestri.entry import Listed, said
from api.dialects.comestri.models import NewJobIn
from api.dialects.comestri.style import Style, lasting
from api.dialects.comestri.words import Words
from api.dialects.native.words import idempotency_key
from api.faults import invalid
from api.operation import Asked
from ledger.commands import Command, Write
from ledger.errors import UnknownJob
from ledger.events import Created, Envelope, Json, Queued
from ledger.settings import COUNT_MAX, PAGE_LIMIT_MAX
from projections.filters import FILTERS, Condition, Sort
from projections.question import Named, Offset, Query, Telling

PER_PAGE_DEFAULT: Final = 50  # jobs on a page when the caller names no number
PAGE_MAX: Final = 2**31 - 1  # the last page that can be asked for
# Filters that the product lacks, under the ledger's own names.
EXTRAS: Final = ("state", "outcome", "type", "command", "object", "source_id")

_NEWEST_FIRST: Final = (Sort("created", descending=True),)
_NUMBER = re.compile(r"[0-9]{1,16}")


def index(style: Style, asked: Asked) -> Query:
    """GET /api/v2/jobs"""
    given = words.read(asked)
    page, per_page = paging(given)
    return Query(
        project=asked.who.project,
        conditions=tuple(_conditions(given)),
        sort=_NEWEST_FIRST,
        window=Offset((page - 1) * per_page),
        limit=per_page,
        total=True,
        as_of=asked.as_of,
        telling=Telling(Listed._fields, said, lasting(style, asked.as_of)),
    )


def paging(given: Words) -> tuple[int, int]:
    """Which page, from 1, and how many jobs are on one."""
    per_page = given.number("per_page", PER_PAGE_DEFAULT, PAGE_LIMIT_MAX)
    return given.number("page", 1, PAGE_MAX), per_page


def show(asked: Asked) -> Named:
    """GET /api/v2/jobs/{id}"""
    number = _number(asked.path_params["id"])
    if number is None:
        raise UnknownJob("There is no such job.")
    return Named(asked.who.project, numbers=(number,), as_of=asked.as_of)


def create(asked: Asked) -> Write:
    """POST /api/v2/jobs"""
    who = asked.who
    try:
        new = NewJobIn.model_validate_json(asked.body).job
        detail: dict[str, Json] = {}
        if new.options is not None:
            detail["options"] = new.options
        detail["data"] = list(new.data)
        created = Created(
            type=new.entity,
            owner=who.name,
            command=new.operation,
            request_id=str(asked.new_id()),
            detail=detail,
        )
    except ValidationError as error:
        raise invalid(error) from error
    envelope = Envelope(who.project, who.name, who.key_id, asked.request_id)
    job_id = asked.new_id()
    commands = tuple(Command(job_id, event, envelope) for event in (created, Queued()))
    return Write(commands, idempotency_key(asked), len(asked.body))


def _conditions(given: Words) -> Iterable[Condition]:
    # An id is a string by the product's word, so one that is no number is no mistake: no job has it, as none has the number 0.
    if (word := given.one("id")) is not None:
        yield Condition(FILTERS["number"], (_number(word) or 0,))
    for name, filter_name in (("request_id", "request_id"), ("created_by", "owner")):
        if word := given.one(name):
            yield words.condition(name, filter_name, word)
    for what in ("created", "updated"):
        if word := given.one(f"{what}_time_from"):
            since = moments.parse(f"{what}_time_from", word)
            yield Condition(FILTERS[f"{what}_from"], (since,))
        if word := given.one(f"{what}_time_to"):
            end = moments.until(moments.parse(f"{what}_time_to", word))
            yield Condition(FILTERS[f"{what}_to"], (end,))
    for name in EXTRAS:
        found = given.many(name) if FILTERS[name].many else (given.one(name),)
        if asked_for := tuple(word for word in found if word is not None):
            yield words.condition(name, name, *asked_for)


def _number(word: str) -> int | None:
    return int(word) if _NUMBER.fullmatch(word) and int(word) <= COUNT_MAX else None
