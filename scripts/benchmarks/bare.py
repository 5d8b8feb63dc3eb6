"""The controls over HTTP: what a bare Starlette application does with one psycopg statement a request.

Invariants: no authentication, validation or decision; `POST /insert` adds the body as one event to the plain table and commits, `GET /get/{id}`
reads one row of the current jobs. Run as a process: `-m scripts.benchmarks.bare DSN`."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pydantic_core
import uvicorn
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from uuid_utils.compat import uuid7

from ledger import settings, sql

SQL = sql.load(str(Path(__file__).with_name("control")))

JSON = "application/json"


def create_app(dsn: str) -> Starlette:
    """The application, with a pool of the product's size."""
    pool: AsyncConnectionPool[AsyncConnection[dict[str, Any]]] = AsyncConnectionPool(
        dsn,
        kwargs={"autocommit": True, "row_factory": dict_row},
        min_size=settings.POOL_CONNECTIONS_MAX,
        max_size=settings.POOL_CONNECTIONS_MAX,
        open=False,
    )

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with pool:
            yield

    async def insert(request: Request) -> Response:
        event = (uuid7(), 1, "job.created", "bench", None, await request.body())
        async with pool.connection() as connection:
            await connection.execute(SQL["insert"], event)
        return Response(b'{"saved":true}', 200, media_type=JSON)

    async def get(request: Request) -> Response:
        async with pool.connection() as connection:
            cursor = await connection.execute(SQL["get"], (request.path_params["id"],))
            row = await cursor.fetchone()
        return Response(pydantic_core.to_json(row), 200 if row else 404, media_type=JSON)

    routes = [
        Route("/insert", insert, methods=["POST"]),
        Route("/get/{id:uuid}", get, methods=["GET"]),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


class _Announced(uvicorn.Server):
    """uvicorn that tells its address as `jobledger serve` does."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started and not self.should_exit:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            sys.stdout.write(f"ready http://{host}:{port}\n")
            sys.stdout.flush()


def main() -> None:
    """Serve until SIGTERM, or until whoever started it is gone, which the end of stdin tells."""
    app = create_app(sys.argv[1])
    server = _Announced(
        uvicorn.Config(app, port=0, lifespan="on", ws="none", log_level="warning", access_log=False)
    )

    def watch() -> None:
        while os.read(0, 4096):
            pass
        server.should_exit = True

    threading.Thread(target=watch, daemon=True).start()
    server.run()


if __name__ == "__main__":
    main()
