"""Histories of jobs: made by hand for examples, made by hypothesis for laws.

Invariants: what `histories` makes is legal, since every event went through `decide`; versions are dense within a job, positions across the
history, and recorded_at never runs backwards. Texts are as hostile as the edge lets through."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from uuid import UUID

from hypothesis import strategies as st

from ledger import events, settings
from ledger.commands import Command
from ledger.decide import decide
from ledger.errors import LedgerError
from ledger.events import Envelope, Event, FailureKind, Recorded
from ledger.job import REMARKS, TRANSITIONS, Job, evolve, fold

JOB = UUID(int=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
ANN = Envelope(project="demo", actor="ann", credential_id="k1", request_id="r1")
CREATED = events.Created(type="VirtualServer", owner="ann", number=60531)


def past(
    *said: Event | tuple[Event, Envelope], job_id: UUID = JOB, first_position: int = 1
) -> list[Recorded]:
    """A job's events as recorded, a second apart, each with the envelope given or ann's."""
    history = []
    for nth, one in enumerate(said):
        event, envelope = one if isinstance(one, tuple) else (one, ANN)
        moment = START + timedelta(seconds=nth)
        event_id = UUID(int=first_position + nth)
        history.append(
            Recorded(first_position + nth, event_id, job_id, nth + 1, moment, envelope, event)
        )
    return history


def job_after(*said: Event | tuple[Event, Envelope]) -> Job:
    """The job that was created and then saw these events."""
    job = fold(past(CREATED, *said))
    assert job is not None
    return job


HOSTILE = (
    *("'; DROP TABLE ledger.stored_events; --", '"', "\\", "\\u0000", "\\x00", "%s", "{}", "$1"),
    *("=cmd|' /C calc'!A0", "</script>", "<![CDATA[", "]]>", "&amp;", "\r\n\t", "\x01\x1f\x7f\x85"),
    *(
        "\u2028\u2029",
        "\u202e\u2066",
        "\ufeff",
        "\ufffe\uffff",
        "\U0001f468\u200d\U0001f469",
        "e\u0301",
        "\U0010ffff",
    ),
)
_characters = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")


def texts(min_size: int = 0, max_size: int = 40) -> st.SearchStrategy[str]:
    """Any text that PostgreSQL can hold."""
    return st.sampled_from(HOSTILE) | st.text(_characters, min_size=min_size, max_size=max_size)


words = texts(min_size=1)
# In UTC no time comes twice, so `fold` means nothing.
moments = st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.replace(fold=0))
counts = st.integers(0, settings.COUNT_MAX)
numbers = st.integers(-(10**60), 10**60) | st.floats(allow_nan=False, allow_infinity=False)
details = st.dictionaries(
    texts(),
    st.recursive(
        st.none() | st.booleans() | numbers | texts(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts(), inner, max_size=4),
        max_leaves=12,
    ),
    max_size=4,
)
messages = st.lists(
    st.builds(
        events.Message,
        code=st.integers(-(2**31), 2**31 - 1),
        message=texts(),
        description=st.none() | texts(),
    ),
    max_size=3,
).map(tuple)

# One strategy for each topic; a law holds the keys against EVENTS.
EVENTS_BY_TOPIC: Mapping[str, st.SearchStrategy[Event]] = MappingProxyType(
    {
        "job.created": st.builds(
            events.Created,
            type=words,
            owner=words,
            number=st.integers(1, settings.COUNT_MAX),
            command=st.none() | words,
            object=st.none() | words,
            request_id=st.none() | words,
            source_id=st.none() | words,
            description=st.none() | texts(),
            detail=st.none() | details,
            created_at=st.none() | moments,
            messages=messages,
        ),
        "job.queued": st.builds(events.Queued, messages=messages),
        "job.started": st.builds(events.Started, messages=messages),
        "job.progressed": st.builds(events.Progressed, progress=st.floats(0, 1), messages=messages),
        "job.noted": st.builds(events.Noted, messages=messages),
        "job.items_reported": st.builds(
            events.ItemsReported,
            succeeded=counts,
            failed=counts,
            total=st.none() | counts,
            error_count=st.none() | counts,
            messages=messages,
        ),
        "job.succeeded": st.builds(events.Succeeded, messages=messages),
        "job.failed": st.builds(
            events.Failed,
            kind=st.sampled_from(FailureKind),
            final=st.booleans(),
            error_count=st.none() | counts,
            messages=messages,
        ),
        "job.canceled": st.builds(events.Canceled, messages=messages),
        "job.erased": st.builds(
            events.Erased,
            messages=messages,
            reason=texts(),
            fields=st.lists(words, max_size=3).map(tuple),
            everything=st.booleans(),
        ),
    }
)
any_event = st.one_of(*EVENTS_BY_TOPIC.values())
envelopes = st.builds(
    Envelope,
    project=words,
    actor=words,
    credential_id=st.none() | words,
    request_id=st.none() | words,
    note=st.none() | texts(),
    occurred_at=st.none() | moments,
    source_id=st.none() | words,
    imported=st.booleans(),
)
# Claims around the time of record, so that `decide` lets them pass.
_claims = st.none() | st.timedeltas(timedelta(days=-400), timedelta(hours=20)).map(START.__add__)
_legal_envelopes = st.builds(
    Envelope,
    project=st.just("demo"),
    actor=words,
    credential_id=st.none() | words,
    request_id=st.none() | words,
    note=st.none() | texts(),
    occurred_at=_claims,
    source_id=st.none() | words,
    imported=st.booleans(),
)


@st.composite
def histories(
    draw: st.DrawFn, jobs_max: int = 4, events_max: int = 24, project: str = "demo"
) -> list[Recorded]:
    """A legal log of a few jobs of one project, in position order from 1: whatever `decide` refuses is left out."""
    ids = [UUID(int=nth + 1) for nth in range(draw(st.integers(1, jobs_max)))]
    known: dict[UUID, Job] = {}
    log: list[Recorded] = []
    moment = START
    for _ in range(draw(st.integers(1, events_max))):
        job_id = draw(st.sampled_from(ids))
        job = known.get(job_id)
        event = draw(EVENTS_BY_TOPIC[draw(st.sampled_from(_topics(job)))])
        envelope = draw(_legal_envelopes)._replace(project=project)
        try:
            decided = decide(job, Command(job_id, event, envelope), moment)
        except LedgerError:
            continue
        moment += draw(st.timedeltas(timedelta(0), timedelta(hours=2)))
        for one in decided:
            position = len(log) + 1
            version = job.version + 1 if job else 1
            recorded = Recorded(
                position, UUID(int=position), job_id, version, moment, envelope, one
            )
            job = known[job_id] = evolve(job, recorded)
            log.append(recorded)
    return log


def _topics(job: Job | None) -> list[str]:
    """The topics that may be next: most of them pass, so that histories go deep."""
    moves = TRANSITIONS[job.state if job else None]
    return [
        topic
        for topic in EVENTS_BY_TOPIC
        if topic in moves or (job is not None and job.state in REMARKS.get(topic, ()))
    ]
