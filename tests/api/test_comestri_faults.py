"""Comestri's refusals: the statuses of its document and no others, each with its body and headers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import faults
from api.dialects.comestri.fault import REASONS, WORDED
from api.dialects.comestri.models import FaultOut
from api.operation import Asked, Said
from ledger import errors
from ledger.errors import BatchRefused, Failure, LedgerError
from tests.fix_comestri import JOBS, SYDNEY, asked, operation, posted

# Every fault that a request can meet -> the status of the product.
REFUSED: tuple[tuple[LedgerError, int], ...] = (
    (faults.Unauthenticated("No credential."), 401),
    (faults.Forbidden("This needs jobs:write."), 403),
    (errors.UnknownJob("There is no job 7."), 404),
    (faults.NoSuchProject("No such project."), 404),
    (faults.NoSuchPath("Nothing is served here."), 404),
    (faults.WrongMethod("It does not take PUT.", allow=("GET",)), 404),
    (errors.Invalid("per_page: Must be a number.", field="per_page"), 422),
    (faults.BadSyntax("The body is not JSON."), 422),
    (faults.TooLarge("The body is larger than 8 bytes."), 422),
    (errors.IllegalTransition("No.", version=1, state="Queued"), 422),
    (errors.Conflict("No.", version=2), 422),
    (errors.IdentityTaken("No.", field="number", holder=None), 422),
    (errors.KeyReused("The key stands for another request."), 422),
    (errors.LedgerError("No."), 422),
    (BatchRefused((Failure(0, errors.Invalid("The event takes 300000 bytes.")),)), 422),
    (faults.Broken("Something unexpected happened."), 500),
    (errors.Undecodable("An event cannot be read."), 500),
    (errors.Misconfigured("No."), 500),
    (errors.Busy("All connections are taken."), 503),
    (faults.Behind("The read models are behind."), 503),
    (errors.Unreachable("The database went away."), 503),
    (errors.KeyInFlight("It is still under way."), 503),
    (faults.TooSlow("It did not come."), 503),
    (faults.TooFast("Too often."), 503),
    (faults.Crowded("Too much at once."), 503),
    (faults.Maintenance("Writes are switched off.", retry_after_s=90), 503),
)


def refused(error: LedgerError) -> Said:
    return SYDNEY.fault(asked(), error)


def body(said: Said) -> dict[str, Any]:
    FaultOut.model_validate_json(said.body)
    found: dict[str, Any] = json.loads(said.body)
    return found


@pytest.mark.parametrize(
    ("error", "status"), REFUSED, ids=lambda value: getattr(value, "code", None)
)
def test_each_fault_has_its_status_and_sentence(error: LedgerError, status: int) -> None:
    said = refused(error)
    assert (said.status, said.media_type) == (status, "application/json; charset=utf-8")
    told = body(said)
    assert told["error"] == REASONS[status]
    assert told["message"]
    if error.code not in ("unknown_job", "unknown_project", "batch_refused"):
        assert str(error) in told["message"]
    assert dict(said.headers).keys() == {
        401: {"WWW-Authenticate"},
        503: {"Retry-After"},
    }.get(status, set())


def test_every_code_is_worded() -> None:
    assert {error.code for error, _ in REFUSED} >= set(WORDED)
    for code in faults.STATUSES:
        assert refused(type("Any", (LedgerError,), {"code": code})("So it is.")).status in REASONS
    unheard = type("Any", (LedgerError,), {"code": "unheard_of", "changed": None})
    assert refused(unheard("What?")).status == 500


def test_a_401_challenges() -> None:
    [(name, challenge)] = refused(faults.Unauthenticated("Who?")).headers
    assert name == "WWW-Authenticate"
    for scheme in ("Basic", "Token", "Bearer"):
        assert f'{scheme} realm="job ledger"' in challenge
    assert SYDNEY.challenge == challenge


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(errors.Invalid) as found:
        operation("indexJobs").ask(asked("per_page=x"))
    assert body(refused(found.value)) == {
        "error": "Unprocessable Entity",
        "message": "per_page: Must be a number.",
        "errors": {"per_page": ["Must be a number."]},
    }
    with pytest.raises(errors.Invalid) as found:
        operation("createJob").ask(posted({"job": {"entity": "", "data": [7], "x": 1}}))
    assert set(body(refused(found.value))["errors"]) == {
        *("job.entity", "job.operation", "job.data.0", "job.x"),
    }


def test_a_refused_write_tells_its_first_reason() -> None:
    reason = errors.Invalid("The event takes 300000 bytes, and 262144 is the most.")
    told = body(refused(BatchRefused((Failure(0, reason),))))
    assert told == {"error": "Unprocessable Entity", "message": str(reason)}


def test_another_s_job_and_none_are_told_alike() -> None:
    told = {refused(errors.UnknownJob(sentence)).body for sentence in ("job 7", "job 8")}
    assert len(told) == 1


def test_when_to_come_back() -> None:
    assert dict(refused(faults.Maintenance("x", retry_after_s=90)).headers)["Retry-After"] == "90"
    assert dict(refused(faults.Behind("x")).headers)["Retry-After"] == "1"


def test_a_crash_names_its_request() -> None:
    assert "r-1" in body(refused(faults.Broken("Oh.")))["message"]


@given(
    path=st.text(st.characters(exclude_categories=()), max_size=100),
    sentence=st.text(st.characters(exclude_categories=()), max_size=60),
    field=st.text(st.characters(exclude_categories=()), min_size=1, max_size=20),
)
def test_a_fault_never_raises_and_always_parses(path: str, sentence: str, field: str) -> None:
    for error in (errors.Invalid(sentence, field=field), faults.NoSuchPath(sentence)):
        said = SYDNEY.fault(Asked("POST", f"{JOBS}/{path}", body=b"\xff"), error)
        assert said.status in (404, 422)
        body(said)


def test_a_lone_surrogate_in_a_fault_is_no_crash() -> None:
    said = SYDNEY.fault(asked(path="/\ud800"), errors.Invalid("It says \ud800.", field="\ud800"))
    assert "It says" in said.body.decode()
