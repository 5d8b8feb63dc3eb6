"""The demo: a ledger, and a small platform that uses it, shown from all sides.

Invariants: it runs on a folder of its own, checks everything that it shows, and leaves no process behind however it ends. With --once it ends by
itself; else it goes on until Ctrl-C, which is its proper end. Exit code 0 when all was as expected, 1 with a sentence on stderr otherwise."""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from api.ending import Ending
from scripts.demonstration.client import Client
from scripts.demonstration.grid import Grid
from scripts.demonstration.guide import guide, signed
from scripts.demonstration.plan import CLOUD, SHOP
from scripts.demonstration.play import Play
from scripts.demonstration.refusals import refusals
from scripts.demonstration.screen import Screen
from scripts.demonstration.server import CHECKOUT, Server, fresh_folder
from scripts.demonstration.simulation import WORKERS_AT_ONCE, Simulation
from scripts.demonstration.stage import Stage
from scripts.demonstration.tour import TOUR
from scripts.demonstration.unexpected import Unexpected

SIGN_AGAIN_S = 540.0  # a GoGrid signature is good for ten minutes


def main() -> int:
    """Run the demo; the exit code."""
    options = _options()
    screen = Screen()
    ended = threading.Event()
    going_on = False
    with Ending() as ending:
        try:
            with _stage(options, screen, ended, ending) as stage:
                _play(stage)
                guide(stage)
                if not options.once:
                    going_on = True
                    _go_on(stage)
        except Unexpected as error:
            print(f"demo: {error}", file=sys.stderr)
            return 1
        except BrokenPipeError:
            # Nobody reads any more; and nothing is to be flushed into the pipe on the way out.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        except SystemExit:
            if not going_on:
                raise
        kept = "The folder is kept." if options.keep else "The folder is removed."
        screen.section("The end", f"The server and its database have been stopped in order. {kept}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/demo", description="Run a ledger and a small platform that uses it."
    )
    parser.add_argument("--once", action="store_true", help="end by itself after the tour")
    parser.add_argument(
        "--port", type=int, default=0, help="where the server listens; any free one"
    )
    parser.add_argument("--seed", type=int, default=7, help="of the platform's chances (7)")
    parser.add_argument("--keep", action="store_true", help="keep the ledger's folder in .demo")
    return parser.parse_args()


@contextmanager
def _stage(
    options: argparse.Namespace, screen: Screen, ended: threading.Event, ending: Ending
) -> Iterator[Stage]:
    """Start everything; stop it in reverse, whatever happened meanwhile."""
    with ExitStack() as stack:
        began = time.monotonic()
        folder = stack.enter_context(fresh_folder(keep=options.keep))
        screen.section("Starting", f"jobledger serve --data {_short(folder)} --port {options.port}")
        with ending.patient():
            server = Server(folder, options.port)
            stack.callback(_stop, server, ending)
        url = server.wait_ready()
        screen.say(
            f"ready {url} after {time.monotonic() - began:.1f} s, PostgreSQL in {_short(folder)}"
        )
        with ThreadPoolExecutor(3) as pool:
            both = ("jobs:read", "jobs:write")
            cloud = pool.submit(server.make_key, CLOUD, *both, name="provisioner")
            shop = pool.submit(server.make_key, SHOP, *both, name="importer")
            reading = pool.submit(
                server.make_key, CLOUD, "jobs:read", name="grid-client", signing=True
            )
        screen.table(
            ("key", "project", "may"),
            [
                ("provisioner", CLOUD, "jobs:read jobs:write"),
                ("importer", SHOP, "jobs:read jobs:write"),
                ("grid-client", CLOUD, "jobs:read, by signed GoGrid requests"),
            ],
        )
        clients = {
            project: stack.enter_context(Client(url, project, key.result().key))
            for project, key in ((CLOUD, cloud), (SHOP, shop))
        }
        grid = Grid(url, reading.result().key, reading.result().secret)
        simulation = Simulation(clients, options.seed, ended)
        yield Stage(screen, server, url, clients, grid, simulation)


def _stop(server: Server, ending: Ending) -> None:
    with ending.patient():
        server.stop()


def _play(stage: Stage) -> None:
    """The platform's last hours, then the tour."""
    simulation = stage.simulation
    stage.screen.section(
        "A platform at work", "Provisioning and imports of the last hours, told to the ledger now."
    )
    began = time.monotonic()
    simulation.play_before()
    took_s = time.monotonic() - began
    plays = simulation.plays
    events = sum(play.events for play in plays)
    stage.screen.say(
        f"{len(plays)} jobs, {events} events from {WORKERS_AT_ONCE} workers at once in {took_s:.1f} s;"
        " every answer waited for the lists to show it."
    )
    stage.screen.say(
        f"{sum(play.sent_twice for play in plays)} requests lost their answer and were sent again: no event twice."
    )
    stage.screen.say(
        f"{sum(play.outrun for play in plays)} workers were outrun by a customer's cancel, and noticed."
    )
    fates = Counter(play.plan.fate for play in plays if play.next is None)
    words = [f"{jobs} {fate}" for fate, jobs in fates.most_common()]
    stage.screen.say(f"{', '.join(words)}; the other {len(plays) - fates.total()} are under way.")
    for part in (*TOUR, refusals):
        part(stage)


def _go_on(stage: Stage) -> None:
    """The platform goes on before our eyes."""
    screen = stage.screen
    screen.section("And so it goes on", "Ctrl-C ends it.")
    signed_at = time.monotonic()

    def tell(play: Play, remark: str) -> None:
        nonlocal signed_at
        job = play.plan.job
        what = f"{play.plan.project} #{play.number}"
        clock = datetime.now(UTC).strftime("%H:%M:%S")
        title = f"{job['command']} {job['object']}"
        screen.happened((clock, f"{what:<11}", f"{title:<34}", f"{play.state:<10}", remark))
        if time.monotonic() - signed_at > SIGN_AGAIN_S:
            signed_at = time.monotonic()
            signed(stage)

    try:
        stage.simulation.go_on(tell)
    except Unexpected as error:
        raise (
            stage.server.failed("ended by itself") if stage.server.has_ended() else error
        ) from error


def _short(folder: Path) -> Path:
    return folder.relative_to(CHECKOUT)


if __name__ == "__main__":
    sys.exit(main())
