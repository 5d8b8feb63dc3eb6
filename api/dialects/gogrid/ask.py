"""Words to questions: which jobs a GoGrid request is about.

Invariants: pure; `job/list` is ordered newest first and always counts; without a start date it goes back four weeks, and both ends of a range
belong to it. Errors: Invalid, which the fault words as IllegalArgumentException."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

from api.dialects.gogrid import as_json, as_xml, moments, words
from api.dialects.gogrid.options import (
    DATACENTERS,
    JOB_OBJECT_TYPES,
    JOB_STATES,
    LOOKUPS,
    TABLES,
    Option,
    find,
)
from api.dialects.gogrid.shape import Listed
from api.dialects.gogrid.words import Format, Words
from api.operation import Asked, Nothing
from ledger.errors import Invalid
from ledger.job import Outcome, State
from ledger.settings import COUNT_MAX, PAGE_LIMIT_MAX
from projections.filters import FILTERS, Condition, Sort, Value
from projections.question import Named, Offset, Query

NUM_ITEMS_DEFAULT: Final = 100  # jobs on a page of job/list when the caller names no number
LISTED_FOR: Final = timedelta(weeks=4)  # how far back job/list goes when the caller names no date
_WITHIN_A_MILLISECOND: Final = timedelta(microseconds=999)
_LATEST: Final = datetime.max.replace(tzinfo=UTC) - moments.MILLISECOND
# How each job of a list is said; a row of CSV rests on the other rows of its page.
TELLINGS: Final = MappingProxyType({Format.JSON: as_json.TELLING, Format.XML: as_xml.TELLING})
_NEWEST_FIRST: Final = (Sort("created", descending=True),)
_DECIMAL = re.compile(r"[0-9]{1,18}")
_ASCENDING: Final = {
    **dict.fromkeys(("asc", "true", "1"), True),
    **dict.fromkeys(("desc", "false", "0"), False),
}


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page, of how many; `num_items` None means everything at once."""

    num_items: int | None
    page: int = 0

    @property
    def start(self) -> int:
        """How many come before this page."""
        return self.page * (self.num_items or 0)

    def numpages(self, total: int) -> int:
        """How many pages there are; 0 when everything comes at once."""
        return -(-total // self.num_items) if self.num_items else 0


def job_get(asked: Asked) -> Named:
    """`id=` once or more, or `job=` once or more with numbers or with names of objects; never both kinds."""
    given = words.read(asked)
    ids, jobs = given.many("id"), given.many("job")
    if bool(ids) == bool(jobs):
        raise Invalid("Give id or job, once or more, and not both of them.", field="id")
    name, called = ("id", ids) if ids else ("job", jobs)
    if len(called) > PAGE_LIMIT_MAX:
        raise Invalid(f"{name} may be given {PAGE_LIMIT_MAX} times.", field=name)
    project = asked.who.project
    if all(_DECIMAL.fullmatch(word) for word in called):
        # No job has a number beyond COUNT_MAX, so leaving it out finds the same.
        numbers = dict.fromkeys(int(word) for word in called if int(word) <= COUNT_MAX)
        return Named(project, numbers=tuple(numbers) or (0,), as_of=asked.as_of)
    if ids or any(_DECIMAL.fullmatch(word) for word in called):
        raise Invalid(
            "id takes numbers; job takes numbers or names of objects, not both kinds.", field=name
        )
    objects = tuple(_value("object", word) for word in called)
    return Named(project, objects=objects, as_of=asked.as_of)


def job_list(asked: Asked) -> Query:
    """The jobs of a project by date, state, object type, owner and object."""
    given = words.read(asked)
    for word in given.many("datacenter"):
        # The ledger keeps no datacenter of a job, so one that exists narrows nothing; what is none is a mistake.
        _option("datacenter", DATACENTERS, word)
    page = job_paging(given)
    return Query(
        project=asked.who.project,
        conditions=tuple(_conditions(given, asked.now)),
        sort=_NEWEST_FIRST,
        window=Offset(page.start),
        limit=page.num_items or NUM_ITEMS_DEFAULT,
        total=True,
        as_of=asked.as_of,
        columns=Listed._fields,
        telling=TELLINGS.get(given.format),
    )


def lookup_list(asked: Asked) -> Nothing:
    """The lookup tables are constant: there is nothing to ask."""
    options_listed(words.read(asked))
    return Nothing()


def job_paging(given: Words) -> Paging:
    """The page of a list of jobs, which is never whole."""
    num_items = given.whole("num_items", NUM_ITEMS_DEFAULT, 1, PAGE_LIMIT_MAX)
    return Paging(num_items, given.whole("page", 0, 0, COUNT_MAX // PAGE_LIMIT_MAX))


def options_listed(given: Words) -> tuple[tuple[Option, ...], Paging]:
    """The whole table that a lookup names, in order, and which page of it is wanted."""
    name = given.one("lookup")
    if name is None:
        raise Invalid("lookup is required: the name or the id of a table.", field="lookup")
    table = TABLES.get(name)
    if table is None:
        table = TABLES[_option("lookup", LOOKUPS, name).name]
    sort, asc = given.one("sort") or "id", given.one("asc") or "asc"
    if sort not in ("id", "name", "description"):
        raise Invalid("sort is id, name or description.", field="sort")
    if asc not in _ASCENDING:
        raise Invalid("asc is asc, true or 1, or else desc, false or 0.", field="asc")
    keys = {one: one.id if sort == "id" else getattr(one, sort) or "" for one in table}
    ordered = sorted(table, key=keys.__getitem__, reverse=not _ASCENDING[asc])
    if given.one("num_items") is None:
        return tuple(ordered), Paging(None)
    return tuple(ordered), job_paging(given)


def _conditions(given: Words, now: datetime) -> Iterable[Condition]:
    start, end = given.one("startdate"), given.one("enddate")
    since = moments.parse("startdate", start, now) if start else now - LISTED_FOR
    yield Condition(FILTERS["created_from"], (since,))
    # Without an end there is none: "until now" would hide what another clock says was created a moment from now.
    if end:
        # The wire counts milliseconds and rounds down, so all of the last one belongs to the range.
        until = min(moments.parse("enddate", end, now), _LATEST) + _WITHIN_A_MILLISECOND
        yield Condition(FILTERS["created_to"], (until,))
    yield from _in_states(given.many("job.state"))
    types = tuple(_object_type(word) for word in given.many("job.objecttype"))
    if types:
        yield Condition(FILTERS["type"], tuple(dict.fromkeys(types)))
    for name in ("owner", "object"):
        if word := given.one(name):
            yield Condition(FILTERS[name], (_value(name, word),))


def _in_states(asked_for: tuple[str, ...]) -> Iterable[Condition]:
    names = dict.fromkeys(_option("job.state", JOB_STATES, word).name for word in asked_for)
    if ("Failed" in names) != ("Fatal" in names):
        # Failed and Fatal are two parts of the ledger's Failed: only here they have to be told apart.
        outcomes = [one for name in names for one in _OUTCOMES.get(name, (name,))]
        yield Condition(FILTERS["outcome"], tuple(outcomes))
    elif names:
        known = dict.fromkeys(State.FAILED.value if name == "Fatal" else name for name in names)
        yield Condition(FILTERS["state"], tuple(known))


# What GoGrid's two failures are made of.
_OUTCOMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Failed": (Outcome.FAILED.value, Outcome.RETRYING.value, Outcome.INCOMPLETE.value),
        "Fatal": (Outcome.REJECTED.value, Outcome.EXHAUSTED.value),
    }
)


def _object_type(word: str) -> str:
    if option := find(JOB_OBJECT_TYPES, word):
        return option.name
    if _DECIMAL.fullmatch(word):
        # A derived id cannot be turned back into its word, and a list that answers nothing would hide that.
        raise Invalid(
            f"job.objecttype {word} is not in the lookup table; other types are asked for by name.",
            field="job.objecttype",
        )
    return _value("type", word)


def _option(name: str, table: Iterable[Option], word: str) -> Option:
    table = tuple(table)
    option = find(table, word)
    if option is None:
        known = ", ".join(f"{one.id} {one.name}" for one in table)
        raise Invalid(f"{name} is one of {known}.", field=name)
    return option


def _value(name: str, word: str) -> str:
    try:
        value: Value = FILTERS[name].parse(word)
    except ValueError as error:
        raise Invalid(f"{name}: {error}", field=name) from error
    return str(value)
