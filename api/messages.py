"""Messages: a request and its answer by ASGI alone, where no line of ours is in front.

Invariants: the same of a request, and the same bytes of its answer, as a line has. Errors: Unsayable, before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import Message, Receive, Scope, Send

from api.exchange import head_of
from api.operation import Said
from api.turns import Turn


class Messages:
    """One request. Its turn is still to be asked for."""

    __slots__ = ("_receive", "_send", "headers", "scope", "turn")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self.scope = scope
        self.headers: Mapping[bytes, bytes] = dict(scope["headers"])
        self.turn: Turn | None = None

    def body(self) -> bytes | None:
        """Whether all of it is here ASGI does not tell."""
        return None

    async def receive(self) -> Message:
        """The next part of the body."""
        return await self._receive()

    async def say(self, said: Said, request_id: str) -> None:
        """Answer. Raises Unsayable."""
        lines = head_of(said, request_id).split(b"\r\n")[:-1]
        headers = [line.split(b": ", 1) for line in lines]
        body = b"" if self.scope["method"] == "HEAD" else said.body
        await self._send({"type": "http.response.start", "status": said.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})
