"""Questions among a great many jobs, asked of the read models in process: a get, lists of fifty, pages deep in them, totals; and plain queries.

Invariants: the jobs are those of the data set, the connections are readers' behind the wall between tenants, one of which keeps its plans, for the
questions that a server asks on such a one; a page is as deep as `Scene.depth` says, which is page 10,000 of a million jobs; every answer is checked
to be as long as it should. Units: milliseconds an answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection

from ledger import sight, sql
from ledger.connection import Role, conninfo
from ledger.past import AsOf
from ledger.store import Connection
from projections import query, walk
from projections.filters import FILTERS, Condition, Sort
from projections.question import After, Named, Offset, Query, Tally
from projections.walk import walks
from scripts.benchmarks import life
from scripts.benchmarks.scene import Scene
from scripts.benchmarks.slot import Measured, Slot, Spoilt, tallied

SQL = sql.load(__file__)
PAGE = 50
NEWEST = (Sort("created", descending=True),)


class Readers(NamedTuple):
    """One that has each question planned anew where PostgreSQL finds that better, and one that `walks`."""

    planning: Connection
    walking: Connection


Ask = Callable[[Readers], Awaitable[int]]
Enter = Callable[[Scene], AbstractContextManager[Slot]]

# What people look for on a page of jobs: a filter with a word, and an order.
LISTS: tuple[tuple[tuple[tuple[str, str], ...], tuple[Sort, ...]], ...] = (
    ((), NEWEST),
    ((), (Sort("updated", descending=True),)),
    ((("state", "Succeeded"),), NEWEST),
    ((("state", "Failed"),), (Sort("created"),)),
    ((("type", "Rare"),), NEWEST),
    ((("command", "Resize"),), NEWEST),
    ((("owner", "owner-7"),), NEWEST),
    ((("object", "web-77"),), NEWEST),
    ((("created_from", "2025-01-02"),), (Sort("created"),)),
)


def gets(scene: Scene) -> Sequence[Ask]:
    """Jobs by their ids, from all over the table."""

    def get(job_id: str) -> Ask:
        async def ask(readers: Readers) -> int:
            return (
                len(await query.named(readers.planning, Named(life.PROJECT, ids=(UUID(job_id),))))
                - 1
            )

        return ask

    return [get(job_id) for job_id in scene.ids[:200]]


def lists(_: Scene) -> Sequence[Ask]:
    """Fifty jobs by a filter or in an order that has an index."""
    return [_page(asked(words, sort), at_most=PAGE) for words, sort in LISTS]


def past_lists(scene: Scene) -> Sequence[Ask]:
    """The same fifty as they were when half of the log was there."""
    then = AsOf(scene.position() // 2)
    return [_page(asked(words, sort, as_of=then), at_most=PAGE) for words, sort in LISTS]


def past_gets(scene: Scene) -> Sequence[Ask]:
    """The same jobs as they were then, whether they were there or not."""
    then = AsOf(scene.position() // 2)

    def get(job_id: str) -> Ask:
        async def ask(readers: Readers) -> int:
            named = Named(life.PROJECT, ids=(UUID(job_id),), as_of=then)
            return max(0, len(await query.named(readers.planning, named)) - 1)

        return ask

    return [get(job_id) for job_id in scene.ids[:200]]


def first_page(_: Scene) -> Sequence[Ask]:
    """The first fifty, newest first."""
    return [_page(asked((), NEWEST))]


def deep_cursor(scene: Scene) -> Sequence[Ask]:
    """The fifty behind a cursor so deep."""
    row = scene.owner.execute(SQL["cursor"], (life.PROJECT, scene.depth)).fetchone()
    assert row is not None
    window = After((row[0].isoformat(),), row[1])
    return [_page(Query(life.PROJECT, (), NEWEST, window, PAGE))]


def deep_offset(scene: Scene) -> Sequence[Ask]:
    """The fifty behind so many."""
    return [_page(Query(life.PROJECT, (), NEWEST, Offset(scene.depth), PAGE))]


def deep_offset_of_state(scene: Scene) -> Sequence[Ask]:
    """The same of one state."""
    state = Condition(FILTERS["state"], ("Succeeded",))
    return [_page(Query(life.PROJECT, (state,), NEWEST, Offset(scene.depth), PAGE))]


def plain_offset(scene: Scene) -> Sequence[Ask]:
    """The same fifty as a program without an index-only walk would ask for them."""
    return [_plain("plain", scene)]


def plain_offset_of_state(scene: Scene) -> Sequence[Ask]:
    """The same of one state."""
    return [_plain("plain_state", scene)]


def totals(_: Scene) -> Sequence[Ask]:
    """The exact number of jobs of a state, type and command, and of all, with one of them."""
    some = ((), (("state", "Failed"),), (("type", "Rare"), ("command", "Add")))
    return [_page(asked(words, NEWEST, limit=1, total=True), at_most=1) for words in some]


def facets(_: Scene) -> Sequence[Ask]:
    """How many jobs of each type, command and state."""

    async def ask(readers: Readers) -> int:
        return 0 if (await query.tally(readers.walking, Tally(life.PROJECT))).counts else -1

    return [ask]


def asked(words: tuple[tuple[str, str], ...], sort: tuple[Sort, ...], **more: Any) -> Query:
    """A question in words."""
    conditions = tuple(
        Condition(FILTERS[name], (FILTERS[name].parse(word),)) for name, word in words
    )
    return Query(life.PROJECT, conditions, sort, **{"limit": PAGE, **more})


def _page(question: Query, at_most: int | None = None) -> Ask:
    async def ask(readers: Readers) -> int:
        connection = readers.walking if walks(question) else readers.planning
        found = len((await query.find(connection, question)).jobs)
        return found - PAGE if at_most is None else max(0, found - at_most)

    return ask


def _plain(name: str, scene: Scene) -> Ask:
    async def ask(readers: Readers) -> int:
        values = {"project": life.PROJECT, "offset": scene.depth, "limit": PAGE}
        text = SQL[name]
        found = await sight.rows(
            readers.planning, (life.PROJECT,), text, values, prepare=True, binary=True
        )
        return len(found) - PAGE

    return ask


def asking(make: Callable[[Scene], Sequence[Ask]]) -> Enter:
    """One caller that asks these in turn."""

    @contextmanager
    def enter(host: Scene) -> Iterator[Slot]:
        scene = host.among("4M")
        asks = make(scene)
        with asyncio.Runner() as runner:
            readers = runner.run(_connected(scene.dsn))
            try:
                yield lambda slot_s: runner.run(_asked(readers, asks, slot_s))
            finally:
                for connection in readers:
                    runner.run(connection.close())

    return enter


async def _connected(dsn: str) -> Readers:
    told = conninfo(dsn, Role.READER), walk.conninfo(dsn)
    return Readers(*[await AsyncConnection.connect(one, autocommit=True) for one in told])


async def _asked(readers: Readers, asks: Sequence[Ask], slot_s: float) -> Measured:
    times: list[float] = []
    start = time.perf_counter()
    deadline = start + slot_s
    while (began := time.perf_counter()) < deadline or not times:
        if wrong := await asks[len(times) % len(asks)](readers):
            raise Spoilt(f"An answer was {wrong} jobs off.")
        times.append(time.perf_counter() - began)
    return tallied(times, times, max(slot_s, sum(times)), sum(times))
