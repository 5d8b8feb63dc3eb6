"""Erasure, on bodies alone: what goes, what stays, and that going twice is going once."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.erasure import FIELDS, MARK, NO_DETAIL, Person, without
from ledger.errors import Invalid

ANN = Person("ann@example.org")
BODY: dict[str, Any] = {
    "actor": "ann@example.org",
    "request_id": "r-1",
    "note": "asked by ann@example.org, again",
    "imported": True,
    "event": {
        "type": "Report",
        "owner": "bob",
        "number": 7,
        "object": "box of ann@example.org",
        "source_id": "ann@example.organisation",
        "description": "joann@example.org is another",
        "messages": [
            {"code": 3, "message": "sent to <ann@example.org>"},
            {"message": "fine", "description": "ann@example.org"},
        ],
        "detail": {
            "who": ["ann@example.org", {"mail": "ann@example.org", "n": 1}, None, True],
            "by": {"ann@example.org": 1},
            "size": 10,
        },
    },
}


def test_a_value_goes_wherever_it_stands_by_itself() -> None:
    left, erased = without(BODY, ANN, own=False)
    event = BODY["event"]
    assert left == {
        **BODY,
        "actor": MARK,
        "note": MARK,
        "event": {
            **event,
            "object": MARK,
            "messages": [
                {"code": 3, "message": MARK},
                {"message": "fine", "description": MARK},
            ],
            "detail": {"who": [MARK, {"mail": MARK, "n": 1}, None, True], "by": MARK, "size": 10},
        },
    }
    assert list(left["event"]) == list(event)  # type: ignore[arg-type]
    assert erased == {"actor", "note", "object", "messages", "detail"}
    assert without(left, ANN, own=False) == (left, frozenset())


def test_whole_fields_go_in_jobs_of_the_person_only() -> None:
    person = Person(
        "bob", frozenset({"note", "messages", "detail.who", "detail.by.ann@example.org"})
    )
    assert without(BODY, person, own=False)[0]["event"]["detail"] == BODY["event"]["detail"]  # type: ignore[call-overload, index]
    left, erased = without(BODY, person, own=True)
    event: Any = left["event"]
    assert (left["note"], event["owner"], event["detail"]["who"]) == (MARK, MARK, MARK)
    assert event["detail"]["by"] == {"ann@example.org": MARK}
    assert {one["message"] for one in event["messages"]} == {MARK}
    assert left["actor"] == "ann@example.org"
    assert erased == {"owner", "note", "messages", "detail"}


def test_everything_leaves_only_how_the_job_went() -> None:
    left, erased = without(BODY, Person(fields=frozenset(FIELDS)), own=True)
    event: Any = left["event"]
    assert event == {
        "type": "Report",
        "number": 7,
        **dict.fromkeys(("owner", "object", "source_id", "description"), MARK),
        "messages": [{"code": 3, "message": MARK}, {"message": MARK, "description": MARK}],
        "detail": NO_DETAIL,
    }
    assert left == {
        "actor": MARK,
        "request_id": MARK,
        "note": MARK,
        "imported": True,
        "event": event,
    }
    assert erased == set(FIELDS)


def test_a_key_that_names_the_person_takes_its_map_along() -> None:
    body: dict[str, Any] = {"actor": "a", "event": {"detail": {"ann@example.org": 1, "size": 2}}}
    left, erased = without(body, ANN, own=False)
    assert left == {"actor": "a", "event": {"detail": NO_DETAIL}}
    assert erased == {"detail"}
    assert without(left, ANN, own=False) == (left, frozenset())


def test_a_number_may_be_a_person_too() -> None:
    body: dict[str, Any] = {
        "actor": "a",
        "event": {"detail": {"customer": 4711, "amount": 47110, "flag": True}},
    }
    left, _ = without(body, Person("4711"), own=False)
    assert left["event"] == {"detail": {"customer": MARK, "amount": 47110, "flag": True}}


@pytest.mark.parametrize("name", ["type", "state", "", "messages.0", "command", "number"])
def test_what_decides_how_a_job_folds_cannot_go(name: str) -> None:
    with pytest.raises(Invalid, match="cannot be erased"):
        Person(fields=frozenset({name}))
