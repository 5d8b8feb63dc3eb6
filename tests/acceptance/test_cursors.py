"""Cursors while writes go on: the pages of one list neither repeat nor miss a job, and who asks for his own write gets it.

Invariants: every job that was there before a walk began comes once in it, in the list's order; in an order that changes, as of the moment the walk
began. `LEDGER_CURSORS=1000` is the long form."""

from __future__ import annotations

import itertools
import os
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2 as httpx

from tests.fix_server import LiveServer

PROJECT = "cursors"
URL = f"/v1/projects/{PROJECT}/jobs"
CURSORS = int(os.environ.get("LEDGER_CURSORS", "40"))
WALKERS, WRITERS = 6, 2
BEFORE, TOGETHER, MEANWHILE = (
    300,
    20,
    3,
)  # jobs there from the start, at once, and at once while lists are walked
TYPES = ("T", "U", "V")
STEPS = ("queued", "started", "succeeded")

# An order that never changes may be walked as it grows; one by last change or by state, as of a moment.
STEADY = ("-created", "created", "-number", "number", "owner", "type")
CHANGING = ("-updated", "updated", "state", "-phase")


@dataclass
class Told:
    """What the ledger has acknowledged: each job's type, in the order of answers, and how far that is sure to be read."""

    types: dict[str, str] = field(default_factory=dict)
    position: int = 0
    writes: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def saved(self, answer: httpx.Response) -> list[dict[str, Any]]:
        """Remember an answer."""
        jobs: list[dict[str, Any]] = answer.json()["jobs"]
        with self.lock:
            self.types |= {job["id"]: job["type"] for job in jobs}
            self.position = max(self.position, int(answer.headers["ledger-position"]))
            self.writes += 1
        return jobs

    def now(self) -> tuple[dict[str, str], int]:
        """The jobs of now, and the position by which all of them are there."""
        with self.lock:
            return dict(self.types), self.position


def test_pages_of_a_cursor_neither_repeat_nor_miss_a_job(shared_server: LiveServer) -> None:
    """Seen red with pages that begin with the last item of the one before, a walk as of now instead of then, and reads that ignore `min_position`."""
    told, client = Told(), shared_server.client_of(PROJECT)
    for _ in range(BEFORE // TOGETHER):
        told.saved(create(client, random.Random(0), TOGETHER))
    with writing(shared_server, told), ThreadPoolExecutor(WALKERS) as walkers:
        # One client a thread would be as good; this one may be shared.
        done = list(walkers.map(lambda nth: walk(client, told, nth), range(CURSORS)))
    assert len(done) == CURSORS
    assert told.writes > BEFORE // TOGETHER, "nothing was written meanwhile"


def walk(client: httpx.Client, told: Told, nth: int) -> int:
    """Read one list to its end; how many pages it had."""
    chance = random.Random(nth)
    types, position = told.now()
    steady = chance.random() < 2 / 3
    words: dict[str, Any] = {"sort": chance.choice(STEADY if steady else CHANGING)}
    words["limit"] = chance.randint(7, 90)
    if chance.random() < 1 / 2:
        words["type"] = chance.choice(TYPES)
    if steady:
        words["min_position"] = position
    else:
        words["as_of"] = position
    wanted = {one for one, its in types.items() if its == words.get("type", its)}
    answer, seen, pages = client.get(URL, params=words), [], 1
    while True:
        assert answer.status_code == 200, answer.text
        page = answer.json()
        seen += [job["id"] for job in page["jobs"]]
        if page["next"] is None:
            break
        answer, pages = client.get(page["next"]), pages + 1
    assert len(seen) == len(set(seen)), f"{words} repeats"
    assert not wanted - set(seen), f"{words} misses {len(wanted - set(seen))} of {len(wanted)}"
    if not steady:
        assert len(seen) == len(wanted), f"{words} tells of jobs of later"
    return pages


@contextmanager
def writing(server: LiveServer, told: Told) -> Iterator[None]:
    """Writers at work: new jobs, and moves of those that are there, which change their order by state and by last change."""
    ending = threading.Event()
    failed: list[BaseException] = []

    def work(nth: int) -> None:
        client, chance = server.client_of(PROJECT, name=f"writer-{nth}"), random.Random(-nth)
        try:
            while not ending.is_set():
                made = told.saved(create(client, chance, MEANWHILE))
                read = client.get(
                    URL, params={"number": made[0]["number"], "min_position": told.now()[1]}
                )
                assert [job["id"] for job in read.json()["jobs"]] == [made[0]["id"]]
                for job, step in itertools.product(made, STEPS):
                    moved = client.post(f"{URL}/{job['id']}/events", json={"event": step})
                    assert moved.status_code == 200, moved.text
        except BaseException as error:  # noqa: BLE001 - told by the test
            failed.append(error)

    threads = [threading.Thread(target=work, args=(nth,)) for nth in range(1, WRITERS + 1)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ending.set()
        for thread in threads:
            thread.join()
    assert not failed, failed


def create(client: httpx.Client, chance: random.Random, count: int) -> httpx.Response:
    """Some jobs in one write."""
    jobs = [
        {"type": chance.choice(TYPES), "owner": f"o{chance.randrange(9)}"} for _ in range(count)
    ]
    answer = client.post(URL, json={"jobs": jobs})
    assert answer.status_code == 201, answer.text
    return answer
