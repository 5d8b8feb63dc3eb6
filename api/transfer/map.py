"""MAP.toml: which column of a table with one row a job is what.

Invariants: a map is checked whole before a row is read, and each fault is told in a sentence with its place in the file; a job is named by its
source_id, number or id, so that a second import finds it. Units: `[times] unit` counts from `epoch`. Errors: BadMap."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from ledger.errors import LedgerError
from ledger.events import FailureKind, Json, Moment

EXAMPLE = """format = "csv"                       # or "tsv", "ndjson"; else it is told from the file

[job]                                # column = "...", or a value for all rows, or a column with a default
source_id = "name"                   # source_id, number or id: what names the job, so that it is imported once
type = {column = "kind", default = "Job"}
owner = {value = "importer"}
detail = ["size", {column = "cpu", as = "number"}]

[times]
created = "created_at"
started = "started_at"
ended = "finished_at"                # of succeeded, failed and canceled jobs only
format = "iso"                       # or unit = "s" (ms, us, ns) with epoch = "1970-01-01T00:00:00Z"
zone = "UTC"                         # of times that do not say their own

[status]
column = "status"

[status.values]
done = "succeeded"
broken = {state = "failed", kind = "exception", final = true}
running = "processing"
waiting = "queued"
"""


class BadMap(LedgerError):
    """The map does not fit."""

    code = "bad_map"
    hint = f"A whole map looks like this:\n\n{EXAMPLE}"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Cell(_Part):
    """Where a field comes from: a column, with a default where it is empty, or one value for all rows."""

    column: str | None = None
    value: Json = None
    default: Json = None

    @model_validator(mode="after")
    def _one_source(self) -> Cell:
        if (self.column is None) == (self.value is None):
            raise ValueError("Say either column or value.")
        return self


def _cell(said: Any) -> Any:
    return {"column": said} if isinstance(said, str) else said


Source = Annotated[Cell, BeforeValidator(_cell)]


class DetailCell(_Part):
    """One entry of the job's detail: a column, the name it gets, and what its text is. JSON cells stay as they are unless `as` is said."""

    column: str
    name: str | None = None
    reading: Annotated[Literal["text", "number", "boolean", "json"] | None, Field(alias="as")] = (
        None
    )


class JobMap(_Part):
    """[job]: what is said once of a job."""

    type: Source
    owner: Source
    source_id: Source | None = None
    number: Source | None = None
    id: Source | None = None
    command: Source | None = None
    object: Source | None = None
    request_id: Source | None = None
    description: Source | None = None
    detail: list[Annotated[DetailCell, BeforeValidator(_cell)]] = []

    @model_validator(mode="after")
    def _named(self) -> JobMap:
        if not any(
            cell is not None and cell.column for cell in (self.source_id, self.number, self.id)
        ):
            raise ValueError(
                "Say which column is its source_id, number or id, or every import would make the jobs anew."
            )
        return self


def _zone(said: Any) -> Any:
    if not isinstance(said, str):
        return said
    try:
        offset = datetime.strptime(said, "%z").utcoffset()
        assert offset is not None
        return timezone(offset)
    except ValueError:
        pass
    try:
        return ZoneInfo(said)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{said!r} is neither a time zone nor an offset like +10:00.") from error


