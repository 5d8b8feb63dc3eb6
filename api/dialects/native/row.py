"""A row of the read model as the native JSON, without a job in between: a list would spend most of its time on making them. And a folded job as
its row would be said: to find out what each of its values is takes a JSON writer as long as all the rest of a write.

Invariants: `job(row)` and `folded(job)` are byte for byte what `view` says of the job, which a law holds; all that is odd (messages, a progress
under way) goes the view's own way. Nothing is checked again: what the ledger wrote, it wrote from checked events. All times are in UTC."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from json.encoder import encode_basestring as _quoted
from typing import Any, Final

import pydantic_core

from ledger.job import Job, Stay
from projections.question import Telling
from projections.row import COLUMNS, MESSAGES

_PROGRESS = {0.0: "0.0", 1.0: "1.0"}


# A row has the columns of a job in the order of its fields.
_DETAIL, _MESSAGES, _HISTORY = map(Job._fields.index, ("detail", "messages", "history"))


def folded(one: Job) -> str:
    """A job that was folded, whole."""
    row = list(one)
    if one.detail is not None:
        row[_DETAIL] = _json(one.detail)
    row[_MESSAGES] = _json(one.messages) if one.messages else "[]"
    row[_HISTORY] = ",".join([_stay(entry) for entry in one.history])
    return job(row)


def minimal(one: Job) -> str:
    """Of a job that was written: its id and number, which the ledger may have given, and its version, which If-Match asks for."""
    return f'{{"id":"{one.id}","number":{one.number},"version":{one.version}}}'


def job(row: Sequence[Any]) -> str:
    """A job, whole."""
    (
        job_id, number, project, kind_of_job, owner, created_at, updated_at, state, version, position,
        command, object_name, request_id, source_id, description, detail, attempts, progress,
        error_count, messages, items_total, items_succeeded, items_failed, kind, final,
        started_at, ended_at, ended_by, history,
    ) = row[:COLUMNS]  # fmt: skip
    failure = f'{{"kind":"{kind}","final":{"true" if final else "false"}}}' if kind else "null"
    return (
        f'{{"id":{_json(job_id)},"number":{number},"project":{_quoted(project)},"type":{_quoted(kind_of_job)},"command":{_text(command)},'
        f'"object":{_text(object_name)},"owner":{_quoted(owner)},"request_id":{_text(request_id)},"source_id":{_text(source_id)},'
        f'"description":{_text(description)},"detail":{detail or "null"},"state":"{state}","failure":{failure},"attempts":{attempts},'
        f'"progress":{_PROGRESS.get(progress) or _json(progress)},"error_count":{error_count},'
        f'"messages":{"[]" if messages == "[]" else _json(MESSAGES.validate_json(messages))},'
        f'"items":{{"total":{"null" if items_total is None else items_total},"succeeded":{items_succeeded},"failed":{items_failed}}},'
        f'"created_at":{_moment(created_at)},"updated_at":{_moment(updated_at)},"started_at":{_moment(started_at)},'
        f'"ended_at":{_moment(ended_at)},"ended_by":{_text(ended_by)},"version":{version},"position":{position},"history":[{history}]}}'
    )


def _stay(entry: Stay) -> str:
    kind = f'"{entry.kind}"' if entry.kind else "null"
    return (
        f'{{"position":{entry.position},"version":{entry.version},"state":"{entry.state}","at":{_moment(entry.at)},'
        f'"recorded_at":{_moment(entry.recorded_at)},"actor":{_quoted(entry.actor)},"note":{_text(entry.note)},'
        f'"source_id":{_text(entry.source_id)},"kind":{kind},"final":{"true" if entry.final else "false"}}}'
    )


def _said(row: tuple[Any, ...], _: None) -> bytes:
    text: str = row[0]
    return text.encode()


# A list says a job as its row does by itself, made in the database.
TELLING: Final = Telling(("said",), _said)


def _text(text: str | None) -> str:
    return "null" if text is None else _quoted(text)


@lru_cache(maxsize=1_024)
def _moment(moment: datetime | None) -> str:
    """A time, of which one job, and the jobs of one commit, have few."""
    return "null" if moment is None else f'"{moment.isoformat()[:-6]}Z"'


def _json(value: object) -> str:
    return pydantic_core.to_json(value).decode()
