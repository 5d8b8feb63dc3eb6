"""GoGrid's refusals: status, errorcode and body in the format asked for, whatever was asked."""

from __future__ import annotations

import csv
import io
import json
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import faults
from api.dialects.gogrid import GOGRID
from api.dialects.gogrid.fault import WORDED
from api.dialects.gogrid.models import FailureOut
from api.operation import Asked, Said
from ledger import errors
from ledger.errors import LedgerError
from tests.fix_gogrid import GET, LIST, LOOKUP, asked

NO_OBJECT = "No object found that matches your input criteria."

# Every fault that a request can meet -> the status and the errorcode of the product.
REFUSED: tuple[tuple[LedgerError, int, str], ...] = (
    (errors.Invalid("num_items is a whole number."), 400, "IllegalArgumentException"),
    (errors.UnknownJob("There is no job 7."), 400, "IllegalArgumentException"),
    (errors.LedgerError("No."), 400, "IllegalArgumentException"),
    (errors.IllegalTransition("No.", version=1, state="Queued"), 400, "IllegalArgumentException"),
    (faults.BadSyntax("The query string is not UTF-8."), 400, "IllegalArgumentException"),
    (faults.NoSuchProject("No such project."), 400, "IllegalArgumentException"),
    (faults.TooLarge("The body is larger than 8 bytes."), 413, "IllegalArgumentException"),
    (faults.Forbidden("This needs jobs:read."), 401, "Unauthorized"),
    (faults.Unauthenticated("The credential is not valid."), 403, "Authentication Failed"),
    (faults.NoSuchPath("Nothing is served here."), 404, "Not Found"),
    (faults.WrongMethod("It does not take PUT.", allow=("GET", "POST")), 404, "Not Found"),
    (faults.Broken("Something unexpected happened."), 500, "UnexpectedError"),
    (errors.Undecodable("An event cannot be read."), 500, "UnexpectedError"),
    (errors.Misconfigured("No."), 500, "UnexpectedError"),
    (errors.Busy("All connections are taken."), 503, "UnexpectedError"),
    (errors.Unreachable("The database went away."), 503, "UnexpectedError"),
    (faults.Behind("The read models are behind."), 503, "UnexpectedError"),
    (faults.TooSlow("It did not come."), 503, "UnexpectedError"),
    (faults.TooFast("Too often."), 503, "UnexpectedError"),
    (faults.Crowded("Too much at once."), 503, "UnexpectedError"),
    (faults.Maintenance("The ledger is switched off."), 503, "UnexpectedError"),
)


class Unheard(LedgerError):
    """A fault that nobody has thought of yet, whose outcome is unknown."""

    code = "unheard_of"
    changed = None


def refused(error: LedgerError, form: str = "json", path: str = LIST) -> Said:
    return GOGRID.fault(asked(path, f"format={form}"), error)


@pytest.mark.parametrize(
    ("error", "status", "errorcode"), REFUSED, ids=lambda value: getattr(value, "code", None)
)
def test_each_fault_has_its_status_and_errorcode(
    error: LedgerError, status: int, errorcode: str
) -> None:
    said = refused(error)
    assert said.status == status
    body = FailureOut.model_validate_json(said.body)
    assert body.list[0].errorcode == errorcode
    unknown = isinstance(error, errors.UnknownJob | faults.NoSuchProject)
    assert (NO_OBJECT if unknown else str(error)) in body.list[0].message


def test_every_code_of_the_edge_is_worded() -> None:
    assert {error.code for error, _, _ in REFUSED} >= set(WORDED)
    for code in faults.STATUSES:
        fault = type("Any", (LedgerError,), {"code": code})("So it is.")
        assert refused(fault).status in {400, 401, 403, 404, 413, 500, 503}
    assert refused(Unheard("What?")).status == 500


def test_a_failure_in_json() -> None:
    said = refused(errors.UnknownJob("There is no job 7."), path=GET)
    assert said.media_type == "application/json"
    assert json.loads(said.body) == {
        "list": [
            {"object": "error", "message": NO_OBJECT, "errorcode": "IllegalArgumentException"}
        ],
        "summary": {"total": 1, "start": 0, "returned": 1},
        "status": "failure",
        "method": "/grid/job/get",
    }


