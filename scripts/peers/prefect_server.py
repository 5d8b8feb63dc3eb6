"""Prefect: its server on a PostgreSQL database of its own, for clients over HTTP. Says `ready URL` when it answers, and ends when stdin does.

Invariants: nothing of it is tuned; it tells nobody outside. It is not on its default of one file, where eight writers are soon told 503.
Run as `-m scripts.peers.prefect_server DSN`."""

from __future__ import annotations

import json
import sys
import tempfile
import time
import urllib.error
import urllib.request

from scripts.peers.beside import beside
from scripts.peers.port import port

START_S = 120.0


def main() -> None:
    """Serve."""
    with tempfile.TemporaryDirectory() as folder:
        _serve(sys.argv[1], folder)


def _serve(dsn: str, folder: str) -> None:
    url = f"http://127.0.0.1:{(number := port())}"
    told = {
        "PREFECT_HOME": folder,
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": dsn.replace(
            "postgresql://", "postgresql+asyncpg://"
        ),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    arguments = ("server", "start", "--no-ui", "--host", "127.0.0.1", "--port", str(number))
    with beside("prefect", arguments, told) as server:
        deadline = time.monotonic() + START_S
        while not _answers(f"{url}/api/health"):
            if time.monotonic() > deadline or server.poll() is not None:
                sys.exit("Prefect's server did not start.")
            time.sleep(0.2)
        body = json.dumps({"name": "bench"}).encode()
        headers = {"content-type": "application/json"}
        with urllib.request.urlopen(
            urllib.request.Request(f"{url}/api/flows/", body, headers)
        ) as answer:
            flow_id = json.load(answer)["id"]
        print(f"ready {url} {flow_id}", flush=True)
        sys.stdin.read()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


if __name__ == "__main__":
    main()
