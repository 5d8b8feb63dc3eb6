"""Shapes: how SQL reads a stored body in the shape that its event's class has today.

Invariants: what is read is what `ledger.codec.lift` makes of the same body, by the law of tests/laws/test_shapes.py; a body in a shape that is newer
than this ledger keeps its `class_version`, by which a fold takes it for poison. While no class has a second shape, a body is read as it is
stored, and a statement has nothing more to do. Two read bodies as they are stored, field by field, and are told by hand where a lift renames what
they name: the eraser (ledger/erasure.py and its function in the database), and `detail` in jobs.sql, whose keys jsonb would put in another order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, LiteralString

from psycopg.sql import SQL, Composable, Identifier, Literal

from ledger import sql
from ledger.events import EVENTS, Event

# A lift in shape.sql -> what it is for, and the SQL.
LIFTS: Final[Mapping[str, LiteralString]] = sql.load(__file__)
_EVENT: Final = SQL("b.body -> 'event'")


def name(topic: str, version: int) -> str:
    """What the lift from a shape to the next is called."""
    return f"{topic.replace('.', '_')}_v{version}_v{version + 1}"


def body(row: str) -> Composable:
    """The body of a row of ledger.stored_events that goes by this name in a statement."""
    # What ledger.body says, without a function: called for each row it takes as long again, four times so in a session that keeps no plans.
    stored = SQL("convert_from({}, 'UTF8')::jsonb").format(Identifier(row, "state"))
    lifted = [
        SQL("WHEN {} THEN (SELECT {} FROM (SELECT {} AS body OFFSET 0) b)").format(
            Literal(topic), _lifted(event), stored
        )
        for topic, event in EVENTS.items()
        if event.class_version > 1
    ]
    if not lifted:
        return stored
    return SQL("CASE {} {} ELSE {} END").format(
        Identifier(row, "topic"), SQL(" ").join(lifted), stored
    )


def _lifted(event: type[Event]) -> Composable:
    """A body `b` in any shape of this class, in today's."""
    cases = [
        SQL("WHEN {} THEN (b.body - 'class_version') || jsonb_build_object('event', {})").format(
            Literal(str(version)), _raised(event, version)
        )
        for version in range(1, event.class_version + 1)
    ]
    # What is newer stays as it is, and says so.
    return SQL("CASE coalesce(b.body -> 'class_version', '1') {} ELSE b.body END").format(
        SQL(" ").join(cases)
    )


def _raised(event: type[Event], version: int) -> Composable:
    """The event of a body `b` in this shape, lifted from one to the next until it is today's."""
    made: Composable = _EVENT
    for older in range(version, event.class_version):
        lift = SQL(LIFTS[name(event.TOPIC, older)].partition("\n")[2])
        made = SQL("(SELECT {} FROM (SELECT {} AS event OFFSET 0) shape)").format(lift, made)
    return made
