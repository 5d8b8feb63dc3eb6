"""A line: one client's connection, which may not keep the ledger waiting.

Invariants: a client that owes the rest of a request, or does not read its answer, is left after a time; a head is bounded while it arrives;
what is cut here has had no effect, since a request begins with its last byte. Beyond CONNECTIONS_MAX a line's requests are refused in their
dialect's words; beyond CONNECTIONS_HELD_MAX it is closed unheard. Units: seconds of the event loop's clock, bytes. Errors: none."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from ledger import settings

CROWDED = "crowded"  # in a scope's state: the line came when there were too many


class Line(HttpToolsProtocol):
    """uvicorn's connection with deadlines. `_owing_s`: since when the client owes the rest of a request; `_stuck_s`: since when it does not read."""

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
        self._in_head = True
        self._message_bytes = 0
        self._looking: asyncio.TimerHandle | None = None
        self._answering: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has come."""
        super().connection_made(transport)
        if len(self.connections) > settings.CONNECTIONS_HELD_MAX:
            transport.abort()
            return
        if len(self.connections) > settings.settings().connections_max:
            self.app_state = {**self.app_state, CROWDED: True}
        self._owing_s = self.loop.time()
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has gone."""
        if self._looking is not None:
            self._looking.cancel()
        self._stop_answering()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Something has arrived."""
        if self._owing_s is None:
            self._owing_s = self.loop.time()
        self._message_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_head and self._message_bytes > settings.HEAD_BYTES_MAX:
            self.transport.write(
                STATUS_LINE[431] + b"content-length: 0\r\nconnection: close\r\n\r\n"
            )
            self.transport.close()
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

    def pause_writing(self) -> None:
        """The client does not read as fast as we write."""
        self._stuck_s = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """It has read."""
        self._stuck_s = None
        super().resume_writing()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Answer a request. Behind others on its line it may be due when the client has gone."""
        if not self.transport.is_closing():
            self._answering = cycle
            super()._start_asgi_task(cycle, app)

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
        if owing or (self._stuck_s is not None and now_s - self._stuck_s > settings.ANSWER_S):
            self._leave()
        else:
            self._look_later()

    def _leave(self) -> None:
        """Close without waiting for what is still to be sent: the kernel would keep it for a client that does not read."""
        self._stop_answering()
        at_once = struct.pack("ii", 1, 0)
        self.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, at_once
        )
        self.transport.abort()
