"""GoGrid's API 1.x: its jobs and lookup tables at its paths, in JSON, XML and CSV, for clients that sign by md5.

Invariants: reads only, since the signature binds neither path nor body; every path under these prefixes is answered in GoGrid's words."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping

from api.dialects.dialect import Credential, Dialect, Md5Signature
from api.dialects.gogrid import words
from api.dialects.gogrid.fault import fault
from api.dialects.gogrid.operations import OPERATIONS
from api.operation import Asked


def credential(asked: Asked) -> Credential | None:
    """The signature of a request: api_key and sig, of its query or of its form."""
    given = words.offered(asked)
    api_keys, sigs = given.many("api_key"), given.many("sig")
    if len(api_keys) != 1 or len(sigs) != 1:
        return None
    return Md5Signature(api_keys[0], sigs[0])


_FORMAT = re.compile(rb"(?:^|&)format=([^&]*)")


def echo(path: str, query: bytes, _: Mapping[bytes, bytes]) -> Hashable:
    """The method and the format, which a fault has too. A query with an escape in it may name the format in many ways."""
    return path, query if b"%" in query else tuple(_FORMAT.findall(query))


GOGRID = Dialect(
    name="gogrid",
    title="GoGrid API",
    prefixes=("/api/grid/", "/api/common/", "/api/support/", "/api/myaccount/"),
    operations=OPERATIONS,
    credential=credential,
    fault=fault,
    echo=echo,
    credential_in_body=True,
    challenge=None,
    security={
        "api_key": {"type": "apiKey", "in": "query", "name": "api_key"},
        "sig": {
            "type": "apiKey",
            "in": "query",
            "name": "sig",
            "description": "md5(api_key + shared secret + unix seconds), in lower-case hex.",
        },
    },
    description=(
        "GoGrid's API 1.x as far as it is about jobs: get, list and the lookup tables. In CSV a text that a spreadsheet would take for a formula"
        " has an apostrophe in front."
    ),
)
