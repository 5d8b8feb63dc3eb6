"""Admission: what the requests that a process has let in may take of it, so that more load than it can carry changes who is served and not whether.

Invariants: what is refused here has had no effect; a place is given back whatever becomes of the request; one project never holds all places.
Whose request is let in next, api/turns.py says. Units: requests, bytes. Errors: Busy (503), Crowded and TooFast (429)."""

from __future__ import annotations

from api.faults import Crowded
from api.operation import Principal
from api.rate import Rate
from ledger import settings
from ledger.errors import Busy
from ledger.settings import Settings


class UnderWay:
    """One request that was let in, until it leaves. `hold` counts what it keeps in memory."""

    __slots__ = ("_admission", "held_bytes")

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self.held_bytes = 0

    def hold(self, held_bytes: int) -> None:
        """Its body has grown to so many bytes. Raises Busy when all bodies together have no more room."""
        self._admission.bodies_bytes += held_bytes - self.held_bytes
        self.held_bytes = held_bytes
        if self._admission.bodies_bytes > settings.BODIES_BYTES_MAX:
            raise Busy("The ledger is reading as many bytes at once as it has room for.")

    def leave(self) -> None:
        """It is over."""
        self._admission.requests -= 1
        self._admission.bodies_bytes -= self.held_bytes


class Admission:
    """What is under way in one process. Its figures are for /metrics and for tests."""

    def __init__(self, chosen: Settings) -> None:
        self._project_requests_max = min(chosen.project_requests_max, chosen.requests_max)
        self._rate = Rate(chosen.key_requests_per_s_max)
        self.requests = 0
        self.bodies_bytes = 0
        self.projects: dict[str, int] = {}

    def enter(self) -> UnderWay:
        """One more request, which leaves in any case."""
        self.requests += 1
        return UnderWay(self)

    def of(self, principal: Principal) -> _Place:
        """A place in the principal's project, within the rate of its key, for a `with`. Raises Crowded, TooFast."""
        self._rate.take(principal.key_id)
        there = self.projects.get(principal.project, 0)
        if there >= self._project_requests_max:
            raise Crowded(
                f"{self._project_requests_max} requests of this project are under way already."
            )
        self.projects[principal.project] = there + 1
        return _Place(self.projects, principal.project)


class _Place:
    """Taken in a project until the block ends. No generator of contextlib, which would cost a request as much as a look at its credential."""

    __slots__ = ("_project", "_projects")

    def __init__(self, projects: dict[str, int], project: str) -> None:
        self._projects = projects
        self._project = project

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        left = self._projects[self._project] - 1
        if left:
            self._projects[self._project] = left
        else:
            del self._projects[self._project]
