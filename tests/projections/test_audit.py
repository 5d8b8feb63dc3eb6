"""An auditor's questions against the same asked of the log in Python, at the end of the log and as of positions in it.

Seen red: `position < P` for `<=`, in the events and in the stays; a stay taken for ended by what came only after the position asked about."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.job import Job, State
from ledger.past import AsOf
from projections.audit import Findings, Inquiry, inquire
from tests.fix_jobs import A
from tests.fix_questions import Asker, laws


def answer(asker: Asker, asked: Inquiry) -> Findings:
    """The whole answer, page by page."""
    found: list[Findings] = []
    while not found or found[-1].last is not None:
        if found:
            asked = replace(asked, after=found[-1].last or 0)
        found.append(asker.run(inquire(asker.connection, asked, (asked.project,))))
        assert len(found[-1].rows) <= asked.limit
    return Findings(
        tuple(one for page in found for one in page.recorded),
        tuple(one for page in found for one in page.rows),
    )


Span = tuple[datetime | None, datetime | None, AsOf | None]


def spans(asker: Asker) -> st.SearchStrategy[Span]:
    """A begin and an end, at an event's time or just beside it, and a position of which to ask; any of them may be left out."""
    log = asker.ledger.log
    times = st.builds(
        lambda nth, shift: log[nth].recorded_at + timedelta(microseconds=shift),
        st.integers(0, len(log) - 1),
        st.integers(-1, 1),
    )
    positions = st.builds(AsOf, st.integers(0, len(log)))
    return st.tuples(st.none() | times, st.none() | times, st.none() | positions)


@laws
@given(st.data())
def test_actions(asker: Asker, data: st.DataObject) -> None:
    begin, end, as_of = data.draw(spans(asker))
    log = [one for one in asker.ledger.log if one.project == A]
    actor = data.draw(st.sampled_from([None, "worker-1", 'na"me', "nobody"]))
    event = data.draw(st.sampled_from([None, "job.canceled", "job.started"]))
    asked = Inquiry("actions", A, actor=actor, event=event, begin=begin, end=end, as_of=as_of)
    asked = replace(asked, limit=data.draw(st.integers(1, 50)))
    expected = [
        one
        for one in log
        if (actor is None or one.actor == actor)
        and (event is None or one.topic == event)
        and (begin is None or one.recorded_at >= begin)
        and (end is None or one.recorded_at <= end)
        and (as_of is None or one.position <= as_of.position)
    ]
    assert list(answer(asker, asked).recorded) == expected


def stays(asker: Asker, as_of: AsOf | None) -> list[dict[str, Any]]:
    """Every stay of project A, with the event that ended it."""
    jobs: tuple[Job, ...] = asker.jobs if as_of is None else asker.at(as_of)
    found = []
    for job in jobs:
        if job.project == A:
            for stay, later in zip(job.history, (*job.history[1:], None), strict=True):
                found.append({"job": job, "stay": stay, "later": later})
    return sorted(found, key=lambda one: one["stay"].position)


@laws
@given(st.data())
def test_stays(asker: Asker, data: st.DataObject) -> None:
    begin, end, as_of = data.draw(spans(asker))
    state = data.draw(st.sampled_from(State))
    limit = data.draw(st.integers(1, 20))
    asked = Inquiry("stays", A, state=state, begin=begin, end=end, as_of=as_of, limit=limit)
    expected = [
        (one["stay"].position, one["job"].id, one["later"] and one["later"].position)
        for one in stays(asker, as_of)
        if one["stay"].state is state
        and (end is None or one["stay"].recorded_at <= end)
        and (begin is None or one["later"] is None or one["later"].recorded_at >= begin)
    ]
    rows = answer(asker, asked).rows
    assert [(row["position"], row["job"], row["left_position"]) for row in rows] == expected


@laws
@given(st.data())
def test_stuck(asker: Asker, data: st.DataObject) -> None:
    _, since, as_of = data.draw(spans(asker))
    state = data.draw(st.sampled_from(State))
    asked = Inquiry("stuck", A, state=state, since=since, as_of=as_of, limit=7)
    expected = [
        (one["stay"].position, one["job"].id)
        for one in stays(asker, as_of)
        if one["stay"].state is state
        and one["later"] is None
        and (since is None or one["stay"].recorded_at <= since)
    ]
    rows = answer(asker, asked).rows
    assert [(row["position"], row["job"]) for row in rows] == expected
    assert all(row["left_position"] is None for row in rows)


@laws
@given(st.data())
def test_durations(asker: Asker, data: st.DataObject) -> None:
    begin, end, as_of = data.draw(spans(asker))
    expected: dict[tuple[str, str], list[tuple[bool, float | None]]] = {}
    for one in stays(asker, as_of):
        stay, later = one["stay"], one["later"]
        if (begin is None or stay.recorded_at >= begin) and (
            end is None or stay.recorded_at <= end
        ):
            lasted: float | None = None
            if later is not None and stay.at is not None and later.at is not None:
                lasted = max(0.0, (later.at - stay.at).total_seconds())
            key = (one["job"].type, stay.state.value)
            expected.setdefault(key, []).append((later is not None, lasted))
    rows = answer(asker, Inquiry("durations", A, begin=begin, end=end, as_of=as_of)).rows
    assert [(row["type"], row["state"], row["stays"], row["ended"]) for row in rows] == [
        (*key, len(all_of), sum(over for over, _ in all_of))
        for key, all_of in sorted(expected.items())
    ]
    for row in rows:
        of_kind = expected[row["type"], row["state"]]
        known = sorted(lasted for _, lasted in of_kind if lasted is not None)
        for word, share in (("p50_s", 50), ("p90_s", 90), ("p99_s", 99), ("max_s", 100)):
            # Nearest-rank: the least that so many of a hundred did not exceed.
            nth = -(-len(known) * share // 100) - 1
            assert row[word] == (pytest.approx(known[nth]) if known else None)


def test_the_auditor_of_one_project_sees_no_other(asker: Asker) -> None:
    for kind in ("actions", "stays", "stuck", "durations", "refusals"):
        asked = Inquiry(kind, A, state="Created")
        found = asker.run(inquire(asker.connection, asked, ("somebody else's",)))
        assert found == Findings()
