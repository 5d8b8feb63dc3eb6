"""Commands: what somebody wants to happen to a job.

Invariants: a command is parsed and immutable; its envelope was filled from the credential at the edge. A write is what one request asks:
its commands are saved all or none, under at most one idempotency key."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from ledger.events import Envelope, Event


@dataclass(frozen=True, slots=True)
class Command:
    """Let `event` happen to job `job_id`. `if_version`: only if the job is still at this version (0: does not exist yet)."""

    job_id: UUID
    event: Event
    envelope: Envelope
    if_version: int | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """An idempotency key and the SHA-256 of the request it stands for."""

    project: str
    key: str
    request_hash: bytes


@dataclass(frozen=True, slots=True)
class Write:
    """One request's commands, in order, and its key if it has one."""

    commands: tuple[Command, ...]
    key: Key | None = None
    size_bytes: int = field(default=0, compare=False)
    job_ids: frozenset[UUID] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        # The jobs that the commands are about: asked for again and again on the way to the log.
        ids = frozenset([command.job_id for command in self.commands])
        object.__setattr__(self, "job_ids", ids)
