"""The entry 429 of Comestri's own document, and bytes of the other answers that never change."""

from __future__ import annotations

import json

from api.dialects.comestri.models import CreatedOut, PageOut, ShownOut
from ledger.commands import Write
from ledger.committer import Committed
from ledger.events import Created, Failed, FailureKind, Message, Queued, Started
from tests.fix_comestri import (
    GOLDEN,
    asked,
    documented_job,
    indexed,
    operation,
    page,
    posted,
)
from tests.fix_gogrid import live


def golden(name: str) -> str:
    return (GOLDEN / name).read_text(encoding="utf-8").strip()


def test_the_documented_entry_is_the_document_less_its_white_space() -> None:
    said = indexed(page(documented_job()))
    assert (said.status, said.media_type) == (200, "application/json; charset=utf-8")
    compact = json.dumps(json.loads(golden("jobs.json")), separators=(",", ":"))
    assert said.body.decode() == compact
    PageOut.model_validate_json(said.body)


def item_errors() -> bytes:
    job = live(
        Created(
            number=7,
            type="ProductVariant",
            command="upsert",
            owner="Åsa",
            request_id="r",
            detail={
                "options": {"object_in_response": True},
                "data": [{"_request_data_id": "a", "sku": "1"}, {"_request_data_id": 2, "id": 31}],
            },
        ),
        Queued(),
        Started(),
        Failed(
            kind=FailureKind.ITEM_ERRORS,
            error_count=1,
            messages=(
                Message(message="sku is taken", description="a"),
                Message(code=7, message="The catalogue is full", description="of cats"),
            ),
        ),
    )
    said = operation("showJob").tell(asked(), (job,))
    ShownOut.model_validate_json(said.body)
    return said.body


def test_a_job_by_itself() -> None:
    assert item_errors().decode() == golden("shown.json")


def test_a_new_job() -> None:
    body = {"job": {"entity": "Category", "operation": "insert", "data": [{"name": "Cats"}]}}
    request = posted(body)
    write = operation("createJob").ask(request)
    assert isinstance(write, Write)
    birth, queued = (command.event for command in write.commands)
    job = live(birth.model_copy(update={"number": 429}), queued)
    said = operation("createJob").tell(request, Committed((job,), 2))
    CreatedOut.model_validate_json(said.body)
    assert said.body.decode() == golden("created.json")
