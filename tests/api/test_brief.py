"""Brief refusals: the same bytes as the edge's own, in every dialect, whatever of a request its faults show.

Seen red with: a GoGrid whose wording is kept without the format, and one that takes `f%6Frmat=xml` for no format."""

from __future__ import annotations

from typing import Any

import pytest

from api.brief import Briefs
from api.dialects import DIALECTS, dialect_of
from api.dialects.dialect import Dialect
from api.head import asked_in
from api.measures import Measures
from api.porter import CROWDED
from api.turns import FULL, SHARE

ID = "0192f7a0-5cf6-7b0e-8d8e-3f4c1f6f2a01"
QUERIES = (b"", b"format=xml", b"format=csv&format=json", b"f%6Frmat=xml", b"a=b&v=1.0", b"format=")
HEADS: tuple[tuple[tuple[bytes, bytes], ...], ...] = (
    ((b"host", b"one.example"), (b"x-version", b"1.0")),
    ((b"host", b"two.example"), (b"accept", b"text/xml"), (b"x-method", b"PATCH")),
    ((b"x-request-id", b"mine-1"), (b"content-type", b"text/plain")),
)


def scopes(dialect: Dialect) -> list[dict[str, Any]]:
    made = []
    for prefix in dialect.prefixes:
        for rest in ("list", "other/\u20ac/x"):
            for query in QUERIES:
                for headers in HEADS:
                    path = f"{prefix.rstrip('/')}/{rest}"
                    made.append(
                        {
                            "method": "POST",
                            "scheme": "http",
                            "path": path,
                            "raw_path": path.encode(),
                            "query_string": query,
                            "headers": [(b"x-request-id", ID.encode()), *headers],
                        }
                    )
    return made


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda one: one.name)
def test_a_brief_refusal_is_the_dialects_own(dialect: Dialect) -> None:
    briefs = Briefs(Measures())
    for _ in range(2):
        for scope in scopes(dialect):
            assert dialect_of(scope["path"]) is dialect
            for error in (FULL, SHARE, CROWDED):
                asked = asked_in(scope)
                asked.method = dialect.method(asked)
                whole = dialect.fault(asked, error)
                status, lines, body = briefs.said(scope, dict(scope["headers"]), error)
                assert (status, body) == (whole.status, whole.body), scope
                assert status in (429, 503)
                told = dict(line.split(b": ", 1) for line in lines.split(b"\r\n")[:-1])
                said = {name.lower().encode(): word.encode() for name, word in whole.headers}
                assert told == {
                    **said,
                    b"content-type": whole.media_type.encode(),
                    b"content-length": b"%d" % len(body),
                    b"x-request-id": asked.request_id.encode(),
                }
                assert b"retry-after" in told


def test_an_answer_to_head_has_no_body() -> None:
    scope = {**scopes(DIALECTS[0])[0], "method": "HEAD"}
    _, lines, body = Briefs(Measures()).said(scope, dict(scope["headers"]), FULL)
    assert body == b""
    assert b"content-length: 0" not in lines