def test_a_failure_in_xml() -> None:
    said = refused(errors.UnknownJob("There is no job 7."), "xml", GET)
    assert said.media_type == "text/xml; charset=utf-8"
    assert said.body.decode() == (
        '<gogrid><response method="/grid/job/get" status="failure"><summary total="1" start="0" returned="1"/><list>'
        f'<object name="error"><attribute name="message">{NO_OBJECT}</attribute>'
        '<attribute name="errorcode">IllegalArgumentException</attribute></object></list></response></gogrid>'
    )


def test_a_failure_in_csv() -> None:
    said = refused(errors.UnknownJob("There is no job 7."), "csv", GET)
    assert said.media_type == "text/csv; charset=utf-8"
    assert said.body.decode() == (
        "# FAILURE, /grid/job/get, TOTAL, 1, START, 0, RETURNED, 1\n"
        "# message,errorcode\n"
        f"{NO_OBJECT},IllegalArgumentException,\n"
    )


def test_a_busy_ledger_says_when_to_come_back() -> None:
    assert refused(errors.Busy("Busy.", retry_after_s=5)).headers == (("Retry-After", "5"),)
    assert refused(faults.Behind("Behind.")).headers == (("Retry-After", "1"),)
    assert refused(faults.Unauthenticated("Who?")).headers == ()


def test_a_crash_names_its_request() -> None:
    said = GOGRID.fault(Asked("GET", LIST, request_id="r-1"), faults.Broken("Oh."))
    assert "r-1" in json.loads(said.body)["list"][0]["message"]


def test_a_refused_signature_says_how_to_sign() -> None:
    assert GOGRID.challenge is None
    message = json.loads(refused(faults.Unauthenticated("No.")).body)["list"][0]["message"]
    assert "md5" in message
    assert "clock" in message


@pytest.mark.parametrize("query", ["", "format=yaml", "format=", "format=json&format=json"])
def test_without_a_format_that_there_is_a_fault_is_json(query: str) -> None:
    said = GOGRID.fault(asked(LOOKUP, query), errors.Invalid("format is json, xml or csv."))
    assert said.media_type == "application/json"


def test_the_format_of_a_form_counts_too() -> None:
    assert GOGRID.fault(asked(LIST, form="format=xml"), errors.Invalid("No.")).body.startswith(
        b"<gogrid>"
    )
    unreadable = asked(LIST, "format=csv", form="", body=b"format=%ff")
    assert GOGRID.fault(unreadable, errors.Invalid("No.")).body.startswith(b"# FAILURE")


def anything(size: int) -> st.SearchStrategy[str]:
    """Any characters, lone surrogates among them."""
    return st.text(st.characters(exclude_categories=()), max_size=size)


@given(
    path=anything(300),
    query=st.lists(
        st.tuples(st.sampled_from(["format", "v", "sig", "x"]), anything(20)), max_size=4
    ),
    body=st.binary(max_size=60),
    content_type=st.sampled_from(["", "application/x-www-form-urlencoded", "text/plain", "Ü;;"]),
    sentence=anything(60),
    form=st.sampled_from(["json", "xml", "csv"]),
)
def test_a_fault_never_raises_and_always_parses(
    path: str,
    query: list[tuple[str, str]],
    body: bytes,
    content_type: str,
    sentence: str,
    form: str,
) -> None:
    words = (("format", form), *(pair for pair in query if pair[0] != "format"))
    request = Asked("POST", f"/api/grid/{path}", words, {"content-type": content_type}, body)
    said = GOGRID.fault(request, errors.Invalid(sentence))
    assert said.status == 400
    assert GOGRID.credential(request) is None or body
    text = said.body.decode()
    if form == "json":
        FailureOut.model_validate_json(text)
    elif form == "xml":
        [thing] = ET.fromstring(text).findall("response/list/object")
        assert [attribute.get("name") for attribute in thing] == ["message", "errorcode"]
    else:
        summary, columns, rest = text.split("\n", 2)
        assert summary.startswith("# FAILURE, /grid/")
        assert columns == "# message,errorcode"
        [row] = csv.reader(io.StringIO(rest, newline=""))
        assert row[1:] == ["IllegalArgumentException", ""]


@pytest.mark.parametrize("form", ["json", "xml", "csv"])
def test_a_lone_surrogate_in_a_fault_is_no_crash(form: str) -> None:
    said = GOGRID.fault(
        asked("/api/grid/\ud800", f"format={form}"), errors.Invalid("It says \ud800.")
    )
    assert "It says" in said.body.decode()
