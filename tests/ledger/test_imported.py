"""Imported histories: judged as everybody's, recognised when they come again, and sent in bulk as any unit is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pydantic_core
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import bulk, imported, store
from ledger.bulk import Addition
from ledger.codec import Row, encode
from ledger.events import (
    Canceled,
    Created,
    Event,
    Failed,
    FailureKind,
    Noted,
    Queued,
    Recorded,
    Started,
    Succeeded,
)
from ledger.imported import Claim, History, Legality
from ledger.job import evolve
from ledger.store import Entry, Unit
from tests.histories import ANN, CREATED, EVENTS_BY_TOPIC, JOB, START, histories

IMPORTED = ANN._replace(imported=True)


def claims(events: list[Event], *, days_apart: int = 0) -> list[Claim]:
    return [
        Claim.of(
            event, IMPORTED, START + timedelta(days=days_apart * nth), UUID(int=100 + nth), nth + 1
        )
        for nth, event in enumerate(events)
    ]


def history(told: list[Claim]) -> History:
    return History("demo", JOB, (), told, {claim.line: "" for claim in told})


def row(claim: Claim, version: int, event_id: UUID | None = None) -> Row:
    return Row(
        *(version, JOB, version, claim.event.TOPIC, claim.state, event_id or UUID(int=version)),
        *("demo", claim.at, START, "import"),
    )


events_of_one = st.lists(st.one_of(*EVENTS_BY_TOPIC.values()), max_size=6).map(
    lambda rest: [CREATED, *rest]
)


@given(st.lists(events_of_one, min_size=1, max_size=5))
def test_a_shape_is_judged_as_each_of_its_events_would_be(several: list[list[Event]]) -> None:
    legality = Legality()
    for events in several:
        told = history(claims(events))
        ours, theirs = (
            legality.refusal(told, START),
            imported.decided(None, told, told.claims, START).refused,
        )
        assert (ours is None) == (theirs is None)
        if ours is not None and theirs is not None:
            assert (ours[0], str(ours[1])) == (theirs[0], str(theirs[1]))


def test_a_legal_shape_far_ahead_of_now_is_refused() -> None:
    legality = Legality()
    assert legality.refusal(history(claims([CREATED, Queued()])), START) is None
    refused = legality.refusal(history(claims([CREATED, Queued()], days_apart=2)), START)
    assert refused is not None
    assert refused[0] == 1
    assert "lies more than a day ahead" in str(refused[1])
    assert legality.refusal(history(claims([CREATED, Queued()])), START) is None


def test_how_a_job_failed_is_part_of_its_shape() -> None:
    legality = Legality()
    for final, kind in (
        (False, "exception"),
        (True, "exception"),
        (True, "item_errors"),
        (False, "item_errors"),
    ):
        told = history(
            claims([CREATED, Started(), Failed(final=final, kind=FailureKind(kind)), Started()])
        )
        refused = legality.refusal(told, START)
        assert (refused and refused[0]) == {
            (False, "exception"): None,
            (False, "item_errors"): 2,
        }.get((final, kind), 3)


def test_forgetting_shapes_changes_no_verdict() -> None:
    legality = Legality(shapes_max=1)
    for _ in range(2):
        assert legality.refusal(history(claims([CREATED, Queued()])), START) is None
        assert legality.refusal(history(claims([CREATED, Succeeded()])), START) is not None


def test_what_repeats_the_end_adds_nothing() -> None:
    told = history(claims([CREATED, Started(), Succeeded(), Succeeded()]))
    decided = imported.decided(None, told, told.claims, START)
    assert [claim.event.TOPIC for claim in decided.claims] == [
        "job.created",
        "job.started",
        "job.succeeded",
    ]
    assert decided.refused is None


def test_what_is_there_is_recognised_and_the_rest_is_told() -> None:
    told = claims([CREATED, Queued(), Started(), Succeeded()])
    there = [row(claim, nth) for nth, claim in enumerate(told[:2], 1)]
    rest, error = imported.untold(history(told), there)
    assert (rest, error, there) == (told[2:], None, [])


@pytest.mark.parametrize("change", ["time", "note", "event", "id", "actor"])
def test_what_makes_an_event_another(change: str) -> None:
    claim = claims([Queued(), Started()])[1]
    stored = row(claim, 1)
    match change:
        case "time":
            stored = replace(stored, occurred_at=None)
        case "note":
            stored = replace(stored, state=encode(claim.event, IMPORTED._replace(note="x")))
        case "event":
            stored = replace(stored, topic="job.queued")
        case "id":
            assert claim.event_id is not None
            stored = replace(stored, occurred_at=None, event_id=claim.event_id)
        case "actor":
            stored = replace(stored, state=encode(claim.event, IMPORTED._replace(actor="bob")))
    # Whoever ran the import, and by whatever time the ledger knows an event of this id: it is the same.
    assert imported.same(claim, stored, drawn=False) == (change in ("actor", "id"))


def test_a_number_of_ours_makes_no_other_job() -> None:
    (claim,) = claims([CREATED])
    (other,) = claims([CREATED.model_copy(update={"number": 7})])
    assert not imported.same(claim, row(other, 1), drawn=False)
    assert imported.same(claim, row(other, 1), drawn=True)


def test_events_that_are_alike_are_recognised_one_by_one() -> None:
    bare = [Claim.of(event, IMPORTED, None, UUID(int=100 + nth), nth) for nth, event in
            enumerate([CREATED, Started(), Failed(final=False), Started(), Failed(final=False), Started()])]  # fmt: skip
    there = [row(claim, nth) for nth, claim in enumerate(bare[:3], 1)]
    rest, error = imported.untold(history(bare), there)
    assert (rest, error) == (bare[3:], None)


def test_nothing_is_put_before_what_is_there() -> None:
    told = claims([CREATED, Queued(), Started()])
    rest, error = imported.untold(history(told), [row(told[0], 1), row(told[2], 2)])
    assert [claim.event.TOPIC for claim in rest] == ["job.queued"]
    assert "lacks its 'job.queued' but has the 'job.started' that comes after" in str(error)


def test_another_creation_is_told_by_its_differences() -> None:
    told = claims([CREATED.model_copy(update={"type": "Other", "object": "x"}), Queued()])
    stored = replace(row(claims([CREATED])[0], 1), occurred_at=None)
    _, error = imported.untold(history(told), [stored])
    assert str(error) == "it was created otherwise (occurred_at, type, object)"


@given(histories())
def test_bulk_sends_what_the_committer_would(log: list[Recorded]) -> None:
    units: list[Unit] = []
    additions: list[Addition] = []
    for nth, job_id in enumerate(dict.fromkeys(one.job_id for one in log)):
        own = [one for one in log if one.job_id == job_id]
        entries = tuple(
            Entry.of(job_id, one.version, one.event_id, one.event, one.envelope) for one in own
        )
        units.append(Unit(entries))
        told = [
            Claim.of(
                one.event,
                one.envelope._replace(occurred_at=None),
                one.envelope.occurred_at,
                one.event_id,
                nth,
            )
            for one in own
        ]
        additions.append(Addition(History(own[0].project, job_id, (), told), told))
    ours = pydantic_core.from_json(bulk.encode(additions))
    theirs = pydantic_core.from_json(store.encode_batch(units))
    # Where each job must stand, a batch that is known to clash says by itself; salts nobody has twice.
    begun = [event for event in theirs["events"] if len(event) == 10]
    theirs["streams"] = [
        [unit, job_id, version - 1, project] for unit, job_id, version, *_, project, _, _ in begun
    ]
    for batch in (ours, theirs):
        for event in batch["events"]:
            del event[9:]
            event[5] = event[5] and event[5].replace("+00:00", "Z")  # one time, written in two ways
    assert ours == {"identities": [], "keys": [], **theirs}


def test_bulk_keeps_the_order_of_the_lines() -> None:
    first = [
        Claim.of(event, IMPORTED, None, UUID(int=nth), 2 * nth)
        for nth, event in enumerate([CREATED, Canceled()])
    ]
    second = [
        Claim.of(event, IMPORTED, None, UUID(int=8 + nth), 2 * nth + 1)
        for nth, event in enumerate([CREATED, Noted()])
    ]
    additions = [
        Addition(History("demo", UUID(int=nth), (), told), told)
        for nth, told in enumerate((first, second), 1)
    ]
    batch = pydantic_core.from_json(bulk.encode(additions))
    assert [(unit, version) for unit, _, version, *_ in batch["events"]] == [
        (0, 1),
        (1, 1),
        (0, 2),
        (1, 2),
    ]


def test_a_history_knows_whether_it_begins() -> None:
    assert history(claims([CREATED])).creation == CREATED
    assert history(claims([Queued()])).creation is None
    told = history(claims([CREATED]))
    imported.renumber(told, 9)
    assert isinstance(told.claims[0].event, Created)
    assert (told.claims[0].event.number, told.drawn) == (9, True)
    assert b'"number":9' in told.claims[0].state


def test_decided_folds_what_it_keeps() -> None:
    told = history(claims([CREATED, Started(), Succeeded(), Queued()]))
    decided = imported.decided(None, told, told.claims, START)
    job = None
    for version, claim in enumerate(decided.claims, 1):
        envelope = claim.envelope._replace(occurred_at=claim.at)
        job = evolve(job, Recorded(0, JOB, JOB, version, START, envelope, claim.event))
    assert decided.job == job
    assert decided.refused is not None
    assert decided.refused[0] == 3
