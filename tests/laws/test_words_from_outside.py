"""Whatever stands in a cursor, a date, a signature, an id, a token, a form, or in any word of any operation: it is understood, or refused by a
sentence, and nothing else.

Invariants: operations and their parameters come from OPERATIONS, credentials from DIALECTS, so that new ones are tried too."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api import cursor, past, signed
from api.dialects import DIALECTS
from api.dialects.comestri import moments as comestri
from api.dialects.dialect import Dialect
from api.dialects.fullstory import opaque, page
from api.dialects.gogrid import moments as gogrid
from api.dialects.gogrid import signature
from api.dialects.gogrid import words as grid
from api.dialects.native import ask as native
from api.dialects.orange import words as orange
from api.operation import Asked, Operation, Principal, Scope
from api.operations import OPERATIONS
from ledger.errors import LedgerError
from projections.filters import FILTERS, Sort
from projections.question import Query

NOW = datetime(2026, 3, 1, tzinfo=UTC)
FIELDS = st.sampled_from(
    (
        *("jobs", "events", "event", "requests", "job", "id", "number", "status", "type", "detail"),
        *("run", "runId", "eventType", "eventTime", "data", "entity", "operation", "name", "user"),
        *("properties", "note", "messages"),
    )
)
QUERY = Query("demo", sort=(Sort("created"),))
EDGES = st.sampled_from(
    ["", "-", "0", "9" * 30, "9999-12-31T23:59:59-23:59", "0000-00-00", "2024-02-30", "%", "\x00"]
)
WORDS = st.one_of(
    st.text(max_size=40),
    EDGES,
    st.text("0123456789-:TZ+. /W", max_size=30),
    st.binary(max_size=40).map(lambda raw: base64.urlsafe_b64encode(raw).decode()),
    st.text('[]{}",0123456789null', max_size=30).map(
        lambda text: base64.urlsafe_b64encode(text.encode()).decode()
    ),
)
READERS: Mapping[str, Callable[[str], Any]] = {
    "a cursor": lambda word: cursor.decode(word, QUERY),
    "GoGrid's date": lambda word: gogrid.parse("startdate", word, NOW),
    "Comestri's date": lambda word: comestri.parse("created_time_from", word),
    "FullStory's id": opaque.job_id,
    "FullStory's token": lambda word: page.behind("imports", word),
    "Orange's sort": lambda word: orange.sort(Asked("GET", "/", query=(("sort", word),))),
    "native filters": lambda word: native.conditions([(name, word) for name in FILTERS]),
    "a signature": lambda word: signature.matches("k", "s", word, NOW, 2),
    "GoGrid's form": lambda word: grid.read(
        Asked("POST", "/", body=word.encode(errors="replace"), headers={"content-type": grid.FORM})
    ),
}


def refusal(read: Callable[[], object]) -> LedgerError | None:
    """Why something was refused; None when it was understood."""
    try:
        read()
    except LedgerError as error:
        return error
    return None


@pytest.mark.parametrize("reader", READERS)
@given(word=WORDS)
def test_a_word_is_understood_or_refused(reader: str, word: str) -> None:
    refused = refusal(lambda: READERS[reader](word))
    assert refused is None or (str(refused) and refused.changed is False)


# A signature of RFC 9421 as it should look, and what may stand in its places.
SIGNED = (
    'sig1=({covered});created={created};keyid="{keyid}";nonce="{nonce}";alg="{alg}"',
    'sig1=("@method" "@path" "@query");created=1772323200;keyid="0123456789abcdef";nonce="0123456789abcdef"',
    "{covered}", "sig1=({covered}", "sig1={created}, sig2=({covered})", 'sig1=("@query-param";name={alg})',
)  # fmt: skip
SHORT = st.one_of(st.text(max_size=12), st.text('"@;=(),:?* 0-9ab', max_size=16), EDGES)
PARTS = st.fixed_dictionaries(dict.fromkeys(("covered", "created", "keyid", "nonce", "alg"), SHORT))
SIGNATURES = st.one_of(
    SHORT, st.binary(max_size=70).map(lambda raw: f"sig1=:{base64.b64encode(raw).decode()}:")
)


@given(template=st.sampled_from(SIGNED), parts=PARTS, signature=SIGNATURES, digest=SHORT)
def test_a_signed_request_fits_or_does_not(
    template: str, parts: dict[str, str], signature: str, digest: str
) -> None:
    headers = {
        "signature-input": template.format(**parts),
        "signature": signature,
        "content-digest": digest,
    }
    asked = Asked("POST", "/v1", headers=headers, base_url="http://a", target="/v1?x", body=b"{}")
    signed.key_id_of(asked)
    for algorithm in signed.ALGORITHMS:
        with pytest.raises(signed.Unfit):
            signed.verify(asked, "0123456789abcdef", algorithm, bytes(32))


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda one: one.name)
@given(
    scheme=st.sampled_from(("Basic ", "Bearer ", "Token ", "Token token=", "")),
    word=WORDS,
    name=SHORT,
)
def test_a_credential_is_understood_or_refused(
    dialect: Dialect, scheme: str, word: str, name: str
) -> None:
    headers = {"authorization": f"{scheme}{word}", "x-api-key": name}
    query = (("api_key", name), ("sig", word))
    refused = refusal(lambda: dialect.credential(Asked("GET", "/", query=query, headers=headers)))
    assert refused is None or refused.changed is False


WHO = Principal("0123456789abcdef", "ann", "demo", frozenset({Scope.ADMIN}))
BODIES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"{}", b"[]", b"null", b'{"jobs":[{}]}', b'{"events":[0]}', b'{"requests":[{"name":0}]}']),
    st.recursive(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
                 lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(FIELDS, inner, max_size=4)),
                 max_leaves=8).map(lambda made: json.dumps(made).encode()),
)  # fmt: skip


@pytest.mark.parametrize(
    ("dialect", "operation"),
    OPERATIONS,
    ids=lambda one: getattr(one, "id", getattr(one, "name", None)),
)
@settings(max_examples=25)
@given(data=st.data())
def test_what_is_asked_is_understood_or_refused(
    dialect: Dialect, operation: Operation, data: st.DataObject
) -> None:
    words = {
        place: tuple(
            (one.name, data.draw(WORDS))
            for one in operation.parameters
            if one.where == place and (place == "path" or data.draw(st.booleans()))
        )
        for place in ("path", "query", "header")
    }
    asked = Asked(
        operation.method,
        operation.path,
        query=words["query"],
        headers={name.lower(): word for name, word in words["header"]},
        path_params=dict(words["path"]),
        body=data.draw(BODIES) if operation.body is not None else b"",
        now=NOW,
        request_id="r",
        principal=WHO,
    )

    def ask() -> None:
        if operation.past is not None:
            past.read(operation.past(asked))
        operation.ask(asked)

    if (refused := refusal(ask)) is not None:
        assert str(refused)
        assert refused.changed is False
        assert 400 <= dialect.fault(asked, refused).status < 500
