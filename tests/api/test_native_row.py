"""A row as the native JSON: byte for byte what the view says of the job."""

from __future__ import annotations

import pydantic_core
from hypothesis import given
from hypothesis import strategies as st

from api.dialects.native import row, view
from projections.row import Rows
from tests.fix_questions import Asker, laws, queries


@laws
@given(st.data())
def test_a_row_says_what_its_job_says(asker: Asker, data: st.DataObject) -> None:
    jobs = asker.find(data.draw(queries(asker))).jobs
    assert isinstance(jobs, Rows)
    said = [row.job(one) for one in jobs.raw]
    assert said == [pydantic_core.to_json(view.job(job)).decode() for job in jobs]


WORDS = st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=20))


@given(WORDS, st.floats(0, 1))
def test_any_text_and_any_progress(text: str | None, progress: float) -> None:
    assert row._text(text) == pydantic_core.to_json(text).decode()
    assert (
        row._PROGRESS.get(progress)
        or row._json(progress) == pydantic_core.to_json(progress).decode()
    )
