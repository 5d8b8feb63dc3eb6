"""The worker of batches: crashes at chosen places, items and batches that go wrong, others that write meanwhile, and turns between projects.

Seen red with: events and results in transactions of their own, in either order (a crash between them doubles a slice, or loses it); a worker that
does not look whether its batch has moved on (it decides slices in vain; the key of the results keeps them from doubling even then); a batch
that keeps its turn until it is done (the quiet project waits)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2 as httpx
import psycopg
import pytest

from api.batch import readers, worker
from api.batch.wish import Wish
from ledger import batches, settings, store
from ledger.connection import Role, conninfo
from ledger.errors import Busy
from tests.acceptance.test_crash import whole_log
from tests.fix_fullstory import BATCH, Json, item, job, life, listed, over, polled, refused, taken
from tests.fix_server import LiveServer
from tests.writes import DEADLINE_S, appends_wait

Record = Callable[..., Awaitable[None]]


def numbered(count: int) -> list[Json]:
    """A job that notes the index of each item."""
    return [*life("a"), *(item("noted", "a", note=str(nth)) for nth in range(1, count))]


def notes(dsn: str) -> list[int]:
    """What was noted, in the order of the log."""
    log = asyncio.run(whole_log(dsn))
    return [int(one.note) for one in log if one.topic == "job.noted" and one.note]


class Crash:
    """Breaks the worker's connection at each of its first `times` saves, before or after the results are written."""

    def __init__(self, times: int, *, after: bool) -> None:
        self.times = times
        self._after = after
        self._record: Record = batches.record

    async def __call__(self, connection: store.Connection, *words: Any, **named: Any) -> None:
        if self.times and words[1]:
            self.times -= 1
            if self._after:
                await self._record(connection, *words, **named)
            await connection.close()
            raise psycopg.OperationalError("a crash")
        await self._record(connection, *words, **named)


