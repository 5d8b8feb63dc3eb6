"""Names: the jobs of a project by what callers call them, straight from the log.

Invariants: what is found is the fold of the whole log at that moment, never of a read model that may be behind; a job of another project is
not found; an unknown name is absent. Errors: psycopg's own, and Undecodable for a job that cannot be read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple
from uuid import UUID

from ledger import store
from ledger.job import Job, fold
from ledger.sight import rows


class Name(NamedTuple):
    """What a caller calls a job. `value` is the text of it; a number is in decimal, an id in lower case."""

    kind: Literal["id", "number", "request_id", "source_id"]
    value: str


def by_id(job_id: UUID) -> Name:
    """A job by its id."""
    return Name("id", str(job_id))


def by_number(number: int) -> Name:
    """A job by its number."""
    return Name("number", str(number))


def by_source_id(source_id: str) -> Name:
    """A job by what it is called at its source."""
    return Name("source_id", source_id)


async def named(
    connection: store.Connection, project: str, names: Iterable[Name]
) -> Mapping[Name, Job]:
    """The jobs that go by these names, as they stand now."""
    ids = await ids_of(connection, project, tuple(dict.fromkeys(names)))
    if not ids:
        return {}
    after = dict.fromkeys(ids.values(), 0)
    streams = await store.streams(connection, after, sight=(project,))
    jobs = {job_id: fold(recorded) for job_id, recorded in streams.items()}
    return {
        name: job
        for name, job_id in ids.items()
        if (job := jobs.get(job_id)) is not None and job.project == project
    }


async def ids_of(
    connection: store.Connection, project: str, names: Iterable[Name]
) -> dict[Name, UUID]:
    """The ids that these names stand for. An id stands for itself, whether there is such a job in the project or not."""
    names = tuple(names)
    found = {name: UUID(name.value) for name in names if name.kind == "id"}
    asked = [name for name in names if name.kind != "id" and _storable(name.value)]
    if asked:
        columns = (
            [project] * len(asked),
            [one.kind for one in asked],
            [one.value for one in asked],
        )
        for kind, value, job_id in await rows(
            connection, (project,), store.SQL["holders"], columns
        ):
            found[Name(kind, value)] = job_id
    return found


def _storable(text: str) -> bool:
    """Whether PostgreSQL's text could hold it: nothing that it cannot hold is the name of a job."""
    return "\x00" not in text and text.encode(errors="replace").decode() == text
