"""`jobledger serve`: run the ledger: its API in this process and in others like it, its read models in one beside them.

Invariants: stdout gets one line, `ready URL`, when the server answers; everything else goes to the log on stderr. A signal ends it as a
success once all is closed, the database too if nobody else uses it. Errors: the place's, CannotListen, CannotServe."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import ExitStack
from typing import Annotated

import structlog
import typer

from api import log as logging
from api import walls
from api.app import create_app
from api.beside import Beside, leashed, running
from api.commands.options import Data, DatabaseUrl, command_group
from api.ending import Ending
from api.place import Place, Where, opened, operator_settings
from api.serving import listen, url_of, watched
from api.serving import serve as answer_requests

command = command_group()

log = structlog.get_logger("api.commands.serve")


@command.command()
def serve(
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes any free one.")] = 8080,
    host: Annotated[
        str,
        typer.Option(
            help="The address to listen on. Put a proxy with TLS before any other than this one."
        ),
    ] = "127.0.0.1",
    projections: Annotated[
        bool, typer.Option(help="Keep the read models as well; else `jobledger project` must.")
    ] = True,
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="Processes that answer requests, on one address.")
    ] = 1,
    data: Data = None,
    database_url: DatabaseUrl = None,
    joined: Annotated[
        int | None, typer.Option("--join", hidden=True, help="Answer on this open socket.")
    ] = None,
    on_leash: Annotated[
        bool, typer.Option("--leashed", hidden=True, help="End when stdin does.")
    ] = False,
) -> None:
    """Run the ledger: its database, its read models and its HTTP API.

    \b
    jobledger serve --data ./ledger --port 8080
    LEDGER_DATABASE_URL=postgresql://ledger@db/ledger jobledger serve --data ./ledger

    The folder is made when it is missing, the schema brought up to date. `ready http://HOST:PORT` on stdout says that it answers;
    Ctrl-C or SIGTERM ends it in order. LEDGER_LOG_LEVEL=debug tells more on stderr. Limits hold for each of several workers.
    """  # noqa: D301 - Typer must see the backspace itself
    where = Where.said(data, database_url)
    logging.configure(operator_settings().log_level)
    with Ending() as ending, _listening(host, port, joined) as listening:
        if on_leash:
            leashed(lambda: os.kill(os.getpid(), signal.SIGTERM))
        with ending.patient():
            prepare = joined is None  # else whoever listens has done so
            with (
                opened(where, make=True, prepare=prepare, ending=ending) as place,
                watched(place),
            ):
                _serve(place, listening, ending, workers, projections and joined is None)
            ending.asked = None
        log.info("stopped")


def _serve(
    place: Place, listening: socket.socket, ending: Ending, workers: int, projections: bool
) -> None:
    log.info("database in use", database=str(place))
    _tell_of_login(place)
    app = create_app(place.dsn, place.secret(), run_projections=False)
    with ExitStack() as beside:
        for other in _others(place, listening, workers, projections=projections):
            beside.enter_context(running(other))
        ready = f"ready {url_of(listening)}"
        answer_requests(app, listening, ending, lambda: typer.echo(ready))


def _listening(host: str, port: int, joined: int | None) -> socket.socket:
    return listen(host, port) if joined is None else socket.socket(fileno=joined)


def _others(
    place: Place, listening: socket.socket, workers: int, *, projections: bool
) -> list[Beside]:
    """What runs beside this process: who folds, and who else answers on our socket."""
    told = {"LEDGER_DATABASE_URL": place.dsn}
    others = []
    if projections:
        notary = place.notary_dir
        folds = {**told, "LEDGER_NOTARY_DIR": str(notary.resolve())} if notary else told
        others.append(Beside("the projector", ("project",), folds))
    answers = {**told, "LEDGER_SECRET_FILE": str(place.secret_path.resolve())}
    words = ("serve", "--join", str(listening.fileno()))
    sockets = (listening.fileno(),)
    others += [Beside(f"worker {nth}", words, answers, sockets) for nth in range(2, workers + 1)]
    return others


def _tell_of_login(place: Place) -> None:
    """Say whether a session could become more than its role."""
    with place.owner() as connection:
        good, says, do = walls.login(connection, place.dsn)
    if good:
        log.info("login", found=says)
    else:
        log.warning("login", found=says, hint=do)
