"""OpenLineage's answers in its words: golden bytes, every fault, and whatever may be sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import faults
from api.dialects.openlineage import OPENLINEAGE
from api.dialects.openlineage.models import BatchOut, FaultOut, IgnoredOut, TakenOut
from api.operation import Each, Nothing, Resolve, Resolved, Said
from ledger import errors
from ledger.committer import Committed
from ledger.errors import LedgerError
from ledger.events import (
    Envelope,
    Started,
)
from tests.fix_gogrid import live
from tests.fix_openlineage import BATCH, CREATED, PATH, RUN, asked, operation, read
from tests.fix_openlineage import said as said_of

GOLDEN = Path(__file__).parents[1] / "golden" / "openlineage"


def said(kind: str = "START", **fields: Any) -> dict[str, Any]:
    return said_of(kind, RUN, **fields)


def golden(name: str, answer: Said) -> None:
    assert answer.media_type == "application/json"
    assert answer.body.decode() + "\n" == (GOLDEN / name).read_text(encoding="utf-8")


def test_an_event_that_was_recorded() -> None:
    answer = operation().tell(
        asked(said()), Resolved({}, Committed((live(CREATED, Started()),), 9))
    )
    assert answer.status == 201
    TakenOut.model_validate_json(answer.body)
    golden("taken.json", answer)


def test_an_event_of_no_run() -> None:
    request = asked({"dataset": {"namespace": "n", "name": "d"}})
    assert operation().ask(request) == Nothing()
    answer = operation().tell(request, None)
    assert answer.status == 200
    IgnoredOut.model_validate_json(answer.body)
    golden("ignored.json", answer)


def test_a_batch() -> None:
    request = asked([said(), said("SLEEP"), {"job": {}}, said("FAIL"), said("ABORT")], BATCH)
    question = operation(BATCH).ask(request)
    assert isinstance(question, Each)
    assert [lane for lane, _ in question.lanes] == [RUN] * 3
    done = Resolved({}, Committed((live(CREATED, Started()),), 9))
    outcomes = (done, errors.Busy("All connections are taken."), errors.Invalid("No."))
    answer = operation(BATCH).tell(request, outcomes)
    assert answer.status == 200
    BatchOut.model_validate_json(answer.body)
    golden("batch.json", answer)


def test_a_refusal() -> None:
    answer = OPENLINEAGE.fault(asked(b""), faults.BadSyntax("The body is not JSON."))
    assert answer.status == 400
    golden("fault.json", answer)


@pytest.mark.parametrize("code", [*faults.STATUSES, "unheard_of"])
def test_each_fault_keeps_its_code_and_says_whether_to_come_again(code: str) -> None:
    again = {
        *("busy", "behind", "unreachable", "maintenance", "too_slow", "too_fast", "crowded"),
        *("conflict", "identity_taken", "idempotency_key_in_flight"),
    }
    for changed in (False, None):
        error = type("Any", (LedgerError,), {"code": code, "changed": changed})("So it is.")
        answer = OPENLINEAGE.fault(asked(b"{"), error)
        body = FaultOut.model_validate_json(answer.body)
        assert (body.error, body.message) == (code, "So it is.")
        assert ("Retry-After" in dict(answer.headers)) == (answer.status == 503)
        assert (answer.status == 503) == (code in again)


FIELDS = st.sampled_from(
    [
        "eventType",
        "eventTime",
        "run",
        "job",
        "runId",
        "facets",
        "name",
        "namespace",
        "inputs",
        "dataset",
        "errorMessage",
    ]
)
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=4),
        st.sampled_from([RUN, "FAIL", "2024-05-30"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(FIELDS, inner, max_size=4)
    ),
    max_leaves=12,
)


@given(VALUES, st.booleans())
def test_whatever_is_sent_is_recorded_or_refused(body: Any, complete: bool) -> None:
    if complete and isinstance(body, dict):
        body = {
            **said("FAIL"),
            **{
                name: value
                for name, value in body.items()
                if name not in ("eventTime", "eventType")
            },
        }
    for path, sent in ((PATH, body), (BATCH, [body])):
        request = asked(sent, path)
        try:
            question = operation(path).ask(request)
        except LedgerError as refused:
            status = OPENLINEAGE.fault(request, refused).status
            assert status in (400, 422)
            continue
        writes = [one for _, one in question.lanes] if isinstance(question, Each) else [question]
        for one in writes:
            assert isinstance(one, Nothing) or (isinstance(one, Resolve) and one.then({}))


def test_a_key_is_made_of_all_that_an_event_says() -> None:
    def key(body: Any) -> str:
        question = operation().ask(asked(body))
        assert isinstance(question, Resolve)
        assert question.key is not None
        return question.key.key

    assert key(said()) == key(dict(reversed(said().items())))
    others = [
        said("RUNNING"),
        said(eventTime="2024-05-30T05:13:26.124Z"),
        said(producer="p"),
        said(inputs=[{"namespace": "n", "name": "d"}]),
    ]
    assert len({key(one) for one in (said(), *others)}) == 5
    assert " " in key(said()), "no client's own key has a blank"


def test_envelopes_are_the_credential_s_own() -> None:
    question = operation().ask(asked(said()))
    assert isinstance(question, Resolve)
    write = question.then({})
    assert write is not None
    expected = Envelope("demo", "writer", "k", "r-1", None, read(said()).event.eventTime)
    assert {command.envelope for command in write.commands} == {expected}
