"""The edge: from ASGI to what was asked, and from what is said back to ASGI.

Invariants: every request gets exactly one answer, worded by its path's dialect, a crash included; a body is unpacked and bounded while it is
read; nothing of a request but its method, path, status and credential id is logged. Errors: none escape, but for a client that went away."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl

import structlog
from starlette.types import Message, Receive, Scope, Send
from uuid_utils import uuid7

from api.admission import Admission, UnderWay
from api.dialects import dialect_of
from api.dialects.dialect import Dialect
from api.faults import BadSyntax, Broken, NoSuchPath, TooLarge, TooSlow, WrongMethod
from api.line import CROWDED
from api.log import about_request
from api.measures import Measures
from api.operation import Asked, Operation, Said
from api.operation import Scope as Right
from api.unpacking import too_large, unpacked
from ledger import settings
from ledger.errors import LedgerError

log = structlog.get_logger("api")

Perform = Callable[[Dialect, Operation, Asked], Awaitable[Said]]
Know = Callable[[Dialect, Operation, Asked], Awaitable[None]]
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


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
        know: Know,
    ) -> None:
        self._operations = operations
        self._know = know
        self._admission = admission
        self._perform = perform
        self._measures = measures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        began = time.perf_counter()
        asked = _asked(scope)
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
        public = operation is not None and operation.scope is Right.PUBLIC
        crowded = CROWDED in scope.get("state", ())
        try:
            with self._admission.request(public=public, crowded=crowded) as under_way:
                bytes_max = await self._bytes_max(dialect, operation, asked, receive)
                await _read(asked, scope, receive, under_way, bytes_max)
                if operation is None:
                    raise self._nowhere(asked)
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

    async def _bytes_max(
        self, dialect: Dialect, operation: Operation | None, asked: Asked, receive: Receive
    ) -> int:
        """How large the body may be: larger than all may send only for whom we know already."""
        if operation is None or operation.body_bytes_max <= settings.BODY_BYTES_MAX:
            return settings.BODY_BYTES_MAX
        try:
            await self._know(dialect, operation, asked)
        except LedgerError:
            # Hanging up on a client that still sends would keep the refusal from it.
            await _discard(receive)
            raise
        return operation.body_bytes_max

    def _nowhere(self, asked: Asked) -> LedgerError:
        if not self._operations:
            return NoSuchPath(f"Nothing is served at {asked.path[:200]}.")
        allow = tuple(sorted({*self._operations, *(["HEAD"] if "GET" in self._operations else [])}))
        return WrongMethod(f"{asked.path[:200]} does not take {asked.method[:20]}.", allow=allow)


def _asked(scope: Scope) -> Asked:
    """The request as far as its head tells. A query that cannot be read is left out here and refused by `_read`."""
    headers = {
        name.decode("latin-1").lower(): word.decode("latin-1") for name, word in scope["headers"]
    }
    given = headers.get("x-request-id", "")
    try:
        query = _query(scope)
    except LedgerError:
        query = ()
    return Asked(
        method=scope["method"],
        path=scope["path"],
        query=query,
        headers=headers,
        path_params=scope.get("path_params", {}),
        now=datetime.now(UTC),
        request_id=given if _REQUEST_ID.fullmatch(given) else str(uuid7()),
        base_url=f"{scope['scheme']}://{headers.get('host', 'localhost')}",
        target=_target(scope) if "signature-input" in headers else "",
    )


def _target(scope: Scope) -> str:
    """Path and query as they were sent: what a signature is over."""
    query = f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else ""
    return str(scope["raw_path"].decode("latin-1")) + query


def _query(scope: Scope) -> tuple[tuple[str, str], ...]:
    raw = scope["query_string"]
    if not raw and len(scope["path"]) <= settings.URL_LENGTH_MAX:
        return ()
    if len(raw) + len(scope["path"]) > settings.URL_LENGTH_MAX:
        raise TooLarge(f"The address is longer than {settings.URL_LENGTH_MAX} characters.")
    try:
        pairs = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=1_000
        )
    except ValueError as error:
        raise BadSyntax("The query string is not percent-encoded UTF-8.") from error
    for name, word in pairs:
        if "\x00" in name or "\x00" in word:
            raise BadSyntax("The query string holds the character U+0000.")
    return tuple(pairs)


async def _read(
    asked: Asked, scope: Scope, receive: Receive, under_way: UnderWay, bytes_max: int
) -> None:
    """Fill in the body. Raises TooLarge as soon as it is, TooSlow, BadSyntax for a query that cannot be read."""
    if not asked.query and scope["query_string"]:
        _query(scope)
    if asked.method in ("GET", "HEAD"):
        return
    declared = asked.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > bytes_max:
        raise too_large(bytes_max)
    try:
        async with asyncio.timeout(settings.BODY_S):
            asked.body = await _body(asked, receive, under_way, bytes_max)
    except TimeoutError as error:
        raise TooSlow(f"The body was not here after {settings.BODY_S:g} s.") from error


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


async def _discard(receive: Receive) -> None:
    """Take what a client sends, as far as any client may and for so long, and keep nothing of it."""
    room = settings.BODY_BYTES_MAX
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(settings.BODY_S):
            while room > 0:
                message = await receive()
                room -= len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return


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
