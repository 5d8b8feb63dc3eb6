"""Brief refusals: bytes for a line whose request is not let in, worded by its dialect once and said many times.

Invariants: byte for byte what the edge would have said of the same fault, but for the request id; two requests share a wording only where
nothing that their dialect shows in a fault differs. Errors: none."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from api.dialects import dialect_of
from api.dialects.dialect import Dialect
from api.head import asked_in, request_id
from api.measures import Measures
from ledger import settings
from ledger.errors import LedgerError

_ID = "here-stands-the-id-of-the-request-00"  # of a length that is no UUID's, and of letters that no format escapes


@dataclass(frozen=True, slots=True)
class _Worded:
    """A wording, with a gap wherever the request id stands. `lines` are its headers."""

    dialect: Dialect
    status: int
    lines: bytes
    parts: tuple[bytes, ...]


class Briefs:
    """The wordings of one process, those that were used last."""

    def __init__(self, measures: Measures) -> None:
        self._measures = measures
        self._worded: OrderedDict[Hashable, _Worded] = OrderedDict()

    def said(
        self, scope: Mapping[str, Any], headers: Mapping[bytes, bytes], error: LedgerError
    ) -> tuple[int, bytes, bytes]:
        """Status, header lines and body. `headers`: those of the request, in lower case."""
        worded = self._find(scope, headers, error)
        self._measures.brief(worded.dialect, error, worded.status)
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        named = request_id(given).encode()
        body = named.join(worded.parts)
        lines = b"%sx-request-id: %s\r\ncontent-length: %d\r\n" % (worded.lines, named, len(body))
        return worded.status, lines, b"" if scope["method"] == "HEAD" else body

    def _find(
        self, scope: Mapping[str, Any], headers: Mapping[bytes, bytes], error: LedgerError
    ) -> _Worded:
        path = scope["path"]
        dialect = dialect_of(path)
        shown = dialect.echo(path, scope["query_string"], headers)
        key = (dialect.name, str(error), scope["scheme"], headers.get(b"host"), shown)
        worded = self._worded.get(key)
        if worded is None:
            worded = self._worded[key] = _word(dialect, scope, error)
            if len(self._worded) > settings.BRIEF_KEPT_MAX:
                self._worded.popitem(last=False)
        else:
            self._worded.move_to_end(key)
        return worded


def _word(dialect: Dialect, scope: Mapping[str, Any], error: LedgerError) -> _Worded:
    asked = asked_in(scope)
    asked.request_id = _ID
    asked.method = dialect.method(asked)
    said = dialect.fault(asked, error)
    rows = (("content-type", said.media_type), *said.headers)
    lines = "".join(f"{name.lower()}: {word}\r\n" for name, word in rows)
    return _Worded(
        dialect,
        said.status,
        lines.encode("latin-1", "replace"),
        tuple(said.body.split(_ID.encode())),
    )
