"""The law of time travel in every dialect: what a list says as of a position is byte for byte what a ledger says now whose log ends there, whatever
the caller asks in the dialect's own words; and so as of a time of record.

Invariants: the ledger whose log was cut is asked without `as_of` and by today's clock; what words of GoGrid's mean by the clock of then is written
out for it. Only native lists are asked as of its end, since their `next` names the moment. FullStory and OpenLineage list no jobs.
LEDGER_PAST_EXAMPLES asks for more cuts, and for more logs, than the short form. Seen red: a dialect that goes back four weeks from our clock; an
operator's style in answers of the past; `as_of` forgotten by a whole dialect, beside one filter, or in a form; a total of now; a filter by the
phase of now."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlencode

import pytest
from hypothesis import Phase as Trying
from hypothesis import given, note
from hypothesis import settings as effort
from hypothesis import strategies as st

from api.dialects.comestri import comestri
from api.dialects.dialect import Dialect
from api.dialects.gogrid.words import FORM
from api.operation import Asked, Operation, Principal, Said, Scope
from api.operations import OPERATIONS
from api.past import FOR_EVER
from projections.filters import FILTERS
from tests.fix_cuts import Cuts, Told
from tests.fix_jobs import A
from tests.fix_questions import FEW, few, laws
from tests.list_words import (
    Choice,
    Known,
    comestri_words,
    geoop_words,
    gogrid_words,
    iso,
    native_words,
    orange_words,
    spoken_time,
)

EXAMPLES = int(os.environ.get("LEDGER_PAST_EXAMPLES", "20"))
SEEDS = range(11, 12 + EXAMPLES // 200)
# A smaller example is not worth its cuts, of which each is another ledger.
many = effort(laws, max_examples=EXAMPLES, phases=(Trying.explicit, Trying.generate))
READER = Principal("k", "reader", A, frozenset({Scope.JOBS_READ}))
EACH = 4  # requests of each list at a cut
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Seconds: more cuts take longer, on a busy machine too.
pytestmark = pytest.mark.timeout(300 + 10 * EXAMPLES)

Words = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Listing:
    """How one asks for a list: the words there are, those that may be repeated, those that always go along, in which formats, whether in a form.

    `names_moment`: its pages name the moment that they are of, so that it is asked for in the shorter ledger too."""

    words: Callable[[Known], dict[str, Choice]]
    many: frozenset[str] = frozenset()
    always: Words = ()
    formats: tuple[str, ...] = ()
    form: bool = False
    names_moment: bool = False


_MANY = frozenset(name for name, row in FILTERS.items() if row.many)
_GRID = Listing(
    gogrid_words,
    frozenset({"job.state", "job.objecttype"}),
    (("v", "1.8"),),
    ("json", "xml", "csv"),
)
_GRID_GET = Listing(
    lambda known: {"job": known.of("object")},
    frozenset({"job"}),
    (("v", "1.8"),),
    formats=("json", "xml", "csv"),
)
LISTINGS: Final[Mapping[str, Listing]] = {
    "listJobs": Listing(native_words, _MANY, names_moment=True),
    "getJobList": _GRID,
    "postJobList": replace(_GRID, form=True),
    "getJobGet": _GRID_GET,
    "postJobGet": replace(_GRID_GET, form=True),
    "indexJobs": Listing(comestri_words, _MANY),
    "findJobs": Listing(orange_words, _MANY),
    "getJobs": Listing(geoop_words, _MANY),
}
# What is about one job or batch, counts or measures; tests/laws/test_past.py, tests/projections/test_audit.py and
# tests/acceptance/test_fullstory_past.py hold those.
NO_LISTS: Final = frozenset(
    {"getJob", "getHistory", "getJobEvents", "getEvents", "getCounts", "showJob"}
    | {"getBatchEventsImportStatus", "getBatchEventsImports", "getBatchEventsImportErrors"}
    | {"auditActions", "auditStays", "auditStuck", "auditDurations"}
)
LISTS = [one for one in OPERATIONS if one[1].id in LISTINGS]
# Whatever an operator chooses of Comestri's wording today, the past is told in the document's.
CHOSEN, DOCUMENTED = comestri("+10:00", "Failure"), comestri("+00:00", "Pending")
STAMPS = frozenset({"Ledger-As-Of", "Cache-Control"})
EMPTY = re.compile(rb'"(?:jobs|list|entries)":\[\]|^\[\]$|returned="0"|RETURNED, 0\b')


@dataclass(frozen=True)
class Moment:
    """A position, how one asks for it, and the time that it was."""

    position: int
    word: str
    now: datetime


@st.composite
def moments(draw: st.DrawFn, cuts: Cuts) -> Moment:
    log = cuts.ledger.log
    if draw(st.booleans()):
        position = draw(st.integers(0, len(log)))
        own = [one.recorded_at for one in log[:position] if one.envelope.project == A]
        return Moment(position, str(position), max(own, default=EPOCH))
    shift = timedelta(microseconds=draw(st.sampled_from([-1, 0, 1, 3_600_000_000])))
    at = draw(st.sampled_from(log)).recorded_at + shift
    known = [one.position for one in log if one.envelope.project == A and one.recorded_at <= at]
    return Moment(max(known, default=0), iso(at), at)


@st.composite
def requests(draw: st.DrawFn, listing: Listing, known: Known, nth: int) -> Words:
    """A word of the list's in turn, and others by chance."""
    choices = listing.words(known)
    others = draw(st.lists(st.sampled_from([*choices]), max_size=2, unique=True))
    names = dict.fromkeys(([*choices][nth % len(choices)], *others))
    given = [*listing.always]
    if listing.formats:
        given.append(("format", draw(st.sampled_from(listing.formats))))
    for name in names:
        most = 3 if name in listing.many else 1
        words = draw(st.lists(choices[name], min_size=1, max_size=most))
        given += ((name, word) for word in words)
    return tuple(given)


