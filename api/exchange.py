"""An exchange: one request on a line, and its answer.

Invariants: an answer is written in one piece, head and body; nothing is written of one whose head would end early; what is refused here has
had no effect, and its body is read over, so that the line is good for the next; of a request that is over nothing is left on its line.
Units: bytes. Errors: Unsayable, before anything is written."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from starlette.types import Message
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT

from api.operation import NO_BODY, Said
from ledger.errors import LedgerError

if TYPE_CHECKING:
    from api.edge import Endpoint
    from api.line import Line
    from api.turns import Turn

BODILESS: Final = (204, 304)

_UNFIT: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f]")


class Unsayable(Exception):
    """A header of an answer holds what would end it."""


class Exchange:
    """A request and its answer, as ASGI would have it, but that most need no message to and fro.

    `scope`: ASGI's, as far as it is asked for here; `headers`: the last of each name. `endpoint`: who answers; `turn`: the one it has asked for.
    `complete`: it is answered; `disconnected`: nobody hears an answer; `more_body`: the client owes the rest of its body, and may be `waiting` to be
    told to send it."""

    __slots__ = (
        *("_heard", "_line", "_news", "_parts", "_size_bytes", "complete", "disconnected"),
        *("endpoint", "headers", "keep_alive", "more_body", "scope", "turn", "waiting"),
    )

    def __init__(
        self,
        line: Line,
        scope: dict[str, Any],
        headers: Mapping[bytes, bytes],
        endpoint: Endpoint,
        *,
        keep_alive: bool,
    ) -> None:
        self._line = line
        self.endpoint = endpoint
        self._parts: list[bytes] = []
        self._size_bytes = 0
        # Whether there is something to receive, and who waits for it.
        self._news = False
        self._heard: asyncio.Future[None] | None = None
        self.scope = scope
        self.headers = headers
        self.keep_alive = keep_alive
        self.waiting = b"expect" in headers and headers[b"expect"].lower() == b"100-continue"
        self.more_body = True
        self.complete = False
        self.disconnected = False
        self.turn: Turn | None = None

    def begin(self) -> None:
        """Its turn has come: work on it, in a task of its own."""
        self._line.work(self)

    def refuse(self, error: LedgerError) -> None:
        """Send it away."""
        self._line.refuse(self, error)

    def take(self, part: bytes) -> bool:
        """Keep a part of the body. Whether that is as much as may lie here unread."""
        self._parts.append(part)
        self._size_bytes += len(part)
        self._tell()
        return self._size_bytes > HIGH_WATER_LIMIT

    def end_body(self) -> None:
        """All of the body is here."""
        self.more_body = False
        self._tell()

    def disconnect(self) -> None:
        """The client has gone, or is to go."""
        self.disconnected = True
        self._tell()

    def body(self) -> bytes | None:
        """All of the body, when it is here and nobody has to be told to send it."""
        if self.more_body or self.disconnected or self.waiting:
            return None
        return self._taken()

    async def receive(self) -> Message:
        """The next part of a body that is on its way, as ASGI has it."""
        if self.waiting:
            self._line.go_on()
            self.waiting = False
        if not (self.disconnected or self.complete):
            self._line.flow.resume_reading()
            if not self._news:
                self._heard = asyncio.get_running_loop().create_future()
                await self._heard
            self._news = False
        if self.disconnected or self.complete:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": self._taken(), "more_body": self.more_body}

    async def say(self, said: Said, request_id: str) -> None:
        """Answer, once the client reads what was said before. Raises Unsayable."""
        lines = head_of(said, request_id)
        if self._line.flow.write_paused and not self.disconnected:
            await self._line.flow.drain()
        if self.disconnected:
            return
        if self.waiting:
            self.keep_alive = False  # whether the body comes nobody knows
        body = b"" if self.scope["method"] == "HEAD" else said.body
        self._line.say(said.status, lines, body, last=not self.keep_alive)
        self._line.answered(self)

    def _taken(self) -> bytes:
        parts, self._parts, self._size_bytes = self._parts, [], 0
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _tell(self) -> None:
        self._news = True
        if self._heard is not None and not self._heard.done():
            self._heard.set_result(None)


def head_of(said: Said, request_id: str) -> bytes:
    """The head of an answer behind its status, without the line that ends it. Raises Unsayable."""
    rows = [f"x-request-id: {request_id}"]
    if said.status not in BODILESS:
        length = f"content-length: {len(said.body)}"
        nothing = said.media_type == NO_BODY
        rows = [length, *rows] if nothing else [f"content-type: {said.media_type}", length, *rows]
    rows += [f"{name.lower()}: {word}" for name, word in said.headers]
    text = "".join(rows)
    # To look at each character is dear, and there is hardly ever one that is not printable.
    if not text.isprintable() and _UNFIT.search(text) is not None:
        raise Unsayable(f"An answer of {said.status} has a header with a control character.")
    return "\r\n".join((*rows, "")).encode("latin-1", "replace")
