"""The job that a POST to Comestri makes, and payloads that make none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from api.faults import BadSyntax
from ledger.codec import encode
from ledger.commands import Write
from ledger.errors import Invalid, LedgerError
from ledger.events import Created, Queued
from ledger.plan import plan
from ledger.settings import EVENT_BYTES_MAX
from tests.fix_comestri import operation, posted
from tests.fix_gogrid import NOW

NEW: dict[str, Any] = {
    "entity": "Category",
    "operation": "insert",
    "options": {"object_in_response": True},
    "data": [{"_request_data_id": "1", "name": "Cats"}, {"name": "Dogs"}],
}


def created(**changed: Any) -> Write:
    fields = {name: word for name, word in {**NEW, **changed}.items() if word is not ...}
    write = operation("createJob").ask(posted({"job": fields}))
    assert isinstance(write, Write)
    return write


def test_a_new_job_is_created_and_queued_in_one_write() -> None:
    write = created()
    birth, queue = (command.event for command in write.commands)
    assert birth == Created(
        type="Category",
        command="insert",
        owner="test@fusionfactory.com",
        request_id="00000000-0000-0000-0000-000000000001",
        detail={"options": NEW["options"], "data": NEW["data"]},
    )
    assert queue == Queued()
    assert len(write.job_ids) == 1
    envelope = write.commands[0].envelope
    assert (envelope.actor, envelope.credential_id) == ("test@fusionfactory.com", "k")
    assert write.commands[1].envelope == envelope
    # The ledger's own rules let it be saved as it is.
    unit = plan(write, {}, NOW, posted({}).new_id, lambda: 7)
    assert [entry.version for entry in unit.entries] == [1, 2]


def birth_of(write: Write) -> Created:
    event = write.commands[0].event
    assert isinstance(event, Created)
    return event


def test_what_may_be_left_out() -> None:
    assert birth_of(created(options=...)).detail == {"data": NEW["data"]}
    assert birth_of(created(operation="reset", data=..., options=...)).detail == {"data": []}
    for word in ("insert", "update", "upsert", "delete"):
        assert birth_of(created(operation=word)).command == word


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"entity": ...}, "job.entity"),
        ({"entity": ""}, "job.entity"),
        ({"entity": 7}, "job.entity"),
        ({"entity": "a\x00b"}, "job.entity"),
        ({"operation": ...}, "job.operation"),
        ({"operation": "explode"}, "job.operation"),
        ({"options": [1]}, "job.options"),
        ({"data": {}}, "job.data"),
        ({"data": []}, "job"),
        ({"data": ...}, "job"),
        ({"data": [1]}, "job.data.0"),
        ({"data": [{}, {"_request_data_id": True}]}, "job.data.1"),
        ({"data": [{"_request_data_id": [1]}]}, "job.data.0"),
        ({"data": [{"a": "x\x00y"}]}, "job.data.0"),
        ({"colour": "red"}, "job.colour"),
        ({"data": [json.loads("[" * 40 + "]" * 40)]}, "job.data.0"),
        ({"data": [{"a": json.loads("[" * 31 + "]" * 31)}]}, "detail"),
    ],
)
def test_a_payload_that_does_not_fit_names_its_field(changed: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        created(**changed)
    assert refused.value.problems[0][0] == field


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"job": "\\ud800"}', b'{"job": NaN}'])
def test_a_body_that_is_no_json(body: bytes) -> None:
    with pytest.raises((BadSyntax, Invalid)):
        operation("createJob").ask(posted(body))


@pytest.mark.parametrize("body", [[], {}, {"job": []}, {"job": NEW, "more": 1}, NEW, None, 7])
def test_a_body_that_is_no_job(body: object) -> None:
    with pytest.raises(Invalid):
        operation("createJob").ask(posted(body))


def test_data_that_does_not_fit_into_one_event_is_refused() -> None:
    write = created(data=[{"text": "x" * EVENT_BYTES_MAX}])
    with pytest.raises(LedgerError):
        plan(write, {}, NOW, posted({}).new_id, lambda: 7)
    fits = created(data=[{"text": "x" * (EVENT_BYTES_MAX - 1_000)}])
    assert encode(fits.commands[0].event, fits.commands[0].envelope)


def test_an_idempotency_key_binds_the_request() -> None:
    one = operation("createJob").ask(posted({"job": NEW}, **{"idempotency-key": "k1"}))
    two = operation("createJob").ask(posted({"job": NEW}, **{"idempotency-key": "k1"}))
    assert isinstance(one, Write)
    assert isinstance(two, Write)
    assert one.key is not None
    assert one.key == two.key
    assert created().key is None
