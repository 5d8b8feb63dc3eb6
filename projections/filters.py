"""FILTERS and SORTS: what can be asked of a list of jobs, and in which order it may come.

Invariants: one row a filter; every row names a column of the read model `jobs` and the index that serves it (`jobs_v1_<index>_idx`; id: the
primary key); words become values at the edge, so that no value can break a statement. Errors: a parser raises ValueError with a sentence."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, Literal
from uuid import UUID

from ledger.job import Outcome, Phase, State
from ledger.words import word

Value = str | int | datetime | UUID

_BIGINT_MAX: Final = 2**63 - 1
_DIGITS = re.compile(r"[0-9]{1,19}")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)


@dataclass(frozen=True, slots=True)
class Filter:
    """One thing to ask. `parse` turns a word into a value or raises ValueError; `many`: may be given several times, any may match."""

    name: str
    operator: Literal["in", ">=", "<="]
    column: str
    parse: Callable[[str], Value]
    index: str
    many: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """A filter with the values asked for: at least one; with operator `in` any of them may match."""

    filter: Filter
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Sort:
    """One sort key: a name of SORTS. Every order ends in the job's number, in the direction of the last key; without keys it ascends."""

    column: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """What a sort key stands for. `then`: the column that orders its equals before the number does; it never changes within a job."""

    name: str
    column: str
    parse: Callable[[str], Value]
    index: str
    then: str | None = None
    description: str = ""


def state(word: str) -> str:
    """The name of a state."""
    try:
        return State(word).value
    except ValueError:
        raise ValueError(
            f"A state is one of {', '.join(State)}, in exactly this spelling."
        ) from None


def outcome(word: str) -> str:
    """The name of an outcome."""
    try:
        return Outcome(word).value
    except ValueError:
        raise ValueError(
            f"An outcome is one of {', '.join(Outcome)}, in exactly this spelling."
        ) from None


def phase(word: str) -> str:
    """The name of a phase."""
    try:
        return Phase(word).value
    except ValueError:
        raise ValueError(
            f"A phase is one of {', '.join(Phase)}, in exactly this spelling."
        ) from None


def number(word: str) -> int:
    """A job's number."""
    if not _DIGITS.fullmatch(word) or int(word) > _BIGINT_MAX:
        raise ValueError(f"A number is a whole number from 0 to {_BIGINT_MAX}.")
    return int(word)


def job_id(word: str) -> UUID:
    """A job's id."""
    if not _UUID.fullmatch(word):
        raise ValueError("An id is a UUID, such as 0190b6c6-7d2a-7c3e-9f0a-2f5b8f1c9d10.")
    return UUID(word)


def moment(word: str) -> datetime:
    """A time in RFC 3339, with its offset and to the microsecond; a bare date is its first moment in UTC."""
    if _DAY.fullmatch(word):
        word += "T00:00:00Z"
    if not _MOMENT.fullmatch(word):
        raise ValueError(
            "A time is RFC 3339 with an offset and at most 6 decimals, such as 2024-05-30T05:13:26Z (a + is written %2B in an address),"
            " or a bare date, which means 00:00:00 UTC."
        )
    try:
        return datetime.fromisoformat(word.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"There is no such time: {error}.") from error


FILTERS: Mapping[str, Filter] = MappingProxyType(
    {
        row.name: row
        for row in (
            Filter("state", "in", "state", state, "project_state_created_at_number", True,
                   "Where the job stands: Created, Queued, Processing, Succeeded, Failed or Canceled."),
            Filter("outcome", "in", "outcome", outcome, "project_outcome_created_at_number", True,
                   "As state, but with Failed told apart: Retrying, Rejected, Incomplete (item errors), Exhausted (failed before), or Failed."),
            Filter("phase", "in", "phase", phase, "project_phase_created_at_number", True,
                   "How far the job is: acknowledged, in-progress (to be retried, too), completed, or failed (canceled, too)."),
            Filter("type", "in", "type", word, "project_type_created_at_number", True,
                   "What kind of thing the job is about."),
            Filter("command", "in", "command", word, "project_command_created_at_number", True,
                   "What the job does to it."),
            Filter("object", "in", "object", word, "project_object_created_at_number",
                   description="The name of the thing the job is about."),
            Filter("owner", "in", "owner", word, "project_owner_created_at_number",
                   description="Who asked for the job."),
            Filter("request_id", "in", "request_id", word, "project_request_id",
                   description="The request that the job came from."),
            Filter("number", "in", "number", number, "project_number",
                   description="The job's number."),
            Filter("source_id", "in", "source_id", word, "project_source_id",
                   description="What the job is called at its source."),
            Filter("id", "in", "id", job_id, "pkey",
                   description="The job's id, a UUID."),
            Filter("created_from", ">=", "created_at", moment, "project_created_at_number",
                   description="Created at this time or later: RFC 3339, or a date."),
            Filter("created_to", "<=", "created_at", moment, "project_created_at_number",
                   description="Created at this time or earlier."),
            Filter("updated_from", ">=", "updated_at", moment, "project_updated_at_number",
                   description="Last changed at this time or later."),
            Filter("updated_to", "<=", "updated_at", moment, "project_updated_at_number",
                   description="Last changed at this time or earlier."),
        )
    }
)  # fmt: skip

SORTS: Mapping[str, Key] = MappingProxyType(
    {
        row.name: row
        for row in (
            Key("created", "created_at", moment, "project_created_at_number",
                description="When the job was created."),
            Key("updated", "updated_at", moment, "project_updated_at_number",
                description="When the job last changed."),
            Key("number", "number", number, "project_number",
                description="The job's number."),
            Key("state", "state", state, "project_state_created_at_number", "created_at",
                "The state, by the alphabet, then when the job was created."),
            Key("phase", "phase", phase, "project_phase_created_at_number", "created_at",
                "The phase, by the alphabet, then when the job was created."),
            Key("type", "type", word, "project_type_created_at_number", "created_at",
                "The type, by the alphabet, then when the job was created."),
            Key("owner", "owner", word, "project_owner_created_at_number", "created_at",
                "Who asked for the job, by the alphabet, then when it was created."),
            Key("id", "id", job_id, "pkey",
                description="The job's id."),
        )
    }
)  # fmt: skip
