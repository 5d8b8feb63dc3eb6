"""A line: one client's connection, which may not keep the ledger waiting, and on which the porter decides at the head of each request.

Invariants: a client that owes the rest of a request, or does not read its answer, is left after a time; a head is bounded while it arrives;
what is cut or refused here has had no effect. A request that is not let in costs neither a task nor a look at its body, and the line stays
open for the next. Beyond CONNECTIONS_MAX a line's requests are refused in their dialect's words; beyond CONNECTIONS_HELD_MAX it is closed
unheard. Units: seconds of the event loop's clock, bytes. Errors: none."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

import structlog
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.protocols.utils import get_remote_addr, is_ssl
from uvicorn.server import ServerState

from api.edge import DOORS, Endpoint
from api.exchange import Exchange
from api.faults import BadSyntax, TooLarge
from api.hearing import Hearing, NoRequest
from api.porter import CROWDED, PORTER, Porter
from ledger import settings
from ledger.errors import LedgerError

log = structlog.get_logger("api.line")

NO_HTTP: Final = BadSyntax("This is not a request of HTTP/1.1 as RFC 9112 has it.")
HEAD_TOO_LARGE: Final = TooLarge(
    f"The head of the request is longer than {settings.HEAD_BYTES_MAX} bytes."
)


class Line(asyncio.Protocol):
    """One connection of uvicorn's server, by httptools' parser. `_owing_s`: since when the client owes the rest of a request; `_stuck_s`: since when
    it does not read; `_idle_s`: since when nothing is asked. `_coming`: the request that is not here yet; `_answering`: the one being answered,
    the `_next` of which wait, the newest first."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._loop = _loop or asyncio.get_event_loop()
        self._server = server_state
        self._connections: set[Any] = server_state.connections
        self._porter: Porter = app_state[PORTER]
        self._door: Callable[[dict[str, Any]], Endpoint] = app_state[DOORS]
        self._config = config
        self._hearing = Hearing(self)
        self._owing_s: float | None = None
        self._stuck_s: float | None = None
        self._idle_s: float | None = None
        self._in_head = True
        self._crowded = False
        self._ended = False
        self._message_bytes = 0
        self._looking: asyncio.TimerHandle | None = None
        self._coming: Exchange | None = None
        self._answering: Exchange | None = None
        self._next: deque[Exchange] = deque()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has come."""
        self._connections.add(self)
        self.transport = transport
        self.flow = FlowControl(transport)
        scheme = "https" if is_ssl(transport) else "http"
        self._hearing.began(self._config, scheme, get_remote_addr(transport))
        if len(self._connections) > settings.CONNECTIONS_HELD_MAX:
            transport.abort()
            return
        self._crowded = len(self._connections) > settings.settings().connections_max
        self._owing_s = self._loop.time()
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has gone."""
        if self._looking is not None:
            self._looking.cancel()
        if self._answering is not None and (turn := self._answering.turn) and turn.waiting:
            turn.end()
        self._stop_answering()
        self._connections.discard(self)
        self.flow.resume_writing()
        if exc is None:
            self.transport.close()
        self._hearing.end()

    def eof_received(self) -> None:
        """It says no more, so that asyncio closes the line."""

    def shutdown(self) -> None:
        """The server is being stopped: the answer that is due is the last."""
        newest = self._newest()
        if newest is None:
            self.transport.close()
        else:
            newest.keep_alive = False

    def data_received(self, data: bytes) -> None:
        """Something has arrived."""
        if self._owing_s is None:
            self._owing_s = self._loop.time()
        self._idle_s = None
        self._message_bytes += len(data)
        try:
            self._hearing.feed(data)
        except NoRequest:
            self._refuse_shapeless(NO_HTTP)
        if self.transport.is_closing():
            return
        if self._in_head and self._message_bytes > settings.HEAD_BYTES_MAX:
            self._refuse_shapeless(HEAD_TOO_LARGE)
        elif self._message_bytes > settings.HEAD_BYTES_MAX + 4 * settings.BODY_BYTES_MAX:
            # The answer was given long ago, and the client goes on all the same.
            self._leave()

    def begun(self, scope: dict[str, Any], headers: Mapping[bytes, bytes], *, lasts: bool) -> None:
        """The head of a request is here; the body has a time of its own."""
        self._in_head = False
        self._owing_s = self._loop.time()
        exchange = Exchange(self, scope, headers, self._door(scope), keep_alive=lasts)
        self._coming = exchange
        if self._answering is None and not self._next:
            self._take_up(exchange)
        else:
            self.flow.pause_reading()
            self._next.appendleft(exchange)

    def more(self, part: bytes) -> None:
        """A part of the body."""
        exchange = self._coming
        if exchange is not None and not exchange.complete and exchange.take(part):
            self.flow.pause_reading()

    def ended(self) -> None:
        """The request is here."""
        self._in_head, self._owing_s, self._message_bytes = True, None, 0
        exchange, self._coming = self._coming, None
        assert exchange is not None, "it has begun"
        if not exchange.complete:
            exchange.end_body()
        elif not self.transport.is_closing():
            # It was answered before it was here.
            if not exchange.keep_alive or exchange.waiting:
                self.transport.close()
            else:
                self._idle_s = self._loop.time()

    def pause_writing(self) -> None:
        """The client does not read as fast as we write."""
        self._stuck_s = self._loop.time()
        self.flow.pause_writing()

    def resume_writing(self) -> None:
        """It has read."""
        self._stuck_s = None
        self.flow.resume_writing()

    def _take_up(self, exchange: Exchange) -> None:
        """Answer a request when its turn comes. Behind others on its line it may be due when the client has gone."""
        if self.transport.is_closing() or self._ended:
            return
        self._idle_s = None
        self._answering = exchange
        if exchange.endpoint.is_public(exchange.scope["method"]):
            self.work(exchange)
        elif self._crowded:
            self.refuse(exchange, CROWDED)
        else:
            # What begins is a task, which looks for its turn when it runs.
            ask = self._porter.ask
            exchange.turn = ask(exchange.headers, exchange.begin, exchange.refuse)

    def work(self, exchange: Exchange) -> None:
        """Work on a request, in a task of its own."""
        task = self._loop.create_task(exchange.endpoint.answer(exchange))
        self._server.tasks.add(task)
        task.add_done_callback(self._worked)

    def _worked(self, task: asyncio.Task[None]) -> None:
        self._server.tasks.discard(task)
        crash = None if task.cancelled() else task.exception()
        if task.cancelled() or crash is not None:
            log.error("crash", exc_info=crash)
            if self in self._connections:
                self._leave()  # nobody will answer it any more

    def answered(self, exchange: Exchange) -> None:
        """An answer is said: the next request of the line is answered, or waited for. `_look` ends the wait, so that no request needs a timer."""
        exchange.complete = True
        self._answering = None
        self._server.total_requests += 1
        if not exchange.keep_alive:
            self._hang_up(exchange)
        self._go_along()

    def _go_along(self) -> None:
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self._next:
            self._take_up(self._next.pop())
        else:
            self._idle_s = self._loop.time()

    def refuse(self, exchange: Exchange, error: LedgerError) -> None:
        """Send one request away. Its body is read over, so that the line is good for the next."""
        last = not exchange.keep_alive or exchange.waiting
        said = self._porter.briefs.said(exchange.scope, exchange.headers, error)
        self.say(*said, last=last)
        exchange.keep_alive = not last
        if self._next and not last:
            # Not from here: a thousand may be refused at once, each from within the one before.
            exchange.complete = True
            self._server.total_requests += 1
            self._loop.call_soon(self._go_along)
        else:
            self.answered(exchange)
        if unread_s := self._porter.unread_s(self._loop.time()):
            self.flow.pause_reading()
            self._loop.call_later(unread_s, self.flow.resume_reading)

    def go_on(self) -> None:
        """Let the client send the body that it holds back."""
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def say(self, status: int, lines: bytes, body: bytes, *, last: bool) -> None:
        """Write one answer. `lines`: its head, but for the first lines and the last."""
        given = b"".join([b"%s: %s\r\n" % header for header in self._server.default_headers])
        close = b"connection: close\r\n" if last else b""
        self.transport.write(b"".join((STATUS_LINE[status], given, lines, close, b"\r\n", body)))

    def _hang_up(self, exchange: Exchange) -> None:
        """No more answers. A client that is still sending would lose this one if it were not heard to its end."""
        self._ended = True
        if exchange.more_body and self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    def _newest(self) -> Exchange | None:
        """The request that came last, of those that are not answered."""
        return self._next[0] if self._next else self._answering

    def _refuse_shapeless(self, error: LedgerError) -> None:
        """Say no to what is no request, unless an answer before it is still to be finished, and close the line."""
        newest = self._newest()
        if newest is not None and (self._in_head or self._next):
            newest.keep_alive = False  # the last answer of this line
            self.flow.pause_reading()
            return
        scope = self._hearing.so_far()
        self.say(*self._porter.briefs.said(scope, dict(scope["headers"]), error), last=True)
        self._stop_answering()
        self.transport.close()

    def _stop_answering(self) -> None:
        if self._answering is not None:
            self._answering.disconnect()

    def _look_later(self) -> None:
        self._looking = self._loop.call_later(settings.LINE_LOOK_S, self._look)

    def _look(self) -> None:
        """Leave a client that is too slow. The edge answers a slow body first, in the dialect's words."""
        now_s = self._loop.time()
        if self._owing_s is not None and self.flow.read_paused:
            self._owing_s = now_s  # it is we who do not read: an earlier request is being answered
        owing_s_max = settings.HEAD_S if self._in_head else settings.BODY_S + settings.LINE_LOOK_S
        owing = self._owing_s is not None and now_s - self._owing_s > owing_s_max
        stuck = self._stuck_s is not None and now_s - self._stuck_s > settings.ANSWER_S
        idle_s = 0.0 if self._idle_s is None else now_s - self._idle_s
        if owing or stuck or idle_s > settings.KEEP_ALIVE_S + settings.ANSWER_S:
            self._leave()
            return
        if idle_s > settings.KEEP_ALIVE_S:
            # What the client has not read keeps it open for a while.
            self.transport.close()
        self._look_later()

    def _leave(self) -> None:
        """Close without waiting for what is still to be sent: the kernel would keep it for a client that does not read."""
        self._stop_answering()
        at_once = struct.pack("ii", 1, 0)
        self.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, at_once
        )
        self.transport.abort()
