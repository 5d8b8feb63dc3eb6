"""Orange's answers: the bare array with its counts, and how each life of a job is told, all of it held to the document's schema."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import ValidationError

from api.dialects.orange.item import told as told_time
from api.dialects.orange.models import JobOut
from ledger.errors import UnknownJob
from ledger.events import (
    Canceled,
    Envelope,
    Event,
    Failed,
    FailureKind,
    Message,
    Noted,
    Queued,
    Started,
    Succeeded,
)
from ledger.job import Phase
from tests.fix_gogrid import NOW, created, folded
from tests.fix_orange import GOLDEN, LIVES, RETRY, a_job, asked, item, items, operation, told

# --- the array ----------------------------------------------------------------------------------


def test_an_array_and_its_counts() -> None:
    jobs = [a_job(*events) for events, _ in LIVES]
    said = told(*jobs, total=4_711)
    assert (said.status, said.media_type) == (200, "application/json")
    assert dict(said.headers) == {
        "X-Total-Count": "4711",
        "X-Result-Count": str(len(LIVES)),
        "Ledger-Position": "99",
    }
    assert [one["state"] for one in items(said.body)] == [state for _, state in LIVES]


def test_nothing_is_an_empty_array() -> None:
    said = told(total=3)
    assert said.body == b"[]"
    assert dict(said.headers)["X-Total-Count"] == "3"
    assert dict(said.headers)["X-Result-Count"] == "0"


def test_a_job_by_itself_is_the_same() -> None:
    job = a_job(Queued())
    said = operation("getJob").tell(asked(), (job,))
    assert json.loads(said.body) == item(job)
    with pytest.raises(UnknownJob):
        operation("getJob").tell(asked(), ())


def test_the_bytes_of_a_list_never_change() -> None:
    jobs = (
        a_job(),
        a_job(Queued(), Started(), description=None, command="CreateVirtualServer", object="vm"),
        a_job(Started(), Failed(messages=(Message(code=7, message="Disk", description="full"),))),
        a_job(Started(), Canceled()),
    )
    assert told(*jobs).body.decode() == (GOLDEN / "jobs.json").read_text(encoding="utf-8").strip()


# --- the schema, which must be able to fail -----------------------------------------------------


def test_fields_are_those_of_the_document_in_its_order() -> None:
    [example] = json.loads((GOLDEN / "example.json").read_text(encoding="utf-8"))
    message = Message(message="m", description="d")
    shown = item(a_job(Started(), Succeeded(messages=(message,))))
    assert list(shown) == list(example)
    assert list(shown["messages"][0]) == list(example["messages"][0])


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("id", "7"),
        ("id", None),
        ("hRef", "no address"),
        ("state", "canceled"),
        ("state", "in progress"),
        ("description", None),
        ("createdDate", None),
        ("createdDate", "2024-10-02T15:25:04Z"),
        ("createdDate", "2024-10-02T15:25:04.024+00:00"),
        ("requesterId", None),
        ("startProcessingDate", ""),
        ("messages", [{"code": "0", "message": "m"}]),
        ("messages", [{"code": 0, "message": "m", "description": None}]),
        ("href", "http://x"),
    ],
)
def test_the_schema_refuses(field: str, wrong: object) -> None:
    shown = item(a_job())
    with pytest.raises(ValidationError):
        items(json.dumps([{**shown, field: wrong}]).encode())


@pytest.mark.parametrize("field", ["id", "hRef", "state", "description", "createdDate", "requesterId", "startProcessingDate"])  # fmt: skip
def test_the_schema_misses(field: str) -> None:
    shown = item(a_job())
    del shown[field]
    with pytest.raises(ValidationError):
        items(json.dumps([shown]).encode())


# --- fields -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("events", "state"), LIVES)
def test_each_life_of_a_job(events: tuple[Event, ...], state: str) -> None:
    job = a_job(*events)
    shown = item(job)
    JobOut.model_validate_json(json.dumps(shown))
    assert shown["state"] == state == job.phase
    began, ended = shown["startProcessingDate"], shown["endProcessingDate"]
    assert (began is None) == (Started() not in events)
    assert (ended is None) == (state in ("acknowledged", "in-progress"))


def test_every_state_is_told() -> None:
    assert {state for _, state in LIVES} == set(Phase)


def test_processing_starts_with_the_first_attempt() -> None:
    job = a_job(Started(), RETRY, Queued(), Started())
    first = next(stay for stay in job.history if stay.state == "Processing")
    assert item(job)["startProcessingDate"] == told_time(first.at)


def test_dates() -> None:
    shown = item(a_job(created_at=datetime(2024, 10, 2, 15, 25, 4, 24_999, UTC)))
    assert shown["createdDate"] == "2024-10-02T15:25:04.024Z"
    assert item(a_job(created_at=datetime(1, 1, 1, tzinfo=UTC)))["createdDate"] == (
        "0001-01-01T00:00:00.000Z"
    )


@given(st.datetimes(timezones=st.just(UTC)))
def test_every_date_has_the_one_form(moment: datetime) -> None:
    word = told_time(moment)
    assert word is not None
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z", word)


def test_a_reference_is_an_address() -> None:
    shown = item(a_job())
    assert shown["hRef"] == f"http://ledger/projects/demo/jobs/{shown['id']}"
    odd = folded([(created(), Envelope(project="a/b ?ö", actor="x"))])
    assert "/projects/a%2Fb%20%3F%C3%B6/jobs/" in item(odd)["hRef"]


def test_a_job_without_a_description_gets_one() -> None:
    assert item(a_job())["description"] == "Make it"
    for nothing in (None, ""):
        job = a_job(description=nothing, command="CreateVirtualServer", object="vm 1")
        assert item(job)["description"] == "CreateVirtualServer VirtualServer vm 1"
    assert item(a_job(description=None))["description"] == "VirtualServer"


def test_the_requester_is_the_owner() -> None:
    assert item(a_job(owner="bob"))["requesterId"] == "bob"


# --- messages -----------------------------------------------------------------------------------


def messages(*events: Event) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = item(a_job(*events))["messages"]
    return found


def test_messages_without_a_description_leave_it_out() -> None:
    said = Noted(messages=(Message(code=-7, message="a"), Message(message="b", description="c")))
    assert messages(said) == [
        {"code": -7, "message": "a"},
        {"code": 0, "message": "b", "description": "c"},
    ]
    assert messages() == []


def test_a_canceled_job_says_by_whom() -> None:
    note = Noted(messages=(Message(message="first"),))
    assert messages(note, Canceled()) == [
        {"code": 0, "message": "first"},
        {"code": 0, "message": "canceled by worker"},
    ]
    job = folded(
        [
            (created(), Envelope("demo", "ann")),
            (Canceled(), Envelope("demo", "ops", note="Too late.")),
        ]
    )
    assert item(job)["messages"] == [
        {"code": 0, "message": "canceled by ops", "description": "Too late."}
    ]


def test_a_failed_job_says_why() -> None:
    reason = Message(code=3, message="Out of cheese")
    assert messages(Started(), Failed(messages=(reason,))) == [{"code": 3, "message": "Out of cheese"}]  # fmt: skip
    said = {
        events: messages(*events)
        for events in (
            (Failed(kind=FailureKind.REJECTED),),
            (Started(), Failed()),
            (Started(), RETRY, Failed()),
            (Started(), Failed(kind=FailureKind.ITEM_ERRORS)),
        )
    }
    assert all(len(found) == 1 for found in said.values())
    assert len({found[0]["message"] for found in said.values()}) == len(said)
    job = folded(
        [
            (created(), Envelope("demo", "ann")),
            (Started(), Envelope("demo", "w")),
            (Failed(), Envelope("demo", "w", note="The disk is full.")),
        ]
    )
    assert item(job)["messages"][0]["description"] == "The disk is full."


def test_a_job_that_may_still_end_well_says_nothing_of_failing() -> None:
    assert messages(Started(), RETRY) == []
    assert messages(Started(), Succeeded()) == []


# --- anything at all ----------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1)


@given(TEXT, TEXT, TEXT)
def test_any_text_comes_back_as_it_was(description: str, owner: str, message: str) -> None:
    noted = Noted(messages=(Message(message=message, description=description),))
    shown = item(a_job(noted, description=description, owner=owner))
    assert (shown["description"], shown["requesterId"]) == (description, owner)
    assert shown["messages"] == [{"code": 0, "message": message, "description": description}]


def test_an_imported_end_without_a_time_is_null() -> None:
    imported = Envelope("demo", "import", imported=True)
    job = folded([(created(created_at=NOW), imported), (Started(), imported), (Succeeded(), imported)])  # fmt: skip
    shown = item(job)
    assert (shown["state"], shown["startProcessingDate"], shown["endProcessingDate"]) == (
        *("completed", None, None),
    )
