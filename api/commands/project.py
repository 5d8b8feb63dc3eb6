"""`jobledger project`: keep the read models at the end of the log, and the log sealed, in a process of its own.

Invariants: of several that run, one works on each read model and the others stand by; a signal ends it after the folds under way. Errors: the
place's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import structlog
import typer

from api import log as logging
from api.beside import leashed
from api.commands.options import Data, DatabaseUrl, command_group
from api.ending import Ending
from api.place import Place, Where, opened, operator_settings
from ledger.anchors import Anchoring, sinks
from ledger.checkpointer import Checkpointer
from ledger.settings import SHUTDOWN_S
from projections.runner import Runner

command = command_group()

log = structlog.get_logger("api.commands.project")


@command.command()
def project(
    data: Data = None,
    database_url: DatabaseUrl = None,
    on_leash: Annotated[
        bool, typer.Option("--leashed", hidden=True, help="End when stdin does.")
    ] = False,
) -> None:
    """Keep the read models at the end of the log, until a signal.

    \b
    LEDGER_DATABASE_URL=postgresql://ledger@db/ledger jobledger project

    `serve` runs one beside itself, so this is for a ledger that is served with --no-projections, or for a second one that stands by:
    of several that run, one works on each read model, and another takes over when it ends. It also signs checkpoints of the log, by the
    keys in LEDGER_NOTARY_DIR or in the data folder.
    """  # noqa: D301 - Typer must see the backspace itself
    where = Where.said(data, database_url)
    logging.configure(operator_settings().log_level)
    with Ending() as ending, opened(where, ending=ending) as place:
        enough = threading.Event()
        ending.then = enough.set
        runner = Runner(place.dsn)
        with ending.patient():
            runner.start()
            if on_leash:
                leashed(enough.set)
            with _sealing(place):
                enough.wait()
            runner.stop()
            ending.asked = None


@contextmanager
def _sealing(place: Place) -> Iterator[None]:
    """Have the log sealed meanwhile, where a notary's folder was named and the interval is not 0."""
    folder, chosen = place.notary_dir, operator_settings()
    if folder is None or not chosen.checkpoint_interval_s:
        log.warning("nothing protects the log against tampering", hint="set LEDGER_NOTARY_DIR")
        yield
        return
    sealing = Checkpointer(place.dsn, folder, chosen.checkpoint_interval_s, chosen.log_name)
    sealing.start()
    url = chosen.anchor_url.get_secret_value() if chosen.anchor_url else None
    places = sinks(chosen.anchor_file, chosen.anchor_command, url)
    anchoring = Anchoring(place.dsn, places, chosen.checkpoint_interval_s)
    if places:
        anchoring.start()
    try:
        yield
    finally:
        for thread in (sealing, anchoring):
            thread.end()
            if thread.is_alive():
                thread.join(SHUTDOWN_S)
