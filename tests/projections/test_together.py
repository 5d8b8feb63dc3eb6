"""Gets that are asked together: few questions, each caller's own answer, and a lost connection that nobody notices."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from uuid import UUID

import psycopg
import pytest

from ledger import settings
from ledger.wire import Wire
from projections.together import Together
from tests.fix_jobs import A, B
from tests.fix_questions import Asker


@pytest.fixture
def dsn(asker: Asker, module_database: str) -> str:
    return module_database


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many jobs each question was about."""
    asked: list[int] = []
    really = Together._rows

    async def counted(self: Together, wanted: set[tuple[str, UUID]]) -> object:
        asked.append(len(wanted))
        return await really(self, wanted)

    monkeypatch.setattr(Together, "_rows", counted)
    return asked


async def wire_of(gets: Together) -> Wire:
    """The one that gets are asked on."""
    [end] = gets._wires._ends
    return await end.wire()


def test_those_who_come_together_ask_together(asker: Asker, dsn: str, questions: list[int]) -> None:
    async def ask() -> None:
        async with Together(dsn) as gets:
            found = await asyncio.gather(*(gets.job(job.project, job.id) for job in asker.jobs))
        assert [tuple(one) for one in found] == [(job,) for job in asker.jobs]

    asker.runner.run(ask())
    assert questions == [len(asker.jobs)]
    assert len(Counter(job.project for job in asker.jobs)) == 2


def test_nobody_gets_what_is_not_his(asker: Asker, dsn: str, questions: list[int]) -> None:
    """Seen red when answers were found by the job's id alone: the question that serves both projects finds the job for the other."""
    other = {A: B, B: A}

    async def ask() -> None:
        async with Together(dsn) as gets:
            found = await asyncio.gather(
                *(gets.job(other[job.project], job.id) for job in asker.jobs),
                *(gets.job(job.project, UUID(int=0)) for job in asker.jobs),
            )
            assert not any(len(one) for one in found)
            # The wall holds by itself: a question that sees one project finds nothing of another.
            mine = next(job for job in asker.jobs if job.project == A)
            assert len(await gets.job(B, mine.id)) == 0
            assert len(await gets.job(A, mine.id)) == 1

    asker.runner.run(ask())
    assert len(questions) == 3


def test_the_wall_holds_without_our_own_check(asker: Asker, dsn: str) -> None:
    async def ask() -> None:
        async with Together(dsn) as gets:
            wire = await wire_of(gets)
            mine = next(job for job in asker.jobs if job.project == A)
            assert await gets._rows({(B, mine.id)}) == {}
            assert list(await gets._rows({(A, mine.id)})) == [(A, mine.id)]
            # Nothing is remembered of what was seen.
            wire.connection.pgconn.exit_pipeline_mode()
            rows = await (
                await wire.connection.execute("SELECT count(*) FROM projections.jobs")
            ).fetchone()
            assert rows == (0,)

    asker.runner.run(ask())


def test_a_get_is_planned_once(asker: Asker, dsn: str) -> None:
    """To plan one takes thrice as long as to answer it, and among many jobs PostgreSQL thinks each time that it might pay."""

    async def ask() -> None:
        mine = asker.jobs[0]
        async with Together(dsn) as gets:
            for _ in range(3):
                await gets.job(mine.project, mine.id)
            connection = (await wire_of(gets)).connection
            connection.pgconn.exit_pipeline_mode()
            plans = await connection.execute(
                "SELECT custom_plans, generic_plans FROM pg_prepared_statements WHERE name LIKE 'asked%'"
            )
            assert await plans.fetchone() == (0, 3)

    asker.runner.run(ask())


def test_who_gives_up_takes_nothing_from_the_others(asker: Asker, dsn: str) -> None:
    async def ask() -> None:
        async with Together(dsn) as gets:
            first, *others = [
                asyncio.create_task(gets.job(job.project, job.id)) for job in asker.jobs
            ]
            await asyncio.sleep(0)
            first.cancel()
            assert [len(await one) for one in others] == [1] * len(others)
            with suppress(asyncio.CancelledError):
                await first

    asker.runner.run(ask())


def test_a_lost_connection_is_made_anew(asker: Asker, dsn: str) -> None:
    async def ask() -> None:
        mine = asker.jobs[0]
        async with Together(dsn) as gets:
            await gets.job(mine.project, mine.id)
            before = (await wire_of(gets)).connection
            with psycopg.connect(dsn, autocommit=True) as owner:
                owner.execute("SELECT pg_terminate_backend(%s, 30000)", (before.info.backend_pid,))
            assert len(await gets.job(mine.project, mine.id)) == 1

    asker.runner.run(ask())


def test_a_fault_is_everybodys_and_the_next_question_is_asked(
    asker: Asker, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> object:
        raise psycopg.OperationalError("no room")

    async def ask() -> None:
        monkeypatch.setattr(settings, "GETS_MAX", 2)
        mine = asker.jobs[0]
        async with Together(dsn) as gets:
            with monkeypatch.context() as patched:
                patched.setattr(Together, "_rows", broken)
                told = await asyncio.gather(
                    *(gets.job(mine.project, mine.id) for _ in range(5)), return_exceptions=True
                )
            assert [type(one) for one in told] == [psycopg.OperationalError] * 5
            assert len(await gets.job(mine.project, mine.id)) == 1

    asker.runner.run(ask())
