"""PEERS: other products that keep jobs or events, each run by a driver of ours in an environment of its own, with as many callers as we have.

Invariants: environments are made by the ordinary installers, with pinned versions, in the folder of the data sets; none of a peer is a dependency of
ours; a peer that cannot be installed is skipped, with the reason. The same server of PostgreSQL serves those who need one. Ours stops the clock
when the read models have caught up. Errors: Skipped, Spoilt, ChildFailed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import quote

import psycopg
from psycopg import sql as composed

from ledger.cluster import PORT, SUPERUSER
from scripts.benchmarks import appending, committing
from scripts.benchmarks.child import CHECKOUT, Child, started
from scripts.benchmarks.client import request
from scripts.benchmarks.scene import Scene
from scripts.benchmarks.slot import Measured, Skipped, Slot

INSTALL_S = 600.0
START_S = 150.0
DRAIN_S = 60.0  # for what was asked for to be done

Enter = Callable[[Scene], AbstractContextManager[Slot]]


@dataclass(frozen=True, slots=True)
class Peer:
    """One row: its driver in scripts/peers, what pip installs for it, and whether it `keeps` things in a database or a folder. `package`: of npm."""

    driver: str
    packages: tuple[str, ...] = ()
    keeps: str = "database"
    package: str = ""


_PSYCOPG: Final = "psycopg[binary,pool]==3.3.4"

PEERS: Final[dict[str, Peer]] = {
    "plain": Peer("plain"),
    "message-db": Peer("message_db", package="@eventide/message-db@1.3.1"),
    "procrastinate": Peer("procrastinate_jobs", ("procrastinate==3.10.0", _PSYCOPG)),
    "pgqueuer": Peer("pgqueuer_jobs", ("pgqueuer==1.6.0", _PSYCOPG)),
    "dbos": Peer("dbos_workflows", ("dbos==3.4.0",)),
    "umadb": Peer("umadb_events", ("umadb==0.7.8",), keeps="folder"),
    "prefect": Peer("prefect_server", ("prefect==3.8.0", "fastapi==0.139.2")),
}


def driven(name: str, callers: int) -> Enter:
    """A peer by its driver, with so many callers."""

    @contextmanager
    def enter(scene: Scene) -> Iterator[Slot]:
        with _kept(scene, name) as place, _started(scene, name, place, str(callers)) as child:
            child.line(START_S)

            def slot(slot_s: float) -> Measured:
                child.say(str(slot_s))
                return Measured(json.loads(child.line(slot_s + DRAIN_S))["rate"])

            yield slot

    return enter


def over_http(callers: int) -> Enter:
    """Prefect's server: a flow run and its states, one transition a request."""

    @contextmanager
    def enter(scene: Scene) -> Iterator[Slot]:
        with _kept(scene, "prefect") as place, _started(scene, "prefect", place) as child:
            _, url, flow_id = child.line(START_S).split()
            body = json.dumps({"flow_id": flow_id, "state": {"type": "PENDING", "name": "Pending"}})
            steps = [request("POST", "/api/flow_runs/", body=body)]
            for state in ("RUNNING", "COMPLETED"):
                said = json.dumps({"state": {"type": state, "name": state.capitalize()}})
                steps.append(request("POST", "/api/flow_runs/{id}/set_state", body=said))
            port = int(url.rpartition(":")[2])
            yield (
                lambda slot_s: (
                    scene.load.play(port, steps, connections=callers, slot_s=slot_s).measured
                )
            )

    return enter


def ours(callers: int) -> Enter:
    """Our committer with so many callers; the clock stops when the read models have all of it."""

    @contextmanager
    def enter(scene: Scene) -> Iterator[Slot]:
        # Read models are kept by a process of their own, as a server has one.
        command = [sys.executable, "-m", "api.cli", "project"]
        projecting = started("jobledger project", command, scene.environment)
        with committing.callers(callers)(scene) as commits, projecting:
            scene.caught_up()
            yield lambda slot_s: _caught_up(scene, commits, slot_s)

    return enter


def ours_over_http(callers: int) -> Enter:
    """Our server with so many connections, until the read models have all of it."""

    @contextmanager
    def enter(scene: Scene) -> Iterator[Slot]:
        port, asked = scene.product, appending.steps(scene, waits=False)
        yield lambda slot_s: _caught_up(
            scene,
            lambda for_s: scene.load.play(port, asked, connections=callers, slot_s=for_s).measured,
            slot_s,
        )

    return enter


def _caught_up(scene: Scene, work: Slot, slot_s: float) -> Measured:
    before, began = scene.position(), time.perf_counter()
    measured = work(slot_s)
    scene.caught_up()
    rate = (scene.position() - before) / (time.perf_counter() - began)
    return replace(measured, rate=rate)


@contextmanager
def _kept(scene: Scene, name: str) -> Iterator[str]:
    """Where a peer keeps things: a folder, or the connection string of an empty database."""
    if PEERS[name].keeps == "folder":
        folder = scene.ground.folder / name
        folder.mkdir(exist_ok=True)
        yield str(folder)
        return
    database = f"{scene.database}_{PEERS[name].driver}"
    identifier = composed.Identifier(database)
    dsn = scene.ground.server.dsn("postgres")
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute(composed.SQL("CREATE DATABASE {}").format(identifier))
    try:
        # Without what our own connection strings set for our roles.
        host = quote(str(scene.ground.server.socket), safe="")
        yield f"postgresql://{SUPERUSER}@/{database}?host={host}&port={PORT}"
    finally:
        with psycopg.connect(dsn, autocommit=True) as admin:
            admin.execute(composed.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))


@contextmanager
def _started(scene: Scene, name: str, *words: str) -> Iterator[Child]:
    peer = PEERS[name]
    cache = scene.ground.server.data_dir.parent / "peers"
    python = _environment(cache, name, peer.packages) if peer.packages else Path(sys.executable)
    more = [str(_unpacked(cache, name, peer.package))] if peer.package else []
    command = [str(python), "-m", f"scripts.peers.{peer.driver}", *words, *more]
    with started(name, command) as child:
        yield child


def _environment(cache: Path, name: str, packages: tuple[str, ...]) -> Path:
    """The Python of an environment that has these packages, made unless it is there."""
    folder = cache / "-".join((name, packages[0].partition("==")[2]))
    python, stamp = folder / "bin" / "python", folder / ".made"
    if not stamp.exists():
        print(f"bench: installing {', '.join(packages)}", file=sys.stderr)
        _run([sys.executable, "-m", "venv", "--clear", str(folder)])
        _run([str(python), "-m", "pip", "install", "--quiet", "--no-input", *packages])
        stamp.touch()
    return python


def _unpacked(cache: Path, name: str, package: str) -> Path:
    """The folder of SQL that an npm package brings."""
    folder = cache / f"{name}-{package.rpartition('@')[2]}"
    if not (folder / "node_modules").exists():
        print(f"bench: installing {package}", file=sys.stderr)
        folder.mkdir(parents=True, exist_ok=True)
        _run(["npm", "install", "--silent", "--ignore-scripts", "--prefix", str(folder), package])
    return folder / "node_modules" / package.rpartition("@")[0] / "database"


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(
            command, cwd=CHECKOUT, capture_output=True, text=True, timeout=INSTALL_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Skipped(f"It cannot be installed: {error}") from error
    if done.returncode != 0:
        words = done.stderr.strip().splitlines()
        raise Skipped(f"It cannot be installed: {words[-1] if words else command}")
