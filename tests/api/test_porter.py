"""The porter: which lane a request waits in, who is always let in, and how long the line of a refusal is left unread."""

from __future__ import annotations

import pytest

from api.measures import Measures
from api.operation import Asked
from api.porter import Porter
from api.turns import STRANGERS, Turns
from ledger import settings
from ledger.settings import Settings


@pytest.fixture
def porter() -> Porter:
    return Porter(Turns(Settings()), Measures())


def asked(**headers: str) -> Asked:
    return Asked("GET", "/", headers=headers)


def test_who_is_known_waits_in_the_lane_of_his_project(porter: Porter) -> None:
    bearer = {b"authorization": b"Bearer jl_1"}
    assert porter.lane({}) == porter.lane(bearer) == STRANGERS
    porter.met(asked(authorization="Bearer jl_1"), "demo")
    assert porter.lane(bearer) == "demo"
    assert porter.lane({b"authorization": b"Bearer jl_2"}) == STRANGERS
    porter.met(asked(**{"x-api-key": "jl_3"}), "other")
    assert porter.lane({b"x-api-key": b"jl_3"}) == "other"


def test_a_credential_that_is_refused_loses_its_lane(porter: Porter) -> None:
    porter.met(asked(authorization="Bearer jl_1"), "demo")
    porter.turned_away(asked(authorization="Bearer jl_1"))
    porter.turned_away(asked())
    assert porter.lane({b"authorization": b"Bearer jl_1"}) == STRANGERS


def test_lanes_are_remembered_within_a_bound(
    porter: Porter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "KEYS_CACHED_MAX", 2)
    for name in ("a", "b", "c"):
        porter.met(asked(authorization=name), name)
    assert [porter.lane({b"authorization": name}) for name in (b"a", b"b", b"c")] == [
        STRANGERS,
        "b",
        "c",
    ]


def test_few_refusals_leave_no_line_unread(porter: Porter) -> None:
    gap_s = 2 / settings.REFUSALS_PER_S_MAX
    assert not any(porter.unread_s(nth * gap_s) for nth in range(5_000))


def test_many_leave_each_unread_no_longer_than_its_client_was_told_to_wait(porter: Porter) -> None:
    waits = [porter.unread_s(0.0) for _ in range(5 * settings.REFUSALS_PER_S_MAX)]
    assert waits[0] == 0
    assert waits == sorted(waits)
    assert max(waits) == settings.UNREAD_S_MAX <= 1
    # Those who are read again in the same second are as many as may be refused in it.
    again = sum(1 for wait in waits if wait < settings.UNREAD_S_MAX)
    assert (
        again <= (settings.UNREAD_S_MAX + settings.UNREAD_S_MIN) * settings.REFUSALS_PER_S_MAX + 1
    )
