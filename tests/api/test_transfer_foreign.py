"""Responses of other systems, read without a database: the products' own documents, what they add to a job that is there, and what is no job."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from api.dialects.gogrid.as_xml import WHOLE_TEXT
from api.transfer.foreign import SYSTEMS, java_map
from api.transfer.table import IMPLIED
from ledger.errors import LedgerError
from ledger.events import FailureKind
from ledger.job import State
from tests.fix_foreign import (
    ENTRY,
    SAMPLE,
    again,
    entry,
    gogrid_job,
    golden,
    histories,
    response,
    told,
)
from tests.fix_gogrid import DETAIL, GET, moment, tell
from tests.fix_transfer import stays

# --- the products' own documents ---


@pytest.mark.parametrize("form", ["json", "xml", "csv"])
def test_job_60531_keeps_its_ids_and_times(form: str) -> None:
    [job] = told(f"gogrid-{form}", golden(form))
    assert (job.number, job.owner, job.type) == (60531, "ankit@gogrid.com", "VirtualServer")
    assert (job.command, job.object, job.attempts) == ("CreateVirtualServer", "test 2", 1)
    assert (job.created_at, job.updated_at) == (moment(1231007644632), moment(1231008346317))
    assert [stay.source_id for stay in job.history] == ["10242", "10243", "10244", "10251"]
    assert [stay.at for stay in job.history] == [None, None, None, moment(1231008346317)]
    ip = "108.123.72.31" if form == "csv" else DETAIL["ip"]
    assert job.detail == {**DETAIL, "ip": ip}


def test_job_60531_is_told_again_as_it_was() -> None:
    for form in ("json", "xml", "csv"):
        jobs = tuple(told(f"gogrid-{form}", golden(form)))
        body = tell(GET, jobs, f"id=60531&format={form}").body.decode()
        if form == "json":
            assert json.loads(body) == json.loads(golden(form))
        elif form == "xml":
            assert body == re.sub(r">\s+<", "><", golden(form).strip())
        else:
            assert body == golden(form)


def test_comestri_s_entry_429() -> None:
    [job] = told("comestri", json.dumps({"page": 1, "total_pages": 1, "entries": [ENTRY]}))
    assert (job.number, job.state, job.progress) == (429, State.SUCCEEDED, 1.0)
    assert stays(job) == [
        ("Created", "2016-05-30T04:55:57Z", None),
        ("Processing", None, IMPLIED),
        ("Succeeded", "2016-05-30T04:55:58Z", None),
    ]
    assert told("comestri", json.dumps(ENTRY))[0].history == job.history


def test_orange_s_sample() -> None:
    [job] = told("orange", json.dumps([SAMPLE]))
    assert (str(job.id), job.state, job.owner) == (SAMPLE["id"], State.CREATED, "string")
    assert stays(job) == [("Created", "2024-10-02T15:25:04Z", None)]
    assert (job.description, job.messages[0].description) == ("string", "string")
    [job] = told("orange", json.dumps({**SAMPLE, "state": "failed"}))
    assert [state for state, _, _ in stays(job)] == ["Created", "Processing", "Failed"]
    assert job.started_at == job.ended_at == job.created_at


def test_orange_s_project_is_in_the_href() -> None:
    there = {**SAMPLE, "hRef": "https://api/projects/a%20b/jobs/3fa85f64"}
    [history], bad = histories("orange", json.dumps(there), None)
    assert (history.project, bad) == ("a b", [])
    assert "names no project" in histories("orange", json.dumps(SAMPLE), None)[1][0][1]


# --- what a response says, and what it does not ---


def test_a_state_ahead_of_its_history_is_implied() -> None:
    lagging = gogrid_job(history=[entry(1, "Created"), entry(2, "Queued", updatedon=1231007644999)])
    [job] = told("gogrid-json", response(lagging))
    assert [(state, note) for state, _, note in stays(job)] == [
        ("Created", None),
        ("Queued", None),
        ("Processing", IMPLIED),
        ("Succeeded", IMPLIED),
    ]
    assert (job.attempts, job.updated_at, job.ended_at) == (1, moment(1231008346317), None)
    # When the history has caught up there is nothing to add: the steps are there, and no event is changed.
    assert again("gogrid-json", response(gogrid_job(history=[
        entry(1, "Created"), entry(2, "Queued"), entry(3, "Processing"), entry(4, "Succeeded", updatedon=1231008346317),
    ])), job) == job  # fmt: skip
    behind = gogrid_job(history=[entry(1, "Created")], currentstate={"name": "Created"}, attempts=0)
    assert again("gogrid-json", response({**behind, "lastupdatedon": 1231007644632}), job) == job


def test_fatal_is_final_and_failed_is_not() -> None:
    failed = [entry(1, "Created"), entry(2, "Queued"), entry(3, "Processing"), entry(4, "Failed")]
    [job] = told(
        "gogrid-json",
        response(gogrid_job(history=failed, currentstate={"id": 4, "name": "Failed"})),
    )
    assert (job.state, job.final) == (State.FAILED, False)
    more = [*failed, entry(5, "Queued"), entry(6, "Processing"), entry(7, "Fatal")]
    fatal = gogrid_job(history=more, currentstate={"id": 6, "name": "Fatal"}, attempts=2)
    job = again("gogrid-json", response(fatal), job)
    assert (job.state, job.final, job.kind) == (State.FAILED, True, FailureKind.EXCEPTION)
    assert [stay.source_id for stay in job.history] == [*"1234567"]
    [job] = told(
        "gogrid-json",
        response(gogrid_job(history=[*failed[:3], entry(4, "Fatal")], currentstate={"id": 6})),
    )
    assert (job.final, job.messages[0].code) == (True, 6)


def test_attempts_that_the_history_does_not_have_are_noted_once() -> None:
    [history], _ = histories("gogrid-json", response(gogrid_job(attempts=3)))
    assert [claim.envelope.note for claim in history.claims][
        -1
    ] == "GoGrid counts 3 attempts, the history 1."
    [job] = told("gogrid-json", response(gogrid_job(attempts=3)))
    assert again("gogrid-json", response(gogrid_job(attempts=3)), job) == job


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"owner": "eve"}, "owner"),
        ({"createdon": 1}, "createdon"),
        ({"detail": {**DETAIL, "ip": "1"}}, "detail"),
        ({"history": [entry(10242, "Created"), entry(9, "Queued")]}, "entry 9"),
        (
            {
                "history": [entry(10242, "Created"), entry(10243, "Queued"), entry(10244, "Canceled")],
                "currentstate": {"name": "Canceled"},
            },
            "entry 10244 is Canceled",
        ),
    ],
)  # fmt: skip
def test_what_contradicts_the_ledger_is_a_conflict(change: dict[str, Any], reason: str) -> None:
    [job] = told("gogrid-json", golden("json"))
    with pytest.raises(LedgerError, match=reason):
        again("gogrid-json", response(gogrid_job(**change)), job)


def test_the_same_job_in_another_format_adds_nothing() -> None:
    [job] = told("gogrid-json", golden("json"))
    assert again("gogrid-xml", golden("xml"), job) == job
    with pytest.raises(LedgerError, match="detail"):  # the document's own slip: another address
        again("gogrid-csv", golden("csv"), job)


def test_looks_at_a_comestri_job_in_any_order() -> None:
    looks = [
        {**ENTRY, "status": "ready_to_process", "percent_completed": 0, "result": "Pending", "updated_at": "2016-05-30T14:55:57.400+10:00"},
        {**ENTRY, "status": "processing", "percent_completed": 0.5, "result": "Pending", "updated_at": "2016-05-30T14:55:58+10:00"},
        ENTRY,
    ]  # fmt: skip
    [job] = told("comestri", json.dumps(looks[0]))
    for look in looks[1:]:
        job = again("comestri", json.dumps(look), job)
    assert [state for state, _, _ in stays(job)] == ["Created", "Queued", "Processing", "Succeeded"]
    for look in looks:
        assert again("comestri", json.dumps(look), job) == job
    later = {**ENTRY, "updated_at": "2016-06-01T00:00:00Z", "result": "Failure", "error_count": 1}
    with pytest.raises(LedgerError):
        again("comestri", json.dumps(later), job)


def test_looks_at_an_orange_job_in_any_order() -> None:
    looks = [
        {**SAMPLE, "startProcessingDate": None, "messages": []},
        {**SAMPLE, "state": "in-progress", "startProcessingDate": "2024-10-02T15:26:00Z", "messages": []},
        {**SAMPLE, "state": "completed", "startProcessingDate": "2024-10-02T15:26:00Z", "endProcessingDate": "2024-10-02T15:27:00Z"},
    ]  # fmt: skip
    [job] = told("orange", json.dumps(looks[0]))
    for look in looks[1:]:
        job = again("orange", json.dumps(look), job)
    assert stays(job) == [
        ("Created", "2024-10-02T15:25:04Z", None),
        ("Processing", "2024-10-02T15:26:00Z", None),
        ("Succeeded", "2024-10-02T15:27:00Z", None),
    ]
    for look in looks:
        assert again("orange", json.dumps(look), job) == job
    with pytest.raises(LedgerError, match="its end is failed"):
        again("orange", json.dumps({**looks[2], "state": "failed"}), job)


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("{}", {}),
        ("{a=1, b=x y}", {"a": "1", "b": "x y"}),
        ("{a=, =b}", {"a": "", "": "b"}),
        *((text, {WHOLE_TEXT: text}) for text in ("", "{", "a=1", "{a=b=c}", "{a=1, 2}", "{a=1, a=2}", "{a={b=1}}", "{a=1,b=2}")),
    ],
)  # fmt: skip
def test_java_s_map_is_taken_apart_where_that_is_sure(text: str, detail: dict[str, Any]) -> None:
    assert java_map.parse(text) == detail


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize(
    "said",
    [
        {},
        {"id": None},
        {"id": True},
        {"id": -1},
        {"id": 2**60},
        {"id": "\ud800"},
        {"object": "error", "message": "no"},
        {"object": "option", "id": 1},
        gogrid_job(createdon=10**18),
        gogrid_job(history=[entry(1, "Succeeded"), entry(2, "Queued")]),
        gogrid_job(history=[entry(1, "Created"), entry(2, "Created")]),
        gogrid_job(history=[entry(1, "Canceled"), entry(2, "Canceled")]),
        gogrid_job(history={}),
        gogrid_job(currentstate=7),
        gogrid_job(detail={"x": float("1e308")}, history=None, owner=None),
        gogrid_job(owner="a\x00b"),
        gogrid_job(owner="x" * 513),
        gogrid_job(detail={"x": "y" * 300_000}),
        {**ENTRY, "created_at": "yesterday"},
        {**ENTRY, "percent_completed": 100},
        {**ENTRY, "result": "Pending"},
        {**ENTRY, "error_count": 3},
        {**ENTRY, "processing_details": [{"errors": "x"}]},
        {**SAMPLE, "id": "nope"},
        {**SAMPLE, "state": "lost"},
        {**SAMPLE, "createdDate": "0001-01-01T00:00:00+14:00"},
        {**SAMPLE, "messages": [{"code": 2**40, "message": "x"}]},
    ],
)  # fmt: skip
def test_what_is_no_job_is_a_reject_with_a_reason(system: str, said: dict[str, Any]) -> None:
    text = json.dumps([said])
    if system in ("gogrid-xml", "gogrid-csv"):
        text = text[1:-1]
    found, bad = histories(system, text)
    assert found == []
    assert all(reason.endswith(".") and len(reason) < 400 for _, reason in bad)
    assert bad
