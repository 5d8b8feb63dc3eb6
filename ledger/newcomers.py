"""Newcomers: new jobs that nothing need be asked about one by one, in columns, as a batch for ledger.append_all.

Invariants: the arrays are those that bulk.pack makes of the same jobs, but for ids and salts, which nobody has twice, and for the order of names,
which means nothing. Units: ids in their 16 bytes, times as cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from uuid_utils import uuid7

from ledger import arrays, bulk, events
from ledger.events import Event


class Course(NamedTuple):
    """What jobs that go the same way have in common: how many events, and the cells of their versions, of their topics, and of the bodies behind
    the creation's."""

    events: int
    versions: bytes
    topics: bytes
    bodies: bytes

    @classmethod
    def of(cls, behind: Sequence[tuple[Event, bytes]]) -> Course:
        """The course of a job that has these events, with their bodies, behind its creation."""
        count = 1 + len(behind)
        topics = (events.Created.TOPIC, *(event.TOPIC for event, _ in behind))
        return cls(
            count,
            b"".join(bulk.version_cells(0, count)),
            b"".join(map(arrays.word, topics)),
            b"".join(arrays.octets(body) for _, body in behind),
        )


class Newcomers(NamedTuple):
    """Jobs of one project: of each its id, the body of its creation, its course, and its names by their kinds, None where it lacks one.

    `times` are cells, one of each event, in order."""

    ids: Sequence[bytes]
    creations: Sequence[bytes]
    courses: Sequence[Course]
    times: Sequence[bytes]
    names: Mapping[str, Sequence[str | None]]


def pack(project: str, credential: str, jobs: Newcomers) -> bulk.Batch:
    """The parameters of ledger.append_all, whose comment describes them."""
    ids = list(map(arrays.uuid, jobs.ids))
    count = sum([course.events for course in jobs.courses])
    columns = (
        [job * course.events for job, course in zip(ids, jobs.courses, strict=True)],
        [course.versions for course in jobs.courses],
        [course.topics for course in jobs.courses],
        [arrays.uuid(uuid7().bytes) for _ in range(count)],
        jobs.times,
        [
            arrays.octets(body) + course.bodies
            for body, course in zip(jobs.creations, jobs.courses, strict=True)
        ],
        [arrays.word(credential) * count],
        [arrays.word(project) * count],
    )
    named = [
        (job, arrays.word(project), arrays.word(kind), arrays.text(name))
        for kind, names in jobs.names.items()
        for job, name in zip(ids, names, strict=True)
        if name is not None
    ]
    return bulk.arranged(count, columns, (), named)
