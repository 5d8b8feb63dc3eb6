"""One life, five tellings: where a job stands in each product's words, said by hand and apart from every dialect's own table.

Invariants: each of the ledger's outcomes has a row, and each row is told by the dialects themselves from one folded job.

Seen red: a failure that will be tried again told as FAILED (FullStory) and as Failed (GeoOp), partial failures told as Success (Comestri)."""

from __future__ import annotations

import pytest

from api.dialects.comestri import comestri
from api.dialects.fullstory.status import status
from api.dialects.geoop.entry import entry
from ledger.events import Canceled, Created, Event, Failed, FailureKind, Queued, Started, Succeeded
from ledger.job import Job, Outcome
from tests import fix_comestri, fix_gogrid, fix_orange

RETRY = Failed(final=False)
PARTIAL = Failed(kind=FailureKind.ITEM_ERRORS, error_count=2)

# What happened -> GoGrid, Comestri's status, result and percentage, Orange, FullStory, GeoOp.
STATES: tuple[tuple[tuple[Event, ...], tuple[str, ...]], ...] = (
    ((), ("Created", "request_received", "Pending", "0", "acknowledged", "PROCESSING", "7 Created")),
    ((Queued(),), ("Queued", "ready_to_process", "Pending", "0", "acknowledged", "PROCESSING", "1 Queued")),
    ((Started(),), ("Processing", "processing", "Pending", "0", "in-progress", "PROCESSING", "2 Processing")),
    ((Started(), Succeeded()), ("Succeeded", "complete", "Success", "1", "completed", "COMPLETED", "3 Succeeded")),
    ((Started(), PARTIAL), ("Failed", "complete", "Failure", "1", "failed", "FAILED", "4 Failed")),
    ((Started(), Failed()), ("Failed", "fail_to_process", "Failure", "0", "failed", "FAILED", "4 Failed")),
    ((Started(), RETRY, Failed()), ("Fatal", "fail_to_process", "Failure", "0", "failed", "FAILED", "6 Fatal")),
    ((Failed(kind=FailureKind.REJECTED),), ("Fatal", "fail_to_receive", "Failure", "0", "failed", "FAILED", "6 Fatal")),
    ((Started(), RETRY), ("Failed", "processing", "Pending", "0", "in-progress", "PROCESSING", "2 Processing")),
    ((Canceled(),), ("Canceled", "canceled", "Pending", "0", "failed", "FAILED", "5 Canceled")),
)  # fmt: skip


def a_job(events: tuple[Event, ...]) -> Job:
    return fix_gogrid.live(Created(number=7, type="VirtualServer", owner="ann"), *events)


@pytest.mark.parametrize(("events", "told"), STATES)
def test_a_job_stands_where_each_product_would_say(
    events: tuple[Event, ...], told: tuple[str, ...]
) -> None:
    job = a_job(events)
    comestri_s, geoop_s = fix_comestri.entry(job), entry(job)["status"]
    assert told == (
        fix_gogrid.got(job)["currentstate"]["name"],
        *(str(comestri_s[name]) for name in ("status", "result", "percent_completed")),
        fix_orange.item(job)["state"],
        status(job)["job"]["status"],
        f"{geoop_s['id']} {geoop_s['name']}",
    )


def test_no_outcome_is_left_out() -> None:
    assert {a_job(events).outcome for events, _ in STATES} == set(Outcome)


def test_who_canceled_is_told_where_there_is_no_state_for_it() -> None:
    job = a_job((Started(), Canceled()))
    assert fix_orange.item(job)["messages"][-1]["message"] == "canceled by worker"
    assert "finished" in status(job)["job"]
    assert fix_comestri.entry(job, comestri("+00:00", "Failure"))["result"] == "Failure"
