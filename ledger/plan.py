"""A write, decided: what it would append to the jobs as they are known.

Invariants: pure but for the ids it is handed; all commands of a write are decided before any is saved, each on top of those before it;
no two jobs of a write may share an identity; a single refused command is raised as itself, refused commands of a batch together as
BatchRefused with their indices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ledger import events
from ledger.codec import encode
from ledger.commands import Command, Write
from ledger.decide import decide, unknown
from ledger.errors import BatchRefused, Failure, IdentityTaken, LedgerError
from ledger.events import Event
from ledger.job import Job, evolve
from ledger.made import made
from ledger.store import Entry, Unit, identities_of


def plan(
    write: Write,
    known: Mapping[UUID, Job],
    now: datetime,
    new_id: Callable[[], UUID],
    new_number: Callable[[], int],
) -> Unit:
    """The unit that saves `write`, given the jobs it touches. Raises a LedgerError when it may not be saved."""
    if len(write.commands) == 1:
        return _alone(write, known, now, new_id, new_number)
    jobs = _own(write, known)
    versions = {job_id: job.version if job else 0 for job_id, job in jobs.items()}
    entries: list[Entry] = []
    failures: list[Failure] = []
    holders: dict[tuple[str, str], UUID] = {}
    given = _given_numbers(write)
    for index, asked in enumerate(write.commands):
        try:
            command = _numbered(asked, new_number, given)
            for event in decide(jobs[command.job_id], command, now):
                _claim(event, command.job_id, holders)
                versions[command.job_id] += 1
                version = versions[command.job_id]
                entry = Entry.of(command.job_id, version, new_id(), event, command.envelope)
                entries.append(entry)
                # The job as it will be, at a position that is not known yet: what the write's later commands are decided on.
                if index + 1 < len(write.commands):
                    jobs[command.job_id] = evolve(jobs[command.job_id], entry.recorded(0, now))
        except LedgerError as error:
            failures.append(Failure(index, error))
    if failures:
        raise refused(write, failures)
    # A job that only repeats its end gets no entry, but the answer still rests on its version.
    return Unit(tuple(entries), write.key, outcome(write, versions) if write.key else {})


def _alone(
    write: Write,
    known: Mapping[UUID, Job],
    now: datetime,
    new_id: Callable[[], UUID],
    new_number: Callable[[], int],
) -> Unit:
    """The same for a write of one command, as nearly all are: nothing in it can be in the way of anything else."""
    command = _numbered(write.commands[0], new_number, frozenset())
    job_id, _, envelope, _ = command
    job = known.get(job_id)
    if job is not None and job.project != envelope.project:
        job = None
    version = job.version if job else 0
    entries = []
    for event in decide(job, command, now):
        version += 1
        state = encode(event, envelope)
        entries.append(made(Entry, (job_id, version, new_id(), event, envelope, state)))
    if write.key is None:
        return Unit(tuple(entries))
    return Unit(tuple(entries), write.key, outcome(write, {job_id: version}))


def _own(write: Write, known: Mapping[UUID, Job]) -> dict[UUID, Job | None]:
    """The write's jobs as they are known. What is known serves all projects, so another's job is none here, whatever decides on it."""
    own: dict[UUID, Job | None] = {}
    for command in write.commands:
        job = known.get(command.job_id)
        ours = job is not None and job.project == command.envelope.project
        own[command.job_id] = job if ours else None
    return own


def outcome(write: Write, versions: Mapping[UUID, int]) -> dict[str, Any]:
    """What an idempotency key keeps: the write's jobs, in the order first named, at the versions it left them."""
    order = dict.fromkeys(command.job_id for command in write.commands)
    return {"jobs": [[str(job_id), versions[job_id]] for job_id in order]}


def refused(write: Write, failures: Sequence[Failure]) -> LedgerError:
    """The error of a write: that of its only command, or all of them with their indices."""
    return failures[0].error if len(write.commands) == 1 else BatchRefused(tuple(failures))


def strangers(write: Write, job_id: UUID) -> LedgerError:
    """The refusal of a write about a job that is another project's: as if there were none. An id that it would give to a new job is taken."""
    failures = []
    for index, command in enumerate(write.commands):
        if command.job_id == job_id:
            error: LedgerError = unknown(command)
            if isinstance(command.event, events.Created):
                error = IdentityTaken(f"Job {job_id} exists already.", field="id", holder=None)
            failures.append(Failure(index, error))
    return refused(write, failures)


def taken(write: Write, holders: Mapping[tuple[str, str], UUID]) -> list[Failure]:
    """The commands whose jobs would get an identity that the client gave and another job holds."""
    failures = []
    for index, command in enumerate(write.commands):
        named = identities_of(command.event) if isinstance(command.event, events.Created) else ()
        for kind, value in named:
            if (kind, value) in holders:
                sentence = f"Another job has the {kind} {value}."
                holder = holders[kind, value]
                failures.append(Failure(index, IdentityTaken(sentence, field=kind, holder=holder)))
                break
    return failures


def _given_numbers(write: Write) -> frozenset[int]:
    created = (c.event for c in write.commands if isinstance(c.event, events.Created))
    return frozenset(event.number for event in created if event.number is not None)


def _numbered(command: Command, new_number: Callable[[], int], given: frozenset[int]) -> Command:
    event = command.event
    if type(event) is not events.Created or event.number is not None:
        return command
    while (number := new_number()) in given:
        pass
    numbered = events.Created.of_checked({**event.__dict__, "number": number})
    return Command(command.job_id, numbered, command.envelope, command.if_version)


def _claim(event: Event, job_id: UUID, holders: dict[tuple[str, str], UUID]) -> None:
    """Refuse a second job of the write under the same number, request_id or source_id."""
    for kind, value in identities_of(event) if isinstance(event, events.Created) else ():
        if holders.setdefault((kind, value), job_id) != job_id:
            raise IdentityTaken(
                f"Another job of this batch has the {kind} {value}.", field=kind, holder=None
            )
