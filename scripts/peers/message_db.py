"""message-db: an event store of functions in PostgreSQL. Each event is one call of its write_message, in a transaction of its own.

Invariants: each caller has a connection and plays job after job, each with the version that it expects; it keeps no read model, so that none has
to catch up. Run as `-m scripts.peers.message_db DSN CALLERS FOLDER`, the folder being that of its SQL."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import psycopg

from scripts.peers.turns import taken

TYPES = ("Created", "Queued", "Started", "Succeeded")
BODY = '{"image":"centos-7","ram_mb":2048,"ip":"10.0.0.7"}'
# In the order of its own script, less what this PostgreSQL has built in, and less views and grants.
PARTS = ("roles", "schema", "types", "tables", "functions", "indexes")
WRITE = "SELECT message_store.write_message(%s::varchar, %s::varchar, %s::varchar, %s::jsonb, NULL, %s::bigint)"


def install(connection: psycopg.Connection, folder: Path) -> None:
    """Run its SQL as it comes."""
    connection.execute("SET check_function_bodies = off")
    for part in PARTS:
        for file in sorted((folder / part).glob("*.sql")):
            connection.execute(file.read_bytes())


def play(connection: psycopg.Connection, deadline: float) -> int:
    """One caller until the deadline; how many events it wrote."""
    events = 0
    while True:
        stream = f"job-{uuid4()}"
        for version, kind in enumerate(TYPES):
            if time.perf_counter() >= deadline:
                return events
            connection.execute(WRITE, (str(uuid4()), stream, kind, BODY, version - 1))
            events += 1


def main() -> None:
    """Take turns."""
    dsn, callers, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    connections = [psycopg.connect(dsn, autocommit=True) for _ in range(callers)]
    install(connections[0], folder)
    for connection in connections:
        connection.execute("SET search_path = message_store, public")
    with ThreadPoolExecutor(callers) as threads:

        def turn(seconds: float) -> float:
            began = time.perf_counter()
            written = threads.map(play, connections, [began + seconds] * callers)
            return sum(written) / (time.perf_counter() - began)

        taken(turn)


if __name__ == "__main__":
    main()
