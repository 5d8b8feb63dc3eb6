"""An exchange: one request on a line, and its answer.

Invariants: an answer is written in one piece, head and body; nothing is written of one whose head would end early; what is refused here has
had no effect, and its body is read over, so that the line is good for the next. Units: bytes. Errors: Unsayable, before anything is written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from api.operation import Said
from ledger.errors import LedgerError

if TYPE_CHECKING:
    from api.line import Line
    from api.turns import Turn

EXCHANGE: Final = "exchange"  # in a request's state: its exchange, where a line of ours is in front
BODILESS: Final = (204, 304)

_UNFIT: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")  # and line ends, which are counted


class Unsayable(Exception):
    """A header of an answer holds what would end it."""


class Exchange:
    """uvicorn's cycle of request and answer, with the ways that spare most of them a message to and fro. `turn`: the one it has asked for."""

    __slots__ = ("_app", "_line", "cycle", "turn")

    def __init__(self, line: Line, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._line = line
        self._app = app
        self.cycle = cycle
        self.turn: Turn | None = None

    def begin(self) -> None:
        """Its turn has come."""
        self._line.begin(self.cycle, self._app)

    def refuse(self, error: LedgerError) -> None:
        """Send it away."""
        self._line.refuse(self.cycle, error)

    def body(self) -> bytes | None:
        """All of the body, when it is here and nobody has to be told to send it."""
        cycle = self.cycle
        if cycle.more_body or cycle.disconnected or cycle.waiting_for_100_continue:
            return None
        body, cycle.body = bytes(cycle.body), bytearray()
        return body

    async def say(self, said: Said, request_id: str) -> None:
        """Answer, once the client reads what was said before. Raises Unsayable."""
        cycle = self.cycle
        lines = head_of(said, request_id)
        if cycle.flow.write_paused and not cycle.disconnected:
            await cycle.flow.drain()
        if cycle.disconnected:
            return
        cycle.response_started = cycle.response_complete = True
        if cycle.waiting_for_100_continue:
            cycle.keep_alive = False  # whether the body comes nobody knows
        body = b"" if cycle.scope["method"] == "HEAD" else said.body
        self._line.say(said.status, lines, body, last=not cycle.keep_alive)
        if not cycle.keep_alive:
            self._line.hang_up(cycle)
        self._line.on_response_complete()


def head_of(said: Said, request_id: str) -> bytes:
    """The head of an answer behind its status, without the line that ends it. Raises Unsayable."""
    rows = [f"{name.lower()}: {word}\r\n" for name, word in said.headers]
    if said.status in BODILESS:
        first = f"x-request-id: {request_id}\r\n"
    else:
        first = f"content-type: {said.media_type}\r\ncontent-length: {len(said.body)}\r\nx-request-id: {request_id}\r\n"
    text = "".join((first, *rows))
    ends = len(rows) + (1 if said.status in BODILESS else 3)
    if text.count("\r") != ends or text.count("\n") != ends or _UNFIT.search(text) is not None:
        raise Unsayable(f"An answer of {said.status} has a header with a control character.")
    return text.encode("latin-1", "replace")
