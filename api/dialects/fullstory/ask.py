"""Words to questions: which batch is handed in, and which job somebody polls.

Invariants: pure; a batch's own job is asked for in the same write that takes its items; unknown query parameters are left alone.
Errors: what `body`, `opaque` and `page` raise; Invalid."""

from __future__ import annotations

from api.batch.question import Results, Submission
from api.dialects.fullstory import body, page
from api.dialects.fullstory.opaque import job_id
from api.dialects.native.ask import envelope
from api.dialects.native.words import idempotency_key
from api.operation import Asked
from ledger import events
from ledger.batches import NewBatch
from ledger.commands import Command, Write
from ledger.errors import Invalid
from ledger.settings import BATCH_ITEMS_MAX
from projections.question import Named

TYPE = "BatchImport"
FORM = "fullstory"  # of stored items: as `item` reads them


def batch(asked: Asked) -> Submission:
    """POST /v2/events/batch"""
    key = idempotency_key(asked)
    sent = body.read(asked.body, BATCH_ITEMS_MAX)
    who, new_id = asked.who, asked.new_id()
    created = events.Created(
        type=TYPE,
        command="events",
        owner=who.name,
        detail={"requests": sent.count},
    )
    commands = tuple(
        Command(new_id, event, envelope(asked)) for event in (created, events.Queued())
    )
    return Submission(
        NewBatch(
            job_id=new_id,
            project=who.project,
            form=FORM,
            shared=sent.shared,
            actor=who.name,
            credential_id=who.key_id,
            request_id=asked.request_id,
            items=sent.items,
            count=sent.count,
        ),
        Write(commands, key),
    )


def job(asked: Asked) -> Named:
    """GET /v2/events/batch/{job_id}"""
    return Named(asked.who.project, ids=(job_id(asked.path_params["job_id"]),), as_of=asked.as_of)


def imports(asked: Asked) -> Results:
    """GET /v2/events/batch/{job_id}/imports"""
    with_schema(asked)
    return _results(asked, "imports")


def errors(asked: Asked) -> Results:
    """GET /v2/events/batch/{job_id}/errors"""
    return _results(asked, "errors")


def with_schema(asked: Asked) -> bool:
    """Whether the schemas that came with items are to be shown."""
    word = _one(asked, "include_schema") or "false"
    if word not in ("true", "false"):
        raise Invalid("include_schema is true or false.", field="include_schema")
    return word == "true"


def _results(asked: Asked, listed: str) -> Results:
    word = _one(asked, "page_token")
    return Results(
        project=asked.who.project,
        job_id=job_id(asked.path_params["job_id"]),
        failed=listed == "errors",
        after=page.behind(listed, word) if word else -1,
        as_of=asked.as_of,
    )


def _one(asked: Asked, name: str) -> str | None:
    words = [word for key, word in asked.query if key == name]
    if len(words) > 1:
        raise Invalid(f"{name} may be given once.", field=name)
    return words[0] if words else None
