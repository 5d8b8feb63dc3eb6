"""Turns: whose request is worked on next, when more come than can be worked on at once.

Invariants: at most `places_max` requests are at work, at most `lane_places_max` of them of one lane; those that wait are taken lane by lane, the
oldest of each first, so that a lane with few of them waits for one of each other lane and not for all; when too many wait, the longest lane
loses its newest; nobody waits longer than `wait_s_max` at a time. A lane is a project, or what is not known yet: who becomes known at work goes on
in his own lane, when that has a place. Whoever is refused has had no effect.
Units: requests, seconds of the event loop's clock. Errors: Busy and Crowded, as `refuse` is told; ClientGone where somebody waits on who has left."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from api.faults import Crowded
from ledger.errors import Busy, LedgerError
from ledger.settings import Settings

STRANGERS: Final = ""  # the lane of all whose credential is not known
FULL: Final = Busy("The ledger has as many requests at work and waiting as it takes on.")
SHARE: Final = Crowded("This project has its share of requests at work and waiting.")

Refuse = Callable[[LedgerError], None]


class ClientGone(Exception):
    """The client closed the connection before it had sent its whole request, or had its turn again."""


class _At(Enum):
    """Where a request is."""

    WAITING = auto()
    WORK = auto()
    REST = auto()
    END = auto()


# By names of their own: to find a member in its class takes as long as a call, and a request goes through most of them.
WAITING, WORK, REST, END = _At


def _nothing(*_: object) -> None:
    """Nobody waits."""


class Turn:
    """One request's turn: it waits, is at work, may rest while its client keeps it waiting, and ends once."""

    __slots__ = ("_at", "_left", "_refuse", "_start", "_turns", "due_s", "lane", "waited_s")

    def __init__(
        self, turns: Turns, lane: str, start: Callable[[], None], refuse: Refuse, due_s: float
    ) -> None:
        self._turns = turns
        self._start = start
        self._refuse = refuse
        self._left: Callable[[], None] = _nothing  # tells who waits for it again that it ended
        self._at = WAITING
        self.lane = lane
        self.due_s = due_s
        self.waited_s = 0.0  # before it was begun

    @property
    def waiting(self) -> bool:
        """Whether it still waits."""
        return self._at is WAITING

    def begin(self) -> None:
        """Its place is taken: let it work."""
        self._at = WORK
        start = self._start
        self._start = self._refuse = self._left = _nothing  # what they hold holds this turn
        start()

    def refuse(self, error: LedgerError) -> None:
        """It is sent away."""
        self._at = END
        refuse = self._refuse
        self._start = self._refuse = self._left = _nothing
        refuse(error)

    def put_off(self) -> None:
        """It has not asked for a place yet."""
        self._at = REST

    def rest(self) -> None:
        """Give the place to somebody else, since it is the client who is waited for."""
        if self._at is WORK:
            self._at = REST
            self._turns.leave(self.lane)

    async def again(self) -> None:
        """Go on after a rest, when it is this one's turn. Raises Busy, Crowded; ClientGone when it ended meanwhile."""
        if self._at is not REST:
            return
        there: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def start() -> None:
            if there.cancelled():
                self.end()
            else:
                there.set_result(None)

        def refuse(error: LedgerError) -> None:
            if not there.cancelled():
                # One and the same error is told to many; what is raised grows a traceback.
                there.set_exception(type(error)(str(error)))

        def left() -> None:
            if not there.done():
                there.set_exception(ClientGone())

        self._at, self._start, self._refuse, self._left = WAITING, start, refuse, left
        self.due_s = self._turns.due_s()
        self._turns.join(self)
        await there

    async def into(self, lane: str) -> None:
        """It has turned out to be of this lane: go on in it, once that has a place. Raises Busy, Crowded."""
        if self._at is not WORK or lane == self.lane:
            return
        if self._turns.moved(self.lane, lane):
            self.lane = lane
            return
        self.rest()
        self.lane = lane
        await self.again()

    def end(self) -> None:
        """It is over, in whatever way. A second time changes nothing."""
        at, self._at = self._at, END
        if at is WORK:
            self._turns.leave(self.lane)
        elif at is WAITING:
            self._turns.forget(self)
            left = self._left
            self._start = self._refuse = self._left = _nothing
            left()


