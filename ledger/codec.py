"""Events to stored bytes and back.

Invariants: `decode(encode(x)) == x` by law; the stored bytes are plain JSON and never change, so they can be hashed; older shapes are
lifted by `upcast_v1_v2(state)` static methods of the event's class, as the eventsourcing library does. Errors: Undecodable."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import pydantic_core
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import (
    Cipher,
    Compressor,
    JSONTranscoder,
    Mapper,
    StoredEvent,
    Transcoder,
)
from eventsourcing.utils import register_topic
from pydantic import ValidationError

from ledger import settings
from ledger.errors import Invalid, Misconfigured, Undecodable
from ledger.events import EVENTS, Envelope, Event, Recorded
from ledger.settings import WORD_BYTES_MAX
from ledger.words import TOO_LONG, fits

# The library resolves a topic by importing it; registering ours first means that a stored string is never imported.
for _topic, _event in EVENTS.items():
    register_topic(_topic, _event)

# Events that say nothing but their topic, as most do.
_BARE: Final = frozenset(cls for cls in EVENTS.values() if set(cls.model_fields) == {"messages"})
_PROSE: Final = ("note",)
_WORDS: Final = ("project", "credential_id", "actor", "request_id", "note", "source_id")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of ledger.stored_events. Column names follow the library."""

    notification_id: int
    originator_id: UUID
    originator_version: int
    topic: str
    state: bytes
    event_id: UUID
    project: str
    occurred_at: datetime | None
    recorded_at: datetime
    credential_id: str | None


def encode(event: Event, envelope: Envelope) -> bytes:
    """The body of an event: UTF-8 JSON without spaces; absent means the default. Raises Invalid when it cannot be stored."""
    _check(envelope)
    body = _around(envelope)
    if event.class_version > 1:
        body["class_version"] = event.class_version
    try:
        bare = type(event) in _BARE and not event.messages
        told = (
            b"{}" if bare else event.__pydantic_serializer__.to_json(event, exclude_defaults=True)
        )
        state = b'%s,"event":%s}' % (pydantic_core.to_json(body)[:-1], told)
    except ValueError as error:
        raise Invalid(f"The event cannot be written as UTF-8 JSON: {error}") from error
    if len(state) > settings.EVENT_BYTES_MAX:
        raise Invalid(
            f"The event takes {len(state)} bytes, and {settings.EVENT_BYTES_MAX} is the most."
        )
    return state


def _check(envelope: Envelope) -> None:
    """Whether PostgreSQL can hold and index what is said around an event. Raises Invalid."""
    project, actor, credential_id, request_id, note, _, source_id, _ = envelope
    # Nearly always all of them together are shorter than one of them may be, and one look tells it.
    said = f"{project}{actor}{credential_id or ''}{request_id or ''}{note or ''}{source_id or ''}"
    if said.isascii() and len(said) <= WORD_BYTES_MAX and "\x00" not in said:
        return
    for name in _WORDS:
        text = getattr(envelope, name) or ""
        if "\x00" in text:
            raise Invalid(f"PostgreSQL's text cannot hold the U+0000 in {name}.", field=name)
        if text and name not in _PROSE and not fits(text):
            raise Invalid(f"{name}: {TOO_LONG}", field=name)
    try:
        said.encode()
    except UnicodeEncodeError as error:
        raise Invalid(f"The event cannot be written as UTF-8 JSON: {error}") from error


def _around(envelope: Envelope) -> dict[str, Any]:
    """The envelope's fields that live in the body, since only the body can be erased; the others are columns."""
    body: dict[str, Any] = {"actor": envelope.actor}
    if envelope.request_id is not None:
        body["request_id"] = envelope.request_id
    if envelope.note is not None:
        body["note"] = envelope.note
    if envelope.source_id is not None:
        body["source_id"] = envelope.source_id
    if envelope.imported:
        body["imported"] = True
    return body


def decode(row: Row) -> Recorded:
    """The event that a row holds, lifted to today's shape. Raises Undecodable."""
    cls = EVENTS.get(row.topic)
    if cls is None:
        raise Undecodable(
            f"The event at position {row.notification_id} has the unknown topic {row.topic!r}."
        )
    try:
        body = pydantic_core.from_json(row.state)
        state = lift(cls, body.pop("class_version", 1), body.pop("event"))
        envelope = Envelope(
            project=row.project,
            credential_id=row.credential_id,
            occurred_at=row.occurred_at,
            **body,
        )
        event = cls.__pydantic_validator__.validate_json(pydantic_core.to_json(state))
    except (ValueError, TypeError, KeyError, AttributeError, ValidationError) as error:
        raise Undecodable(
            f"The body of the event at position {row.notification_id} cannot be read: {error}"
        ) from error
    return Recorded(
        position=row.notification_id,
        event_id=row.event_id,
        job_id=row.originator_id,
        version=row.originator_version,
        recorded_at=row.recorded_at,
        envelope=envelope,
        event=event,
    )


def lift(cls: type[Event], from_version: int, state: dict[str, Any]) -> dict[str, Any]:
    """Bring a stored event's fields from an older shape of its class to today's."""
    if from_version > cls.class_version:
        raise ValueError(f"shape {from_version} of {cls.TOPIC} is newer than this ledger")
    for version in range(from_version, cls.class_version):
        getattr(cls, f"upcast_v{version}_v{version + 1}")(state)
    return state


class LedgerMapper(Mapper[UUID]):
    """The library's mapper with our bytes: what its tools read and write is what the ledger reads and writes."""

    def __init__(
        self,
        transcoder: Transcoder | None = None,
        compressor: Compressor | None = None,
        cipher: Cipher | None = None,
    ) -> None:
        if compressor is not None or cipher is not None:
            raise Misconfigured(
                "The ledger's bodies are plain JSON: neither packed nor enciphered."
            )
        super().__init__(transcoder or JSONTranscoder())

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredEvent:
        """Our bytes. The library's stored event has no place for the envelope's columns."""
        assert isinstance(domain_event, Recorded)
        return StoredEvent(
            originator_id=domain_event.job_id,
            originator_version=domain_event.version,
            topic=domain_event.topic,
            state=encode(domain_event.event, domain_event.envelope),
        )

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[UUID]:
        """What our recorder selects carries its row. A bare stored event has no envelope columns: they read as empty."""
        row = getattr(stored_event, "row", None)
        if isinstance(row, Row):
            return decode(row)
        assert isinstance(stored_event.originator_id, UUID)
        return decode(
            Row(
                notification_id=getattr(stored_event, "id", 0),
                originator_id=stored_event.originator_id,
                originator_version=stored_event.originator_version,
                topic=stored_event.topic,
                state=stored_event.state,
                event_id=UUID(int=0),
                project="",
                occurred_at=None,
                recorded_at=datetime.fromtimestamp(0, UTC),
                credential_id=None,
            )
        )
