"""A row of the read models, as the job that it stands for.

Invariants: `job(row)` equals the fold of the job's log up to the row's version; columns come in the order of `whole` in columns.sql; the
session's time zone is UTC. Nothing is validated again: what the ledger wrote, it wrote from checked events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple, overload

import pydantic_core
from pydantic import TypeAdapter

from ledger.events import FailureKind, Message
from ledger.job import Job, State, Stay

# An enum's own look-up by value costs more than all the rest of a stay.
_STATES: Final[Mapping[str, State]] = MappingProxyType({state.value: state for state in State})
_KINDS: Final[Mapping[str | None, FailureKind | None]] = MappingProxyType(
    {None: None, **{kind.value: kind for kind in FailureKind}}
)
COLUMNS: Final = 29
ID, PROJECT, VERSION, POSITION = 0, 2, 8, 9  # where they stand among them
MESSAGES: Final = TypeAdapter(tuple[Message, ...])


def job(row: tuple[Any, ...]) -> Job:
    """The job, with its history. More columns than the job's own may follow."""
    (
        job_id, number, project, kind_of_job, owner, created_at, updated_at, state, version, position,
        command, object_name, request_id, source_id, description, detail, attempts, progress,
        error_count, messages, items_total, items_succeeded, items_failed, kind, final,
        started_at, ended_at, ended_by, stays,
    ) = row[:COLUMNS]  # fmt: skip
    return Job(
        job_id, number, project, kind_of_job, owner, created_at, updated_at, _STATES[state], version, position,
        command, object_name, request_id, source_id, description,
        None if detail is None else pydantic_core.from_json(detail),
        attempts, progress, error_count,
        messages_of(messages),
        items_total, items_succeeded, items_failed, _KINDS[kind], final,
        started_at, ended_at, ended_by,
        history(stays),
    )  # fmt: skip


def history(text: str) -> tuple[Stay, ...]:
    """The stays of a job, from the JSON that the fold made of them: objects with Stay's fields in their order, and commas between."""
    moment = datetime.fromisoformat
    return tuple(
        [
            Stay(
                position, version, _STATES[state], None if at is None else moment(at), moment(recorded_at),
                actor, note, source_id, _KINDS[kind], final,
            )
            for position, version, state, at, recorded_at, actor, note, source_id, kind, final
            in map(dict.values, pydantic_core.from_json(f"[{text}]"))
        ]
    )  # fmt: skip


class Entry(NamedTuple):
    """A stay as its row has it: the same fields, with times as RFC 3339 in UTC and words as text."""

    position: int
    version: int
    state: str
    at: str | None
    recorded_at: str
    actor: str
    note: str | None
    source_id: str | None
    kind: str | None
    final: bool


def entries(text: str) -> list[Entry]:
    """The stays of a job as they are, for who only says them again."""
    return list(map(_entry, map(dict.values, pydantic_core.from_json(f"[{text}]"))))


_entry = Entry._make


def messages_of(text: str) -> tuple[Message, ...]:
    """The messages of a job."""
    return () if text == "[]" else MESSAGES.validate_json(text)


class Rows(Sequence[Job]):
    """Jobs as `raw` rows. Each becomes a Job when it is asked for, so that who can say a row as it is need not have one made."""

    __slots__ = ("raw",)

    def __init__(self, raw: Iterable[tuple[Any, ...]]) -> None:
        self.raw = tuple(raw)

    def __len__(self) -> int:
        return len(self.raw)

    @overload
    def __getitem__(self, index: int) -> Job: ...
    @overload
    def __getitem__(self, index: slice) -> Rows: ...
    def __getitem__(self, index: int | slice) -> Job | Rows:
        return Rows(self.raw[index]) if isinstance(index, slice) else job(self.raw[index])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"Rows({tuple(self)!r})"
