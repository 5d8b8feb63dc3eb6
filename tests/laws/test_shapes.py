"""Laws of shapes: whatever shape of its class an event was written in, SQL reads what Python reads, and the read models are those of today's shape;
what a change of shape still lacks is named.

Invariants: older shapes are those of tests/older_shapes.py, made for this. Seen red: a lift that is not the upcast, folds that read
`event` without it, a body lifted once too often."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import product
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st
from psycopg import Connection
from psycopg.sql import SQL
from psycopg.types.json import Jsonb

from ledger import codec, events, settings
from ledger.codec import encode
from ledger.events import EVENTS, Event, Recorded
from projections import shape
from projections.build import Build, Poison
from tests import older_shapes
from tests.fix_log import (  # fmt: skip
    LIVES,
    builds,
    distinct,
    expected,
    forge,
    forger,
    projector,
    record,
    rows,
    wipe,
)
from tests.histories import histories
from tests.ledger.test_codec import SPOKEN, golden

laws = effort(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def changed(monkeypatch: pytest.MonkeyPatch) -> None:
    older_shapes.change(monkeypatch)


def versions(topic: str) -> range:
    return range(1, EVENTS[topic].class_version + 1)


def lacking() -> list[str]:
    """What a change of shape still lacks."""
    there = {(topic, json.loads(state).get("class_version", 1)) for topic, state in golden()}
    steps = [(topic, old) for topic in EVENTS for old in versions(topic)[:-1]]
    named = {shape.name(*step): step for step in steps}
    return [
        *(f"{topic}: no upcast_v{old}_v{old + 1}" for topic, old in steps
          if not hasattr(EVENTS[topic], f"upcast_v{old}_v{old + 1}")),
        *(f"projections/shape.sql: no {name}" for name in named if name not in shape.LIFTS),
        *(f"projections/shape.sql: {name} lifts nothing" for name in shape.LIFTS if name not in named),
        *(f"tests/golden/events.jsonl: no {topic} in shape {version}" for topic in EVENTS
          for version in versions(topic) if (topic, version) not in there),
    ]  # fmt: skip


def test_every_shape_has_its_upcast_its_lift_and_its_golden_body() -> None:
    assert lacking() == []
    assert not [name for name, lift in shape.LIFTS.items() if "%" in lift]


def test_what_a_change_of_shape_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events.Canceled, "class_version", 2)
    monkeypatch.setattr(shape, "LIFTS", {"job_gone_v1_v2": "event"})
    assert lacking() == [
        "job.canceled: no upcast_v1_v2",
        "projections/shape.sql: no job_canceled_v1_v2",
        "projections/shape.sql: job_gone_v1_v2 lifts nothing",
        "tests/golden/events.jsonl: no job.canceled in shape 2",
    ]


def test_nothing_is_added_while_no_shape_has_changed() -> None:
    if all(event.class_version == 1 for event in EVENTS.values()):
        assert shape.body("s").as_string() == """convert_from("s"."state", 'UTF8')::jsonb"""


def read(connection: Connection[Any], topic: str, state: str) -> Any:
    """A stored body, as a fold reads it."""
    query = SQL("SELECT {} FROM (VALUES (%s::text, convert_to(%s, 'UTF8'))) s (topic, state)")
    row = connection.execute(query.format(shape.body("s")), (topic, state)).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.usefixtures("changed")
def test_sql_lifts_what_python_lifts(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        for event, envelope in SPOKEN:
            today = encode(event, envelope).decode()
            for version in versions(event.TOPIC):
                body = json.loads(older_shapes.aged(event.TOPIC, today, version))
                text = json.dumps(body)
                number = body.pop("class_version", 1)
                lifted = codec.lift(type(event), number, body.pop("event"))
                plain = connection.execute("SELECT %s", (Jsonb({**body, "event": lifted}),))
                assert (read(connection, event.TOPIC, text),) == plain.fetchone(), text


@pytest.mark.usefixtures("changed")
def test_a_shape_of_later_days_is_told(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        for topic, version in product(EVENTS, (2, 3, 4)):
            body = {"actor": "a", "class_version": version, "event": {}}
            known = version <= EVENTS[topic].class_version
            told = read(connection, topic, json.dumps(body))
            assert ("class_version" in told) == (not known), (topic, version)


class Models:
    """Empty read models on an empty log, whose bodies are of any age."""

    def __init__(self, dsn: str, stack: ExitStack) -> None:
        self.forger = stack.enter_context(forger(dsn))
        self.projector = stack.enter_context(projector(dsn))
        self.builds = builds(dsn)

    def begin(self, log: list[Recorded], ages: list[int]) -> None:
        wipe(self.forger)
        record(self.forger, log)
        for one, age in zip(log, ages, strict=True):
            topic, last = one.topic, one.event.class_version
            text = encode(one.event, one.envelope).decode()
            state = older_shapes.aged(topic, text, min(age, last))
            forge(self.forger, one.position, "state", state.encode())
        for build in self.builds:
            build.create(self.projector)

    def hold(self, build: Build, log: list[Recorded]) -> None:
        wanted = expected(log)[build.projection.name]
        assert rows(self.projector, build.projection, build.table) == wanted


@pytest.fixture
def models(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Models]:
    monkeypatch.setattr(settings, "COUNTS_STRETCH", 4)
    older_shapes.change(monkeypatch)
    with ExitStack() as stack:
        yield Models(database, stack)


@laws
@given(
    log=st.builds(distinct, histories(project="demo").filter(bool)),
    age=st.lists(st.integers(1, 3), min_size=64, max_size=64),
    cut=st.integers(0, 64),
)
def test_a_fold_reads_every_shape(
    models: Models, log: list[Recorded], age: list[int], cut: int
) -> None:
    models.begin(log, age[: len(log)] + [1] * (len(log) - len(age)))
    for build in models.builds:
        if 0 < cut < len(log):
            assert build.advance(models.projector, 0, cut) == cut
            models.hold(build, log[:cut])
        build.advance(models.projector, min(cut, len(log)) if cut < len(log) else 0, len(log))
        models.hold(build, log)


def test_a_newer_shape_is_poison_and_not_passed_over(models: Models) -> None:
    models.begin(LIVES, [1] * len(LIVES))
    body = b'{"actor":"a","class_version":3,"event":{"progress":0.5}}'
    at = next(one.position for one in LIVES if one.topic == "job.progressed")
    forge(models.forger, at, "state", body)
    for build in models.builds:
        with pytest.raises(Poison) as stopped:
            build.advance(models.projector, 0, len(LIVES))
        assert stopped.value.position == at
        models.hold(build, LIVES[: at - 1])


@pytest.mark.usefixtures("changed")
@pytest.mark.parametrize("event", [event for event, _ in SPOKEN], ids=lambda event: event.TOPIC)
def test_python_reads_every_shape(event: Event) -> None:
    today = codec.encode(event, SPOKEN[0][1]).decode()
    for version in versions(event.TOPIC):
        state = json.loads(older_shapes.aged(event.TOPIC, today, version))
        lifted = codec.lift(type(event), version, state["event"])
        assert type(event).model_validate_json(json.dumps(lifted)) == event
