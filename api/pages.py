"""Pages about the ledger itself: is it alive, is it ready, its figures, its versions, its description.

Invariants: they need no credential and so show no tenant's anything; readiness names what is wrong. Units: positions and events."""

from __future__ import annotations

import importlib.metadata
from functools import cache
from typing import TYPE_CHECKING

import psycopg
import pydantic_core
from psycopg_pool import PoolTimeout, TooManyRequests

from api import docs, openapi
from api.dialects import DIALECTS
from api.faults import NoSuchPath
from api.operation import Said, Shown
from ledger import migrate, store
from ledger.standing import standing
from projections.position import Reached, positions

if TYPE_CHECKING:
    from api.teller import Teller

_JSON = "application/json"


class Pages:
    """The pages of one process."""

    def __init__(self, teller: Teller) -> None:
        self._teller = teller

    async def page(self, shown: Shown) -> Said:
        """One page, ready made. Raises NoSuchPath for a dialect that nobody speaks."""
        if all(dialect.name != shown.dialect for dialect in DIALECTS):
            raise NoSuchPath(f"There is no dialect {shown.dialect[:50]!r}.")
        match shown.page:
            case "live":
                return Said(200, b'{"status":"alive"}', _JSON)
            case "ready":
                return await self._ready()
            case "metrics":
                return await self._metrics()
            case "version":
                return Said(200, pydantic_core.to_json(versions()), _JSON)
            case "openapi":
                return Said(200, openapi.text(shown.dialect), _JSON)
            case "docs":
                return Said(200, docs.text(shown.dialect), "text/html; charset=utf-8", docs.HEADERS)

    async def _ready(self) -> Said:
        """200 when the database answers, has every migration and no read model stopped; else 503 and what is wrong."""
        wrong: list[str] = []
        shown: dict[str, object] = {}
        try:
            async with self._teller.pool.connection() as connection:
                shown["position"] = await store.head(connection)
                row = await (
                    await connection.execute("SELECT count(*) FROM ledger.migrations")
                ).fetchone()
                missing = len(migrate.migrations()) - (row[0] if row else 0)
                if missing:
                    wrong.append(f"{missing} migrations are missing: run jobledger migrate")
                reached = await positions(connection)
                shown["projections"] = {name: _shown(one) for name, one in reached.items()}
                wrong += [
                    f"projection {name} stopped: {one.error}"
                    for name, one in reached.items()
                    if one.error
                ]
        except (psycopg.Error, PoolTimeout, TooManyRequests):
            wrong.append("the database does not answer")
        body = {"status": "unready" if wrong else "ready", "wrong": wrong, **shown}
        return Said(
            503 if wrong else 200,
            pydantic_core.to_json(body),
            _JSON,
            (("Retry-After", "1"),) if wrong else (),
        )

    async def _metrics(self) -> Said:
        measures = self._teller.measures
        measures.waiting.set(self._teller.committer.waiting)
        measures.under_way.set(self._teller.admission.requests)
        measures.turns_waiting.set(self._teller.porter.turns.waiting)
        measures.lately_bytes.set(self._teller.lately.size_bytes)
        measures.bodies_bytes.set(self._teller.admission.bodies_bytes)
        try:
            async with self._teller.pool.connection() as connection:
                measures.position.set(await store.head(connection))
                sealed = await standing(connection)
                measures.signed.set(sealed.size)
                measures.unsigned.set(sealed.lag)
                measures.refused_checkpoint.set(1 if sealed.stopped else 0)
                for name, one in (await positions(connection)).items():
                    measures.reached.labels(name).set(one.position)
                    measures.lag.labels(name).set(one.lag)
                    measures.stopped.labels(name).set(1 if one.error else 0)
        except (psycopg.Error, PoolTimeout, TooManyRequests):
            # The process's own figures are worth most when the database is away.
            pass
        return Said(200, measures.text(), "text/plain; version=0.0.4; charset=utf-8")


def _shown(one: Reached) -> dict[str, object]:
    return {"position": one.position, "lag": one.lag, **({"error": one.error} if one.error else {})}


@cache
def versions() -> dict[str, str]:
    """The versions of the ledger and of what its answers depend on."""
    names = ("job-ledger", "eventsourcing", "psycopg", "pydantic", "starlette")
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "unknown"
    return {"version": found.pop("job-ledger"), **found}
