"""No client can write what an index cannot hold: every index of the log and the read models, at the widest values that may be written.

Invariants: the indexes are read from the database, so one that is yet to come is tried too; an indexed text column must be in WIDEST. An entry
that PostgreSQL cannot hold would refuse every append of a group, or stop a read model for every tenant."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from typing import Any, LiteralString
from urllib.parse import quote, urlencode

import psycopg
from psycopg import Connection, sql

from ledger.settings import WORD_BYTES_MAX
from tests.fix_log import builds, projector
from tests.fix_server import LiveServer

# The most bytes that a text column may hold, by table and column; None in place of a table: wherever it is called so.
WIDEST: Mapping[tuple[str | None, str], int] = {
    **{
        (None, column): WORD_BYTES_MAX
        for column in (
            "project",
            "type",
            "command",
            "object",
            "owner",
            "request_id",
            "source_id",
            "actor",
            "credential_id",
            "code",
            "sink",
        )
    },
    ("identities", "value"): WORD_BYTES_MAX,
    ("idempotency_keys", "key"): 255,  # ASCII: api.dialects.native.words.idempotency_key
    # Words of our own, which no client chooses.
    ("identities", "kind"): len("request_id"),
    (None, "key_id"): 16,
    (None, "nonce"): 128,  # ASCII: api.signed
    **{
        (None, column): len("acknowledged")
        for column in ("state", "outcome", "phase", "name", "topic")
    },
    ("holds", "kind"): len("project"),
    ("holds", "value"): WORD_BYTES_MAX,
    ("notification_tracking", "application_name"): 63,
    ("head", "single"): 1,
    # The operator's: LEDGER_LOG_NAME has at most 200 characters, and a renewed log's a counter behind it; a key's text is name, id and 44 of base64.
    ("epochs", "origin"): WORD_BYTES_MAX,
    (None, "vkey"): 2 * WORD_BYTES_MAX,
}
INDEXES = """
SELECT n.nspname, t.relname, i.relname, x.indexprs IS NOT NULL,
       array(SELECT a.attname FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum = ANY (x.indkey::int2[])
             AND a.attlen < 0)
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE n.nspname IN ('ledger', 'access', 'projections', 'proof') ORDER BY 1, 2, 3
"""
COLUMNS = """
SELECT attname, format_type(atttypid, NULL) FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attnotnull
"""
SOME = {
    "boolean": "true",
    "uuid": "gen_random_uuid()",
    "bigint": "9007199254740991",
    "integer": "1",
    "smallint": "1",
    "double precision": "0.5",
    "timestamp with time zone": "now()",
    "bytea": "'x'",
    "json": "'{}'",
    "jsonb": "'{}'",
    "text": "'x'",
    "text[]": "'{x}'",
}
_random = random.Random(3)  # text that no compression makes shorter


def hard(size_bytes: int) -> str:
    """Text of so many bytes, in characters of four, none of them foreseeable; all of them can be printed."""
    wide = "".join(chr(_random.randrange(0x20000, 0x2A6D0)) for _ in range(size_bytes // 4))
    return wide + "".join(_random.choice("abcdefgh") for _ in range(size_bytes % 4))


def overgrown(connection: Connection[Any]) -> dict[str, str]:
    """The indexes that cannot hold the widest values, or of which nobody said how wide they get, each with the reason."""
    wrong: dict[str, str] = {}
    for schema, table, index, computed, columns in connection.execute(INDEXES).fetchall():
        plain = re.sub(r"_v[0-9]+.*$", "", table)
        asked = {
            column: WIDEST.get((plain, column), WIDEST.get((None, column))) for column in columns
        }
        if computed:
            wrong[index] = "is made of an expression: say here how wide it gets"
        elif unknown := [column for column, size in asked.items() if size is None]:
            wrong[index] = f"WIDEST does not say how wide {', '.join(unknown)} of {plain} may be"
        elif reason := refusal(connection, (schema, table), {c: s or 0 for c, s in asked.items()}):
            wrong[index] = reason
    return wrong


def refusal(
    connection: Connection[Any], table: tuple[str, str], sizes: Mapping[str, int]
) -> str | None:
    """Why a row with the widest values cannot be written to a table, if so."""
    identifier = sql.Identifier(*table)
    needed = connection.execute(COLUMNS, (identifier.as_string(connection),)).fetchall()
    values = {name: sql.SQL(SOME[kind]) for name, kind in needed}
    given = {**values, **{name: sql.Literal(hard(size)) for name, size in sizes.items()}}
    with connection.transaction(force_rollback=True):
        connection.execute(
            sql.SQL("CREATE TEMP TABLE probe (LIKE {} INCLUDING INDEXES)").format(identifier)
        )
        try:
            connection.execute(
                sql.SQL("INSERT INTO probe ({}) VALUES ({})").format(
                    sql.SQL(", ").join(map(sql.Identifier, given)),
                    sql.SQL(", ").join(given.values()),
                )
            )
        except psycopg.errors.ProgramLimitExceeded as error:
            return str(error)
    return None


# Indexes that a client could make too large, that nobody bounded, and that compute.
SEEDED: tuple[LiteralString, ...] = (
    "CREATE INDEX wide ON {jobs} (project, type, command, object, owner, source_id)",
    "CREATE INDEX loose ON {jobs} (project, description)",
    "CREATE INDEX made ON {jobs} (lower(project))",
)


def test_every_index_holds_the_widest_values(database: str) -> None:
    with projector(database) as folding:
        for build in builds(database):
            build.create(folding)
    with psycopg.connect(database, autocommit=True) as owner:
        assert overgrown(owner) == {}
        jobs = sql.Identifier("projections", builds(database)[0].table)
        for seeded in SEEDED:
            owner.execute(sql.SQL(seeded).format(jobs=jobs))
        wrong = overgrown(owner)
        assert set(wrong) == {"wide", "loose", "made"}
        assert "2704" in wrong["wide"]


WORDS = ("type", "command", "object", "owner", "request_id", "source_id")


def test_a_client_at_every_limit_stops_nobody(live_server: LiveServer) -> None:
    """The widest of everything that is indexed, all in one job, through the API into every read model and back by every filter."""
    project = hard(WORD_BYTES_MAX)
    client = live_server.client_of(project, name=hard(WORD_BYTES_MAX))
    jobs = f"/v1/projects/{quote(project)}/jobs"
    widest = {name: hard(WORD_BYTES_MAX) for name in WORDS}
    made = client.post(jobs, json=widest, headers={"Idempotency-Key": "k" * 255})
    assert made.status_code == 201, made.text
    for words in ({"count": "exact"}, *({name: word} for name, word in widest.items())):
        found = client.get(f"{jobs}?{urlencode(words)}&min_position=1")
        assert found.status_code == 200, found.text
        assert [job["id"] for job in found.json()["jobs"]] == [made.json()["id"]]
    counts = client.get(f"/v1/projects/{quote(project)}/counts?min_position=1")
    assert counts.json()["counts"][0]["type"] == widest["type"]
    for name in WORDS:
        refused = client.post(jobs, json={"type": "t", name: hard(WORD_BYTES_MAX + 1)})
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid"), refused.text
        asked = client.get(f"{jobs}?{urlencode({name: hard(WORD_BYTES_MAX + 1)})}")
        assert (asked.status_code, asked.json()["code"]) == (422, "invalid"), asked.text
    # And nobody else noticed.
    other = live_server.client.post("/v1/projects/demo/jobs", json={"type": "t"})
    assert (
        live_server.client.get("/v1/projects/demo/jobs?min_position=2").json()["jobs"][0]["id"]
        == (other.json()["id"])
    )
