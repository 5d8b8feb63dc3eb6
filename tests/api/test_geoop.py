"""GeoOp's envelope in its words: golden bytes, every fault, and what a status means for a job in each state."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import faults, keys
from api.dialects.geoop import GEOOP, words
from api.dialects.geoop.fault import WORDED
from api.dialects.geoop.models import FailureOut, FatalOut, PageOut, SavedOut
from api.operation import Asked, Resolved, Said
from ledger import errors, events
from ledger.committer import Committed
from ledger.disclosure import BadProof
from ledger.errors import BatchRefused, Failure, Invalid, LedgerError, UnknownJob
from ledger.events import Failed, FailureKind, Queued, Started
from ledger.proof import NoSuchEvent, NotSigned
from projections.question import Page, Query
from tests.fix_geoop import GOLDEN, NOW, asked, found, live, operation

CREATED = events.Created(number=157, type="VirtualServer", owner="ann", command="Create", object="web é", detail={"z": 1, "a": None})  # fmt: skip
ENDED = live(CREATED, Queued(), Started(), Failed(kind=FailureKind.ITEM_ERRORS, error_count=1))


def golden(name: str, said: Said) -> None:
    assert said.media_type == "application/json"
    assert said.body.decode() + "\n" == (GOLDEN / name).read_text(encoding="utf-8")


def test_a_page() -> None:
    request = asked(query=(("page", "2"), ("recordsPerPage", "1")))
    said = operation(request).tell(request, Page((ENDED,), None, 2, 9))
    PageOut.model_validate_json(said.body)
    golden("page.json", said)


def test_items_that_were_saved() -> None:
    request = asked("PATCH", body={"jobs": [{"id": 157, "status": {"id": 4}}]})
    resolved = Resolved(found(live(CREATED)), Committed((ENDED,), 9))
    said = operation(request).tell(request, resolved)
    SavedOut.model_validate_json(said.body)
    golden("saved.json", said)


def test_items_that_were_refused() -> None:
    request = asked(
        "PATCH", body={"jobs": [{"id": 157}, {"id": 8, "status": 2}, {"id": 9, "progress": 7}]}
    )
    failures = (
        Failure(1, UnknownJob("There is no job 8.")),
        Failure(
            2,
            Invalid("progress: Too much.", field="progress", problems=(("progress", "Too much."),)),
        ),
    )
    said = GEOOP.fault(request, BatchRefused(failures))
    assert said.status == 422
    FailureOut.model_validate_json(said.body)
    golden("failure.json", said)


def test_an_item_that_json_cannot_say_again_is_shown_without_it() -> None:
    request = asked("POST", body={})
    request = replace(request, body=b'{"type": "T", "detail": {"a": 1e400}}')
    with pytest.raises(BatchRefused) as refused:
        operation(request).ask(request).then({})  # type: ignore[union-attr]
    said = GEOOP.fault(request, refused.value)
    FailureOut.model_validate_json(said.body)
    assert b'"rawData":{"type":"T","detail":{"a":null}}' in said.body


def test_a_request_that_was_not_processed() -> None:
    said = GEOOP.fault(asked(), faults.Broken("Oh."))
    assert said.status == 500
    FatalOut.model_validate_json(said.body)
    golden("error.json", said)


# Every fault that a request can meet -> status, type and code.
REFUSED: tuple[tuple[LedgerError, int, str, int], ...] = (
    (faults.BadSyntax("No."), 400, "syntax", 4000),
    (faults.TooLarge("No."), 400, "syntax", 4001),
    (faults.UnknownEncoding("No.", accept="gzip"), 400, "syntax", 4002),
    (faults.Unauthenticated("Who?"), 401, "client", 4010),
    (faults.Forbidden("No."), 403, "permission", 4030),
    (faults.NoSuchPath("No."), 404, "client", 4040),
    (errors.UnknownJob("No."), 404, "client", 4041),
    (faults.NoSuchProject("No."), 404, "client", 4042),
    (NoSuchEvent("No."), 404, "client", 4043),
    (NotSigned("No."), 404, "client", 4044),
    (keys.UnknownKey("No."), 404, "client", 4045),
    (keys.Rotated("No."), 422, "content", 4223),
    (faults.WrongMethod("No.", allow=("GET", "POST")), 405, "client", 4050),
    (errors.Invalid("No.", field="page"), 422, "validation", 4220),
    (errors.Invalid("No."), 422, "content", 4229),
    (errors.IllegalTransition("No.", version=1, state=None), 422, "content", 4221),
    (errors.IdentityTaken("No.", field="source_id", holder=None), 422, "content", 4222),
    (errors.Conflict("No.", version=1), 422, "content", 4223),
    (errors.KeyReused("No."), 422, "content", 4224),
    (errors.LedgerError("No."), 422, "content", 4229),
    (faults.Broken("No."), 500, "system", 5000),
    (errors.Undecodable("No."), 500, "system", 5000),
    (errors.Misconfigured("No."), 500, "system", 5000),
    (BadProof("No."), 500, "system", 5000),
    (errors.Busy("No.", retry_after_s=5), 503, "system", 5030),
    (faults.Behind("No."), 503, "system", 5030),
    (errors.Unreachable("No."), 503, "system", 5030),
    (faults.TooSlow("It did not come."), 503, "system", 5033),
    (faults.TooFast("Too often."), 503, "system", 5034),
    (faults.Crowded("Too much at once."), 503, "system", 5034),
    (errors.QuotaReached("Too many."), 503, "system", 5034),
    (faults.Maintenance("No."), 503, "system", 5031),
    (errors.KeyInFlight("No."), 503, "system", 5032),
)


@pytest.mark.parametrize(
    ("error", "status", "kind", "code"), REFUSED, ids=lambda one: getattr(one, "code", None)
)
def test_each_fault_has_its_status_type_and_code(
    error: LedgerError, status: int, kind: str, code: int
) -> None:
    for said in (GEOOP.fault(asked(), error), GEOOP.fault(asked("POST", body=[]), error)):
        assert said.status == status
        body = FatalOut.model_validate_json(said.body)
        assert (body.error.type, body.error.code, body.error.message) == (kind, code, str(error))
        assert body.error.description
        headers = dict(said.headers)
        assert ("Retry-After" in headers) == (status == 503)
        assert ("WWW-Authenticate" in headers) == (status == 401)
        assert ("Allow" in headers) == (status == 405)


def test_every_code_of_the_edge_is_worded() -> None:
    assert {error.code for error, *_ in REFUSED} | {"batch_refused"} >= set(WORDED)
    assert set(faults.STATUSES) <= set(WORDED)
    unheard = type("Unheard", (LedgerError,), {"code": "unheard_of", "changed": None})
    assert GEOOP.fault(asked(), unheard("What?")).status == 500


def test_what_is_found_only_as_a_single_item_is_saved_is_its_failure() -> None:
    request = asked("PATCH", "157", {"status": 2})
    said = GEOOP.fault(request, errors.IllegalTransition("No.", version=1, state="Queued"))
    body = FailureOut.model_validate_json(said.body)
    assert body.failures[0].raw_data == {"id": 157, "status": 2}
    assert body.metadata.invalid_items == [0]


@given(
    st.sampled_from([error for error, *_ in REFUSED]),
    st.sampled_from(["GET", "POST", "PATCH", "DELETE", "PURGE"]),
    st.one_of(
        st.binary(max_size=40), st.from_regex(r'\A\{"jobs":\[(1|\{\}|"x")?\]\}\Z').map(str.encode)
    ),
    st.one_of(st.none(), st.text(max_size=5)),
    st.dictionaries(st.sampled_from(["x-version", "x-method"]), st.text(max_size=6)),
)
def test_a_fault_never_raises(
    error: LedgerError, method: str, body: bytes, number: str | None, headers: dict[str, str]
) -> None:
    request = Asked(
        method,
        "/jobs",
        body=body,
        headers=headers,
        path_params={} if number is None else {"id": number},
    )
    words.method(request)
    for one in (error, BatchRefused((Failure(3, error),))):
        assert GEOOP.fault(request, one).status >= 400


def test_the_verb_and_the_version_that_a_request_means() -> None:
    def headed(**headers: str) -> Asked:
        return asked(
            "POST", headers={name.replace("_", "-"): word for name, word in headers.items()}
        )

    assert words.method(headed()) == "POST"
    assert words.method(headed(x_method=" patch ")) == "PATCH"
    assert words.method(headed(x_method="é")) == "POST"
    assert words.version(headed(x_version="1.3")) == "1.3"
    assert words.version(headed(x_version="3")) is None


def test_a_list_is_asked_newest_first_with_its_count() -> None:
    request = asked(
        query=(
            ("page", "3"),
            ("recordsPerPage", "20"),
            ("recordsCount", "false"),
            ("state", "Queued"),
        )
    )
    question = operation(request).ask(request)
    assert isinstance(question, Query)
    assert (question.window.rows, question.limit, question.total) == (40, 20, False)  # type: ignore[union-attr]
    assert [(one.column, one.descending) for one in question.sort] == [("created", True)]
    bare = asked()
    assert operation(bare).ask(bare).total  # type: ignore[union-attr]
    assert bare.now == NOW