@pytest.mark.parametrize("after", [False, True], ids=["before the results", "before the commit"])
def test_a_crash_between_events_and_results_has_no_effect(
    live_server: LiveServer, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    monkeypatch.setattr(settings, "RESTART_S_MIN", 0.01)
    crash = Crash(3, after=after)
    monkeypatch.setattr(batches, "record", crash)
    batch = taken(live_server.client, numbered(500))
    assert over(live_server.client, batch)["imports"] == 500
    assert crash.times == 0
    assert notes(live_server.dsn) == list(range(1, 500))


def test_a_crash_at_the_append_loses_nothing(
    live_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "RESTART_S_MIN", 0.01)
    append, crashes = store.append, [1, 1, 1]

    async def breaking(connection: store.Connection, units: list[store.Unit]) -> Any:
        if len(units[0].entries) > 2 and crashes:
            crashes.pop()
            await connection.close()
            raise psycopg.OperationalError("a crash")
        return await append(connection, units)

    monkeypatch.setattr(store, "append", breaking)
    batch = taken(live_server.client, numbered(500))
    assert over(live_server.client, batch)["imports"] == 500
    assert not crashes
    assert notes(live_server.dsn) == list(range(1, 500))


def test_two_workers_apply_an_item_once(
    live_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is lost with its connection, and whoever had it may not know: the batch itself tells."""
    found: list[worker.Worker] = []
    made = worker.Worker._decided

    async def decided(self: worker.Worker, *words: Any) -> Any:
        found.append(self)
        connection, batch, own, limit = words
        mine = await made(self, connection, batch, own, limit)
        async with await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True) as other:
            # Another worker, that has the same batch in hand, is quicker.
            theirs = await made(self, other, batch, own, limit)
            await self._save(other, batch, theirs)
        return mine

    monkeypatch.setattr(worker.Worker, "_decided", decided)
    batch = taken(live_server.client, numbered(500))
    assert over(live_server.client, batch)["imports"] == 500
    assert len(found) == 3
    assert notes(live_server.dsn) == list(range(1, 500))


def test_an_item_that_nobody_can_read_is_its_own_error(
    live_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    form, read = next(iter(readers.READERS.items()))

    def poisoned(text: str, shared: str | None, owner: str) -> Wish:
        if "poison" in text:
            raise RuntimeError("poison")
        return read(text, shared, owner)

    live = _worker_of(live_server, monkeypatch)
    items = [*life("a"), item("noted", "a", note="poison"), item("started", "a")]
    taken(live_server.client, life("b"))
    live._readers = {form: poisoned}
    batch = taken(live_server.client, items)
    assert over(live_server.client, batch)["imports"] == 2
    [error] = listed(live_server.client, batch, "errors")
    assert (error["event"], error["code"]) == (items[1], "refused")


def _worker_of(server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> worker.Worker:
    """The running worker of this server, once it looks for batches: those of other tests run beside it."""
    found: list[worker.Worker] = []
    seen = threading.Event()
    made = worker.Worker._round

    async def round_(self: worker.Worker, connection: store.Connection) -> bool:
        if self._conninfo == conninfo(server.dsn, Role.APP):
            found.append(self)
            seen.set()
        return await made(self, connection)

    monkeypatch.setattr(worker.Worker, "_round", round_)
    assert seen.wait(30)
    return found[0]


def test_an_item_that_the_database_cannot_store_is_its_own_error(
    live_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = store.append

    async def choosy(connection: store.Connection, units: list[store.Unit]) -> Any:
        if any(b"poison" in entry.state for unit in units for entry in unit.entries):
            raise psycopg.DataError("it cannot be stored")
        return await append(connection, units)

    monkeypatch.setattr(store, "append", choosy)
    items = [*numbered(20), item("noted", "a", note="poison"), *numbered(30)[20:]]
    batch = taken(live_server.client, items)
    assert over(live_server.client, batch)["imports"] == 30
    [error] = listed(live_server.client, batch, "errors")
    assert (error["event"], error["code"]) == (items[20], "invalid")
    assert notes(live_server.dsn) == list(range(1, 30))


def test_a_batch_that_goes_wrong_as_a_whole_holds_up_no_other(
    live_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ill = taken(live_server.client, numbered(2))
    over(live_server.client, ill)
    live = _worker_of(live_server, monkeypatch)
    readers_there, live._readers = live._readers, {}
    ill = taken(live_server.client, life("b"))
    while not live._resting:
        assert polled(live_server.client, ill)["job"]["status"] == "PROCESSING"
    live._readers = readers_there
    other = live_server.client_of("other")
    assert over(other, taken(other, life("a")))["imports"] == 1
    live._resting.clear()
    assert over(live_server.client, ill)["imports"] == 1


def test_others_may_write_to_the_same_jobs(live_server: LiveServer) -> None:
    client = live_server.client
    over(client, taken(client, life("a")))
    path = f"/v1/projects/demo/jobs/{job(client, 'demo', 'a')['id']}/events"
    batch = taken(client, [item("noted", "a", note=str(nth)) for nth in range(1_000)])
    others = 0
    while polled(client, batch)["job"]["status"] == "PROCESSING":
        answer = client.post(path, json={"event": "noted"}, headers={"Prefer": "respond-async"})
        assert answer.status_code == 200, answer.text
        others += 1
    assert over(client, batch)["imports"] == 1_000
    assert notes(live_server.dsn) == list(range(1_000))
    # Those asked not to wait for the read models; this one's answer is no earlier than they are.
    assert client.post(path, json={"event": "noted"}).status_code == 200
    assert job(client, "demo", "a")["version"] == 1 + 1_000 + others + 1


def test_projects_take_turns(live_server: LiveServer) -> None:
    greedy, quiet = live_server.client, live_server.client_of("quiet")
    large = taken(greedy, numbered(10_000))
    small = taken(quiet, numbered(300))
    assert over(quiet, small)["imports"] == 300
    assert over(greedy, large)["imports"] == 10_000
    last = listed(quiet, small, "imports")[-1]["ledger"]["position"]
    between = [one for one in listed(greedy, large, "imports") if one["ledger"]["position"] < last]
    assert len(between) < 10_000, "the quiet project had to wait for all of the greedy one's"


def test_nothing_is_applied_in_maintenance(
    live_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    over(live_server.client, taken(live_server.client, life("a")))
    live = _worker_of(live_server, monkeypatch)
    asked = threading.Event()

    async def refuse() -> None:
        asked.set()
        raise Busy("Writes are switched off.")

    allowed, live._check = live._check, refuse
    assert asked.wait(30)
    batch = taken(live_server.client, life("b"))
    asked.clear()
    assert asked.wait(30)
    assert polled(live_server.client, batch)["imports"] == 0
    live._check = allowed
    assert over(live_server.client, batch)["imports"] == 1


def test_results_are_kept_for_so_many_days(live_server: LiveServer) -> None:
    client: httpx.Client = live_server.client
    old, young = (taken(client, life(name)) for name in ("a", "b"))
    over(client, old)
    over(client, young)
    days = settings.BATCH_RESULTS_DAYS
    with psycopg.connect(live_server.dsn, autocommit=True) as connection:
        connection.execute(
            "UPDATE ledger.batches SET finished_at = finished_at - make_interval(days => %s, hours => 1)"
            " WHERE accepted_at = (SELECT min(accepted_at) FROM ledger.batches)",
            (days,),
        )

    async def forget() -> int:
        async with await psycopg.AsyncConnection.connect(
            live_server.dsn, autocommit=True
        ) as connection:
            return await batches.forget_outdated(connection, days)

    assert asyncio.run(forget()) == 1
    assert asyncio.run(forget()) == 0
    refused(client.get(f"{BATCH}/{old}/imports"), 404, "resource_not_found")
    assert polled(client, old)["imports"] == 1, "its job stays"
    assert len(listed(client, young, "imports")) == 1
    with psycopg.connect(live_server.dsn) as connection:
        for table in ("batches", "batch_items", "batch_results"):
            counted = connection.execute(f"SELECT count(*) FROM ledger.{table}".encode())
            assert counted.fetchone() == (1,), table


@pytest.mark.anyio
async def test_the_end_waits_for_no_server_that_says_nothing(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that waits for a standby. Seen red with the end waiting for as long."""
    monkeypatch.setattr(settings, "LOCK_TIMEOUT_S", 2 * DEADLINE_S)
    monkeypatch.setattr(settings, "SILENCE_S", 0.2)
    monkeypatch.setattr(settings, "BATCH_POLL_S", 0.01)

    async def check() -> None:
        pass

    working = worker.Worker(
        database, readers.READERS, check=check, on_commit=lambda *_: None, results_days=1
    )
    async with await psycopg.AsyncConnection.connect(database) as owner:
        await owner.execute("LOCK TABLE ledger.batches")
        await working.__aenter__()
        await appends_wait(owner)
        await asyncio.wait_for(working.__aexit__(), DEADLINE_S)
