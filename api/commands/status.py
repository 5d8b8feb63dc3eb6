"""`jobledger status`: how far the log and its read models are.

Invariants: it tells what is, and moves nothing. Units: positions and lags count events. Errors: the place's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from api.commands.options import Data, DatabaseUrl, Json, command_group
from api.commands.output import remark, say_json, say_table
from api.place import Connection, Where, opened
from ledger import store
from ledger.standing import NO_ANCHOR, standing
from projections.position import positions

command = command_group()


@command.command()
def status(data: Data = None, database_url: DatabaseUrl = None, json: Json = False) -> None:
    """Say how far the log and its read models are.

    The position counts the events of the log; a read model's lag is how many of them it has still to fold. Read models move while
    `serve` runs. With --json: {"position", "projections": {NAME: {"position", "lag"}}, "checkpoint": {"origin",
    "position", "lag", "signed_at", "anchors"}}, and "error" where one has stopped.
    """
    with opened(Where.said(data, database_url)) as place:
        remark(f"Using {place}.")
        found = place.asked(_status)
    if not found["checkpoint"]["anchors"]:
        remark(f"Mind: {NO_ANCHOR}.")
    if json:
        say_json(found)
        return
    rows = [("log", found["position"], "", "")]
    rows += [
        (name, one["position"], one["lag"], one.get("error", ""))
        for name, one in found["projections"].items()
    ]
    sealed = found["checkpoint"]
    rows.append(("checkpoint", sealed["position"], sealed["lag"], sealed.get("error", "")))
    rows += [
        (f"anchor: {one['sink']}", one["size"], "", one["error"] or "") for one in sealed["anchors"]
    ]
    say_table(("name", "position", "lag", "error"), rows)


async def _status(connection: Connection) -> dict[str, Any]:
    position = await store.head(connection)
    reached = await positions(connection)
    sealed = await standing(connection)
    return {
        "position": position,
        "checkpoint": sealed.shown(datetime.now(UTC)),
        "projections": {
            name: {
                "position": one.position,
                "lag": one.lag,
                **({"error": one.error} if one.error else {}),
            }
            for name, one in reached.items()
        },
    }