class Times(_Part):
    """[times]: when a job entered its states, and how the columns write it."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True
    )

    created: str
    queued: str | None = None
    started: str | None = None
    ended: str | None = None
    format: str | None = None
    unit: Literal["s", "ms", "us", "ns"] | None = None
    epoch: Annotated[Moment | None, Field(strict=False)] = None
    zone: Annotated[timezone | ZoneInfo | None, BeforeValidator(_zone)] = None

    @model_validator(mode="after")
    def _one_form(self) -> Times:
        if self.format in ("s", "ms", "us", "ns"):
            raise ValueError(f'Numbers have a unit: say unit = "{self.format}".')
        if self.unit is None and self.epoch is not None:
            raise ValueError(
                'epoch needs the unit that is counted from it: "s", "ms", "us" or "ns".'
            )
        if self.unit is not None and (self.format is not None or self.zone is not None):
            raise ValueError(
                "Times have either a unit (numbers from an epoch) or a format and zone (text)."
            )
        return self


def _state(said: Any) -> Any:
    return said.lower() if isinstance(said, str) else said


def _ending(said: Any) -> Any:
    return {"state": said} if isinstance(said, str) else said


class Ending(_Part):
    """Where a status leaves the job. `kind` and `final` are of failed jobs only."""

    state: Annotated[
        Literal["created", "queued", "processing", "succeeded", "failed", "canceled"],
        BeforeValidator(_state),
    ]
    kind: Annotated[FailureKind, Field(strict=False)] | None = None
    final: bool | None = None

    @model_validator(mode="after")
    def _fits(self) -> Ending:
        if self.state != "failed" and (self.kind is not None or self.final is not None):
            raise ValueError("Only failed has a kind and final.")
        return self


class Status(_Part):
    """[status]: the column of the final status, what its words mean, and a column with a remark on the end."""

    column: str
    values: Annotated[dict[str, Annotated[Ending, BeforeValidator(_ending)]], Field(min_length=1)]
    note: str | None = None


class Map(_Part):
    """The whole file."""

    job: JobMap
    times: Times
    status: Status
    format: Literal["csv", "tsv", "ndjson"] | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None

    def columns(self) -> Iterator[tuple[str, str]]:
        """Every column that is named, with its place in the map."""
        for name in JobMap.model_fields:
            cell = getattr(self.job, name)
            if isinstance(cell, Cell) and cell.column is not None:
                yield f"[job] {name}", cell.column
        yield from (
            (f"[job] detail[{nth}]", cell.column) for nth, cell in enumerate(self.job.detail)
        )
        for name in ("created", "queued", "started", "ended"):
            if column := getattr(self.times, name):
                yield f"[times] {name}", column
        yield "[status] column", self.status.column
        if self.status.note:
            yield "[status] note", self.status.note


def read(path: Path) -> Map:
    """The map in a file. Raises BadMap."""
    try:
        return parse(path.read_text(encoding="utf-8"), path.name)
    except (OSError, UnicodeDecodeError) as error:
        raise BadMap(f"The map {path} cannot be read: {error}.") from error


def parse(text: str, name: str = "MAP.toml") -> Map:
    """A map from its text. Raises BadMap with every fault."""
    try:
        return Map.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise BadMap(f"{name} is no TOML: {error}.") from error
    except ValidationError as error:
        raise BadMap("; ".join(f"{name}, {fault}" for fault in _faults(error)) + ".") from error


def _faults(error: ValidationError) -> Iterator[str]:
    for found in error.errors(include_url=False, include_input=False, include_context=False):
        table, *path = [str(step) for step in found["loc"]] or [""]
        brackets = path or table in ("job", "times", "status")
        place = f"[{table}] {'.'.join(path)}".strip() if brackets else table
        sentence = found["msg"].removeprefix("Value error, ").rstrip(".")
        sentence = {
            "Field required": "is missing",
            "Extra inputs are not permitted": "is no word of a map",
        }.get(sentence, sentence)
        yield f"{place}: {sentence}" if place else sentence


def check_columns(map_: Map, columns: Iterable[str]) -> None:
    """Raise BadMap when the map names a column that the file does not have; it says which there are."""
    there = list(columns)
    faults = []
    for place, column in map_.columns():
        if column not in there:
            near = difflib.get_close_matches(column, there, n=1)
            meant = f" (did you mean {near[0]!r}?)" if near else ""
            faults.append(f"{place}: the file has no column {column!r}{meant}")
    if faults:
        raise BadMap(f"{'; '.join(faults)}. Its columns are {', '.join(map(repr, there))}.")


_EPOCH = datetime(1970, 1, 1, tzinfo=timezone(timedelta(0)))


def epoch(times: Times) -> datetime:
    """Where numbers count from."""
    return times.epoch or _EPOCH
