"""The application: OPERATIONS as ASGI over one database.

Invariants: everything that is opened is opened in the lifespan and closed in reverse; a path that nobody serves is answered by the dialect
whose prefix it has; a request passes through nothing but the endpoint of its path, by ASGI or, from a line of ours, past it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, MutableMapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from api.edge import DOORS, Endpoint
from api.operations import by_path
from api.porter import PORTER
from api.routes import Routes
from api.secret import Secret
from api.teller import Teller


def create_app(dsn: str, secret: Secret, *, run_projections: bool = True) -> App:
    """The ASGI application. `run_projections`: follow the log in this process; turn it off where another process does."""
    teller = Teller(dsn, secret, run_projections=run_projections)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, object]]:
        async with teller:
            yield {PORTER: teller.porter, DOORS: app.door}

    endpoint = partial(
        Endpoint,
        perform=teller.perform,
        measures=teller.measures,
        admission=teller.admission,
        admit=teller.gate.admit,
        porter=teller.porter,
    )
    endpoints = {path: endpoint(operations) for path, operations in by_path().items()}
    app = App(endpoints, endpoint({}), Starlette(lifespan=lifespan))
    return app


class App:
    """Requests go to the endpoint of their path, all else to Starlette. Its own way of a request, through four layers and one route
    after the other, takes as long as the ledger does to decide what it asks."""

    def __init__(
        self, endpoints: Mapping[str, Endpoint], nowhere: Endpoint, other: Starlette
    ) -> None:
        self._routes = Routes(endpoints)
        self._nowhere = nowhere
        self._other = other

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or open and close."""
        if scope["type"] == "http":
            await self.door(scope)(scope, receive, send)
        else:
            await self._other(scope, receive, send)

    def door(self, scope: MutableMapping[str, Any]) -> Endpoint:
        """The endpoint of a request's path, whose parameters it then has."""
        found = self._routes.find(scope["path"])
        if found is None:
            return self._nowhere
        endpoint, scope["path_params"] = found
        return endpoint
