"""`jobledger serve`: run the ledger: its API in this process, its read models in one beside it.

Invariants: stdout gets one line, `ready URL`, when the server answers; everything else goes to the log on stderr. A signal ends it as a
success once all is closed, the database too if nobody else uses it. Errors: the place's, CannotListen, CannotServe."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Annotated

import structlog
import typer

from api import log as logging
from api import walls
from api.app import create_app
from api.commands.options import Data, DatabaseUrl, command_group
from api.ending import Ending
from api.place import Place, Where, opened, operator_settings
from api.projector import projecting
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
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Run the ledger: its database, its read models and its HTTP API.

    \b
    jobledger serve --data ./ledger --port 8080
    LEDGER_DATABASE_URL=postgresql://ledger@db/ledger jobledger serve --data ./ledger

    The folder is made when it is missing, the schema brought up to date. `ready http://HOST:PORT` on stdout says that it answers;
    Ctrl-C or SIGTERM ends it in order. LEDGER_LOG_LEVEL=debug tells more on stderr.
    """  # noqa: D301 - Typer must see the backspace itself
    where = Where.said(data, database_url)
    logging.configure(operator_settings().log_level)
    with Ending() as ending, listen(host, port) as listening:
        with ending.patient():
            with opened(where, make=True, prepare=True, ending=ending) as place, watched(place):
                log.info("database in use", database=str(place))
                _tell_of_login(place)
                url = url_of(listening)
                app = create_app(place.dsn, place.secret(), run_projections=False)
                with projecting(place.dsn, place.notary_dir) if projections else nullcontext():
                    answer_requests(app, listening, ending, lambda: typer.echo(f"ready {url}"))
            ending.asked = None
        log.info("stopped")


def _tell_of_login(place: Place) -> None:
    """Say whether a session could become more than its role."""
    with place.owner() as connection:
        good, says, do = walls.login(connection, place.dsn)
    if good:
        log.info("login", found=says)
    else:
        log.warning("login", found=says, hint=do)
