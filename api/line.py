"""A line: one client's connection, which may not keep the ledger waiting, and on which the porter decides at the head of each request.

Invariants: a client that owes the rest of a request, or does not read its answer, is left after a time; a head is bounded while it arrives;
what is cut or refused here has had no effect. A request that is not let in costs neither a task nor a look at its body, and the line stays
open for the next. Beyond CONNECTIONS_MAX a line's requests are refused in their dialect's words; beyond CONNECTIONS_HELD_MAX it is closed
unheard. Units: seconds of the event loop's clock, bytes. Errors: none."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any, Final, cast
from urllib.parse import unquote

from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from api.exchange import EXCHANGE, Exchange
from api.faults import BadSyntax, TooLarge
from api.porter import CROWDED, PORTER, Porter
from api.turns import Turn
from ledger import settings
from ledger.errors import LedgerError

NO_HTTP: Final = BadSyntax("This is not a request of HTTP/1.1 as RFC 9112 has it.")
HEAD_TOO_LARGE: Final = TooLarge(
    f"The head of the request is longer than {settings.HEAD_BYTES_MAX} bytes."
)


class Line(HttpToolsProtocol):
    """uvicorn's connection with deadlines. `_owing_s`: since when the client owes the rest of a request; `_stuck_s`: since when it does not read;
    `_idle_s`: since when nothing is asked."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._owing_s: float | None = None
        self._stuck_s: float | None = None
        self._idle_s: float | None = None
        self._in_head = True
        self._crowded = False
        self._ended = False
        self._message_bytes = 0
        self.url = b""  # uvicorn's own is there from the first message on
        self._looking: asyncio.TimerHandle | None = None
        self._answering: RequestResponseCycle | None = None
        self._turn: Turn | None = None
        self._porter: Porter | None = app_state.get(PORTER)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has come."""
        super().connection_made(transport)
        if len(self.connections) > settings.CONNECTIONS_HELD_MAX:
            transport.abort()
            return
        self._crowded = len(self.connections) > settings.settings().connections_max
        self._owing_s = self.loop.time()
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has gone."""
        if self._looking is not None:
            self._looking.cancel()
        if self._turn is not None and self._turn.waiting:
            self._turn.end()
        self._stop_answering()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Something has arrived."""
        if self._owing_s is None:
            self._owing_s = self.loop.time()
        self._idle_s = None
        self._message_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_head and self._message_bytes > settings.HEAD_BYTES_MAX:
            self._refuse_shapeless(HEAD_TOO_LARGE)
        elif self._message_bytes > settings.HEAD_BYTES_MAX + 4 * settings.BODY_BYTES_MAX:
            # The answer was given long ago, and the client goes on all the same.
            self._leave()

    def on_headers_complete(self) -> None:
        """The head is here; the body has a time of its own."""
        self._in_head = False
        self._owing_s = self.loop.time()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is here."""
        self._in_head, self._owing_s, self._message_bytes = True, None, 0
        super().on_message_complete()
        cycle = self.cycle
        if not cycle.response_complete or self.transport.is_closing():
            return
        # It was answered before it was here.
        if not cycle.keep_alive or cycle.waiting_for_100_continue:
            self.transport.close()
        else:
            self._idle_s = self.loop.time()

    def on_response_complete(self) -> None:
        """An answer is said: the next request of the line is answered, or waited for. `_look` ends the wait, so that no request needs a timer."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._idle_s = self.loop.time()

    def pause_writing(self) -> None:
        """The client does not read as fast as we write."""
        self._stuck_s = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """It has read."""
        self._stuck_s = None
        super().resume_writing()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Answer a request when its turn comes. Behind others on its line it may be due when the client has gone."""
        if self.transport.is_closing() or self._ended:
            return
        self._idle_s = None
        self._answering = cycle
        if not cycle.keep_alive:
            cycle.transport = cast("asyncio.Transport", _LastAnswer(self, cycle))
        exchange = cycle.scope["state"][EXCHANGE] = Exchange(self, cycle, app)
        porter = self._porter
        if porter is None or porter.is_public(cycle.scope):
            self.begin(cycle, app)
        elif self._crowded:
            self.refuse(cycle, CROWDED)
        else:
            # What begins is a task, which looks for its turn when it runs.
            headers = dict(cycle.scope["headers"])
            self._turn = exchange.turn = porter.ask(headers, exchange.begin, exchange.refuse)

    def begin(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Work on a request, in a task of its own."""
        super()._start_asgi_task(cycle, app)

    def refuse(self, cycle: RequestResponseCycle, error: LedgerError) -> None:
        """Send one request away. Its body is read over, so that the line is good for the next."""
        assert self._porter is not None
        last = not cycle.keep_alive or cycle.waiting_for_100_continue
        headers = dict(cycle.scope["headers"])
        self.say(*self._porter.briefs.said(cycle.scope, headers, error), last=last)
        cycle.response_started = cycle.response_complete = True
        cycle.scope["state"].pop(EXCHANGE, None)
        if last:
            self.hang_up(cycle)
        elif self.pipeline:
            # Not from here: a thousand may be refused at once, each from within the one before.
            self.loop.call_soon(self.on_response_complete)
        else:
            self.on_response_complete()
        if unread_s := self._porter.unread_s(self.loop.time()):
            self.flow.pause_reading()
            self.loop.call_later(unread_s, self.flow.resume_reading)

    def say(self, status: int, lines: bytes, body: bytes, *, last: bool) -> None:
        """Write one answer. `lines`: its head, but for the first lines and the last."""
        given = b"".join([b"%s: %s\r\n" % header for header in self.server_state.default_headers])
        close = b"connection: close\r\n" if last else b""
        self.transport.write(b"".join((STATUS_LINE[status], given, lines, close, b"\r\n", body)))

    def hang_up(self, cycle: RequestResponseCycle) -> None:
        """No more answers. A client that is still sending would lose this one if it were not heard to its end."""
        self._ended = True
        if cycle.more_body and self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """The parser has given up: `msg` is its word for all that is no HTTP."""
        self._refuse_shapeless(NO_HTTP)

    def _refuse_shapeless(self, error: LedgerError) -> None:
        """Say no to what is no request, unless an answer before it is still to be finished, and close the line."""
        owed = self._answering is not None and not self.cycle.response_complete
        if owed and (self._in_head or self.pipeline):
            self.cycle.keep_alive = False  # the last answer of this line
            self.flow.pause_reading()
            return
        if self._porter is not None and not (owed and self.cycle.response_started):
            headers = dict(self.headers or ())
            scope = {"scheme": self.scheme, "headers": self.headers or [], **_place(self.url)}
            self.say(*self._porter.briefs.said(scope, headers, error), last=True)
        self._stop_answering()
        self.transport.close()

    def _stop_answering(self) -> None:
        # uvicorn tells the newest request of the line, which is not the one that is being answered when clients send several at once.
        if self._answering is not None and not self._answering.response_complete:
            self._answering.disconnected = True
            self._answering.message_event.set()

    def _look_later(self) -> None:
        self._looking = self.loop.call_later(settings.LINE_LOOK_S, self._look)

    def _look(self) -> None:
        """Leave a client that is too slow. The edge answers a slow body first, in the dialect's words."""
        now_s = self.loop.time()
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


class _LastAnswer:
    """A line's transport as the last answer on it sees it: to close it is to hang up."""

    def __init__(self, line: Line, cycle: RequestResponseCycle) -> None:
        self._line = line
        self._cycle = cycle

    def __getattr__(self, name: str) -> Any:
        return getattr(self._line.transport, name)

    def close(self) -> None:
        """All is said."""
        self._line.hang_up(self._cycle)


def _place(url: bytes) -> dict[str, Any]:
    """As much of an ASGI scope as an address gives that may be none."""
    raw, _, query = (url if url.startswith(b"/") else b"/").partition(b"?")
    path = unquote(raw.decode("latin-1"))
    return {"method": "GET", "path": path, "raw_path": raw, "query_string": query}
