"""Sight: the rows that one statement may see, by row-level security.

Invariants: a reader's statement sees the projects it was given and no others, whatever it asks; the setting ends with the statement, so a
pooled connection remembers nothing; setting and statement travel together, in one round trip. Errors: psycopg's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, LiteralString, TypeAlias

from psycopg import AsyncConnection, AsyncCursor, AsyncRawCursor, pq
from psycopg.abc import Params

from ledger import settings

# The projects whose rows may be seen. None: those that the connection's role sees by itself, which are none for the reader.
Sight: TypeAlias = tuple[str, ...] | None

_SEE: Final = "SELECT set_config('ledger.projects', %s, true)"
# Besides, keep one plan that walks indexes, also when it was made while the tables were empty.
_SEE_AND_WALK: Final = (
    "SELECT set_config('ledger.projects', %s, true), set_config('plan_cache_mode', 'force_generic_plan', true),"
    " set_config('enable_seqscan', 'off', true)"
)
# What psycopg looks for in a statement. In a longer one than this it would each time it is sent, which takes longer than to answer many a one.
_PARAMETER: Final = re.compile(rb"%(?:\((\w+)\)s|%)")
_READ_ONCE_BYTES: Final = 4_096


async def rows(
    connection: AsyncConnection[tuple[Any, ...]],
    sight: Sight,
    text: LiteralString | bytes,
    values: Params | None = None,
    *,
    prepare: bool | None = None,
    binary: bool = False,
    walk: bool = False,
) -> list[tuple[Any, ...]]:
    """The rows that a statement answers with. The connection is in autocommit mode. `walk`: one index serves it whatever the values are, and to
    plan it anew each time would take longer than to run it."""
    cursor: AsyncCursor[tuple[Any, ...]]
    if len(text) > _READ_ONCE_BYTES and isinstance(values, Mapping):
        text, names = numbered(text)
        values = [values[name] for name in names]
        cursor = AsyncRawCursor(connection)
        cursor.format = pq.Format(binary)
    else:
        cursor = connection.cursor(binary=binary)
    async with cursor:
        if sight is None:
            await cursor.execute(text, values, prepare=prepare)
        else:
            # A pipeline without BEGIN is one transaction, which its end commits: that is how long the setting lives.
            async with connection.pipeline():
                await connection.execute(
                    _SEE_AND_WALK if walk else _SEE, (array(sight),), prepare=True
                )
                await cursor.execute(text, values, prepare=prepare)
        return await cursor.fetchall()


@lru_cache(maxsize=settings.STATEMENTS_KEPT_MAX)
def numbered(text: LiteralString | bytes) -> tuple[bytes, tuple[str, ...]]:
    """A text with its parameters as PostgreSQL counts them, and their names in that order."""
    names: dict[str, int] = {}

    def place(found: re.Match[bytes]) -> bytes:
        if found[1] is None:
            return b"%"
        return b"$%d" % names.setdefault(found[1].decode(), len(names) + 1)

    encoded = text if isinstance(text, bytes) else text.encode()
    return _PARAMETER.sub(place, encoded), tuple(names)


@lru_cache(maxsize=settings.SIGHTS_KEPT_MAX)
def array(projects: tuple[str, ...]) -> str:
    """The projects as the text of a PostgreSQL array: what the setting ledger.projects holds."""
    quoted = (project.replace("\\", "\\\\").replace('"', '\\"') for project in projects)
    return "{" + ",".join(f'"{project}"' for project in quoted) + "}"
