"""A plain mutable table: what a program without an event store would do. Each change updates the job's row and adds one of history, in a transaction.

Invariants: each caller has a connection and plays job after job; the current state is there as soon as it is committed. Run as
`-m scripts.peers.plain DSN CALLERS`."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import psycopg

from scripts.peers.turns import taken

STATES = ("Queued", "Processing", "Succeeded")
BODY = '{"image":"centos-7","ram_mb":2048,"ip":"10.0.0.7"}'
TABLES = """
CREATE TABLE IF NOT EXISTS jobs (id uuid PRIMARY KEY, project text NOT NULL, type text NOT NULL, state text NOT NULL, version bigint NOT NULL,
  detail jsonb, updated_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX IF NOT EXISTS jobs_state ON jobs (project, state, updated_at);
CREATE TABLE IF NOT EXISTS changes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, job_id uuid NOT NULL, version bigint NOT NULL,
  state text NOT NULL, actor text NOT NULL, at timestamptz NOT NULL DEFAULT now(), UNIQUE (job_id, version));
"""
CREATE = "INSERT INTO jobs (id, project, type, state, version, detail) VALUES (%s, 'bench', 'VirtualServer', 'Created', 1, %s)"
MOVE = "UPDATE jobs SET state = %s, version = version + 1, updated_at = now() WHERE id = %s AND version = %s"
TELL = "INSERT INTO changes (job_id, version, state, actor) VALUES (%s, %s, %s, 'platform')"


def play(connection: psycopg.Connection, deadline: float) -> int:
    """One caller until the deadline; how many changes it made."""
    changes = 0
    while True:
        job_id = uuid4()
        for version, state in enumerate(("Created", *STATES), start=1):
            if time.perf_counter() >= deadline:
                return changes
            with connection.transaction():
                if version == 1:
                    connection.execute(CREATE, (job_id, BODY))
                else:
                    connection.execute(MOVE, (state, job_id, version - 1))
                connection.execute(TELL, (job_id, version, state))
            changes += 1


def main() -> None:
    """Take turns."""
    dsn, callers = sys.argv[1], int(sys.argv[2])
    connections = [psycopg.connect(dsn, autocommit=True) for _ in range(callers)]
    connections[0].execute(TABLES)
    with ThreadPoolExecutor(callers) as threads:

        def turn(seconds: float) -> float:
            began = time.perf_counter()
            made = threads.map(play, connections, [began + seconds] * callers)
            return sum(made) / (time.perf_counter() - began)

        taken(turn)


if __name__ == "__main__":
    main()
