"""FullStory's dialect without a server: the document's own job to the byte, every life of a job as a poller sees it, ids, bodies, pages and faults.

Seen red: a failure that will be retried told as FAILED, which stops pollers for good."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import faults
from api.batch.question import BatchPage, Results, Submission
from api.dialects.fullstory import FULLSTORY, body, page
from api.dialects.fullstory.fault import NoResults, Required, StillProcessing
from api.dialects.fullstory.item import names_of, read
from api.dialects.fullstory.models import FaultOut, StatusOut
from api.dialects.fullstory.opaque import job_id, opaque
from api.dialects.fullstory.status import status
from api.operation import Said
from ledger import errors
from ledger.batches import Result
from ledger.errors import BatchRefused, Failure, LedgerError, UnknownJob
from ledger.events import (
    Canceled,
    Created,
    Envelope,
    Event,
    Failed,
    FailureKind,
    ItemsReported,
    Progressed,
    Queued,
    Started,
    Succeeded,
)
from ledger.job import Job
from ledger.names import by_id, by_number, by_source_id
from ledger.settings import BATCH_ITEMS_MAX, BATCH_ITEMS_WAITING_MAX, BATCHES_WAITING_MAX
from projections.question import Named
from tests.fix_fullstory import BATCH, GOLDEN, JOB_ID, asked, item, operation
from tests.fix_gogrid import created, folded, live

CREATED_AT = datetime(2019, 4, 18, 14, 36, 11, 123_999, UTC)
PARTIAL = Failed(kind=FailureKind.ITEM_ERRORS)


def polled(job: Job) -> Said:
    return operation("ImportStatus").tell(asked(), (job,))


def test_the_documented_job_is_told_to_the_byte() -> None:
    def at(hours: int) -> Envelope:
        return Envelope("demo", "a", occurred_at=CREATED_AT + timedelta(hours=hours), imported=True)

    job = folded(
        [
            (created(type="BatchImport"), at(0)),
            (Queued(), at(0)),
            (Started(), at(0)),
            (ItemsReported(succeeded=42, failed=2, total=44), at(1)),
            (PARTIAL, at(1)),
        ]
    )
    said = polled(job)
    documented = (GOLDEN / "status.json").read_text(encoding="utf-8")
    told = said.body.decode().replace(opaque(job.id), "abd123=")
    assert told == re.sub(r"\s", "", documented)
    assert (said.status, said.media_type) == (200, "application/json")


LIVES: tuple[tuple[tuple[Event, ...], str, int | None], ...] = (
    ((), "PROCESSING", None),
    ((Queued(),), "PROCESSING", None),
    ((Started(),), "PROCESSING", None),
    ((Started(), Progressed(progress=0.5)), "PROCESSING", None),
    ((Started(), Succeeded()), "COMPLETED", None),
    ((Started(), ItemsReported(succeeded=42, failed=2, total=44), PARTIAL), "FAILED", 2),
    ((Started(), Failed()), "FAILED", 0),
    ((Started(), ItemsReported(succeeded=3, failed=1, total=10), Failed()), "FAILED", 7),
    ((Failed(kind=FailureKind.REJECTED),), "FAILED", 0),
    ((Started(), Failed(final=False)), "PROCESSING", None),
    ((Started(), Failed(final=False), Queued()), "PROCESSING", None),
    ((Canceled(),), "FAILED", 0),
    ((Started(), ItemsReported(succeeded=3, total=10), Canceled()), "FAILED", 7),
)


@pytest.mark.parametrize(("events", "word", "failed"), LIVES)
def test_each_life_of_a_job_as_a_poller_sees_it(
    events: tuple[Event, ...], word: str, failed: int | None
) -> None:
    job = live(created(), *events)
    told = status(job)
    StatusOut.model_validate_json(polled(job).body)
    assert (told["job"]["status"], told.get("errors")) == (word, failed)
    assert ("finished" in told["job"]) == (word != "PROCESSING")
    assert told["imports"] == job.items_succeeded


@given(st.uuids())
def test_an_id_is_opaque_and_comes_back(one: UUID) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}==", opaque(one)), "it stands in a path as it is"
    assert job_id(opaque(one)) == job_id(str(one)) == one


@given(st.text(max_size=40))
def test_any_other_word_is_no_job(word: str) -> None:
    try:
        found = job_id(word)
    except UnknownJob:
        return
    assert word in (opaque(found), str(found)) or UUID(word) == found


def test_a_batch_is_kept_as_it_was_sent() -> None:
    text = b' { "requests" : [ {"name": "job.created", "n": 1.0e400} , [], "\\ud800" ] , "shared":{"context":{}} }\n'
    question = operation("createBatchEventsImportJob").ask(asked("POST", body=text))
    assert isinstance(question, Submission)
    batch = question.batch
    assert (batch.job_id, batch.project, batch.count, batch.form) == (
        JOB_ID,
        "demo",
        3,
        "fullstory",
    )
    assert batch.items == '[ {"name": "job.created", "n": 1.0e400} , [], "\\ud800" ] '.rstrip()
    assert batch.shared is not None
    assert json.loads(batch.shared) == {"context": {}}
    first, second = (command.event for command in question.write.commands)
    assert isinstance(first, Created)
    assert (first.type, first.owner, second) == ("BatchImport", "writer", Queued())


@given(
    st.lists(
        st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5), min_size=1
    )
)
def test_a_body_is_walked_as_json_reads_it(items: list[Any]) -> None:
    for indent in (None, 2):
        read_ = body.read(json.dumps({"requests": items}, indent=indent).encode(), 1_000)
        assert read_.count == len(items)
        assert json.loads(read_.items) == items


@given(st.binary(max_size=60) | st.text('{}[]",:requests \\1e', max_size=60).map(str.encode))
def test_no_body_breaks_the_walk(text: bytes) -> None:
    try:
        found = body.read(text, 10)
    except LedgerError:
        return
    assert found.count == len(json.loads(text)["requests"])


def test_the_limits_are_the_product_s_own() -> None:
    most = BATCH_ITEMS_MAX
    assert (most, BATCHES_WAITING_MAX, BATCH_ITEMS_WAITING_MAX) == (50_000, 200, 500_000)
    whole = b'{"requests": [' + b"1," * (most - 1) + b"1]}"
    question = operation("createBatchEventsImportJob").ask(asked("POST", body=whole))
    assert isinstance(question, Submission)
    assert question.batch.count == most
    with pytest.raises(faults.TooLarge):
        operation("createBatchEventsImportJob").ask(asked("POST", body=whole[:-2] + b",1]}"))


def test_what_an_item_calls_its_job() -> None:
    assert names_of("vm 7") == (by_source_id("vm 7"),)
    assert names_of("7") == (by_source_id("7"), by_number(7))
    assert names_of(7) == (by_number(7),)
    assert names_of(str(JOB_ID)) == (by_source_id(str(JOB_ID)), by_id(JOB_ID))
    with pytest.raises(Required):
        names_of(None)


def test_an_item_is_a_wish() -> None:
    said = {**item("created", "vm 7", type="VirtualServer", note="n"), "user": {"uid": "anna"}}
    wish = read(json.dumps({**said, "timestamp": "2026-03-01T12:00:00+10:00"}), None, "writer")
    assert isinstance(wish.event, Created)
    assert (wish.event.owner, wish.event.source_id, wish.note) == ("anna", "vm 7", "n")
    assert wish.occurred_at == datetime(2026, 3, 1, 2, tzinfo=UTC)
    with pytest.raises(Required, match="name is required"):
        read("{}", None, "writer")


def test_a_page_token_belongs_to_one_list() -> None:
    assert page.behind("errors", page.token("errors", 999)) == 999
    with pytest.raises(errors.Invalid):
        page.behind("imports", page.token("errors", 999))
    query = (("page_token", page.token("errors", 7)),)
    path = {"job_id": opaque(JOB_ID)}
    request = asked(query=query, path_params=path)
    assert operation("ImportErrors").ask(request) == Results("demo", JOB_ID, failed=True, after=7)
    assert operation("ImportStatus").ask(request) == Named("demo", ids=(JOB_ID,))


def test_a_page_counts_in_text_and_tells_items_that_were_never_come_to() -> None:
    job = live(created(), Started(), Canceled())
    results = (Result(0, "1", code="unknown_job", message="No."), Result(1, '"\\ud800"'))
    found = BatchPage(job, results, total=4_711, next=1, shared='{"context":{}}')
    told = json.loads(operation("ImportErrors").tell(asked(), found).body)
    assert told["total_records"] == "4711"
    assert page.behind("errors", told["next_page_token"]) == 1
    assert [one["code"] for one in told["results"]] == ["resource_not_found", "canceled"]
    assert told["results"][0] == {
        "message": "No.",
        "code": "resource_not_found",
        "event": 1,
        "shared": {"context": {}},
    }
    with pytest.raises(StillProcessing):
        operation("ImportErrors").tell(asked(), BatchPage(live(created())))
    with pytest.raises(UnknownJob):
        operation("Imports").tell(asked(), BatchPage(None))
    with pytest.raises(NoResults, match="kept no longer"):
        operation("Imports").tell(asked(), BatchPage(job))


# Every fault that a request can meet -> its status and FullStory's code.
REFUSED: tuple[tuple[LedgerError, int, str], ...] = (
    (Required("uid is required", field="uid"), 400, "required_field"),
    (errors.Invalid("No."), 400, "invalid"),
    (faults.BadSyntax("No."), 400, "bad_syntax"),
    (faults.TooLarge("No."), 400, "too_large"),
    (errors.KeyReused("No."), 400, "idempotency_key_reused"),
    (BatchRefused((Failure(0, errors.Invalid("No.")),)), 400, "invalid"),
    (faults.Unauthenticated("No."), 401, "unauthorized"),
    (faults.Forbidden("No."), 403, "forbidden"),
    (errors.UnknownJob("No."), 404, "resource_not_found"),
    (faults.NoSuchPath("No."), 404, "resource_not_found"),
    (faults.WrongMethod("No.", allow=("GET",)), 404, "resource_not_found"),
    (StillProcessing("No."), 409, "still_processing"),
    (errors.QuotaReached("No.", retry_after_s=5), 429, "too_many_requests"),
    (faults.TooFast("No."), 429, "too_many_requests"),
    (faults.Crowded("No."), 429, "too_many_requests"),
    (faults.Broken("No."), 500, "server_error"),
    (errors.Undecodable("No."), 500, "server_error"),
    (errors.Busy("No."), 503, "server_error"),
    (faults.Behind("No."), 503, "server_error"),
    (errors.Unreachable("No."), 503, "server_error"),
    (faults.Maintenance("No.", retry_after_s=90), 503, "server_error"),
)


@pytest.mark.parametrize(
    ("error", "code", "word"), REFUSED, ids=lambda one: getattr(one, "code", "")
)
def test_each_fault_has_its_status_and_code(error: LedgerError, code: int, word: str) -> None:
    said = FULLSTORY.fault(asked(path=f"{BATCH}/x"), error)
    FaultOut.model_validate_json(said.body)
    told = json.loads(said.body)
    assert (said.status, list(told), told["code"]) == (code, ["message", "code"], word)
    headers = dict(said.headers)
    assert ("WWW-Authenticate" in headers) == (code == 401)
    assert headers.get("Retry-After", "").isdigit() == (code in (409, 429, 503))


def test_every_code_of_the_ledger_is_worded() -> None:
    for word in faults.STATUSES:
        kind = type("Refused", (LedgerError,), {"code": word})
        said = FULLSTORY.fault(asked(), kind("\ud800 No."))
        FaultOut.model_validate_json(said.body)
        assert said.status in (400, 401, 403, 404, 409, 429, 500, 503)
