"""What the past costs: how many statements a question sends, how many events it reads, and that its plan is kept.

Invariants: no test looks at a time. Seen red: with the events of each job that has moved on read, as they once were; with a job that has moved on
taken for one that has not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from psycopg import Connection

from ledger.job import State
from ledger.past import AsOf
from ledger.sight import rows
from projections import past, past_statement, query
from projections.filters import FILTERS, Condition, Sort
from projections.lately import Lately
from projections.question import Named, Query, Then
from projections.walk import walks_back
from tests.fix_explain import ANALYZED, looked_at
from tests.fix_jobs import A
from tests.fix_questions import EVERYTHING, Asker
from tests.projections.test_statement import indexes, planner
from tests.projections.test_statement_kept import ONE, PLAIN, behind, kept_of, within

__all__ = ["planner"]

BY_NUMBER = Query(A, sort=(Sort("number"),), limit=EVERYTHING)


def questions(sent: list[Any]) -> list[Any]:
    """What was asked for: a transaction first says what may be seen, without a question."""
    return [text for text in sent if not str(text).startswith("SELECT set_config")]


def test_a_list_is_one_statement_whatever_has_moved_on(asker: Asker, sent: list[Any]) -> None:
    for position in range(0, len(asker.ledger.log) + 1, 9):
        sent.clear()
        assert asker.find(replace(BY_NUMBER, as_of=AsOf(position))).position == position
        assert len(sent) == 1


def test_a_list_reads_the_events_of_those_jobs_alone_whose_history_does_not_tell_all(
    asker: Asker,
) -> None:
    unread, end = 0, len(asker.ledger.log)
    for position in range(0, end, 9):
        then, now = asker.ledger.jobs(position), asker.ledger.jobs()
        moved = [job for job in then.values() if job.project == A and job != now[job.id]]
        telling = [
            job
            for job in moved
            if len(job.history) < job.version
            or any(stay.state is State.FAILED for stay in job.history)
            or now[job.id].messages
        ]
        unread += len(moved) - len(telling)
        asked = replace(BY_NUMBER, as_of=AsOf(position))
        text, values = past_statement.gathered(asked, AsOf(position), ("progress",))
        [(told,)] = asker.run(rows(asker.connection, (A,), ANALYZED + text, values))
        read = looked_at(told, "stored_events")
        assert read.least <= sum(job.version for job in telling) <= read.most
    assert unread > 0, "some histories tell all"


def test_a_list_of_a_state_asks_first_how_many_have_moved_on(asker: Asker, sent: list[Any]) -> None:
    condition = Condition(FILTERS["state"], ("Succeeded",))
    asked = replace(BY_NUMBER, conditions=(condition,), as_of=AsOf(len(asker.ledger.log)))
    assert asker.find(asked).jobs
    # What is planned for its values asks for the columns by themselves, too.
    assert len(questions(sent)) == 3
    lately = Lately(kept_s=3_600)
    for statements in (3, 2, 2):
        sent.clear()
        asker.run(query.find(asker.connection, asked, None, lately))
        assert len(questions(sent)) == statements


def test_a_get_of_a_job_that_stands_as_it_stood_is_one_statement_and_of_another_two(
    asker: Asker, sent: list[Any]
) -> None:
    for job in asker.jobs[:20]:
        for position in {job.position, job.history[0].position}:
            sent.clear()
            asked = Named(job.project, ids=(job.id,), as_of=AsOf(position))
            [found] = asker.run(query.named(asker.connection, asked))
            assert found.position == position
            assert len(questions(sent)) == (1 if position == job.position else 2)


@pytest.mark.parametrize("happened", [None, datetime(2024, 5, 30, tzinfo=UTC)])
def test_a_moment_is_found_by_one_statement(
    asker: Asker, sent: list[Any], happened: datetime | None
) -> None:
    for position in (None, 0, 9):
        sent.clear()
        then = Then(position, happened=happened)
        as_of, moment = asker.run(past.resolve(asker.connection, A, then))
        upto = len(asker.ledger.log) if position is None else position
        mine = [one.recorded_at for one in asker.ledger.log[:upto] if one.project == A]
        assert as_of == AsOf(upto, happened)
        assert moment == (happened or (mine[-1] if mine else datetime(1970, 1, 1, tzinfo=UTC)))
        assert len(questions(sent)) == 1


def test_a_moment_is_found_by_the_index_of_its_project(planner: Connection[Any]) -> None:
    """Seen red with a COALESCE as the bound, which walked the index from the end of the log."""
    text = past_statement.SQLS["head"].encode()
    nodes = kept_of(planner, (text, {"project": A, "position": None}))
    [walk] = [one for one in nodes if one.get("Relation Name") == "stored_events"]
    assert walk["Index Name"] == "stored_events_project_position"
    assert "notification_id <= h.upto" in walk["Index Cond"]


ASKED = [*PLAIN, *ONE, *map(within, [PLAIN[0], *ONE]), *map(behind, [*PLAIN, *ONE])]


@pytest.mark.parametrize("asked", ASKED, ids=range(len(ASKED)))
def test_it_walks_the_index_that_a_list_of_now_walks(
    planner: Connection[Any], asked: Query
) -> None:
    """And finds what has moved on, and the rows of its page, by their keys."""
    asked = replace(asked, as_of=AsOf(30_000))
    assert walks_back(asked)
    assert asked.as_of is not None
    for short in (False, True):
        told = past_statement.gathered(asked, asked.as_of, ("said",), few=short)
        nodes = kept_of(planner, told)
        through = [one["Relation Name"] for one in nodes if one["Node Type"] == "Seq Scan"]
        assert not [name for name in through if "job" in name or "events" in name]
        filters = [one.filter for one in asked.conditions if one.filter.operator == "in"]
        by_change = asked.sort[0].column == "updated"
        plain = (
            "project_number" if asked.sort[0].column == "number" else "project_created_at_number"
        )
        index = (
            filters[0].index if filters and (short or filters[0].column not in STANDING) else plain
        )
        assert indexes(nodes) == ({"pkey"} if by_change else {index, "pkey"})


STANDING = frozenset({"state", "outcome", "phase"})


def test_what_reads_more_than_ranges_is_planned_for_its_values() -> None:
    then = AsOf(30_000)
    owner, type_ = (Condition(FILTERS[name], ("x",)) for name in ("owner", "type"))
    for asked in (
        Query("big", (), (Sort("owner"),), as_of=then),
        replace(ONE[-1], conditions=(owner,), total=True, as_of=then),
        replace(within(PLAIN[0]), total=True, as_of=AsOf(30_000, datetime(2024, 1, 9, tzinfo=UTC))),
        replace(within(replace(ONE[0], conditions=(type_,))), total=True, as_of=then),
        replace(PLAIN[0], as_of=AsOf(30_000, datetime(2024, 1, 9, tzinfo=UTC))),
        PLAIN[0],
    ):
        assert not walks_back(asked)
