"""The edge: from ASGI to what was asked, and from what is said back to ASGI.

Invariants: every request gets exactly one answer, worded by its path's dialect, a crash included; a body is unpacked and bounded while it is
read; nothing of a request but its method, path, status and credential id is logged. Errors: none escape, but for a client that went away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import structlog
from starlette.types import Message, Receive, Scope, Send

from api.admission import Admission, UnderWay
from api.dialects import dialect_of
from api.dialects.dialect import Dialect, SignedRequest
from api.faults import Broken, NoSuchPath, TooSlow, WrongMethod
from api.head import asked_in, check_once, query_of
from api.log import about_request
from api.measures import Measures
from api.operation import Asked, Operation, Said
from api.operation import Scope as Right
from api.porter import TURN, WHOLE, Porter
from api.turns import Turn
from api.unpacking import too_large, unpacked
from ledger import settings
from ledger.errors import LedgerError

log = structlog.get_logger("api")

Perform = Callable[[Dialect, Operation, Asked], Awaitable[Said]]
Admit = Callable[[Dialect, Operation, Asked], Awaitable[None]]


class ClientGone(Exception):
    """The client closed the connection before it had sent its whole request."""


class Endpoint:
    """The ASGI application of one path: picks the operation by method. Without operations it is the 404 of every other path."""

    def __init__(
        self,
        operations: Mapping[str, tuple[Dialect, Operation]],
        perform: Perform,
        measures: Measures,
        admission: Admission,
        admit: Admit,
        porter: Porter,
    ) -> None:
        self._operations = operations
        self._admit = admit
        self._admission = admission
        self._perform = perform
        self._measures = measures
        self._porter = porter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        began = time.perf_counter() - _waited_s(scope)
        asked = asked_in(scope)
        dialect = dialect_of(asked.path)
        asked.method = dialect.method(asked)
        operation = self._operation(asked)
        try:
            about_request(asked.request_id)
            said = await self._answer(dialect, operation, asked, scope, receive)
        except ClientGone:
            return
        await send(_start(said, asked))
        await send(
            {"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else said.body}
        )
        self._measures.answered(dialect, operation, said.status, time.perf_counter() - began)

    def _operation(self, asked: Asked) -> Operation | None:
        _, operation = self._operations.get(
            "GET" if asked.method == "HEAD" else asked.method, (None, None)
        )
        return operation

    async def _answer(
        self,
        dialect: Dialect,
        operation: Operation | None,
        asked: Asked,
        scope: Scope,
        receive: Receive,
    ) -> Said:
        try:
            async with self._turn(operation, scope) as turn:
                with self._admission.request() as under_way:
                    if operation is None:
                        raise self._nowhere(asked)
                    check_once(asked, scope)
                    await self._let_in(dialect, operation, asked)
                    await _read(asked, scope, receive, under_way, operation.body_bytes_max, turn)
                    return await self._perform(dialect, operation, asked)
        except LedgerError as error:
            if error.changed is None:
                log.error(
                    "fault",
                    code=error.code,
                    path=asked.path,
                    request_id=asked.request_id,
                    error=str(error),
                )
            self._measures.refused(dialect, error)
            return dialect.fault(asked, error)
        except ClientGone:
            raise
        except Exception:
            log.exception(
                "crash", method=asked.method, path=asked.path, request_id=asked.request_id
            )
            return dialect.fault(
                asked,
                Broken(
                    "Something unexpected happened; the ledger's log has it under the request id."
                ),
            )

    @asynccontextmanager
    async def _turn(self, operation: Operation | None, scope: Scope) -> AsyncIterator[Turn | None]:
        """The request's turn, ended in any case: the line has asked for it, or else it is asked for here, but by nobody who asks for nothing."""
        turn: Turn | None = scope.get("state", {}).get(TURN)
        if turn is None and operation is not None and operation.scope is not Right.PUBLIC:
            turn = self._porter.later(dict(scope["headers"]))
        try:
            if turn is not None:
                await turn.again()
            yield turn
        finally:
            if turn is not None:
                turn.end()

    async def _let_in(self, dialect: Dialect, operation: Operation, asked: Asked) -> None:
        """Ask for the credential before the body is read, but where the body is a part of it."""
        if operation.scope is Right.PUBLIC or asked.method in ("GET", "HEAD"):
            return
        if dialect.credential_in_body or isinstance(dialect.credential(asked), SignedRequest):
            return
        await self._admit(dialect, operation, asked)

    def _nowhere(self, asked: Asked) -> LedgerError:
        if not self._operations:
            return NoSuchPath(f"Nothing is served at {asked.path[:200]}.")
        allow = tuple(sorted({*self._operations, *(["HEAD"] if "GET" in self._operations else [])}))
        return WrongMethod(f"{asked.path[:200]} does not take {asked.method[:20]}.", allow=allow)


async def _read(
    asked: Asked,
    scope: Scope,
    receive: Receive,
    under_way: UnderWay,
    bytes_max: int,
    turn: Turn | None,
) -> None:
    """Fill in the body. Raises TooLarge as soon as it is, TooSlow, BadSyntax for a query that cannot be read."""
    if not asked.query and scope["query_string"]:
        query_of(scope)
    if asked.method in ("GET", "HEAD"):
        return
    declared = asked.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > bytes_max:
        raise too_large(bytes_max)
    whole = _whole(scope)
    if whole:
        # As nearly every time: to set a deadline and take it back costs as much as to read what is here.
        asked.body = await _body(asked, receive, under_way, bytes_max)
        return
    try:
        async with asyncio.timeout(settings.BODY_S):
            # Whoever keeps us waiting works on nothing: others may have his place.
            if turn is not None and whole is not None:
                turn.rest()
            asked.body = await _body(asked, receive, under_way, bytes_max)
    except TimeoutError as error:
        raise TooSlow(f"The body was not here after {settings.BODY_S:g} s.") from error
    if turn is not None:
        await turn.again()


async def _body(asked: Asked, receive: Receive, under_way: UnderWay, bytes_max: int) -> bytes:
    unpacking = unpacked(asked.headers.get("content-encoding", ""), bytes_max)
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        unpacking.take(message.get("body", b""))
        under_way.hold(unpacking.size_bytes)
        if not message.get("more_body", False):
            return unpacking.body()


def _waited_s(scope: Scope) -> float:
    turn: Turn | None = scope.get("state", {}).get(TURN)
    return turn.waited_s if turn is not None else 0.0


def _whole(scope: Scope) -> bool | None:
    """Whether all of the request is here. Only the line knows; None where there is none that tells."""
    whole: Callable[[], bool] | None = scope.get("state", {}).get(WHOLE)
    return None if whole is None else whole()


def _start(said: Said, asked: Asked) -> Message:
    headers = [
        (b"content-type", said.media_type.encode("latin-1")),
        (b"content-length", str(len(said.body)).encode()),
        (b"x-request-id", asked.request_id.encode()),
        *(
            (name.lower().encode("latin-1"), word.encode("latin-1", "replace"))
            for name, word in said.headers
        ),
    ]
    if said.status in (204, 304):
        del headers[:2]
    return {"type": "http.response.start", "status": said.status, "headers": headers}
