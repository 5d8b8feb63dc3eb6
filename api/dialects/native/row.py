"""A row of the read model as the native JSON, without a job in between: a list would spend most of its time on making them.

Invariants: `job(row)` is byte for byte what `view` says of the job that the row stands for, which a law holds; all that is odd (messages, a
progress under way) goes the view's own way. Nothing is checked again: what the ledger wrote, it wrote from checked events."""

from __future__ import annotations

from datetime import datetime
from json.encoder import encode_basestring
from typing import Any

import pydantic_core

from projections.row import COLUMNS, MESSAGES

_PROGRESS = {0.0: "0.0", 1.0: "1.0"}


def job(row: tuple[Any, ...]) -> str:
    """A job, whole."""
    (
        job_id, number, project, kind_of_job, owner, created_at, updated_at, state, version, position,
        command, object_name, request_id, source_id, description, detail, attempts, progress,
        error_count, messages, items_total, items_succeeded, items_failed, kind, final,
        started_at, ended_at, ended_by, history,
    ) = row[:COLUMNS]  # fmt: skip
    failure = f'{{"kind":"{kind}","final":{"true" if final else "false"}}}' if kind else "null"
    return (
        f'{{"id":"{job_id}","number":{number},"project":{_text(project)},"type":{_text(kind_of_job)},"command":{_text(command)},'
        f'"object":{_text(object_name)},"owner":{_text(owner)},"request_id":{_text(request_id)},"source_id":{_text(source_id)},'
        f'"description":{_text(description)},"detail":{detail or "null"},"state":"{state}","failure":{failure},"attempts":{attempts},'
        f'"progress":{_PROGRESS.get(progress) or _json(progress)},"error_count":{error_count},'
        f'"messages":{"[]" if messages == "[]" else _json(MESSAGES.validate_json(messages))},'
        f'"items":{{"total":{"null" if items_total is None else items_total},"succeeded":{items_succeeded},"failed":{items_failed}}},'
        f'"created_at":{_moment(created_at)},"updated_at":{_moment(updated_at)},"started_at":{_moment(started_at)},'
        f'"ended_at":{_moment(ended_at)},"ended_by":{_text(ended_by)},"version":{version},"position":{position},"history":[{history}]}}'
    )


def _text(text: str | None) -> str:
    return "null" if text is None else encode_basestring(text)


def _moment(moment: datetime | None) -> str:
    # The session is in UTC.
    return "null" if moment is None else f'"{moment.isoformat()[:-6]}Z"'


def _json(value: object) -> str:
    return pydantic_core.to_json(value).decode()
