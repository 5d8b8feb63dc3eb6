"""Orange's refusals: the statuses of its document, Orange's codes, and the headers that go with them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import faults
from api.dialects.orange import ORANGE
from api.dialects.orange.fault import MESSAGES, WORDED
from api.dialects.orange.models import FaultOut
from api.operation import Asked, Said
from ledger import errors
from ledger.errors import BatchRefused, Failure, LedgerError
from tests.fix_orange import JOBS, asked, fault

STATUSES = {400, 401, 403, 404, 405, 500, 503}

# Every fault that a request can meet -> its status and Orange's code.
REFUSED: tuple[tuple[LedgerError, int, int], ...] = (
    (errors.Invalid("limit is a whole number."), 400, 28),
    (faults.BadSyntax("The query string is not UTF-8."), 400, 28),
    (faults.TooLarge("The address is longer than 8 characters."), 400, 66),
    (errors.LedgerError("No."), 400, 22),
    (BatchRefused((Failure(0, errors.Invalid("No.")),)), 400, 28),
    (faults.Unauthenticated("No credential.", lack="missing"), 401, 40),
    (faults.Unauthenticated("The credential is not valid."), 401, 41),
    (faults.Unauthenticated("The credential is not valid.", lack="expired"), 401, 42),
    (faults.Forbidden("This needs jobs:read."), 403, 50),
    (errors.UnknownJob("There is no job 7."), 404, 60),
    (faults.NoSuchProject("No such project."), 404, 60),
    (faults.NoSuchPath("Nothing is served here."), 404, 60),
    (faults.WrongMethod("It does not take PUT.", allow=("GET", "HEAD")), 405, 61),
    (errors.IllegalTransition("It is over.", version=1, state="Succeeded"), 405, 61),
    (errors.Conflict("It moved on.", version=2), 405, 61),
    (faults.Broken("Something unexpected happened."), 500, 1),
    (errors.Undecodable("An event cannot be read."), 500, 1),
    (errors.Misconfigured("No."), 500, 1),
    (errors.Busy("All connections are taken."), 503, 5),
    (faults.Behind("The read models are behind."), 503, 5),
    (errors.Unreachable("The database went away."), 503, 5),
    (errors.KeyInFlight("It is still under way."), 503, 5),
    (faults.TooSlow("It did not come."), 503, 5),
    (faults.TooFast("Too often."), 503, 5),
    (faults.Crowded("Too much at once."), 503, 5),
    (faults.Maintenance("The ledger is switched off.", retry_after_s=90), 503, 5),
)


def refused(error: LedgerError) -> Said:
    return ORANGE.fault(asked(), error)


@pytest.mark.parametrize(
    ("error", "status", "code"), REFUSED, ids=lambda value: getattr(value, "code", None)
)
def test_each_fault_has_its_status_and_code(error: LedgerError, status: int, code: int) -> None:
    said = refused(error)
    assert (said.status, said.media_type) == (status, "application/json")
    FaultOut.model_validate_json(said.body)
    told = fault(said.body)
    assert list(told) == ["code", "message", "description"]
    assert (told["code"], told["message"]) == (code, MESSAGES[code])
    if error.code not in ("unknown_job", "unknown_project", "batch_refused"):
        assert str(error) in told["description"]
    if not isinstance(error, errors.IllegalTransition | errors.Conflict):
        expected = {401: {"WWW-Authenticate"}, 405: {"Allow"}, 503: {"Retry-After"}}
        assert dict(said.headers).keys() == expected.get(status, set())


def test_every_code_is_worded() -> None:
    assert {error.code for error, _, _ in REFUSED} >= set(WORDED)
    assert {status for _, status, _ in REFUSED} == STATUSES
    assert {code for _, _, code in REFUSED} == set(MESSAGES)
    for code in faults.STATUSES:
        error = type("Any", (LedgerError,), {"code": code})("So it is.")
        assert refused(error).status in STATUSES
    unheard = type("Any", (LedgerError,), {"code": "unheard_of", "changed": None})
    assert refused(unheard("What?")).status == 500


def test_headers() -> None:
    assert dict(refused(faults.WrongMethod("x", allow=("GET", "HEAD"))).headers) == {
        "Allow": "GET, HEAD"
    }
    assert dict(refused(faults.Unauthenticated("x")).headers) == {
        "WWW-Authenticate": ORANGE.challenge
    }
    assert dict(refused(faults.Maintenance("x", retry_after_s=90)).headers) == {"Retry-After": "90"}
    assert dict(refused(faults.Behind("x")).headers) == {"Retry-After": "1"}


def test_another_s_job_and_none_are_told_alike() -> None:
    kinds = (errors.UnknownJob("job 7"), faults.NoSuchProject("No project 'x'."))
    assert len({refused(error).body for error in kinds}) == 1


def test_a_crash_names_its_request() -> None:
    assert "r-1" in fault(refused(faults.Broken("Oh.")).body)["description"]


@given(
    path=st.text(st.characters(exclude_categories=()), max_size=100),
    sentence=st.text(st.characters(exclude_categories=()), max_size=60),
)
def test_a_fault_never_raises_and_always_parses(path: str, sentence: str) -> None:
    said = ORANGE.fault(Asked("POST", f"{JOBS}/{path}", body=b"\xff"), errors.Invalid(sentence))
    assert said.status == 400
    fault(said.body)


def test_a_lone_surrogate_in_a_fault_is_no_crash() -> None:
    said = ORANGE.fault(asked(path="/\ud800"), errors.Invalid("It says \ud800.", field="\ud800"))
    assert "It says" in said.body.decode()
