"""The eraser on a real log: nothing of the person is left anywhere in the database, the read models follow, and the log says so."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from ledger import settings, store
from ledger.commands import Command
from ledger.erasure import FIELDS, MARK, Person
from ledger.errors import UnknownJob
from ledger.events import Envelope, Message, Noted
from projections import PROJECTIONS
from projections.rebuild import compare
from tests.fix_erasure import ANN, FOREIGN, OTHER, OWNED, Scene, bodies
from tests.fix_transfer import write


def test_nothing_of_the_person_is_left(erasure: Scene) -> None:
    before = erasure.places(ANN)
    assert {
        "ledger.stored_events",
        "ledger.identities",
        "projections.jobs",
        "projections.job_states",
    } <= before
    done = erasure.erase()
    assert (done.jobs, done.bodies, done.held) == (2, 5, [])
    assert done.fields == {
        "owner",
        "actor",
        "note",
        "source_id",
        "messages",
        "description",
        "detail",
    }
    erasure.fold()
    assert erasure.places(ANN) == set()
    # Another project's rows are another controller's.
    assert erasure.places(ANN, "q") >= {"ledger.stored_events", "projections.jobs"}
    for projection in PROJECTIONS:
        assert compare(erasure.dsn, projection.name).different == 0
    owner, detail, messages = erasure.projecting.execute(
        "SELECT owner, detail, messages FROM projections.jobs WHERE number = 1"
    ).fetchall()[0]
    assert (owner, detail) == (MARK, {"a": [MARK], "b": "told"})
    assert [one["message"] for one in messages] == [MARK, "plain"]
    assert erasure.erase().bodies == 0


def test_the_log_says_what_was_erased_and_of_what_is_left_nothing_can_be_altered_unseen(
    erasure: Scene,
) -> None:
    untouched = bodies(erasure)
    erasure.erase()
    found = bodies(erasure)
    said = {position: body for position, (body, _, topic) in found.items() if topic == "job.erased"}
    assert [body["actor"] for body in said.values()] == ["dpo", "dpo"]
    named = {}
    for position in said:
        job_id = erasure.reading.execute(
            "SELECT originator_id FROM ledger.stored_events WHERE notification_id = %s", (position,)
        ).fetchone()
        for one in said[position]["event"]["bodies"]:
            named[job_id, one["version"]] = one["sha256"]
    rows = erasure.reading.execute(
        "SELECT originator_id, originator_version, state, salt FROM ledger.stored_events WHERE project = 'p'"
    )
    for job_id, version, state, salt in rows.fetchall():
        hashed = named.pop(((job_id,), version), None)
        assert (salt is None) == (hashed is not None)
        assert hashed in (None, sha256(state).hexdigest())
    assert named == {}
    assert found[6] == untouched[6]


def test_fields_go_whole_in_the_persons_own_jobs(erasure: Scene) -> None:
    erasure.erase(person=Person(ANN, frozenset({"note", "messages", "detail.b"})))
    erasure.fold()
    assert erasure.places("plain") == erasure.places("told") == erasure.places("a note") == set()


def test_a_job_named_is_erased_whole(erasure: Scene) -> None:
    done = erasure.erase(
        person=Person(fields=frozenset(FIELDS)), jobs=frozenset({OTHER}), everything=True
    )
    assert (done.jobs, done.bodies) == (1, 2)
    erasure.fold()
    assert erasure.places("bob") == set()
    with pytest.raises(UnknownJob):
        erasure.erase(person=Person(fields=frozenset(FIELDS)), jobs=frozenset({FOREIGN}))


@pytest.mark.parametrize(
    ("kind", "value"),
    [("project", ""), ("type", "T"), ("job", str(OTHER)), ("subject", f"for {ANN}")],
)
def test_a_hold_keeps_what_it_covers(erasure: Scene, kind: str, value: str) -> None:
    erasure.erasing.execute(
        "INSERT INTO ledger.holds (project, kind, value, reason, placed_by) VALUES ('p', %s, %s, 'case 7', 'counsel')",
        (kind, value),
    )
    kept = bodies(erasure)
    done = erasure.erase()
    held = [OWNED, OTHER] if kind in ("project", "type") else [OTHER]
    assert done.held == held
    found = bodies(erasure)
    assert all(found[position] == kept[position] for position in (4, 5))
    erasure.erasing.execute(
        "UPDATE ledger.holds SET released_at = now(), released_by = 'counsel', release_reason = 'over'"
    )
    assert erasure.erase().held == []
    erasure.fold()
    assert erasure.places(ANN) == set()


def test_it_begins_again_when_others_append_meanwhile(
    erasure: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = store.encode_batch
    calls: list[int] = []

    def late(units: Any) -> bytes:
        if not calls:
            calls.append(1)
            write(
                erasure.dsn,
                Command(
                    OWNED, Noted(messages=(Message(message=f"late {ANN}"),)), Envelope("p", "svc")
                ),
            )
        return encode(units)

    monkeypatch.setattr(store, "encode_batch", late)
    erasure.erase()
    erasure.fold()
    assert erasure.places(ANN) == set()


def test_a_long_job_is_told_of_in_parts(erasure: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "ERASE_BODIES_MAX", 2)
    monkeypatch.setattr(settings, "ERASE_JOBS_MAX", 1)
    assert erasure.erase().bodies == 5
    erasure.fold()
    assert erasure.places(ANN) == set()
    assert [topic for _, _, topic in bodies(erasure).values()].count("job.erased") == 3
