"""A row as the native JSON, made in Python for a get and in SQL for a list: byte for byte what the view says of the job."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import psycopg
import pydantic_core
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.dialects.native import row, view
from ledger import embedded
from projections.columns import selected
from projections.row import Rows
from tests.fix_questions import Asker, laws, queries


@laws
@given(st.data())
def test_a_row_says_what_its_job_says(asker: Asker, data: st.DataObject) -> None:
    asked = data.draw(queries(asker))
    jobs = asker.find(asked).jobs
    assert isinstance(jobs, Rows)
    expected = [pydantic_core.to_json(view.job(job)).decode() for job in jobs]
    assert [row.job(one) for one in jobs.raw] == expected
    assert [row.folded(job) for job in jobs] == expected
    page = asker.find(replace(asked, columns=("said", "number")))
    assert page.rows is not None
    assert not page.jobs
    assert [one[0] for one in page.rows] == expected
    assert [one[1] for one in page.rows] == [job.number for job in jobs]


@laws
@given(st.data())
def test_a_page_as_it_is_said_is_its_jobs(asker: Asker, data: st.DataObject) -> None:
    asked = replace(data.draw(queries(asker)), limit=data.draw(st.integers(1, 7)))
    while True:
        page, said = asker.find(asked), asker.find(replace(asked, telling=row.TELLING))
        assert said.said == [pydantic_core.to_json(view.job(job)) for job in page.jobs]
        assert (said.after, said.total, said.position) == (page.after, page.total, page.position)
        if page.after is None:
            break
        asked = replace(asked, window=page.after)


WORDS = st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=20))


@given(WORDS, st.floats(0, 1))
def test_any_text_and_any_progress(text: str | None, progress: float) -> None:
    assert row._text(text) == pydantic_core.to_json(text).decode()
    assert (
        row._PROGRESS.get(progress)
        or row._json(progress) == pydantic_core.to_json(progress).decode()
    )


@pytest.fixture(scope="module")
def anywhere(postgres: embedded.Server) -> Iterator[psycopg.Connection[tuple[str]]]:
    with psycopg.connect(postgres.dsn("postgres"), autocommit=True) as connection:
        connection.execute("SET timezone = 'Australia/Lord_Howe'; SET datestyle = 'German'")
        yield connection


# A row with everything odd: the statement says it as it is given, in any session.
ODD = (
    b"SELECT "
    + selected(("said",)).as_bytes()
    + b""" FROM (SELECT %(id)s::uuid AS id, 7 AS number, 'p' AS project, 't' AS type, %(text)s::text AS command, NULL::text AS object,
    'o' AS owner, NULL::text AS request_id, %(text)s::text AS source_id, NULL::text AS description, NULL::json AS detail, 'Failed' AS state,
    'exception' AS kind, false AS final, 2 AS attempts, %(progress)s::float8 AS progress, 3 AS error_count, %(messages)s::jsonb AS messages,
    NULL::bigint AS items_total, 1 AS items_succeeded, 2 AS items_failed, %(at)s::timestamptz AS created_at, %(at)s::timestamptz AS updated_at,
    NULL::timestamptz AS started_at, %(at)s::timestamptz AS ended_at, %(text)s::text AS ended_by, 5 AS version, 9 AS position, '' AS history) j"""
)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"code": st.integers(-(2**31), 2**31 - 1), "message": st.text(max_size=5)},
        optional={"description": st.one_of(st.none(), st.text(max_size=5))},
    ),
    max_size=3,
)
STORABLE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@laws
@given(
    text=st.one_of(st.none(), STORABLE),
    progress=st.one_of(st.floats(0, 1), st.floats(0, 1e-4)),
    messages=MESSAGES.filter(lambda many: "\\u0000" not in pydantic_core.to_json(many).decode()),
    at=st.datetimes(timezones=st.just(UTC)),
)
def test_the_statement_says_anything_as_the_view_does(
    anywhere: psycopg.Connection[tuple[str]],
    text: str | None,
    progress: float,
    messages: list[dict[str, object]],
    at: datetime,
) -> None:
    known = [{"code": 0, "description": None} | one for one in messages]
    given = {
        "id": UUID(int=1),
        "text": text,
        "progress": progress,
        "messages": pydantic_core.to_json(messages).decode(),
        "at": at,
    }
    found = anywhere.execute(ODD, given).fetchone()
    assert found is not None
    said = pydantic_core.from_json(found[0])
    assert (said["command"], said["source_id"], said["ended_by"]) == (text, text, text)
    assert found[0].count(pydantic_core.to_json(text).decode()) >= 3
    assert f'"progress":{pydantic_core.to_json(progress).decode()},' in found[0]
    shown = [{key: one[key] for key in ("code", "message", "description")} for one in known]
    assert f'"messages":{pydantic_core.to_json(shown).decode()},' in found[0]
    moment = pydantic_core.to_json(at).decode()
    assert (
        f'"created_at":{moment},"updated_at":{moment},"started_at":null,"ended_at":{moment},'
        in found[0]
    )
