"""The simulated platform: orders come in, workers take them, and the ledger hears of every step.

Invariants: the plays of a seed are the same whichever threads play them; what the ledger should hold afterwards is counted here from its
answers. Units: seconds, of the platform's own time where the name does not say otherwise. Errors: Unexpected."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final

from scripts.demonstration.client import Client
from scripts.demonstration.plan import order
from scripts.demonstration.play import Play, step_body

ORDERS_BEFORE: Final = 50  # orders of the hours before the demo begins
WORKERS_AT_ONCE: Final = 8
LIVE_WORKERS: Final = 3
LIVE_SPEED: Final = 30.0  # how much faster than its own time the platform goes on before our eyes
PAUSE_REAL_S_MAX: Final = 6.0  # nobody watches a longer one

Tell = Callable[[Play, str], None]


class Simulation:
    """The platform of one seed. `ended` stops it between two steps."""

    def __init__(self, clients: Mapping[str, Client], seed: int, ended: threading.Event) -> None:
        self._clients = clients
        self._seed = seed
        self._ended = ended
        self._next_orders = count(ORDERS_BEFORE)
        self._lock = threading.Lock()
        self.plays: list[Play] = []

    def play_before(self) -> None:
        """The hours until now, as fast as the ledger takes them, each event with the time it is said to have happened at."""
        now = datetime.now(UTC)
        with ThreadPoolExecutor(WORKERS_AT_ONCE, "worker") as pool:
            try:
                orders = [
                    pool.submit(self._play_until, nth, now - _ago(nth), now)
                    for nth in range(ORDERS_BEFORE)
                ]
                for played in orders:
                    self.plays += played.result()
            except BaseException:
                self._ended.set()
                pool.shutdown(cancel_futures=True)
                raise

    def go_on(self, tell: Tell) -> None:
        """What is unfinished, then new orders, at a pace that one can follow, until `ended`."""
        unfinished = [play for play in self.plays if play.next is not None]
        with ThreadPoolExecutor(LIVE_WORKERS, "worker") as pool:
            try:
                lives = [pool.submit(self._live, unfinished, tell) for _ in range(LIVE_WORKERS)]
                for life in wait(lives, return_when=FIRST_EXCEPTION).done:
                    life.result()
            finally:
                self._ended.set()

    def states(self, project: str) -> Counter[str]:
        """How many jobs are in each state."""
        return Counter(play.state for play in self.plays if play.client.project == project)

    def events(self, project: str) -> int:
        """How many events the ledger said it took."""
        return sum(play.events for play in self.plays if play.client.project == project)

    def _play_until(self, nth: int, begins: datetime, now: datetime) -> list[Play]:
        plays = self._placed(nth, begins, claim=True)
        if len(plays) > 1:
            self._queue_together(plays, now)
        for play in plays:
            while (step := play.next) is not None and not self._ended.is_set():
                at = play.at + timedelta(seconds=step.after_s)
                if at > now:
                    break  # not yet: `go_on` will come to it
                play.advance(at)
        return plays

    def _placed(self, nth: int, at: datetime, *, claim: bool) -> list[Play]:
        """Create the jobs of an order, all or none."""
        plans = order(self._seed, nth)
        client = self._clients[plans[0].project]
        plays = [Play(plan, client, at) for plan in plans]
        said = {"occurred_at": at.isoformat()} if claim else {}
        bodies = [{**plan.job, **said} for plan in plans]
        body = {"jobs": bodies} if len(bodies) > 1 else bodies[0]
        answer = client.post(client.jobs, body, key=f"{plans[0].name}/order", expect=(201,)).json()
        for play, job in zip(plays, answer.get("jobs", [answer]), strict=True):
            play.created(job)
        return plays

    def _queue_together(self, plays: list[Play], now: datetime) -> None:
        """The shop's scheduler says of a whole batch that it waits, unless that is still to come."""
        step = plays[0].plan.steps[0]
        at = plays[0].at + timedelta(seconds=step.after_s)
        if at > now:
            return
        body = {"events": [{**step_body(step, at), "job": play.id} for play in plays]}
        client, key = plays[0].client, f"{plays[0].plan.name}/queued"
        for play, job in zip(
            plays, client.post(client.events, body, key=key).json()["jobs"], strict=True
        ):
            play.heard_in_batch(job, at)

    def _live(self, unfinished: list[Play], tell: Tell) -> None:
        while not self._ended.is_set():
            with self._lock:
                mine = [unfinished.pop()] if unfinished else []
            if not mine:
                mine = self._placed(next(self._next_orders), datetime.now(UTC), claim=False)
                for play in mine:
                    tell(play, f"ordered by {play.plan.job['owner']}")
            for play in mine:
                while (step := play.next) is not None and not self._pause(step.after_s):
                    tell(play, play.advance(None))

    def _pause(self, after_s: float) -> bool:
        """Let time pass; True when the end came meanwhile."""
        return self._ended.wait(min(after_s / LIVE_SPEED, PAUSE_REAL_S_MAX))


def _ago(nth: int) -> timedelta:
    """How long before the demo an order came: the last ones moments ago, the first ones in the night."""
    return timedelta(seconds=5 + 30 * (ORDERS_BEFORE - 1 - nth) ** 1.8)
