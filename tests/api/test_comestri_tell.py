"""Comestri's answers: what the envelope counts, and how each life of a job is told."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.dialects.comestri import comestri
from api.dialects.comestri.entry import SHOWN, entity_key
from api.dialects.comestri.models import PageOut, Result, ShownOut, Status
from ledger.committer import Committed
from ledger.errors import UnknownJob
from ledger.events import (
    Canceled,
    Event,
    Failed,
    FailureKind,
    ItemsReported,
    Message,
    Noted,
    Progressed,
    Queued,
    Started,
    Succeeded,
)
from ledger.job import Job, Outcome
from tests.fix_comestri import asked, documented, entry, indexed, operation, page
from tests.fix_gogrid import created, folded, live

RETRY = Failed(final=False)


# --- the envelope -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("total", "query", "envelope"),
    [
        (0, "", {"page": 1, "per_page": 50, "total_pages": 1, "total_entries": 0}),
        (1, "", {"page": 1, "per_page": 50, "total_pages": 1, "total_entries": 1}),
        (50, "", {"page": 1, "per_page": 50, "total_pages": 1, "total_entries": 50}),
        (51, "", {"page": 1, "per_page": 50, "total_pages": 2, "total_entries": 51}),
        (39, "per_page=5&page=8", {"page": 8, "per_page": 5, "total_pages": 8, "total_entries": 39}),
        (39, "per_page=5&page=9", {"page": 9, "per_page": 5, "total_pages": 8, "total_entries": 39}),
    ],
)  # fmt: skip
def test_the_envelope_counts(total: int, query: str, envelope: dict[str, int]) -> None:
    said = indexed(page(total=total), query)
    assert json.loads(said.body) == {**envelope, "entries": []}
    assert list(json.loads(said.body)) == [*envelope, "entries"]
    assert said.headers == (("Ledger-Position", "99"),)
    PageOut.model_validate_json(said.body)


# --- status, result, percent_completed ----------------------------------------------------------

# The life of a job -> status, percent_completed and result.
LIVES: tuple[tuple[tuple[Event, ...], str, float, str], ...] = (
    ((), "request_received", 0, "Pending"),
    ((Failed(kind=FailureKind.REJECTED),), "fail_to_receive", 0, "Failure"),
    ((Queued(),), "ready_to_process", 0, "Pending"),
    ((Queued(), Failed()), "fail_to_process", 0, "Failure"),
    ((Started(),), "processing", 0, "Pending"),
    ((Started(), Progressed(progress=0.25)), "processing", 0.25, "Pending"),
    ((Started(), ItemsReported(total=3, succeeded=1)), "processing", 1 / 3, "Pending"),
    ((Started(), ItemsReported(total=2, succeeded=2)), "processing", 1, "Pending"),
    ((Started(), Progressed(progress=0.5), RETRY), "processing", 0.5, "Pending"),
    ((Started(), RETRY, Queued()), "ready_to_process", 0, "Pending"),
    ((Started(), RETRY, Failed()), "fail_to_process", 0, "Failure"),
    ((Started(), Progressed(progress=0.5), Failed()), "fail_to_process", 0.5, "Failure"),
    ((Started(), Failed(kind=FailureKind.ITEM_ERRORS)), "complete", 1, "Failure"),
    ((Started(), Succeeded()), "complete", 1, "Success"),
    ((Started(), ItemsReported(succeeded=1, failed=1), Succeeded()), "complete", 1, "Failure"),
    ((Canceled(),), "canceled", 0, "Pending"),
    ((Started(), Progressed(progress=0.5), Canceled()), "canceled", 0.5, "Pending"),
)


@pytest.mark.parametrize(("events", "status", "percent", "result"), LIVES)
def test_each_life_of_a_job(
    events: tuple[Event, ...], status: str, percent: float, result: str
) -> None:
    told = entry(live(created(), *events))
    assert (told["status"], told["result"]) == (status, result)
    assert told["percent_completed"] == percent
    # A fraction, and no decimal point where it is whole.
    assert isinstance(told["percent_completed"], int) == (percent in (0, 1))


def test_every_status_and_result_is_told() -> None:
    assert set(SHOWN) == set(Outcome)
    assert {status for _, status, _, _ in LIVES} == set(get_args(Status))
    assert {result for _, _, _, result in LIVES} == set(get_args(Result))


def test_the_result_of_a_canceled_job_is_a_setting() -> None:
    canceled = live(created(), Started(), Canceled())
    assert entry(canceled, comestri("+00:00", "Failure"))["result"] == "Failure"
    assert entry(canceled, comestri("+00:00", "Pending"))["result"] == "Pending"
    done = live(created(), Started(), Succeeded())
    assert entry(done, comestri("+00:00", "Failure"))["result"] == "Success"


# --- fields -------------------------------------------------------------------------------------

FIELDS = [
    *("id", "request_id", "entity", "status", "percent_completed", "operation", "created_at"),
    *("updated_at", "created_by", "error_count", "result"),
]


def test_an_entry_has_exactly_its_fields() -> None:
    told = entry(live(created(command="insert", request_id="r")))
    assert list(told) == FIELDS
    assert (told["id"], told["entity"], told["operation"]) == (7, "VirtualServer", "insert")
    assert (told["created_by"], told["request_id"]) == ("ankit@gogrid.com", "r")
    assert told["error_count"] == 0
    bare = entry(live(created()))
    assert bare["request_id"] is None
    assert bare["operation"] is None


def test_error_count() -> None:
    assert entry(live(created(), Started(), ItemsReported(failed=3)))["error_count"] == 3
    failed = Failed(kind=FailureKind.ITEM_ERRORS, error_count=9)
    assert entry(live(created(), Started(), failed))["error_count"] == 9


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        ("+10:00", "2016-05-31T09:55:57.316+10:00"),
        ("+00:00", "2016-05-30T23:55:57.316+00:00"),
        ("-03:30", "2016-05-30T20:25:57.316-03:30"),
    ],
)
def test_times_have_milliseconds_and_the_tenant_s_offset(offset: str, expected: str) -> None:
    moment = datetime(2016, 5, 30, 23, 55, 57, 316_999, UTC)
    told = entry(live(created(created_at=moment)), comestri(offset, "Pending"))
    assert told["created_at"] == expected


def test_updated_at_is_the_last_event_s_time() -> None:
    job = live(created(), Queued(), Started())
    gap = datetime.fromisoformat(entry(job)["updated_at"]) - job.history[1].recorded_at
    assert gap == timedelta(seconds=1)


@pytest.mark.parametrize("offset", ["+14:00", "-12:00"])
@pytest.mark.parametrize(
    "moment", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]
)
def test_the_ends_of_the_calendar_are_no_crash(moment: datetime, offset: str) -> None:
    job = live(created(created_at=moment))
    assert entry(job, comestri(offset, "Pending"))["created_at"].endswith((offset, "+00:00"))


# --- one job ------------------------------------------------------------------------------------


def shown(job: Job) -> dict[str, Any]:
    said = operation("showJob").tell(asked(), (job,))
    ShownOut.model_validate_json(said.body)
    told: dict[str, Any] = json.loads(said.body)
    return told


def with_items(*events: Event, options: object = None, items: object = None) -> Job:
    detail: dict[str, Any] = {} if options is None else {"options": options}
    if items is not None:
        detail["data"] = items
    return live(created(detail=detail), *events)


ITEMS = [{"_request_data_id": "a", "n": 1}, {"_request_data_id": 2}, {"n": 3}]
BAD = Message(message="n is odd", description="a")
BROKEN = Message(message="Out of cheese")


def test_a_job_by_itself_is_its_entry_and_its_details() -> None:
    job = live(created())
    assert shown(job) == {**entry(job), "processing_details": []}
    assert list(shown(job)) == [*FIELDS, "processing_details"]


def test_items_are_told_once_the_job_is_complete() -> None:
    for events in ((), (Started(),), (Started(), RETRY), (Canceled(),), (Started(), Failed())):
        assert shown(with_items(*events, items=ITEMS))["processing_details"] == []
    for end in (Succeeded(), Failed(kind=FailureKind.ITEM_ERRORS)):
        told = shown(with_items(Started(), end, items=ITEMS))["processing_details"]
        assert told == [
            {"errors": [], "id": None, "_request_data_id": "a"},
            {"errors": [], "id": None, "_request_data_id": 2},
            {"errors": [], "id": None, "_request_data_id": None},
        ]


def test_errors_stand_by_their_item_and_others_after_them() -> None:
    second = Message(message="also", description="2")
    job = with_items(Started(), Noted(messages=(BROKEN, BAD, second, BAD)), items=ITEMS)
    assert shown(job)["processing_details"] == [
        {"errors": ["n is odd", "n is odd"], "id": None, "_request_data_id": "a"},
        {"errors": ["also"], "id": None, "_request_data_id": 2},
        {"errors": ["Out of cheese"], "id": None, "_request_data_id": None},
    ]


@pytest.mark.parametrize(("options", "there"), [({"object_in_response": True}, True), ({"object_in_response": False}, False),
                                                ({"object_in_response": "true"}, False), ({}, False), (None, False), ([1], False)])  # fmt: skip
def test_objects_are_in_the_response_where_that_was_asked(options: object, there: bool) -> None:
    job = with_items(Started(), Noted(messages=(BAD, BROKEN)), options=options, items=ITEMS)
    first, last = shown(job)["processing_details"]
    assert first.get("virtual_server") == (ITEMS[0] if there else None)
    assert "virtual_server" not in last


@pytest.mark.parametrize("items", [None, 7, "x", {}, [], [7, None, []]])
def test_a_detail_of_another_dialect_is_no_crash(items: object) -> None:
    job = with_items(Started(), Succeeded(), items=items)
    assert shown(job)["processing_details"] == []


@pytest.mark.parametrize(
    ("entity", "key"),
    [
        ("Category", "category"),
        ("ProductVariant", "product_variant"),
        ("SKUList", "sku_list"),
        ("product variant", "product_variant"),
        ("Größe", "gr_e"),
        ("😀", "object"),
    ],
)
def test_the_key_of_an_entity(entity: str, key: str) -> None:
    assert entity_key(entity) == key


def test_an_entity_cannot_hide_its_errors() -> None:
    job = live(
        created(type="Errors", detail={"options": {"object_in_response": True}, "data": ITEMS}),
        Noted(messages=(BAD,)),
    )
    assert shown(job)["processing_details"][0]["errors"] == ["n is odd"]


def test_no_job_is_not_found() -> None:
    with pytest.raises(UnknownJob):
        operation("showJob").tell(asked(), ())


# --- a new job ----------------------------------------------------------------------------------


def test_a_new_job_has_no_result_yet() -> None:
    job = live(created(command="insert", request_id="r"), Queued())
    said = operation("createJob").tell(asked(), Committed((job,), 2))
    assert said.status == 201
    assert dict(said.headers)["Location"] == "http://ledger/api/v2/jobs/7"
    told = json.loads(said.body)
    assert list(told) == [
        *FIELDS[:-1],
        *("format", "file_name", "sidekiq_job_id", "import_method", "file_upload_id"),
    ]
    assert (told["status"], told["percent_completed"], told["format"]) == (
        *("ready_to_process", 0, "json"),
    )
    assert (told["import_method"], told["file_name"], told["file_upload_id"]) == ("api", None, None)


def test_a_repeated_request_says_so() -> None:
    job = live(created(command="insert", request_id="r"), Queued())
    said = operation("createJob").tell(asked(), Committed((job,), 2, replayed=True))
    assert dict(said.headers)["Idempotency-Replayed"] == "true"


# --- anything at all ----------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1)


@given(TEXT, TEXT, TEXT)
def test_any_text_comes_back_as_it_was(entity: str, owner: str, message: str) -> None:
    job = live(
        created(type=entity, owner=owner, command=owner, request_id=entity),
        Noted(messages=(Message(message=message),)),
    )
    told = shown(job)
    assert (told["entity"], told["created_by"]) == (entity, owner)
    assert (told["operation"], told["request_id"]) == (owner, entity)
    assert told["processing_details"][0]["errors"] == [message]


def test_an_imported_entry_without_a_time_changes_no_time() -> None:
    job = folded(documented()[:3])
    assert entry(job)["updated_at"] == "2016-05-30T14:55:57.316+10:00"