class Turns:
    """The turns of one process. Its counts are for /metrics and for tests."""

    def __init__(self, chosen: Settings) -> None:
        self._places_max = chosen.requests_max
        self._lane_places_max = min(chosen.project_requests_max, chosen.requests_max)
        self._waiting_max = chosen.requests_waiting_max
        self._wait_s_max = chosen.turn_s_max
        self._lanes: OrderedDict[str, deque[Turn]] = OrderedDict()
        self._arrived: deque[Turn] = (
            deque()
        )  # all that wait, the oldest first, and some that wait no more
        self._looking: asyncio.TimerHandle | None = None
        self.at_work: dict[str, int] = {}
        self.working = 0
        self.waiting = 0

    def ask(self, lane: str, start: Callable[[], None], refuse: Refuse) -> Turn:
        """A request of this lane has come. Either `start` or `refuse` is called once, now or within the time that one may wait."""
        turn = Turn(self, lane, start, refuse, self.due_s())
        self.join(turn)
        return turn

    def later(self, lane: str) -> Turn:
        """A turn that rests until it asks."""
        turn = Turn(self, lane, _nothing, _nothing, 0.0)
        turn.put_off()
        return turn

    def due_s(self) -> float:
        """Until when one who comes now may wait."""
        return asyncio.get_running_loop().time() + self._wait_s_max

    def join(self, turn: Turn) -> None:
        """Let it work, wait, or go."""
        lane = self._lanes.get(turn.lane)
        if lane is None and self._has_place(turn.lane):
            self._seat(turn)
            return
        if self.waiting >= self._waiting_max:
            longest = max(self._lanes.values(), key=len, default=None)
            if longest is None or len(longest) <= 1 + (len(lane) if lane else 0):
                turn.refuse(self._why(turn.lane))
                return
            newest = longest[-1]
            self.forget(newest)
            newest.refuse(SHARE if newest.lane != STRANGERS else FULL)
        # Another may have been refused just now, and its lane with it.
        self._lanes.setdefault(turn.lane, deque()).append(turn)
        self._arrived.append(turn)
        self.waiting += 1
        if self._looking is None:
            self._look_at(turn.due_s)

    def leave(self, lane: str) -> None:
        """Somebody of this lane gave his place back."""
        self.working -= 1
        self._discount(lane)
        if self._lanes:
            self._seat_next()

    def moved(self, lane: str, other: str) -> bool:
        """Somebody at work has turned out to be of another lane; False when that has its share already, or has others who were there before."""
        if other in self._lanes or self._has_its_share(other):
            return False
        self._count(other)
        self._discount(lane)
        if self._lanes:
            self._seat_next()
        return True

    def forget(self, turn: Turn) -> None:
        """It waits no more."""
        lane = self._lanes[turn.lane]
        if lane[-1] is turn:
            lane.pop()
        else:
            lane.remove(turn)
        self.waiting -= 1
        if not lane:
            del self._lanes[turn.lane]

    def _has_place(self, lane: str) -> bool:
        return self.working < self._places_max and not self._has_its_share(lane)

    def _has_its_share(self, lane: str) -> bool:
        # Who is not known yet may be of any project: admission counts him once he is.
        return lane != STRANGERS and self.at_work.get(lane, 0) >= self._lane_places_max

    def _seat(self, turn: Turn) -> None:
        self.working += 1
        self._count(turn.lane)
        turn.begin()

    def _count(self, lane: str) -> None:
        self.at_work[lane] = self.at_work.get(lane, 0) + 1

    def _discount(self, lane: str) -> None:
        left = self.at_work[lane] - 1
        if left:
            self.at_work[lane] = left
        else:
            del self.at_work[lane]

    def _seat_next(self) -> None:
        """Fill the places that are free, lane by lane."""
        while self.working < self._places_max:
            name = next((one for one in self._lanes if self._has_place(one)), None)
            if name is None:
                return
            turn = self._lanes[name].popleft()
            turn.waited_s = self.due_s() - turn.due_s
            self.waiting -= 1
            if self._lanes[name]:
                self._lanes.move_to_end(name)
            else:
                del self._lanes[name]
            self._seat(turn)

    def _look_at(self, due_s: float) -> None:
        self._looking = asyncio.get_running_loop().call_at(due_s, self._look)

    def _look(self) -> None:
        """Send away who has waited too long."""
        self._looking = None
        now_s = asyncio.get_running_loop().time()
        while self._arrived and (not self._arrived[0].waiting or self._arrived[0].due_s <= now_s):
            turn = self._arrived.popleft()
            if turn.waiting:
                why = self._why(turn.lane)
                self.forget(turn)
                turn.refuse(why)
        if self._arrived:
            self._look_at(self._arrived[0].due_s)

    def _why(self, lane: str) -> LedgerError:
        """Whether it is the lane itself that asks too much, or all of them together."""
        greedy = len(self._lanes) > 1 or (
            self._has_its_share(lane) and self.working < self._places_max
        )
        return SHARE if greedy and lane != STRANGERS else FULL
