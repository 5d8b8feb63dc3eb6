"""Whatever stands in a cursor, a date, a signature, an id, a token or a form: it is understood, or refused by a sentence, and nothing else."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import cursor
from api.dialects.comestri import moments as comestri
from api.dialects.fullstory import opaque, page
from api.dialects.gogrid import moments as gogrid
from api.dialects.gogrid import signature
from api.dialects.gogrid import words as grid
from api.dialects.native import ask as native
from api.dialects.orange import words as orange
from api.operation import Asked
from ledger.errors import LedgerError
from projections.filters import FILTERS, Sort
from projections.question import Query

NOW = datetime(2026, 3, 1, tzinfo=UTC)
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


@pytest.mark.parametrize("reader", READERS)
@given(word=WORDS)
def test_a_word_is_understood_or_refused(reader: str, word: str) -> None:
    refused = None
    try:
        READERS[reader](word)
    except LedgerError as error:
        refused = error
    assert refused is None or (str(refused) and refused.changed is False)
