"""Laws: what our own dialects tell, imported into an empty ledger, is told again with the same bytes; told twice, it adds nothing.

Invariants: histories are hypothesis's own, hostile texts, odd times and retries included; nothing here touches a database. Seen red with an import
that renumbers its entries, and with one that gives an entry without a time the time of the job's last change."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from api.dialects.gogrid import as_xml
from api.dialects.gogrid.moments import milliseconds
from api.dialects.gogrid.shape import Envelope, ShownJob, shown
from api.dialects.gogrid.tell import said as gogrid_said
from api.dialects.gogrid.words import Format
from api.dialects.orange import tell as orange_tell
from api.dialects.orange.item import told as date
from ledger.events import Recorded
from ledger.job import Job, Phase, fold
from projections.question import Page
from tests import fix_comestri, fix_orange
from tests.fix_foreign import again, told
from tests.histories import START
from tests.histories import histories as logs

EXAMPLES = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.filter_too_much]
)


@st.composite
def jobs(draw: st.DrawFn) -> tuple[Job, ...]:
    """A page of jobs, each with a number of its own, as our own log folds to."""
    log = draw(logs())
    ids = dict.fromkeys(one.job_id for one in log)
    found = []
    for job_id in ids:
        job = fold([one for one in log if one.job_id == job_id])
        assert job is not None
        # A creation in the future is refused like any other claim of that kind.
        assume(job.created_at < START + timedelta(days=365))
        found.append(job)
    # The ledger holds a number and a request id to one job.
    assume(len({job.number for job in found}) == len(found))
    named = [job.request_id for job in found if job.request_id is not None]
    assume(len(set(named)) == len(named))
    return tuple(found)


def gogrid(page: tuple[Job, ...], form: Format) -> bytes:
    things = tuple(shown(job) for job in page)
    method = "/grid/job/list"
    return gogrid_said(Envelope(method, ShownJob, things, len(things), 0, 1), form).body


def carries(form: Format, page: tuple[Job, ...]) -> bool:
    """Whether a format can hold what names an option: another word has another id."""
    words = [word for job in page for word in (job.type, job.command or "")]
    return form is not Format.XML or not any(as_xml.ILLEGAL.search(word) for word in words)


@pytest.mark.parametrize("form", Format)
@EXAMPLES
@given(page=jobs())
def test_gogrid_is_told_again(form: Format, page: tuple[Job, ...]) -> None:
    assume(carries(form, page))
    text = gogrid(page, form)
    system = f"gogrid-{form.value}"
    found = told(system, text)
    if form is Format.JSON:
        assert json.loads(gogrid(tuple(found), form)) == json.loads(text)
    assert gogrid(tuple(found), form) == text
    for job in found:
        one = gogrid((job,), form)
        assert again(system, one, job) == job


@EXAMPLES
@given(page=jobs())
def test_comestri_s_index_is_told_again(page: tuple[Job, ...]) -> None:
    text = fix_comestri.indexed(fix_comestri.page(*page)).body
    found = told("comestri", text)
    assert fix_comestri.indexed(fix_comestri.page(*found)).body == text
    for job in found:
        one = fix_comestri.indexed(fix_comestri.page(job)).body
        assert again("comestri", one, job) == job


@EXAMPLES
@given(page=jobs())
def test_comestri_s_show_is_told_again(page: tuple[Job, ...]) -> None:
    show = fix_comestri.operation("showJob").tell
    for job in page:
        text = show(fix_comestri.asked(), (job,)).body
        [found] = told("comestri", text)
        assert show(fix_comestri.asked(), (found,)).body == text
        assert again("comestri", text, found) == found


@EXAMPLES
@given(page=jobs())
def test_orange_is_told_again(page: tuple[Job, ...]) -> None:
    asked = fix_orange.asked()
    for job in page:
        # Waiting again with the start of its creation's millisecond: told like one that only has the date that the document requires.
        assume(job.phase is not Phase.ACKNOWLEDGED or date(job.started_at) != date(job.created_at))
    text = orange_tell.jobs(asked, Page(page, None, len(page), position=9)).body
    found = tuple(told("orange", text, None))
    assert orange_tell.jobs(asked, Page(found, None, len(found), position=9)).body == text
    for job in found:
        one = orange_tell.job(asked, (job,)).body
        assert again("orange", one, job) == job


@EXAMPLES
@given(log=logs(jobs_max=1, events_max=16), cut=st.integers(0, 15))
@pytest.mark.parametrize("form", Format)
def test_a_longer_history_adds_what_is_new(form: Format, log: list[Recorded], cut: int) -> None:
    """A response, then a later one of the same job: the same as the later one alone, and the earlier one then adds nothing."""
    before, after = fold(log[: cut % len(log) + 1]), fold(log)
    assert before is not None
    assert after is not None
    assume(milliseconds(after.updated_at) > milliseconds(before.updated_at))
    assume(carries(form, (after,)))
    system = f"gogrid-{form.value}"
    early, late = gogrid((before,), form), gogrid((after,), form)
    [job] = told(system, early)
    job = again(system, late, job)
    assert gogrid((job,), form) == late
    assert again(system, early, job) == job
