"""What an OpenLineage event makes of its run, and the law that none is ever refused for where its run stands."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from api.dialects.openlineage.models import EventType
from api.dialects.openlineage.runs import happened, parts
from api.operation import Resolve
from ledger import events
from ledger.commands import Write
from ledger.events import (
    Canceled,
    Event,
    Failed,
    FailureKind,
    Queued,
    Recorded,
    Started,
    Succeeded,
)
from ledger.job import Job, evolve
from ledger.names import by_source_id
from ledger.plan import plan
from ledger.settings import LINEAGE_DETAIL_BYTES_MAX, TEXT_LENGTH_MAX
from tests.fix_gogrid import NOW, live
from tests.fix_openlineage import CREATED, RUN, asked, operation, read
from tests.fix_openlineage import said as said_of


def said(kind: str = "START", **fields: Any) -> dict[str, Any]:
    return said_of(kind, RUN, **fields)


STANDS: tuple[tuple[Event, ...], ...] = (
    (CREATED,),
    (CREATED, Queued()),
    (CREATED, Started()),
    (CREATED, Started(), Failed(final=False)),
    (CREATED, Started(), Succeeded()),
    (CREATED, Started(), Failed()),
    (CREATED, Failed(kind=FailureKind.REJECTED)),
    (CREATED, Canceled()),
)
KINDS = st.sampled_from([*EventType])
MORE = st.sampled_from(
    [{}, {"inputs": [{"namespace": "n", "name": "d"}]}, {"x": 1}, {"inputs": []}]
)


@given(
    st.one_of(st.none(), st.sampled_from(STANDS)),
    st.lists(st.tuples(KINDS, MORE), min_size=1, max_size=6),
)
def test_no_event_is_refused_for_where_its_run_stands(
    before: tuple[Event, ...] | None, reports: list[tuple[EventType, dict[str, Any]]]
) -> None:
    job = live(*before) if before else None
    for kind, more in reports:
        request = asked(said(kind.value, **more))
        question = operation().ask(request)
        assert isinstance(question, Resolve)
        write = question.then({by_source_id(RUN): job} if job else {})
        assert isinstance(write, Write)
        assert write.commands[0].if_version == (job.version if job else None)
        known: dict[UUID, Job] = {job.id: job} if job else {}
        unit = plan(write, known, NOW, lambda: UUID(int=9), lambda: 7)
        assert unit.entries, "every event leaves something in the log"
        assert {entry.envelope.occurred_at for entry in unit.entries} == {
            read(said()).event.eventTime
        }
        for entry in unit.entries:
            recorded = Recorded(
                1, entry.event_id, entry.job_id, entry.version, NOW, entry.envelope, entry.event
            )
            job = evolve(job, recorded)
    assert job is not None
    ended = {EventType.COMPLETE, EventType.FAIL, EventType.ABORT} & {kind for kind, _ in reports}
    assert job.absorbed or not ended


def steps(body: Any, job: Job | None) -> list[tuple[str, str | None]]:
    report = read(body)
    found = happened(report.event, report.said, report.text, "writer", job)
    return [(step.event.TOPIC, step.note) for step in found]


def test_what_an_event_said_is_kept_once() -> None:
    running, ended = live(CREATED, Started()), live(CREATED, Started(), Succeeded())
    plain = said("COMPLETE", producer="p", schemaURL="s", inputs=[], outputs=[])
    assert steps(plain, running) == [("job.succeeded", None)]
    more = said("COMPLETE", run={"runId": RUN, "facets": {"a": {"b": 1}}})
    [move, note] = steps(more, running)
    assert move == ("job.succeeded", None)
    assert json.loads(note[1] or "") == more
    assert steps(more, ended) == [note]
    assert [topic for topic, _ in steps(plain, ended)] == ["job.noted"]
    assert [topic for topic, _ in steps(said(), None)] == ["job.created", "job.started"]


def test_a_first_event_is_the_detail_of_its_job_unless_it_is_too_large() -> None:
    for size, kept in ((10, True), (LINEAGE_DETAIL_BYTES_MAX, False)):
        body = said(run={"runId": RUN, "facets": {"a": {"b": "x" * size}}})
        report = read(body)
        created, *others = happened(report.event, report.said, report.text, "writer", None)
        assert isinstance(created.event, events.Created)
        assert (created.event.detail == body) is kept
        notes = [step.note or "" for step in others if isinstance(step.event, events.Noted)]
        assert bool(notes) is not kept


@given(st.text(max_size=50), st.integers(0, 3), st.integers(-2, 2))
def test_parts_are_the_whole(text: str, times: int, more: int) -> None:
    whole = text + "x" * max(0, times * TEXT_LENGTH_MAX + more)
    found = list(parts(whole))
    assert all(len(part) <= TEXT_LENGTH_MAX for part in found)
    assert (
        whole if len(found) == 1 else "".join(part.partition(" ")[2] for part in found)
    ) == whole


def test_the_words_of_a_failure_are_kept_as_its_message() -> None:
    def failed(facet: Any) -> Failed:
        report = read(said("FAIL", run={"runId": RUN, "facets": {"errorMessage": facet}}))
        found = happened(report.event, report.said, report.text, "writer", live(CREATED, Started()))
        assert isinstance(found[0].event, Failed)
        return found[0].event

    [message] = failed({"message": "a\x00" + "b" * 20_000, "stackTrace": "line 7"}).messages
    assert (len(message.message), message.message[:3], message.description) == (
        TEXT_LENGTH_MAX,
        "a\ufffdb",
        "line 7",
    )
    for odd in ({}, {"message": 7}, "x", None, {"message": ""}):
        assert failed(odd).messages == ()
