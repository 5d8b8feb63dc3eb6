"""Refusals: what the ledger says no to, and how.

Invariants: each refusal is provoked for real; its status and code are checked, and that nothing changed. Errors: Unexpected."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2 as httpx

from scripts.demonstration.grid import JOB_GET
from scripts.demonstration.outline import json_lines
from scripts.demonstration.stage import Stage
from scripts.demonstration.unexpected import check

RIVALS = 4
Row = tuple[str, int, str, str]


def refusals(stage: Stage) -> None:
    """A refused transition in full, then the others in a line each."""
    play = stage.shown
    before = stage.job(play)
    stage.screen.section(
        "A refused transition",
        f"POST {stage.cloud.jobs}/{play.id}/events, though the job has succeeded",
    )
    path = f"{stage.cloud.jobs}/{play.id}/events"
    answer = stage.cloud.post(path, {"event": "started"}, key="too-late", expect=(409,))
    _check_code(answer, "illegal_transition")
    stage.screen.say(f"HTTP {answer.status_code} {answer.headers['content-type']}")
    stage.screen.listing(json_lines(answer.json(), stage.screen.width))
    stage.screen.section("Refused as well")
    rows = [row(stage) for row in (_race, _batch, _reused_key, _other_tenant, _wrong_signature)]
    stage.screen.table(("asked", "answered", "code", "in its words"), rows)
    check(stage.job(play) == before, f"A refusal changed job {play.number}.")


def _race(stage: Stage) -> Row:
    """Several workers reach for one job at once, each with the ETag that it saw."""
    body = {"type": "VirtualServer", "command": "CreateVirtualServer", "object": "race"}
    job = stage.cloud.post(stage.cloud.jobs, body, key="race", expect=(201,))
    path, etag = f"{stage.cloud.jobs}/{job.json()['id']}/events", job.headers["etag"]

    def start(rival: int) -> httpx.Response:
        said = {"event": "started", "note": f"worker-{rival}"}
        return stage.cloud.post(path, said, key=f"race-{rival}", etag=etag, expect=(200, 412))

    with ThreadPoolExecutor(RIVALS) as pool:
        answers = list(pool.map(start, range(1, RIVALS + 1)))
    lost = [answer for answer in answers if answer.status_code == 412]
    check(len(lost) == RIVALS - 1, f"{RIVALS - len(lost)} of {RIVALS} workers got the same job.")
    attempts = stage.cloud.get(f"{stage.cloud.jobs}/{job.json()['id']}").json()["attempts"]
    check(attempts == 1, f"The job was started {attempts} times.")
    return (
        f"{RIVALS} workers start one job at once: 1 wins, {RIVALS - 1} get",
        *_told(lost[0], "conflict"),
    )


def _batch(stage: Stage) -> Row:
    """A batch with one bad job in it."""
    before = _jobs(stage)
    jobs: list[dict[str, Any]] = [
        {"type": "VirtualServer"},
        {"type": "VirtualServer", "objekt": "x"},
    ]
    answer = stage.cloud.post(stage.cloud.jobs, {"jobs": jobs}, key="bad-batch", expect=(422,))
    indices = [failure["index"] for failure in answer.json()["failures"]]
    check(indices == [1], f"The bad one is at index 1; the answer names {indices}.")
    check(_jobs(stage) == before, "A refused batch left jobs behind.")
    return (
        "a batch of 2 jobs, the second misspelt: none is saved",
        *_told(answer, "batch_refused"),
    )


def _reused_key(stage: Stage) -> Row:
    """An idempotency key for another request than the one it came with."""
    body = {"type": "VirtualServer", "object": "another"}
    answer = stage.cloud.post(stage.cloud.jobs, body, key="race", expect=(422,))
    return ("an Idempotency-Key for another request", *_told(answer, "idempotency_key_reused"))


def _other_tenant(stage: Stage) -> Row:
    """The shop's key, in the cloud's project."""
    answer = stage.shop.get(f"{stage.cloud.jobs}/{stage.shown.id}", expect=404)
    return ("another tenant's job", *_told(answer, "unknown_project"))


def _wrong_signature(stage: Stage) -> Row:
    """GoGrid's words for a signature that does not fit."""
    address = httpx.URL(stage.grid.address(JOB_GET, id=stage.shown.number))
    answer = stage.grid.fetch(str(address.copy_merge_params({"sig": "0" * 32})))
    check(
        answer.status_code == 403,
        f"A wrong signature was answered {answer.status_code}: {answer.text}",
    )
    fault = answer.json()["list"][0]
    found = (answer.status_code, fault["errorcode"])
    check(found[1] == "Authentication Failed", f"A wrong signature got {answer.text}")
    return ("a GoGrid request with a wrong signature", *found, _first_sentence(fault["message"]))


def _jobs(stage: Stage) -> int:
    found: int = stage.cloud.get(stage.cloud.counts).json()["total"]
    return found


def _check_code(answer: httpx.Response, code: str) -> None:
    check(answer.json()["code"] == code, f"Expected the code {code}, got {answer.text}.")


def _told(answer: httpx.Response, code: str) -> tuple[int, str, str]:
    _check_code(answer, code)
    return answer.status_code, code, answer.json()["detail"]


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].rstrip(".") + "."
