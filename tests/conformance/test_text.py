"""Hostile text through every operation that writes, and back through every operation that reads, in every format.

Invariants: what was written is read back letter for letter, but for what a format cannot say: a character that XML lacks is U+FFFD there, and a
formula in CSV has an apostrophe in front. What PostgreSQL cannot hold is refused, and nothing of it is in the log.
Seen red: CSV without that apostrophe, and without its quotes."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import httpx2 as httpx
import pytest

from api.dialects.dialect import Dialect
from api.formula import exact
from api.operation import Operation, Scope
from api.operations import OPERATIONS
from tests.conformance.population import Made
from tests.conformance.speakers import SPEAKERS
from tests.conformance.stage import Stage, staged
from tests.conformance.telling import WRITES, WRITING, plain
from tests.fix_embedded import wait_until
from tests.fix_fullstory import over
from tests.fix_server import LiveServer

HOSTILE = (
    *("=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "'=1", "\t=1", "\r\n=1"),
    *('",\n"', "a\r\nb", "'; DROP TABLE jobs; --", "]]>", "<script>&amp;</script>", "&#0;%00%s%n{}"),
    *("\x01\x08\x0b\x1b[31m\x7f", "\ufffe\uffff", "\u202eevil\u202c", "😀👨‍👩‍👧", "אבגد", "\u2028\u2029"),
    *("x" * 512, "W" + "é" * 255, "# SUCCESS, TOTAL, 0", " leading and trailing ", "\\u0000", "NULL"),
)  # fmt: skip
_IN_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def made(stage: Stage, client: httpx.Client, text: str) -> Made:
    """A job with the text wherever a word or a text may stand, written natively."""
    words = dict.fromkeys(("type", "command", "object", "owner", "request_id", "source_id"), text)
    said = {"description": text, "note": text, "detail": {text: [text, {"a": text}]}}
    messages = [{"code": 1, "message": text, "description": text}]
    jobs = f"/v1/projects/{stage.project}/jobs"
    answer = client.post(jobs, json={**words, **said, "messages": messages})
    assert answer.status_code == 201, answer.text
    job = answer.json()
    client.post(f"{jobs}/{job['id']}/events", json={"event": "canceled", "note": text})
    return replace(stage.made[0], id=job["id"], number=str(job["number"]))


@pytest.fixture(scope="module")
def written(stage: Stage) -> tuple[Stage, Mapping[str, Made]]:
    own = staged(stage.server, "hostile", made=stage.made)
    client = own.server.client_of(own.project)
    return own, {text: made(own, client, text) for text in HOSTILE}


def leaves(said: Any) -> Iterator[str]:
    match said:
        case str():
            yield said
        case list():
            for one in said:
                yield from leaves(one)
        case dict():
            for name, one in said.items():
                yield name
                yield from leaves(one)


def texts(answer: httpx.Response) -> tuple[set[str], Callable[[str], str]]:
    """All texts of an answer, and how such a text is told in its format."""
    body = answer.content.decode()
    media_type = answer.headers["content-type"].partition(";")[0]
    if media_type == "text/xml":
        found = {one.text or "" for one in ET.fromstring(body).iter()}
        return found, lambda text: _IN_NO_XML.sub("\ufffd", text)
    if media_type == "text/csv":
        cells = {cell for row in csv.reader(io.StringIO(body, newline="")) for cell in row}
        assert not [one for one in cells if one.startswith(tuple("=+-@\t\r"))]
        return {exact(cell) for cell in cells}, str
    if media_type == "application/x-ndjson":
        return {leaf for line in body.splitlines() for leaf in leaves(json.loads(line))}, str
    return set(leaves(json.loads(body))), str


# Operations that show no text of a job: tables of the product's own, and how far a batch is.
SILENT = frozenset({"getLookupList", "postLookupList", "getBatchEventsImportStatus"})
# There are none before a notary has signed, and this server has no notary: tests/api has tests of their own.
SIGNED = frozenset({"getReceipt", "getJobProof"})
BATCHES = frozenset({"getBatchEventsImports", "getBatchEventsImportErrors"})
READS = [
    (dialect, operation, words)
    for dialect, operation in OPERATIONS
    if operation.scope is Scope.JOBS_READ and operation.id not in SILENT | BATCHES | SIGNED
    for words in ([()] if dialect.name != "gogrid" else [(("format", form),) for form in ("json", "xml", "csv")])
]  # fmt: skip


@pytest.mark.parametrize(
    ("dialect", "operation", "words"),
    READS,
    ids=lambda one: getattr(one, "id", getattr(one, "name", None)),
)
def test_what_was_written_is_read(
    written: tuple[Stage, Mapping[str, Made]],
    dialect: Dialect,
    operation: Operation,
    words: tuple[tuple[str, str], ...],
) -> None:
    stage, jobs = written
    always = (*SPEAKERS[dialect.name].always, *words)
    named = any("{" in part and "project" not in part for part in operation.path.split("/"))
    by_id = operation.id.endswith("JobGet")
    for text, job in jobs.items():
        sent = (*always, ("id", job.number)) if by_id else always
        answer = stage.ask(dialect, operation, sent, job=job)
        assert answer.status_code == 200, answer.text
        found, told = texts(answer)
        wanted = set(jobs) if not (named or by_id) else {text}
        assert {told(one) for one in wanted} <= found
        if not (named or by_id):
            return


@pytest.mark.parametrize(
    ("dialect", "operation"),
    WRITING,
    ids=lambda one: getattr(one, "id", getattr(one, "name", None)),
)
def test_what_is_written_is_in_the_log(
    shared_server: LiveServer, stage: Stage, dialect: Dialect, operation: Operation
) -> None:
    own = staged(shared_server, f"hostile {operation.id}", made=stage.made)
    client = own.server.client_of(own.project)
    # FullStory's item has the text behind an id in one word.
    told = [text for text in HOSTILE if dialect.name != "fullstory" or len(text.encode()) < 400]
    for text, job in zip(told, plain(own, client, len(told)), strict=True):
        answer = own.ask(dialect, operation, job=job, body=WRITES[operation.id](text, job))
        assert answer.status_code < 300, answer.text

    def is_there() -> bool:
        return set(told) <= texts(client.get(f"/v1/projects/{own.project}/events?limit=5000"))[0]

    if dialect.name == "fullstory":
        wait_until(is_there)
    assert is_there()


@pytest.mark.parametrize(
    ("dialect", "operation"),
    WRITING,
    ids=lambda one: getattr(one, "id", getattr(one, "name", None)),
)
def test_what_cannot_be_held_is_refused_and_nothing_is_written(
    shared_server: LiveServer, stage: Stage, dialect: Dialect, operation: Operation
) -> None:
    own = staged(shared_server, f"refused {operation.id}", made=stage.made)
    client = own.server.client_of(own.project)
    [job] = plain(own, client, 1)
    feed = f"/v1/projects/{own.project}/events"
    before = client.get(feed).json()["last"]
    for escape in ("\\u0000", "a\\u0000b", "\\ud800", "\\udfff\\ud800"):
        body = json.dumps(WRITES[operation.id]("ESCAPE", job)).replace("ESCAPE", escape)
        headers = {"Content-Type": "application/json"}
        answer = own.ask(dialect, operation, job=job, body=body.encode(), headers=headers)
        if dialect.name == "fullstory" and answer.status_code == 200:
            # The batch is taken, and its item refused.
            assert over(client, answer.json()["job"]["id"])["imports"] == 0
            before = client.get(feed).json()["last"]
        else:
            refused = answer.status_code in range(400, 500)
            assert refused or b'"successful":0' in answer.content, answer.text
        assert client.get(feed).json()["last"] == before


def test_every_operation_that_writes_is_told_text() -> None:
    assert {operation.id for _, operation in WRITING} == set(WRITES)
