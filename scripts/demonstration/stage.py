"""The stage: what every part of the demo may use.

Invariants: everything on it is open; `server` stops after everything else is closed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scripts.demonstration.client import Client
from scripts.demonstration.grid import Grid
from scripts.demonstration.plan import CLOUD, SHOP, Fate
from scripts.demonstration.play import Play
from scripts.demonstration.screen import Screen
from scripts.demonstration.server import Server
from scripts.demonstration.simulation import Simulation
from scripts.demonstration.unexpected import Unexpected


@dataclass(frozen=True, slots=True)
class Stage:
    """The ledger, its clients, and the platform that uses it."""

    screen: Screen
    server: Server
    url: str
    clients: Mapping[str, Client]
    grid: Grid
    simulation: Simulation

    @property
    def cloud(self) -> Client:
        """The tenant that provisions servers."""
        return self.clients[CLOUD]

    @property
    def shop(self) -> Client:
        """The tenant that imports."""
        return self.clients[SHOP]

    @property
    def shown(self) -> Play:
        """The job that is shown from all sides: it failed, was tried again, and succeeded."""
        for play in self.simulation.plays:
            if play.plan.project == CLOUD and play.plan.fate is Fate.RETRIED and play.next is None:
                return play
        raise Unexpected("No job was retried in the hours before the demo.")

    def job(self, play: Play) -> dict[str, Any]:
        """A job as the native API has it now."""
        found: dict[str, Any] = play.client.get(f"{play.client.jobs}/{play.id}").json()
        return found
