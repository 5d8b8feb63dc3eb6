"""Witnesses of an append slot: one who follows the log as it grows, and four who race for the same version of a job.

Invariants: the follower sees every event once, in order, and none that the log does not have; of each race exactly one request wins and the
others are told 412; both work in the very slot that is measured, seldom enough to cost it little. Units: seconds. Errors: Spoilt."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import pairwise

import psycopg

from scripts.benchmarks import life
from scripts.benchmarks.follow import SQL
from scripts.benchmarks.scene import Scene
from scripts.benchmarks.slot import Spoilt

RACERS = 4
RACE_EACH_S = 0.1
LOOK_EACH_S = 0.02
LOOK_EVENTS_MAX = 5_000
_ASYNC = {"Prefer": "respond-async", "Content-Type": "application/json"}


class Seen:
    """What the witnesses of a slot saw. `raced` are the positions of their own events."""

    def __init__(self, dsn: str, port: int, key: str, begun: int) -> None:
        self.raced: set[int] = set()
        self.followed: list[tuple[int, str]] = []
        self.winners: list[int] = []
        self.raced_enough = threading.Event()
        self.followed_enough = threading.Event()
        self._faults: list[Exception] = []
        self._dsn, self._port, self._key = dsn, port, key
        self._begun = self._after = begun

    def follow(self) -> None:
        """Read what is new until the end, and then the rest."""
        try:
            with psycopg.connect(self._dsn, autocommit=True) as connection:
                while True:
                    last = self.followed_enough.is_set()
                    values = (self._after, LOOK_EVENTS_MAX)
                    page = connection.execute(SQL["follow"], values, prepare=True).fetchall()
                    self.followed += page
                    if page:
                        self._after = page[-1][0]
                    elif last:
                        return
                    self.followed_enough.wait(LOOK_EACH_S)
        except Exception as error:  # noqa: BLE001 - told by `check`
            self._faults.append(error)

    def race(self) -> None:
        """Make a job, and let four at once go on from its first version; again and again."""
        try:
            racers = [http.client.HTTPConnection("127.0.0.1", self._port) for _ in range(RACERS)]
            while not self.raced_enough.wait(RACE_EACH_S):
                self._race(racers)
            for racer in racers:
                racer.close()
        except Exception as error:  # noqa: BLE001 - told by `check`
            self._faults.append(error)

    def _race(self, racers: list[http.client.HTTPConnection]) -> None:
        headers = {"Authorization": f"Bearer {self._key}", **_ASYNC}
        path = f"/v1/projects/{life.PROJECT}/jobs"
        racers[0].request("POST", path, life.new_job(), headers)
        job_id = json.loads(self._answer(racers[0], 201))["id"]
        for nth, racer in enumerate(racers):
            said = json.dumps({"event": "queued", "note": f"racer {nth}"})
            racer.request("POST", f"{path}/{job_id}/events", said, {**headers, "If-Match": '"1"'})
        won_before = len(self.raced)
        for racer in racers:
            self._answer(racer, 200, 412)
        self.winners.append(len(self.raced) - won_before)

    def _answer(self, racer: http.client.HTTPConnection, *expected: int) -> bytes:
        answer = racer.getresponse()
        said = answer.read()
        if answer.status not in expected:
            raise Spoilt(f"A racer was told {answer.status}: {said[:300]!r}")
        if answer.status < 300:
            self.raced.add(int(answer.headers["Ledger-Position"]))
        return said

    def check(self, head: int) -> None:
        """Hold it against the log, which ends at `head`. Raises Spoilt."""
        for fault in self._faults:
            raise Spoilt(f"A witness failed: {fault!r}") from fault
        positions = [self._begun, *(position for position, _ in self.followed)]
        wrong = sum(after != before + 1 for before, after in pairwise(positions))
        with closing(psycopg.connect(self._dsn, autocommit=True)) as connection:
            log = connection.execute(SQL["follow"], (self._begun, head)).fetchall()
        if wrong or positions[-1] != head or log != self.followed:
            raise Spoilt(
                f"A follower saw {len(self.followed)} of {len(log)} events, {wrong} out of order."
            )
        if any(winners != 1 for winners in self.winners):
            raise Spoilt(f"Races had so many winners: {sorted(set(self.winners))}")

    @property
    def figures(self) -> dict[str, float]:
        """For --json: what was checked, and found right."""
        return {
            "followed": len(self.followed),
            "missed": 0,
            "races": len(self.winners),
            "winners": 1,
        }


@contextmanager
def watched(scene: Scene, port: int) -> Iterator[Seen]:
    """Have witnesses meanwhile."""
    seen = Seen(scene.dsn, port, scene.key.key, scene.position())
    following = threading.Thread(target=seen.follow, name="follower", daemon=True)
    racing = threading.Thread(target=seen.race, name="racers", daemon=True)
    following.start()
    racing.start()
    try:
        yield seen
    finally:
        seen.raced_enough.set()
        racing.join()
        # Who follows looks once more when nobody writes.
        seen.followed_enough.set()
        following.join()
