"""The checker: joins clients' journals with the log, and names every broken promise.

Invariants: it knows nothing of how clients reached the ledger; it takes time in proportion to journals and log, and sorts once; each
finding is a word of `Finding` and a sentence. Errors: none; what it cannot explain is a finding."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from ledger.codec import encode
from ledger.commands import Command
from ledger.decide import decide
from ledger.errors import LedgerError
from ledger.events import Recorded
from ledger.job import Job, evolve
from tests.journal import Line, Looked, Outcome, Said, Saw, Sent, Told


class Finding(StrEnum):
    """What can be wrong."""

    HOLE = "the positions of the log are not 1 to n"
    BACKWARDS = "the time of record runs backwards"
    VERSION = "the versions of a job are not 1 to n"
    ILLEGAL = "an event was not allowed when it was recorded"
    TWICE = "an event id stands twice"
    UNINVITED = "an event that nobody asked for"
    LOST = "told ok, and not in the log"
    DOUBLED = "in the log more than once"
    ALTERED = "in the log with another content"
    GHOST = "told fail, and in the log"
    PARTIAL = "in the log in part"
    CONTRADICTED = "told ok and fail, or ok with two answers"
    OVERTAKEN = "told before another was sent, and in the log behind it"
    SKIPPED = "a follower missed an event"
    REPEATED = "a follower saw an event again"
    MISREAD = "a follower saw an event that is not in the log there"
    STALE = "a reader saw what was not so at that position"


@dataclass
class Operation:
    """All that the journals say of one operation, and where it stands in the log."""

    name: str
    said: tuple[Said, ...] = ()
    sent_ns: int | None = None
    acked_ns: int | None = None
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    answers: set[str] = field(default_factory=set)
    found: list[Recorded] = field(default_factory=list)


@dataclass
class Verdict:
    """The findings, and how much was looked at."""

    findings: list[tuple[Finding, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, finding: Finding, sentence: str) -> None:
        """One more."""
        self.findings.append((finding, sentence))

    @property
    def kinds(self) -> set[Finding]:
        """What was found, without the places."""
        return {finding for finding, _ in self.findings}


def check(log: Sequence[Recorded], lines: Iterable[Line]) -> Verdict:
    """The log in position order, all journals' lines in any order but each journal's own."""
    verdict = Verdict()
    operations: dict[str, Operation] = {}
    followers: dict[str, list[tuple[int, str]]] = {}
    looks: list[Looked] = []
    for line in lines:
        match line:
            case Sent() | Told():
                _note(operations.setdefault(line.operation, Operation(line.operation)), line)
            case Saw(follower, events):
                followers.setdefault(follower, []).extend(events)
            case Looked():
                looks.append(line)
    verdict.counts.update(events=len(log), operations=len(operations), looks=len(looks))
    _check_log(verdict, log, looks)
    for recorded in log:
        # In process its name is its note; over HTTP, where not every dialect has notes, the id of its request.
        operation = operations.get(recorded.note or recorded.envelope.request_id or "")
        if operation is None or operation.sent_ns is None:
            verdict.add(Finding.UNINVITED, _place(recorded))
        else:
            operation.found.append(recorded)
    for operation in operations.values():
        _check_operation(verdict, operation)
    _check_order(verdict, operations.values())
    for follower, seen in followers.items():
        _check_follower(verdict, follower, seen, log)
    return verdict


def _note(operation: Operation, line: Sent | Told) -> None:
    match line:
        case Sent(said=said, at_ns=at_ns):
            operation.said = operation.said or said
            if operation.sent_ns is None:
                operation.sent_ns = at_ns
        case Told(outcome=outcome, at_ns=at_ns, answer=answer):
            operation.outcomes[outcome] += 1
            if outcome is Outcome.OK:
                operation.answers.add(json.dumps(answer, sort_keys=True))
                if operation.acked_ns is None:
                    operation.acked_ns = at_ns


def _check_log(verdict: Verdict, log: Sequence[Recorded], looks: Sequence[Looked]) -> None:
    """The log by itself, and what readers saw of it on the way."""
    jobs: dict[UUID, Job] = {}
    ids: set[UUID] = set()
    pending = sorted(looks, key=lambda look: look.position, reverse=True)
    _look(verdict, pending, jobs, 0)
    for position, recorded in enumerate(log, start=1):
        job = jobs.get(recorded.job_id)
        if recorded.position != position:
            verdict.add(Finding.HOLE, f"{_place(recorded)} is event {position} of the log")
        if position > 1 and recorded.recorded_at < log[position - 2].recorded_at:
            verdict.add(Finding.BACKWARDS, _place(recorded))
        if recorded.version != (job.version + 1 if job else 1):
            verdict.add(Finding.VERSION, f"{_place(recorded)} is version {recorded.version}")
        if recorded.event_id in ids:
            verdict.add(Finding.TWICE, _place(recorded))
        ids.add(recorded.event_id)
        if not _allowed(job, recorded):
            verdict.add(Finding.ILLEGAL, f"{_place(recorded)} {recorded.topic}")
        if job is not None or recorded.topic == "job.created":
            jobs[recorded.job_id] = evolve(job, recorded)
        _look(verdict, pending, jobs, position)
    for look in pending:
        verdict.add(Finding.STALE, f"position {look.position} was never reached")


def _allowed(job: Job | None, recorded: Recorded) -> bool:
    command = Command(recorded.job_id, recorded.event, recorded.envelope)
    try:
        return decide(job, command, recorded.recorded_at) == (recorded.event,)
    except LedgerError:
        return False


def _look(verdict: Verdict, pending: list[Looked], jobs: Mapping[UUID, Job], position: int) -> None:
    while pending and pending[-1].position == position:
        look = pending.pop()
        job = jobs.get(UUID(look.job))
        so = portrait_of(job) if job else None
        if look.seen is None or so is None:
            right = look.seen is None and so is None
        else:
            right = all(name in so and so[name] == value for name, value in look.seen.items())
        if not right:
            verdict.add(Finding.STALE, f"job {look.job} at position {position}: {look.seen}")


def portrait_of(job: Job) -> dict[str, Any]:
    """What a reader of any dialect can be asked to compare."""
    return {
        "state": job.state.value,
        "version": job.version,
        "number": job.number,
        "attempts": job.attempts,
        "progress": job.progress,
        "error_count": job.error_count,
        "messages": len(job.messages),
        "history": [stay.state.value for stay in job.history],
    }


def _check_operation(verdict: Verdict, operation: Operation) -> None:
    name, found = operation.name, operation.found
    acked, failed = operation.outcomes[Outcome.OK], operation.outcomes[Outcome.FAIL]
    kind = "acknowledged" if acked else "refused" if failed else "unknown"
    verdict.counts[kind] += 1
    if kind == "unknown" and found:
        verdict.counts["unknown and saved"] += 1
    if (acked and failed) or len(operation.answers) > 1:
        verdict.add(Finding.CONTRADICTED, f"{name}: {operation.answers or operation.outcomes}")
    if acked and not found and operation.said:
        verdict.add(Finding.LOST, name)
    if failed and not acked and found:
        verdict.add(Finding.GHOST, f"{name} {_place(found[0])}")
    if not found:
        return
    if len(found) > len(operation.said):
        verdict.add(Finding.DOUBLED, f"{name}: {len(found)} events of {len(operation.said)}")
    elif len(found) < len(operation.said):
        verdict.add(Finding.PARTIAL, f"{name}: {len(found)} events of {len(operation.said)}")
    elif not all(map(_same, operation.said, found)):
        verdict.add(Finding.ALTERED, f"{name} {_place(found[0])}")
    elif found[-1].position - found[0].position != len(found) - 1:
        verdict.add(Finding.PARTIAL, f"{name}: others stand between its events")


def _same(said: Said, recorded: Recorded) -> bool:
    """Whether an event is what was asked for, to the byte; names may have been given by the ledger."""
    fields = json.loads(encode(recorded.event, recorded.envelope))["event"]
    for name in ("number", "request_id"):
        if name not in said.fields:
            fields.pop(name, None)
    return (
        said.topic == recorded.topic
        and said.job in (None, str(recorded.job_id))
        and set(fields) == set(said.fields)
        and all(json.dumps(fields[name]) == json.dumps(said.fields[name]) for name in fields)
    )


def _check_order(verdict: Verdict, operations: Iterable[Operation]) -> None:
    """Who was told before another was sent stands before it: seen backwards, so that one pass is enough."""
    there = sorted((o for o in operations if o.found), key=lambda o: o.found[0].position)
    first: Operation | None = None  # of those further back, the one that was told first
    for operation in reversed(there):
        told_ns, sent_ns = operation.acked_ns, operation.sent_ns
        if first is not None and first.acked_ns is not None:
            if sent_ns is not None and first.acked_ns < sent_ns:
                verdict.add(Finding.OVERTAKEN, f"{first.name} stands behind {operation.name}")
            if told_ns is None or told_ns >= first.acked_ns:
                continue
        if told_ns is not None:
            first = operation


def _check_follower(
    verdict: Verdict, follower: str, seen: Sequence[tuple[int, str]], log: Sequence[Recorded]
) -> None:
    verdict.counts["followed"] += len(seen)
    last = 0
    for position, event_id in seen:
        if position > last + 1:
            verdict.add(Finding.SKIPPED, f"{follower}: {position} after {last}")
        elif position <= last:
            verdict.add(Finding.REPEATED, f"{follower}: {position} after {last}")
        last = position
        if not 0 < position <= len(log) or str(log[position - 1].event_id) != event_id:
            verdict.add(Finding.MISREAD, f"{follower}: {event_id} at position {position}")


def _place(recorded: Recorded) -> str:
    return f"position {recorded.position}"