def asked(operation: Operation, listing: Listing, words: Words, now: datetime) -> Asked:
    request = Asked(
        operation.method,
        operation.path.format(project=A, projectId=A),
        path_params={"project": A, "projectId": A},
        now=now,
        base_url="http://ledger.example",
        principal=READER,
    )
    if listing.form:
        return replace(request, headers={"content-type": FORM}, body=urlencode(words).encode())
    return replace(request, query=words)


def spoken(dialect: Dialect, operation: Operation, style: Dialect) -> tuple[Dialect, Operation]:
    """A dialect and its operation, Comestri's in this style."""
    if dialect.name != style.name:
        return dialect, operation
    return style, next(one for one in style.operations if one.id == operation.id)


def written_out(then: Moment, words: Words) -> Words:
    """Words of GoGrid's without the clock in them: `now` and the four weeks that a list goes back, as the times that they stood for."""
    written = tuple(
        (name, spoken_time(then.now) if word == "now" else word) for name, word in words
    )
    if "startdate" in dict(words):
        return written
    return (*written, ("startdate", spoken_time(then.now - timedelta(weeks=4))))


def plain(told: Told) -> object:
    """What is told, but for what says that it is of the past."""
    if isinstance(told, str):
        return told
    headers = [pair for pair in told.headers if pair[0] not in STAMPS]
    return told.status, told.media_type, headers, told.body


@pytest.mark.parametrize("cuts", SEEDS, indirect=True)
def test_a_list_of_then_is_the_list_of_a_log_that_ends_there(cuts: Cuts) -> None:
    known, some = Known(cuts), Counter[tuple[str, str]]()

    def holds(then: Moment, dialect: Dialect, operation: Operation, words: Words) -> None:
        listing = LISTINGS[operation.id]
        named = (*words, ("as_of", then.word))
        meant = written_out(then, words) if dialect.name == "gogrid" else words
        note(f"{operation.id} {named}")
        past = cuts.ask(
            cuts.whole,
            *spoken(dialect, operation, CHOSEN),
            asked(operation, listing, named, datetime.now(UTC)),
        )
        now = cuts.ask(
            cuts.cut,
            *spoken(dialect, operation, DOCUMENTED),
            asked(operation, listing, named if listing.names_moment else meant, datetime.now(UTC)),
        )
        assert plain(past) == plain(now)
        if isinstance(past, Said):
            assert {("Ledger-As-Of", str(then.position)), FOR_EVER} <= set(past.headers)
            some[operation.id, past.media_type] += not EMPTY.search(past.body)

    @many
    @given(st.data())
    def law(data: st.DataObject) -> None:
        then = data.draw(moments(cuts))
        cuts.to(then.position)
        for dialect, operation in LISTS:
            for nth in range(EACH):
                words = data.draw(requests(LISTINGS[operation.id], known, then.position + nth))
                with few(data.draw(st.sampled_from(FEW))):
                    holds(then, dialect, operation, words)

    law()
    assert len(some) == len(LISTS) + 8, "GoGrid's four in three formats, and the others"
    assert all(some.values()), f"nothing was ever listed: {some}"


def test_every_list_that_can_be_asked_about_then_is_asked() -> None:
    """FullStory's lists are of what became of one batch; OpenLineage lists nothing."""
    travelling = {operation.id for _, operation in OPERATIONS if operation.past is not None}
    assert travelling == set(LISTINGS) | NO_LISTS
