"""The application: OPERATIONS as a Starlette app over one database.

Invariants: everything that is opened is opened in the lifespan and closed in reverse; a path that nobody serves is answered by the dialect
whose prefix it has."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import Route

from api.edge import Endpoint
from api.operations import by_path
from api.secret import Secret
from api.teller import Teller


def create_app(dsn: str, secret: Secret, *, run_projections: bool = True) -> Starlette:
    """The ASGI application. `run_projections`: follow the log in this process; turn it off where another process does."""
    teller = Teller(dsn, secret, run_projections=run_projections)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with teller:
            yield

    routes = [
        Route(
            path,
            Endpoint(operations, teller.perform, teller.measures, teller.admission),
            methods=None,
        )
        for path, operations in by_path().items()
    ]
    app = Starlette(routes=routes, lifespan=lifespan)
    app.router.redirect_slashes = False
    app.router.default = Endpoint({}, teller.perform, teller.measures, teller.admission)
    app.state.teller = teller
    return app
