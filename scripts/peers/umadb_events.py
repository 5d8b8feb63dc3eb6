"""UmaDB: an event store of its own, whose server runs beside. Each event is one append under the condition that its job has no later one.

Invariants: callers share nothing but the server; each plays job after job; it keeps no read model, so that none has to catch up. Run as
`-m scripts.peers.umadb_events FOLDER CALLERS`, the folder being where it may keep its file. Units: events a second."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

from umadb import AppendCondition, Client, Event, Query, QueryItem

from scripts.peers.beside import beside
from scripts.peers.port import port
from scripts.peers.turns import taken

TYPES = ("Created", "Queued", "Started", "Succeeded")
BODY = b'{"image":"centos-7","ram_mb":2048,"ip":"10.0.0.7"}'
START_S = 20.0


def play(client: Client, deadline: float) -> int:
    """One caller until the deadline; how many events it wrote."""
    events = 0
    while True:
        tag = f"job:{uuid4()}"
        condition = Query([QueryItem(types=[], tags=[tag])])
        position: int | None = None
        for kind in TYPES:
            if time.perf_counter() >= deadline:
                return events
            event = Event(kind, BODY, [tag])
            position = client.append([event], AppendCondition(condition, position))
            events += 1


def connected(url: str) -> Client:
    """A client, once the server answers."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            client = Client(url)
            client.head()
        except Exception:  # its own errors of many kinds, until it is up
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return client


def main() -> None:
    """Take turns."""
    folder, callers = Path(sys.argv[1]), int(sys.argv[2])
    address = f"127.0.0.1:{port()}"
    arguments = ("--listen", address, "--db-path", str(folder / "uma.db"))
    with beside("umadb", arguments):
        clients = [connected(f"http://{address}") for _ in range(callers)]
        with ThreadPoolExecutor(callers) as threads:

            def turn(seconds: float) -> float:
                began = time.perf_counter()
                written = threads.map(play, clients, [began + seconds] * callers)
                return sum(written) / (time.perf_counter() - began)

            taken(turn)


if __name__ == "__main__":
    main()
