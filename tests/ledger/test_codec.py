"""Events to bytes and back: the golden bodies, upcasts, and what is refused on either side."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

import pytest
from eventsourcing.cipher import AESCipher
from eventsourcing.compressor import ZlibCompressor
from eventsourcing.persistence import StoredEvent
from eventsourcing.utils import Environment, resolve_topic

from ledger import codec, events, settings
from ledger.codec import LedgerMapper, Row, decode, encode
from ledger.errors import Invalid, Misconfigured, Undecodable
from ledger.events import EVENTS, Created, Envelope, Event, FailureKind, ItemsReported, Message
from tests.histories import ANN, CREATED, past

GOLDEN = Path(__file__).parents[1] / "golden" / "events.jsonl"
# The file may grow at its end. These are the lines that were there when the first ledger was written, and they are for ever.
GOLDEN_LINES = 15
GOLDEN_SHA256 = "97efcf3f6554d38f9cf22ae7f61ef9bed1477843df8b07e85d9462f83681643a"

NOON = datetime(2026, 2, 3, 12, 0, 0, 123456, tzinfo=UTC)
SHORT = Envelope(project="p", actor="a")
LONG = Envelope(
    project="p",
    actor='Ann "the" Ö',
    credential_id="k1",
    request_id="req-1",
    note="line one\nline two \u2028 \U0001f600",
    occurred_at=NOON,
    source_id="4711",
    imported=True,
)
SAID = (
    Message(code=-7, message="m\u00e9ssage", description="more \\u0000 <b>"),
    Message(message=""),
)
# What the lines of the golden file say, in their order.
SPOKEN: tuple[tuple[Event, Envelope], ...] = (
    (Created(type="t", owner="o", number=1), SHORT),
    (
        Created(
            type="VirtualServer",
            owner="ann@example.org",
            number=settings.COUNT_MAX,
            command="Add",
            object="web 1",
            request_id="r/1",
            source_id="60531",
            description="a description",
            detail={
                "z": None,
                "a": [1, -1, True, False, "x", {}, []],
                "big": 123456789012345678901234567890,
                "float": [0.1, 1.0, 1e22, 5e-324, -0.0],
                "\u00e4": {"": {"deep": "\U0001f468\u200d\U0001f469"}},
            },
            created_at=NOON,
            messages=SAID,
        ),
        LONG,
    ),
    (events.Queued(), SHORT),
    (events.Started(), LONG),
    (events.Progressed(progress=0.0), SHORT),
    (events.Progressed(progress=1 / 3), SHORT),
    (events.Noted(messages=SAID), LONG),
    (ItemsReported(), SHORT),
    (ItemsReported(succeeded=1, failed=2, total=3, error_count=4, messages=SAID), LONG),
    (events.Succeeded(), SHORT),
    (events.Failed(), SHORT),
    (events.Failed(kind=FailureKind.ITEM_ERRORS, error_count=9, messages=SAID), LONG),
    (events.Failed(final=False), SHORT),
    (events.Canceled(messages=SAID), LONG),
    (
        events.Erased(
            reason="asked to",
            fields=("note", "owner"),
            everything=True,
            bodies=(events.ErasedBody(version=1, sha256="0123456789abcdef" * 4),),
        ),
        SHORT,
    ),
)


def row(event: Event, envelope: Envelope = SHORT, state: bytes | None = None) -> Row:
    return row_of(event.TOPIC, encode(event, envelope) if state is None else state, envelope)


def row_of(topic: str, state: bytes, envelope: Envelope = SHORT) -> Row:
    return Row(
        notification_id=7,
        originator_id=UUID(int=1),
        originator_version=3,
        topic=topic,
        state=state,
        event_id=UUID(int=2),
        project=envelope.project,
        occurred_at=envelope.occurred_at,
        recorded_at=NOON,
        credential_id=envelope.credential_id,
    )


def golden() -> Iterator[tuple[str, bytes]]:
    for line in GOLDEN.read_text(encoding="utf-8").splitlines():
        kept = json.loads(line)
        yield kept["topic"], kept["state"].encode()


def test_the_golden_file_was_not_touched_and_covers_every_topic() -> None:
    lines = GOLDEN.read_bytes().splitlines(keepends=True)
    assert hashlib.sha256(b"".join(lines[:GOLDEN_LINES])).hexdigest() == GOLDEN_SHA256
    assert len(lines) == len(SPOKEN)
    topics = [topic for topic, _ in golden()]
    assert set(topics) == set(EVENTS)
    assert topics.count("job.created") >= 2
    assert topics.count("job.failed") >= 2


@pytest.mark.parametrize("nth", range(len(SPOKEN)))
def test_golden_bodies_decode_to_the_same_event_and_encode_to_the_same_bytes(nth: int) -> None:
    topic, state = list(golden())[nth]
    event, envelope = SPOKEN[nth]
    recorded = decode(row_of(topic, state, envelope))
    assert (recorded.event, recorded.envelope) == (event, envelope)
    # A body in an older shape is read, and never written any more.
    if json.loads(state).get("class_version", 1) == event.class_version:
        assert encode(event, envelope) == state
        assert encode(recorded.event, recorded.envelope) == state


def test_bodies_are_plain_json_without_what_is_default() -> None:
    assert encode(events.Failed(), SHORT) == b'{"actor":"a","event":{}}'
    body = json.loads(encode(SPOKEN[1][0], LONG))
    assert list(body) == ["actor", "request_id", "note", "source_id", "imported", "event"]
    assert list(body["event"]["detail"]) == ["z", "a", "big", "float", "\u00e4"]


def test_the_columns_of_the_row_are_in_the_recorded_event() -> None:
    recorded = decode(row(events.Queued(), LONG))
    assert (recorded.position, recorded.version, recorded.recorded_at) == (7, 3, NOON)
    assert (recorded.job_id, recorded.event_id) == (UUID(int=1), UUID(int=2))
    assert (recorded.topic, recorded.envelope) == ("job.queued", LONG)


class Moved(Event):
    """An event in its third shape: `to` was `destination`, which was `dest` in capitals."""

    TOPIC = "test.moved"
    class_version: ClassVar[int] = 3

    to: str
    by: str = "van"

    @staticmethod
    def upcast_v1_v2(state: dict[str, Any]) -> None:
        state["destination"] = state.pop("dest").lower()

    @staticmethod
    def upcast_v2_v3(state: dict[str, Any]) -> None:
        state["to"] = state.pop("destination")


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "EVENTS", {**EVENTS, Moved.TOPIC: Moved})


@pytest.mark.parametrize(
    "state",
    [
        b'{"actor":"a","event":{"dest":"BERLIN"}}',
        b'{"actor":"a","class_version":2,"event":{"destination":"berlin"}}',
        b'{"actor":"a","class_version":3,"event":{"to":"berlin"}}',
    ],
)
@pytest.mark.usefixtures("moved")
def test_older_shapes_are_lifted(state: bytes) -> None:
    recorded = decode(row_of("test.moved", state))
    assert recorded.event == Moved(to="berlin")
    assert (
        encode(recorded.event, SHORT) == b'{"actor":"a","class_version":3,"event":{"to":"berlin"}}'
    )


UNREADABLE: dict[str, tuple[str, bytes]] = {
    "topic unknown": ("job.exploded", b'{"actor":"a","event":{}}'),
    "topic is an import path": ("os:system", b'{"actor":"a","event":{}}'),
    "no JSON": ("job.queued", b"state1"),
    "empty": ("job.queued", b""),
    "no object": ("job.queued", b"[]"),
    "no event": ("job.queued", b'{"actor":"a"}'),
    "no actor": ("job.queued", b'{"event":{}}'),
    "event is no object": ("job.queued", b'{"actor":"a","event":[]}'),
    "unknown field": ("job.queued", b'{"actor":"a","event":{"x":1}}'),
    "unknown field beside": ("job.queued", b'{"actor":"a","event":{},"x":1}'),
    "field missing": ("job.created", b'{"actor":"a","event":{"type":"t"}}'),
    "field wrong": ("job.progressed", b'{"actor":"a","event":{"progress":2}}'),
    "shape from the future": ("job.queued", b'{"actor":"a","class_version":2,"event":{}}'),
    "shape is no number": ("job.queued", b'{"actor":"a","class_version":"1","event":{}}'),
    "not UTF-8": ("job.queued", b'{"actor":"\xff","event":{}}'),
    "too deep": ("job.queued", b'{"actor":"a","event":' + b"[" * 10_000 + b"]" * 10_000 + b"}"),
}


@pytest.mark.parametrize("why", UNREADABLE)
def test_unreadable_bodies_name_their_position(why: str) -> None:
    topic, state = UNREADABLE[why]
    with pytest.raises(Undecodable, match="position 7") as refusal:
        decode(row_of(topic, state))
    assert refusal.value.code == "undecodable"


@pytest.mark.parametrize(
    "field", ["project", "actor", "credential_id", "request_id", "note", "source_id"]
)
@pytest.mark.parametrize("text", ["\x00", "a\x00", "\ud800", "a\udcff"])
def test_an_envelope_that_cannot_be_stored_is_refused(field: str, text: str) -> None:
    """One such note in the log, and every reader of jsonb would stop at it."""
    with pytest.raises(Invalid):
        encode(events.Queued(), SHORT._replace(**{field: text}))  # type: ignore[arg-type]


def test_an_event_too_large_is_refused_with_its_size() -> None:
    room = settings.EVENT_BYTES_MAX - len(
        encode(Created(type="t", owner="o", detail={"": ""}), SHORT)
    )
    largest = Created(type="t", owner="o", detail={"": "x" * room})
    assert len(encode(largest, SHORT)) == settings.EVENT_BYTES_MAX
    with pytest.raises(Invalid, match=str(settings.EVENT_BYTES_MAX + 1)):
        encode(Created(type="t", owner="o", detail={"": "x" * (room + 1)}), SHORT)


def test_a_time_with_another_offset_is_the_same_time() -> None:
    east = NOON.astimezone(timezone(timedelta(hours=5, minutes=45)))
    assert Created(type="t", owner="o", created_at=east) == Created(
        type="t", owner="o", created_at=NOON
    )


def test_the_librarys_mapper_with_our_bytes() -> None:
    mapper = LedgerMapper()
    recorded = past(CREATED)[0]
    stored = mapper.to_stored_event(recorded)
    assert stored == StoredEvent(
        recorded.job_id, 1, "job.created", encode(recorded.event, recorded.envelope)
    )
    again = mapper.to_domain_event(stored)
    assert (again.originator_id, again.originator_version) == (recorded.job_id, 1)
    assert getattr(again, "event", None) == CREATED
    # A bare stored event has no columns for the rest of the envelope.
    assert getattr(again, "envelope", None) == Envelope(
        project="", actor=ANN.actor, request_id=ANN.request_id
    )
    for topic, event in EVENTS.items():
        assert resolve_topic(topic) is event


def test_bodies_are_never_packed_or_enciphered() -> None:
    key = AESCipher.create_key(num_bytes=32)
    with pytest.raises(Misconfigured):
        LedgerMapper(cipher=AESCipher(Environment(env={"CIPHER_KEY": key})))
    with pytest.raises(Misconfigured):
        LedgerMapper(compressor=ZlibCompressor())
