"""GoGrid's answers: its XML and CSV in particular, and hostile text through every format."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.dialects.gogrid.as_xml import java_text
from api.formula import exact
from ledger.events import Envelope, Queued, Started
from tests.fix_gogrid import (
    FORMATS,
    GET,
    LIST,
    as_objects,
    created,
    documented_job,
    folded,
    live,
    page,
    tell,
)

# --- XML and CSV in particular ------------------------------------------------------------------


def test_xml_has_nothing_between_its_elements() -> None:
    jobs = page(documented_job(), live(created(detail={"a": 1}), Queued()))
    text = tell(LIST, jobs, "format=xml").body.decode()
    assert not re.search(r">\s+<", text)
    assert text.startswith("<gogrid><response ")
    job = ET.fromstring(text).findall("response/list/object")[0]
    names = [attribute.get("name") for attribute in job]
    assert names == [
        *("id", "owner", "createdon", "lastupdatedon", "attempts", "history", "currentstate"),
        *("command", "objecttype", "detail"),
    ]
    # As a client does that takes the first child of an attribute for its option.
    for attribute in job:
        if attribute.get("name") in ("currentstate", "command", "objecttype"):
            assert [one.get("name") for one in attribute[0]] == ["id", "name", "description"]


def test_csv_pads_short_histories() -> None:
    jobs = page(live(created(1), Queued(), Started()), live(created(2)), live(created(3), Queued()))
    text = tell(LIST, jobs, "format=csv").body.decode()
    rows = list(csv.reader(io.StringIO(text)))
    columns = text.split("\n")[1].removeprefix("# ").split(",")
    assert len(columns) == 15 + 3 * 6
    assert columns[-6:] == [
        f"history.3.{part}"
        for part in ("id", "state.id", "state.name", "state.description", "note", "updatedon")
    ]
    assert [len(row) for row in rows[-3:]] == [len(columns) + 1] * 3
    assert [sum(row[index] != "" for index in (15, 21, 27)) for row in rows[-3:]] == [3, 1, 2]


def test_csv_cells_are_exact_but_for_what_a_spreadsheet_would_calculate() -> None:
    for word in ("=1+1", "+1", "-1", "@x", "'=x", "#x", " x ", "'x", "a;b", "x\ty"):
        text = tell(GET, (live(created(owner=word)),), "id=7&format=csv").body.decode()
        cell = text.split("\n")[2].split(",")[1]
        assert exact(cell) == word
        assert (cell != word) == (word.lstrip("'")[0] in "=+-@")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (
            {"a": "b", "c": None, "d": True, "e": False, "f": 1, "g": 1.5},
            "{a=b, c=null, d=true, e=false, f=1, g=1.5}",
        ),
        ({"a": {"b": ["c", 1, {"d": None}]}, "e": []}, "{a={b=[c, 1, {d=null}]}, e=[]}"),
        ({}, "{}"),
        ({"a": "x, y=z"}, "{a=x, y=z}"),
    ],
)
def test_detail_in_xml_is_java_s(value: Any, text: str) -> None:
    assert java_text(value) == text
    [job] = as_objects(tell(GET, (live(created(detail=value)),), "id=7&format=xml").body, "xml")
    assert job["detail"] == text


# --- hostile text -------------------------------------------------------------------------------

# What the ledger can hold: anything but U+0000 and lone surrogates.
stored = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"), min_size=1, max_size=30
)
hostile = st.one_of(
    stored,
    st.sampled_from(
        [
            "</attribute>\"'<&]]>",
            '",\r\n"',
            "\r",
            "\n",
            "\t",
            "\x1b\x07\x7f",
            "\ufffe\uffff",
            "🎉",
            '{"a":1}',
            "a, b=c",
            "# FAILURE",
            "é\u2028",
            *("=1+1", "'=1", "+1", "-1", "@SUM(A1)", "'"),
        ]
    ),
)
_IN_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def texts(job: dict[str, Any], form: str) -> Iterator[str]:
    entries = job["history"] if form != "csv" else list(job["history"].values())
    yield from (job["owner"], job["command"]["name"], job["objecttype"]["name"], entries[1]["note"])


@given(owner=hostile, command=hostile, type_=hostile, note=hostile, key=hostile, value=hostile)
def test_hostile_text_reads_back(
    owner: str, command: str, type_: str, note: str, key: str, value: str
) -> None:
    birth = created(owner=owner, command=command, type=type_, detail={key: value})
    job = folded([(birth, Envelope("demo", "me")), (Queued(), Envelope("demo", "me", note=note))])
    given_texts = [owner, command, type_, note]
    for form in FORMATS:
        answer = tell(LIST, page(job), f"format={form}")
        [shown] = as_objects(answer.body, form)
        if form == "xml":
            assert list(texts(shown, form)) == [
                _IN_NO_XML.sub("\ufffd", word) for word in given_texts
            ]
            assert shown["detail"] == _IN_NO_XML.sub("\ufffd", f"{{{key}={value}}}")
        else:
            found = list(texts(shown, form))
            assert (
                [exact(word) for word in found] == given_texts
                if form == "csv"
                else found == given_texts
            )
            detail = json.loads(shown["detail"]) if form == "csv" else shown["detail"]
            assert detail == {key: value}
