"""Lists of the past as they are said: what is remembered is what a reading afresh says, an erasure is seen at once, and only who may see it is told.

Seen red with words kept by the version of then alone (an erased name came back), with all moments' words in one place by number alone, without the
wall; and with a job that has moved on since said as it is now."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import AsyncConnection

from ledger import store
from ledger.connection import Role, conninfo
from ledger.events import Recorded
from ledger.job import Job, fold
from ledger.past import AsOf, cut
from ledger.store import Connection
from projections import query
from projections.lately import Lately
from projections.question import Named
from tests.fix_erasure import ANN, Scene
from tests.fix_jobs import B
from tests.fix_listed import COLUMNS, EVERY, TELLING, find, say
from tests.fix_questions import FEW, Asker, connected, few, laws, queries


@laws
@given(st.data())
def test_what_is_remembered_is_what_is_read(asker: Asker, data: st.DataObject) -> None:
    lately = Lately(kept_s=3_600)
    drawn = replace(data.draw(queries(asker)), telling=TELLING, limit=data.draw(st.integers(1, 9)))
    # Two moments in turns, so that what is remembered of one is at hand at the other.
    moments = [AsOf(data.draw(st.integers(0, len(asker.ledger.log)))) for _ in range(2)]
    with few(data.draw(st.sampled_from(FEW))):
        for moment in moments * 2:
            asked = replace(drawn, as_of=moment)
            afresh = find(asker, asked, None)
            assert [find(asker, asked, lately) for _ in range(2)] == [afresh, afresh]
            plain = asker.find(replace(asked, telling=None, columns=COLUMNS))
            assert plain.rows is not None
            assert afresh.said == [say(row, "x") for row in plain.rows]
            assert replace(afresh, said=None) == replace(plain, rows=None)


def test_each_moment_is_told_as_it_was(asker: Asker) -> None:
    lately, end = Lately(kept_s=3_600), len(asker.ledger.log)
    told: list[tuple[int, int]] = []
    lately.on_told = lambda remembered, read: told.append((remembered, read))
    for _ in range(2):
        for position in range(0, end, 9):
            asked = replace(EVERY, as_of=AsOf(position))
            assert find(asker, asked, lately) == find(asker, asked, None)
    half = len(told) // 2
    assert all(not remembered for remembered, _ in told[:half])
    assert all(not read for _, read in told[half:])


def test_what_others_were_told_is_not_for_who_may_not_see_it(asker: Asker) -> None:
    lately, asked = Lately(kept_s=3_600), replace(EVERY, as_of=AsOf(len(asker.ledger.log) // 2))
    for _ in range(2):
        assert find(asker, asked, lately).said
    for sight in ((B,), ("nobody's",)):
        page = find(asker, asked, lately, *sight)
        assert (page.said, page.after) == ([], None)
        assert find(asker, replace(asked, telling=None), lately, *sight).jobs == ()
    other = replace(asked, project=B)
    assert find(asker, other, lately) == find(asker, other, None)


def test_a_list_is_one_statement_when_nobody_asked_for_it_and_when_all_did(
    asker: Asker, sent: list[Any]
) -> None:
    lately = Lately(kept_s=3_600)
    for _ in range(3):
        sent.clear()
        find(asker, replace(EVERY, as_of=AsOf(60)), lately)
        assert len(sent) == 1


@contextmanager
def reading(scene: Scene) -> Iterator[tuple[asyncio.Runner, Connection]]:
    with asyncio.Runner() as runner:
        connection = runner.run(connected(scene.dsn))
        yield runner, connection
        runner.run(connection.close())


@pytest.mark.parametrize("everything", [False, True])
def test_an_erasure_shows_in_an_equal_list(erasure: Scene, everything: bool) -> None:
    """Of a job that stands as it stood then, and of one that has moved on since."""
    lately = Lately(kept_s=3_600)
    asked = [replace(EVERY, project="p", as_of=AsOf(position)) for position in range(1, 7)]
    with reading(erasure) as (runner, connection):

        def told() -> list[bytes]:
            pages = [runner.run(query.find(connection, one, None, lately)) for one in asked]
            return [b"".join(page.said or ()) for page in pages]

        erasure.fold()
        whole = told()
        assert told() == whole
        assert all(ANN.encode() in one for one in whole)
        erasure.erase(everything=everything)
        erasure.fold()
        lacking = told()
        assert not [one for one in lacking if ANN.encode() in one]
        assert lacking == [
            b"".join(runner.run(query.find(connection, one)).said or ()) for one in asked
        ]


def test_what_was_erased_is_erased_in_every_fold_of_then(erasure: Scene) -> None:
    """Each job, in lists and by its name, is the fold of what is left of its log, cut there."""
    erasure.erase(everything=True)
    erasure.fold()
    with reading(erasure) as (runner, connection):

        async def log() -> list[Recorded]:
            where = conninfo(erasure.dsn, Role.APP)
            async with await AsyncConnection.connect(where, autocommit=True) as app:
                return await store.read_after(app, 0, 1_000)

        events = runner.run(log())
        for position in range(1, len(events) + 1):
            then, streams = AsOf(position), dict[Any, list[Recorded]]()
            for one in events:
                if one.project == "p":
                    streams.setdefault(one.job_id, []).append(one)
            folded = (fold(cut(stream, then)) for stream in streams.values())
            expected: list[Job] = sorted(
                (job for job in folded if job is not None), key=lambda job: job.number
            )
            plain = replace(EVERY, project="p", as_of=then, telling=None)
            assert list(runner.run(query.find(connection, plain)).jobs) == expected
            named = Named("p", ids=tuple(job.id for job in expected), as_of=then)
            if expected:
                assert list(runner.run(query.named(connection, named))) == expected
