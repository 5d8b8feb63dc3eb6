"""Job 60531 of GoGrid's own documents, told in JSON, XML and CSV, against those documents."""

from __future__ import annotations

import csv
import io
import json
import re

from api.dialects.gogrid.models import JobsOut
from api.operation import Said
from tests.fix_gogrid import DETAIL, GET, GOLDEN, documented_job, tell

# The document's CSV shows another address than its JSON and XML do.
CSV_IP = "108.123.72.31"


def said(form: str) -> Said:
    answer = tell(GET, (documented_job(),), f"id=60531&format={form}")
    assert answer.status == 200
    return answer


def golden(name: str) -> str:
    return (GOLDEN / name).read_text(encoding="utf-8")


def test_json_is_the_document() -> None:
    answer = said("json")
    assert answer.media_type == "application/json"
    assert json.loads(answer.body) == json.loads(golden("job_60531.json"))
    JobsOut.model_validate_json(answer.body)


def test_json_has_the_keys_in_the_document_s_order() -> None:
    def keys(text: str) -> list[str]:
        found: list[str] = []
        json.loads(text, object_pairs_hook=lambda pairs: found.extend(key for key, _ in pairs))
        return found

    assert keys(said("json").body.decode()) == keys(golden("job_60531.json"))


def test_xml_is_the_document_without_the_white_space_between_its_elements() -> None:
    answer = said("xml")
    assert answer.media_type == "text/xml; charset=utf-8"
    assert answer.body.decode() == re.sub(r">\s+<", "><", golden("job_60531.xml").strip())


def test_csv_is_the_document_cell_by_cell() -> None:
    answer = said("csv")
    assert answer.media_type == "text/csv; charset=utf-8"
    ours, theirs = answer.body.decode(), golden("job_60531.csv")
    assert ours.split("\n")[:2] == theirs.split("\n")[:2]
    assert ours.endswith(",\n")
    assert "\r" not in ours
    our_row, their_row = cells(ours), cells(theirs)
    assert len(our_row) == len(their_row) == 40
    columns = ours.split("\n")[1].removeprefix("# ").split(",")
    assert len(columns) == 39
    for column, our_cell, their_cell in zip(
        [*columns, "the 40th"], our_row, their_row, strict=True
    ):
        if column != "detail":
            assert our_cell == their_cell, column
    ours_detail, theirs_detail = (row[columns.index("detail")] for row in (our_row, their_row))
    assert json.loads(ours_detail) == DETAIL
    assert json.loads(theirs_detail) == {**DETAIL, "ip": CSV_IP}
    assert list(json.loads(ours_detail)) == list(DETAIL)
    assert ours_detail == json.dumps(DETAIL, separators=(",", ":"))


def cells(text: str) -> list[str]:
    """The one row under the two lines of comment."""
    _, _, rest = text.split("\n", 2)
    [row] = csv.reader(io.StringIO(rest, newline=""))
    return row
