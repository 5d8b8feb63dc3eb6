"""What an event may hold: its limits, what PostgreSQL cannot store, and the table of topics."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any

import pytest
from pydantic import ValidationError

from ledger import events, settings
from ledger.events import EVENTS, Created, Event, FailureKind, Message

REQUIRED: dict[str, dict[str, Any]] = {
    "job.created": {"type": "t", "owner": "o"},
    "job.progressed": {"progress": 0.5},
    "job.erased": {"reason": "asked to"},
}


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.mark.parametrize("topic", EVENTS)
def test_each_event_is_registered_under_its_own_topic(topic: str) -> None:
    assert topic == EVENTS[topic].TOPIC
    assert isinstance(EVENTS, MappingProxyType)


def test_every_event_class_is_in_the_table() -> None:
    classes = {c for c in vars(events).values() if isinstance(c, type) and issubclass(c, Event)}
    assert classes - {Event} == set(EVENTS.values())


@pytest.mark.parametrize("topic", EVENTS)
def test_events_are_frozen_and_take_no_strangers(topic: str) -> None:
    given = REQUIRED.get(topic, {})
    event = EVENTS[topic].model_validate(given)
    with pytest.raises(ValidationError):
        event.messages = ()  # type: ignore[misc]
    with pytest.raises(ValidationError):
        EVENTS[topic].model_validate({**given, "stranger": 1})


@pytest.mark.parametrize("field", ["type", "owner", "command", "object", "request_id", "source_id"])
def test_words_are_bounded_and_not_empty(field: str) -> None:
    longest = "x" * settings.WORD_BYTES_MAX
    wide = "\U0001f980" * (settings.WORD_BYTES_MAX // 4)
    for right in (longest, wide):
        assert getattr(Created.model_validate({**REQUIRED["job.created"], field: right}), field)
    no_word = None if field in ("type", "owner") else 7.0
    for wrong in ("", longest + "x", wide + "x", wide[1:] + "\xe9\xe9\xe9", 7, no_word):
        with pytest.raises(ValidationError):
            Created.model_validate({**REQUIRED["job.created"], field: wrong})


BAD_TEXTS = ["\x00", "a\x00b", "\ud800", "a\udfff", "\udcff\ud800"]


@pytest.mark.parametrize("text", BAD_TEXTS)
def test_what_postgresql_cannot_hold_is_refused_everywhere(text: str) -> None:
    for given in (
        {"type": text},
        {"description": text},
        {"detail": {text: 1}},
        {"detail": {"a": text}},
        {"detail": {"a": [{"b": [text]}]}},
        {"messages": [{"message": text}]},
        {"messages": [{"message": "m", "description": text}]},
    ):
        with pytest.raises(ValidationError):
            Created.model_validate({**REQUIRED["job.created"], **given})
        # The same by its JSON escape.
        with pytest.raises(ValidationError):
            Created.model_validate_json(json.dumps({**REQUIRED["job.created"], **given}))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_json_lacks_are_refused(number: float) -> None:
    for given in ({"detail": {"a": number}}, {"detail": {"a": [[number]]}}):
        with pytest.raises(ValidationError):
            Created.model_validate({**REQUIRED["job.created"], **given})
    with pytest.raises(ValidationError):
        events.Progressed(progress=number)
    for text in ("1e400", "NaN", "-Infinity"):
        with pytest.raises(ValidationError):
            Created.model_validate_json('{"type":"t","owner":"o","detail":{"a":' + text + "}}")


def test_deep_documents_are_refused_however_deep() -> None:
    deepest = nested(settings.JSON_DEPTH_MAX)
    assert Created(type="t", owner="o", detail=deepest).detail == deepest
    for levels in (settings.JSON_DEPTH_MAX + 1, 200, 10_000):
        text = '{"type":"t","owner":"o","detail":{"a":' + "[" * levels + "]" * levels + "}}"
        with pytest.raises(ValidationError):
            Created.model_validate_json(text)
    with pytest.raises(ValidationError):
        Created(type="t", owner="o", detail=nested(settings.JSON_DEPTH_MAX + 1))


def test_integers_are_as_long_as_our_reader_takes() -> None:
    longest = 10**4_300 - 1
    created = Created(type="t", owner="o", detail={"a": longest, "b": -longest})
    assert Created.model_validate_json(created.model_dump_json()) == created
    for wrong in (longest + 1, -longest - 1):
        with pytest.raises(ValidationError):
            Created(type="t", owner="o", detail={"a": [wrong]})


def test_detail_keeps_its_order_and_its_big_numbers() -> None:
    text = '{"type":"t","owner":"o","detail":{"z":1,"a":123456789012345678901234567890,"m":-0.0}}'
    detail = Created.model_validate_json(text).detail
    assert detail is not None
    assert list(detail) == ["z", "a", "m"]
    assert detail["a"] == 123456789012345678901234567890
    assert str(detail["m"]) == "-0.0"


@pytest.mark.parametrize("number", [0, -1, settings.COUNT_MAX + 1, "7", 7.0, True])
def test_numbers_of_jobs_are_exact_positive_integers(number: object) -> None:
    with pytest.raises(ValidationError):
        Created.model_validate({**REQUIRED["job.created"], "number": number})
    assert Created(type="t", owner="o", number=settings.COUNT_MAX).number == settings.COUNT_MAX


@pytest.mark.parametrize("progress", [-0.01, 1.01, "0.5", None])
def test_progress_is_a_fraction(progress: object) -> None:
    with pytest.raises(ValidationError):
        events.Progressed.model_validate({"progress": progress})


@pytest.mark.parametrize("field", ["succeeded", "failed", "total", "error_count"])
def test_counts_are_not_negative(field: str) -> None:
    for wrong in (-1, settings.COUNT_MAX + 1, 1.0, "1"):
        with pytest.raises(ValidationError):
            events.ItemsReported.model_validate({field: wrong})


def test_messages_are_bounded() -> None:
    many = [{"message": "m"}] * settings.MESSAGES_MAX
    assert len(events.Noted.model_validate({"messages": many}).messages) == settings.MESSAGES_MAX
    wrongs: tuple[object, ...] = (
        [*many, {"message": "m"}],
        [{}],
        [{"message": "m", "code": 2**31}],
        "m",
    )
    for wrong in wrongs:
        with pytest.raises(ValidationError):
            events.Noted.model_validate({"messages": wrong})
    longest = "x" * settings.TEXT_LENGTH_MAX
    assert Message(message=longest).message == longest
    with pytest.raises(ValidationError):
        Message(message=longest + "x")


def test_times_have_an_offset_and_are_kept_in_utc() -> None:
    east = datetime(2026, 1, 1, 3, tzinfo=timezone(timedelta(hours=3)))
    created = Created(type="t", owner="o", created_at=east)
    assert created.created_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert created.created_at.tzinfo is UTC
    naive = datetime(2026, 1, 1)  # noqa: DTZ001 - a time without an offset is what is refused here
    for wrong in (naive, "2026-01-01", datetime.min.replace(tzinfo=timezone(timedelta(hours=3)))):
        with pytest.raises(ValidationError):
            Created.model_validate({**REQUIRED["job.created"], "created_at": wrong})


def test_failures_say_their_kind_in_words() -> None:
    assert (
        events.Failed.model_validate_json('{"kind":"item_errors"}').kind is FailureKind.ITEM_ERRORS
    )
    assert events.Failed() == events.Failed(kind=FailureKind.EXCEPTION, final=True)
    with pytest.raises(ValidationError):
        events.Failed.model_validate_json('{"kind":"broken"}')
