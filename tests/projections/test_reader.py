"""Questions that walk, asked on wires as a server does: the same answers as on a connection, behind the same wall.

Seen red with a sight that is told to the whole session, and with statements that are asked on wires though somebody else sets their sight."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import psycopg
import pytest

from ledger import settings
from ledger.connection import Role, conninfo
from ledger.errors import Busy
from ledger.past import AsOf
from ledger.wires import Wires
from projections import query, rivals, walk
from projections.filters import FILTERS, Condition, Sort
from projections.lately import Lately
from projections.question import Query, Tally
from projections.reader import read
from tests.fix_jobs import A, B
from tests.fix_listed import EVERY, TELLING
from tests.fix_questions import Asker

COUNT = b"SELECT count(*) FROM projections.jobs"


@pytest.fixture(scope="module")
def wires(asker: Asker, module_database: str) -> Iterator[Wires]:
    made = Wires(walk.conninfo(module_database), settings.WALKS_CONNECTIONS_MAX)
    asker.run(made.__aenter__())
    yield made
    asker.run(made.__aexit__())


WORDS = (
    (),
    (("state", "Succeeded"),),
    (("type", "Add"),),
    (("created_from", "2025-01-01"),),
    (("state", "Succeeded"), ("type", "Add")),
)
SORTS = (("created", True), ("created", False), ("updated", True), ("number", False))


def questions() -> Iterator[Query]:
    """What walks, of now and of then, and what walks the index of the one of its filters that leaves the fewest."""
    for words, (column, descending), total in product(WORDS, SORTS, (False, True)):
        conditions = tuple(
            Condition(FILTERS[name], (FILTERS[name].parse(word),)) for name, word in words
        )
        for then in (None, AsOf(20)):
            asked = Query(
                A, conditions, (Sort(column, descending),), limit=3, total=total, as_of=then
            )
            if walk.walks(asked) or rivals.compete(asked):
                yield asked


@pytest.mark.parametrize("asked", tuple(questions()))
def test_wires_answer_as_connections_do(asker: Asker, wires: Wires, asked: Query) -> None:
    """Page by page, and as it is said, afresh and remembered."""
    while True:
        page = asker.run(query.find(wires, asked))
        assert page == asker.find(asked)
        told, lately = replace(asked, telling=TELLING), Lately(kept_s=3_600)
        said = [asker.run(query.find(wires, told, None, lately)) for _ in range(2)]
        assert said == [asker.find(told)] * 2
        if page.after is None:
            break
        asked = replace(asked, window=page.after)


def test_counts_are_the_same(asker: Asker, wires: Wires) -> None:
    for project in (A, B):
        asked = Tally(project)
        assert asker.run(query.tally(wires, asked)) == asker.run(
            query.tally(asker.connection, asked)
        )


def test_the_wall_holds(asker: Asker, wires: Wires) -> None:
    for asked in (EVERY, Query(A, sort=(Sort("created"),), total=True)):
        assert walk.walks(asked)
        assert asker.run(query.find(wires, asked)).position
        page = asker.run(query.find(wires, asked, (B,)))
        assert [list(page.jobs), page.said or [], page.total or 0] == [[], [], 0]
        # Nothing is remembered of what was seen.
        assert asker.run(wires.rows(COUNT, {})) == [(0,)]


def test_what_does_not_set_its_sight_is_not_asked(asker: Asker, wires: Wires) -> None:
    with pytest.raises(AssertionError):
        asker.run(read(wires, (A,), COUNT, {}))


@pytest.mark.anyio
async def test_a_connection_whose_statements_answer_with_other_types_is_given_up(
    database: str,
) -> None:
    """Seen red where it is told for ever that `cached plan must not change result type`."""
    later = b"SELECT n FROM public.later"
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute("CREATE TABLE public.later AS SELECT 7 AS n")
        owner.execute("GRANT SELECT ON public.later TO PUBLIC")
        words = conninfo(database, Role.READER)
        async with await psycopg.AsyncConnection.connect(words, autocommit=True) as connection:
            assert await read(connection, None, later, {}) == [(7,)]
            owner.execute("ALTER TABLE public.later ALTER n TYPE text")
            with pytest.raises(Busy):
                await read(connection, None, later, {})
            assert connection.closed
