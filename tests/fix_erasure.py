"""A log in which a person stands, and the eraser at work on it.

Invariants: where a text stands is looked for in every table that holds rows of projects, so a table to come is searched before its author writes
a test. Units: none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import Connection, sql

from ledger import eraser
from ledger.commands import Command
from ledger.connection import Role, conninfo
from ledger.eraser import Done, Order
from ledger.erasure import Person
from ledger.events import Canceled, Created, Envelope, Event, Message, Queued, Started
from projections import PROJECTIONS
from projections.build import Build, head
from projections.tracking import Positions
from tests.fix_transfer import write

ANN = "ann.canary@example.org"
OWNED, OTHER, FOREIGN = (UUID(int=n) for n in (1, 2, 3))
LIVES: tuple[tuple[UUID, str, str, str | None, Event], ...] = (
    (
        OWNED,
        "p",
        "svc",
        None,
        Created(
            type="T",
            owner=ANN,
            number=1,
            source_id=f"s {ANN}",
            request_id="r",
            detail={"a": [ANN], "b": "told"},
        ),
    ),
    (OWNED, "p", ANN, "a note", Queued()),
    (
        OWNED,
        "p",
        "svc",
        None,
        Started(messages=(Message(message=f"mail to {ANN}"), Message(message="plain"))),
    ),
    (OTHER, "p", "bob", None, Created(type="T", owner="bob", number=2, description=f"for {ANN}")),
    (OTHER, "p", ANN, f"by {ANN}", Canceled()),
    (FOREIGN, "q", ANN, None, Created(type="T", owner=ANN, number=3)),
)


@dataclass
class Scene:
    dsn: str
    reading: Connection[Any]
    erasing: Connection[Any]
    projecting: Connection[Any]
    builds: list[Build]

    def erase(self, **asked: Any) -> Done:
        order: dict[str, Any] = {
            "project": "p",
            "person": Person(ANN),
            "by": "dpo",
            "reason": "asked to",
        } | asked
        return eraser.erase(self.reading, self.erasing, Order(**order))

    def fold(self) -> None:
        to = head(self.projecting)
        for build in self.builds:
            build.advance(self.projecting, build.position(self.projecting) or 0, to)

    def places(self, text: str, project: str = "p") -> set[str]:
        """The tables in which a text stands in some row of a project."""
        with psycopg.connect(self.dsn, autocommit=True) as owner:
            owner.execute("SET row_security = off")
            named = owner.execute(
                "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'project'"
                " WHERE n.nspname IN ('ledger', 'projections', 'access', 'proof') AND c.relkind = 'r'"
            ).fetchall()
            return {
                re.sub(r"_v[0-9]+$", "", ".".join(name))
                for name in named
                if owner.execute(
                    sql.SQL(
                        "SELECT EXISTS (SELECT FROM {} t WHERE project = %(project)s AND (strpos(t::text, %(text)s) > 0"
                        " OR strpos(to_jsonb(t) ->> 'state', encode(convert_to(%(text)s, 'UTF8'), 'hex')) > 0))"
                    ).format(sql.Identifier(*name)),
                    {"project": project, "text": text},
                ).fetchone()
                == (True,)
            }


@pytest.fixture
def erasure(database: str) -> Iterator[Scene]:
    commands = [
        Command(job_id, event, Envelope(project, actor, note=note))
        for job_id, project, actor, note, event in LIVES
    ]
    write(database, *commands)
    with (
        psycopg.connect(conninfo(database, Role.AUDITOR), autocommit=True) as reading,
        psycopg.connect(conninfo(database, Role.ERASER), autocommit=True) as erasing,
        psycopg.connect(conninfo(database, Role.PROJECTOR), autocommit=True) as projecting,
    ):
        positions = Positions(database)
        builds = [Build(one, one.table, positions) for one in PROJECTIONS]
        for build in builds:
            build.create(projecting)
            build.advance(projecting, 0, len(LIVES))
            with projecting.transaction():
                build.show(projecting)
        yield Scene(database, reading, erasing, projecting, builds)


def bodies(scene: Scene) -> dict[int, tuple[dict[str, Any], bytes | None, str]]:
    rows = scene.reading.execute(
        "SELECT notification_id, state, salt, topic FROM ledger.stored_events ORDER BY 1"
    )
    return {position: (json.loads(state), salt, topic) for position, state, salt, topic in rows}
