"""The edge: from a request to what was asked, and from what is said back to its client, by a line of ours or by ASGI.

Invariants: every request gets exactly one answer, worded by its path's dialect, a crash included; a body is unpacked and bounded while it is
read; nothing of a request but its method, path, status and credential id is logged. Errors: none escape, but for a client that went away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog
from starlette.types import Receive, Scope, Send

from api.admission import Admission, UnderWay
from api.dialects import dialect_of
from api.dialects.dialect import Dialect, SignedRequest
from api.exchange import Exchange, Unsayable
from api.faults import Broken, NoSuchPath, TooSlow, WrongMethod
from api.head import asked_in, check_once, query_of
from api.log import about_request
from api.measures import Measures
from api.messages import Messages
from api.operation import Asked, Operation, Said
from api.operation import Scope as Right
from api.porter import Porter
from api.turns import ClientGone, Turn
from api.unpacking import too_large, unpacked
from ledger import settings
from ledger.errors import LedgerError

log = structlog.get_logger("api")

DOORS: Final = "doors"  # in the application's state: whose a request is, by its scope
CRASHED: Final = "Something unexpected happened; the ledger's log has it under the request id."

Perform = Callable[[Dialect, Operation, Asked], Awaitable[Said]]
Admit = Callable[[Dialect, Operation, Asked], Awaitable[None]]
Way = Exchange | Messages


class Endpoint:
    """What is served at one path, and an ASGI application: picks the operation by method. Without operations it is the 404 of every other path."""

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
        # Of an endpoint's own paths, all are of the dialect that its template is of.
        self._dialect = next((dialect for dialect, _ in operations.values()), None)
        self._public = frozenset(
            method for method, (_, one) in operations.items() if one.scope is Right.PUBLIC
        )
        self._admit = admit
        self._admission = admission
        self._perform = perform
        self._measures = measures
        self._porter = porter

    def is_public(self, method: str) -> bool:
        """Whether nobody has to say who he is."""
        return method in self._public or (method == "HEAD" and "GET" in self._public)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request that came by ASGI."""
        await self.answer(Messages(scope, receive, send))

    async def answer(self, way: Way) -> None:
        """Answer one request."""
        began_s = time.perf_counter()
        asked = asked_in(way.scope)
        dialect = self._dialect or dialect_of(asked.path)
        asked.method = dialect.method(asked)
        _, operation = self._operations.get(
            "GET" if asked.method == "HEAD" else asked.method, (None, None)
        )
        turn = self._turn(operation, way)
        about_request(asked.request_id)
        try:
            if turn is not None:
                began_s -= turn.waited_s
                asked.turn = turn
                await turn.again()
            said = await self._answer(dialect, operation, asked, way, turn)
        except LedgerError as error:
            said = self._refusal(dialect, asked, error)
        except ClientGone:
            return
        except Exception:
            log.exception(
                "crash", method=asked.method, path=asked.path, request_id=asked.request_id
            )
            said = dialect.fault(asked, Broken(CRASHED))
        finally:
            # In any case, once.
            if turn is not None:
                turn.end()
        try:
            await way.say(said, asked.request_id)
        except Unsayable:
            log.exception("crash", path=asked.path, request_id=asked.request_id)
            said = dialect.fault(asked, Broken(CRASHED))
            await way.say(said, asked.request_id)
        self._measures.answered(dialect, operation, said.status, time.perf_counter() - began_s)

    def _turn(self, operation: Operation | None, way: Way) -> Turn | None:
        """The request's turn: the line has asked for it, or else it is asked for here, but by nobody who asks for nothing."""
        if way.turn is not None:
            return way.turn
        if operation is None or operation.scope is Right.PUBLIC:
            return None
        return self._porter.later(way.headers)

    async def _answer(
        self,
        dialect: Dialect,
        operation: Operation | None,
        asked: Asked,
        way: Way,
        turn: Turn | None,
    ) -> Said:
        under_way = self._admission.enter()
        try:
            if operation is None:
                raise self._nowhere(asked)
            check_once(asked, way.scope)
            reads = asked.method in ("GET", "HEAD")
            if not reads and _says_who(dialect, operation, asked):
                await self._admit(dialect, operation, asked)
            if not asked.query and way.scope["query_string"]:
                query_of(way.scope)  # which says why it could not be read
            if not reads:
                body = way.body()
                if body is None:
                    asked.body = await _arrived(asked, way.receive, under_way, operation, turn)
                    if asked.principal is not None:
                        # It took its time, and the key may have ended meanwhile.
                        await self._admit(dialect, operation, asked)
                else:
                    # As nearly every time: to wait for what is here costs as much as to read it.
                    asked.body = _unpacked(asked, body, under_way, operation.body_bytes_max)
            return await self._perform(dialect, operation, asked)
        finally:
            under_way.leave()

    def _refusal(self, dialect: Dialect, asked: Asked, error: LedgerError) -> Said:
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

    def _nowhere(self, asked: Asked) -> LedgerError:
        if not self._operations:
            return NoSuchPath(f"Nothing is served at {asked.path[:200]}.")
        allow = tuple(sorted({*self._operations, *(["HEAD"] if "GET" in self._operations else [])}))
        return WrongMethod(f"{asked.path[:200]} does not take {asked.method[:20]}.", allow=allow)


def _says_who(dialect: Dialect, operation: Operation, asked: Asked) -> bool:
    """Whether the credential is asked for before the body is read: but where the body is a part of it."""
    if operation.scope is Right.PUBLIC or dialect.credential_in_body:
        return False
    signed = "signature-input" in asked.headers
    return not (signed and isinstance(dialect.credential(asked), SignedRequest))


def _unpacked(asked: Asked, body: bytes, under_way: UnderWay, bytes_max: int) -> bytes:
    """A body that is here, as it was before it was packed. Raises TooLarge, UnknownEncoding, BadSyntax, Busy."""
    if "content-encoding" in asked.headers:
        unpacking = unpacked(asked.headers["content-encoding"], bytes_max)
        unpacking.take(body)
        body = unpacking.body()
    elif len(body) > bytes_max:
        raise too_large(bytes_max)
    under_way.hold(len(body))
    return body


async def _arrived(
    asked: Asked, receive: Receive, under_way: UnderWay, operation: Operation, turn: Turn | None
) -> bytes:
    """A body that is still on its way. Raises TooLarge as soon as it is, and TooSlow. `turn`: who rests meanwhile."""
    bytes_max = operation.body_bytes_max
    declared = asked.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > bytes_max:
        raise too_large(bytes_max)
    try:
        async with asyncio.timeout(settings.BODY_S):
            # Whoever keeps us waiting works on nothing: others may have his place.
            if turn is not None:
                turn.rest()
            body = await _read(asked, receive, under_way, bytes_max)
    except TimeoutError as error:
        raise TooSlow(f"The body was not here after {settings.BODY_S:g} s.") from error
    if turn is not None:
        await turn.again()
    return body


async def _read(asked: Asked, receive: Receive, under_way: UnderWay, bytes_max: int) -> bytes:
    unpacking = unpacked(asked.headers.get("content-encoding", ""), bytes_max)
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        unpacking.take(message.get("body", b""))
        under_way.hold(unpacking.size_bytes)
        if not message.get("more_body", False):
            return unpacking.body()
