"""MAP.toml: what is a map, and how one that is none is told."""

from __future__ import annotations

import pytest

from api.transfer.map import EXAMPLE, BadMap, check_columns, parse
from tests.fix_transfer import MAP, POD_COLUMNS, POD_MAP


@pytest.mark.parametrize("text", [EXAMPLE, MAP, POD_MAP])
def test_a_map(text: str) -> None:
    assert parse(text).status.values


def test_all_it_may_say() -> None:
    map_ = parse(
        """
        format = "tsv"
        delimiter = ";"
        [job]
        id = "uuid"
        number = "nr"
        source_id = "name"
        type = {column = "kind", default = "Job"}
        owner = {value = "importer"}
        command = "verb"
        object = "thing"
        request_id = "request"
        description = "text"
        detail = ["a", {column = "b", name = "B", as = "number"}]
        [times]
        created = "c"
        queued = "q"
        started = "s"
        ended = "e"
        unit = "ms"
        epoch = 2020-01-01T00:00:00+01:00
        [status]
        column = "state"
        note = "why"
        [status.values]
        x = {state = "Failed", kind = "item_errors", final = true}
        """
    )
    named = [column for _, column in map_.columns()]
    assert named == [
        *("kind", "name", "nr", "uuid", "verb", "thing", "request", "text"),
        *("a", "b", "c", "q", "s", "e", "state", "why"),
    ]
    check_columns(map_, named)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('source_id = "name"\n', ""), "[job]: Say which column is its source_id, number or id"),
        (('source_id = "name"', 'source_id = {value = "x"}'), "Say which column is its source_id"),
        (('type = "qos"\n', ""), "[job] type: is missing"),
        (('type = "qos"', "type = {}"), "[job] type: Say either column or value"),
        (('type = "qos"', 'typ = "qos"'), "[job] typ: is no word of a map"),
        (("[times]", "[time]"), "time: is no word of a map"),
        (('created = "creation_time"\n', ""), "[times] created: is missing"),
        (('unit = "s"', 'unit = "h"'), "[times] unit: Input should be 's', 'ms', 'us' or 'ns'"),
        (('unit = "s"\n', ""), "epoch needs the unit"),
        (('unit = "s"', 'format = "ms"'), 'Numbers have a unit: say unit = "ms"'),
        (('unit = "s"', 'unit = "s"\nzone = "UTC"'), "Times have either a unit"),
        (('epoch = "2023-01-01T00:00:00Z"', 'epoch = "2023-01-01"'), "[times] epoch: "),
        (('unit = "s"\nepoch = "2023-01-01T00:00:00Z"', 'zone = "Mars"'), "'Mars' is neither a time zone"),
        (('Pending = "queued"', 'Pending = "waiting"'), "[status] values.Pending.state: Input should be"),
        (('Pending = "queued"', 'Pending = {state = "queued", kind = "rejected"}'), "Only failed has a kind"),
        (('as = "number"', 'as = "integer"'), "[job] detail.0.as: Input should be"),
        (('format = "csv"', 'format = "xls"'), "format: Input should be"),
        (("[job]", "[job"), "MAP.toml is no TOML"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_place(change: tuple[str, str], told: str) -> None:
    old, new = change
    assert old in POD_MAP
    with pytest.raises(BadMap) as caught:
        parse(POD_MAP.replace(old, new, 1))
    assert told in str(caught.value)
    assert EXAMPLE in caught.value.hint


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(BadMap) as caught:
        parse(POD_MAP.replace('type = "qos"\n', "").replace('column = "pod_phase"\n', ""))
    assert "[job] type: is missing" in str(caught.value)
    assert "[status] column: is missing" in str(caught.value)


def test_unknown_columns_are_named_with_those_there_are() -> None:
    map_ = parse(POD_MAP.replace('"qos"', '"quos"').replace('"deletion_time"', '"end"'))
    with pytest.raises(BadMap) as caught:
        check_columns(map_, POD_COLUMNS)
    told = str(caught.value)
    assert "[job] type: the file has no column 'quos' (did you mean 'qos'?)" in told
    assert "[times] ended: the file has no column 'end'" in told
    assert all(repr(column) in told for column in POD_COLUMNS)
