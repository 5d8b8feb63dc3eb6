"""Serving: the HTTP server around the application, from the first listening socket to the last answer.

Invariants: the port is taken before anything is started, so that a taken one costs nothing; `ready` is said once, when a request would be
answered; requests under way are finished within SHUTDOWN_S of a signal. Errors: CannotListen, CannotServe."""

from __future__ import annotations

import gc
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
import uvicorn
from starlette.types import ASGIApp

from api.ending import Ending
from api.line import Line
from api.place import Place
from ledger.errors import LedgerError
from ledger.settings import (
    CONNECTIONS_HELD_MAX,
    EMBEDDED_WATCH_S,
    FILES_BESIDE_CONNECTIONS,
    GARBAGE_NEW_MAX,
    SHUTDOWN_S,
)

log = structlog.get_logger("api.serving")


class CannotListen(LedgerError):
    """The address cannot be listened on."""

    code = "cannot_listen"
    hint = "Choose another --port, or 0 for any free one."


class CannotServe(LedgerError):
    """The application did not start."""

    code = "cannot_serve"
    hint = "The log above says why."


def listen(host: str, port: int) -> socket.socket:
    """Take an address: who connects waits until the server serves. Port 0 takes a free one. Raises CannotListen."""
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        # Two sockets may be bound to one address until one of them listens.
        listening.listen()
    except (OSError, OverflowError) as error:
        listening.close()
        raise CannotListen(f"{host} port {port} cannot be used: {error}.") from error
    return listening


def url_of(listening: socket.socket) -> str:
    """Where to send requests."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """uvicorn's server, which tells when it answers."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the application, and begin to answer."""
        await super().startup(sockets=sockets)
        if self.started and not self.should_exit:
            # What is there now stays, and most of what comes goes by itself: to look at all of it for garbage takes as long as ten requests.
            gc.collect()
            gc.freeze()
            gc.set_threshold(GARBAGE_NEW_MAX)
            self._on_ready()


def serve(
    app: ASGIApp, listening: socket.socket, ending: Ending, on_ready: Callable[[], None]
) -> None:
    """Answer requests until a signal comes. Raises CannotServe. Its caller is patient: signals are only noted."""
    _make_room(CONNECTIONS_HELD_MAX)
    config = uvicorn.Config(
        app,
        http=Line,
        lifespan="on",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(SHUTDOWN_S),
    )
    server = _Server(config, on_ready)

    def stop() -> None:
        server.should_exit = True

    # uvicorn takes the signals while it runs and passes them on to us afterwards; this is for those that come before.
    ending.then = stop
    if ending.asked is not None:
        return
    try:
        server.run(sockets=[listening])
    except SystemExit as error:
        raise CannotServe("The application did not start.") from error
    if not server.started:
        raise CannotServe("The application did not start.")


def _make_room(connections_max: int) -> None:
    """Let this process open as many files as it may need: the usual limit is there for programs that use select()."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections_max + FILES_BESIDE_CONNECTIONS
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@contextmanager
def watched(place: Place) -> Iterator[None]:
    """Look after the embedded database meanwhile: should it end, by a crash or somebody's kill, it is started again."""
    enough = threading.Event()

    def watch() -> None:
        while not enough.wait(EMBEDDED_WATCH_S):
            try:
                if place.revive():
                    log.error("the database had ended and was started again", database=str(place))
            except LedgerError as error:
                log.error(
                    "the database has ended and does not start", error=str(error), hint=error.hint
                )

    watching = threading.Thread(target=watch, name="watch the database", daemon=True)
    if place.embedded is not None:
        watching.start()
    try:
        yield
    finally:
        enough.set()
        if watching.is_alive():
            watching.join()
