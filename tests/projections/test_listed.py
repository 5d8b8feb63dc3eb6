"""Lists as they are said: what is remembered is what a reading afresh says, whatever moved on, and only for who may see it.

Seen red with words kept by number alone, with versions not looked at again after a second statement, and without the wall."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections import statement
from projections.lately import Lately
from tests.fix_jobs import B, fold
from tests.fix_listed import EVERY, TELLING, find, say
from tests.fix_questions import Asker, laws, queries


async def known(lately: Lately) -> None:
    lately.asked(EVERY)


@laws
@given(st.data())
def test_what_is_remembered_is_what_is_read(asker: Asker, data: st.DataObject) -> None:
    lately = Lately(kept_s=3_600)
    drawn = replace(data.draw(queries(asker)), telling=TELLING, limit=data.draw(st.integers(1, 9)))
    asked = drawn
    for _ in range(3):
        afresh = find(asker, asked, None)
        # First read, then remembered.
        assert [find(asker, asked, lately) for _ in range(2)] == [afresh, afresh]
        plain = asker.find(replace(asked, telling=None, columns=TELLING.columns))
        assert plain.rows is not None
        assert afresh.said == [say(row, "x") for row in plain.rows]
        assert replace(afresh, said=None) == replace(plain, rows=None)
        if afresh.after is None:
            break
        asked = replace(asked, window=afresh.after)


def test_jobs_that_move_on_are_said_anew(asker: Asker) -> None:
    lately, end = Lately(kept_s=3_600), len(asker.ledger.log)
    told: list[tuple[int, int]] = []
    lately.on_told = lambda remembered, read: told.append((remembered, read))
    try:
        for position in range(end // 2, end, 7):
            fold(asker.ledger, jobs=position, job_counts=position)
            told.clear()
            assert find(asker, EVERY, lately) == find(asker, EVERY, None)
            jobs = len(asker.ledger.jobs(position))
            assert sum(told[0]) <= jobs
            if position > end // 2:
                # Some stood still, and some did not.
                assert 0 < told[0][1] < told[0][0]
    finally:
        fold(asker.ledger)


def test_a_job_that_moves_on_between_two_statements_is_asked_for_again(
    asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    lately, end = Lately(kept_s=3_600), len(asker.ledger.log)
    by_number, moved = statement.by_number, []

    def then(columns: tuple[str, ...]) -> bytes:
        fold(asker.ledger)
        moved.append(1)
        return by_number(columns)

    try:
        fold(asker.ledger, jobs=end // 2, job_counts=end // 2)
        asker.run(known(lately))
        monkeypatch.setattr(statement, "by_number", then)
        page = find(asker, EVERY, lately)
        assert moved
        assert page == find(asker, EVERY, None)
        assert page.position == end
    finally:
        fold(asker.ledger)


def test_what_others_were_told_is_not_for_who_may_not_see_it(asker: Asker) -> None:
    lately = Lately(kept_s=3_600)
    for _ in range(2):
        assert find(asker, EVERY, lately).said
    for sight in ((B,), ("nobody's",)):
        page = find(asker, EVERY, lately, *sight)
        assert (page.said, page.after) == ([], None)


def test_a_list_is_one_statement_when_nobody_asked_for_it_and_when_all_did(
    asker: Asker, sent: list[Any]
) -> None:
    lately = Lately(kept_s=3_600)
    for _ in range(3):
        sent.clear()
        find(asker, EVERY, lately)
        assert len(sent) == 1
