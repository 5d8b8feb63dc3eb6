"""Disclosures: an event laid open, with all that its leaf commits to, so that anybody can make the leaf anew.

Invariants: `Disclosed.of(x.shown()) == x`; a disclosure tells of no other event than its own and, by one hash, the one before it in its job. An
erased event has neither body nor salt, but the hash that they had. Errors: BadProof."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from ledger import leaf
from ledger.errors import LedgerError


class BadProof(LedgerError):
    """The proof does not prove what it says, or is none."""

    code = "bad_proof"
    hint = (
        "Get it again from the ledger; where it stays so, the ledger does not hold what it signed."
    )


@dataclass(frozen=True, slots=True)
class Disclosed:
    """An event as its leaf has it. `previous` is the leaf hash of the job's event before, 32 zero bytes for the first."""

    position: int
    event_id: UUID
    job_id: UUID
    version: int
    occurred_at: datetime | None
    recorded_at: datetime
    project: str
    topic: str
    credential_id: str | None
    salt: bytes | None
    body: bytes | None
    body_hash: bytes
    blind: bytes
    previous: bytes

    @property
    def leaf(self) -> bytes:
        """The leaf that it has in the tree."""
        columns = leaf.Columns(
            event_id=self.event_id.bytes,
            job_id=self.job_id.bytes,
            version=self.version,
            occurred=leaf.moment(self.occurred_at),
            recorded=leaf.moment(self.recorded_at),
            project=self.project,
            topic=self.topic,
            credential_id=self.credential_id,
        )
        body = self.body_hash
        if self.salt is not None and self.body is not None:
            body = leaf.body_hash(self.salt, self.body)
        return leaf.leaf(self.position, columns.hash(self.blind), self.previous, body)

    def shown(self) -> dict[str, Any]:
        """As JSON shows it: hashes in hexadecimal digits, the body as the text that it is."""
        told: dict[str, Any] = {
            "position": self.position,
            "event_id": str(self.event_id),
            "job_id": str(self.job_id),
            "version": self.version,
            "project": self.project,
            "topic": self.topic,
            "occurred_at": _told(self.occurred_at),
            "recorded_at": _told(self.recorded_at),
            "credential_id": self.credential_id,
            "previous": self.previous.hex(),
            "blind": self.blind.hex(),
        }
        if self.salt is None or self.body is None:
            return {**told, "erased": True, "body_hash": self.body_hash.hex()}
        return {**told, "salt": self.salt.hex(), "body": self.body.decode()}

    @classmethod
    def of(cls, told: Any) -> Disclosed:
        """What `shown` wrote. Raises BadProof."""
        try:
            erased = told.get("erased") is True
            salt = None if erased else bytes.fromhex(told["salt"])
            body = None if erased else told["body"].encode()
            found = cls(
                position=_whole(told["position"]),
                event_id=UUID(told["event_id"]),
                job_id=UUID(told["job_id"]),
                version=_whole(told["version"]),
                occurred_at=None if told["occurred_at"] is None else _moment(told["occurred_at"]),
                recorded_at=_moment(told["recorded_at"]),
                project=_text(told["project"]),
                topic=_text(told["topic"]),
                credential_id=None if told["credential_id"] is None else _text(told["credential_id"]),
                salt=salt,
                body=body,
                body_hash=bytes.fromhex(told["body_hash"]) if salt is None or body is None else leaf.body_hash(salt, body),
                blind=bytes.fromhex(told["blind"]),
                previous=bytes.fromhex(told["previous"]),
            )  # fmt: skip
            if not len(found.blind) == len(found.previous) == len(found.body_hash) == 32:
                raise ValueError("a hash has 32 bytes")
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            raise BadProof(f"An event of the proof cannot be read: {error}.") from error
        return found


def _told(at: datetime | None) -> str | None:
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _moment(text: Any) -> datetime:
    at = datetime.fromisoformat(_text(text))
    if at.tzinfo is None:
        raise ValueError("a time needs an offset")
    return at


def _text(found: Any) -> str:
    if not isinstance(found, str):
        raise TypeError("a text was expected")
    found.encode()
    return found


def _whole(found: Any) -> int:
    if not isinstance(found, int) or isinstance(found, bool) or not 0 < found < 2**63:
        raise ValueError("a position or a version is a whole number from 1 on")
    return found
