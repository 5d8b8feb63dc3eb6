"""A list that reads only what it tells says of each job what its dialect says of the whole job, byte for byte.

Seen red with Orange's notes left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pydantic_core
from hypothesis import given
from hypothesis import strategies as st

from api.dialects.comestri import entry as comestri
from api.dialects.comestri.style import Style
from api.dialects.geoop import entry as geoop
from api.dialects.gogrid import shape as gogrid
from api.dialects.orange import item as orange
from tests.fix_questions import Asker, laws, queries

BASE = "http://ledger.example"
TOLD: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (gogrid.Listed, gogrid.shown),
    (comestri.Listed, lambda job: comestri.entry(job, Style())),
    (orange.Listed, lambda job: orange.item(job, BASE)),
    (geoop.Listed, geoop.entry),
)


@laws
@given(st.data())
def test_a_row_is_told_as_its_job_is(asker: Asker, data: st.DataObject) -> None:
    asked = data.draw(queries(asker))
    jobs = asker.find(asked).jobs
    for listed, told in TOLD:
        rows = asker.find(replace(asked, columns=listed._fields)).rows
        assert rows is not None
        # What the server sends: times and words alike become text here.
        assert pydantic_core.to_json([told(listed(*row)) for row in rows]) == (
            pydantic_core.to_json([told(job) for job in jobs])
        )
