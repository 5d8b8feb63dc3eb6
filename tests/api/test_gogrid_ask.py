"""GoGrid's requests: which words mean which question, and which are refused."""

from __future__ import annotations

from datetime import timedelta

import pytest

from api.operation import Nothing
from ledger.errors import Invalid
from ledger.settings import PAGE_LIMIT_MAX
from projections.filters import FILTERS
from projections.question import Named, Offset
from tests.fix_gogrid import (
    GET,
    LOOKUP,
    NOW,
    ask,
    listed,
    spelt,
    values,
)

# --- job/get ------------------------------------------------------------------------------------


def test_jobs_by_id() -> None:
    assert ask(GET, "id=60531") == Named("demo", numbers=(60531,))
    assert ask(GET, "id=123&id=456&id=123") == Named("demo", numbers=(123, 456))


def test_jobs_by_id_or_name() -> None:
    assert ask(GET, "job=123&job=456") == Named("demo", numbers=(123, 456))
    assert ask(GET, "job=test+2&job=web1") == Named("demo", objects=("test 2", "web1"))


@pytest.mark.parametrize(
    "query",
    [
        "",
        "id=",
        "id=1&job=1",
        "id=1&job=web",
        "job=web&job=1",
        "id=web",
        "id=-1",
        "id=1.5",
        "id=1,2",
        "id=١",
    ],
)
def test_exactly_one_kind_of_name(query: str) -> None:
    with pytest.raises(Invalid, match=r"id|job"):
        ask(GET, query)


def test_numbers_that_no_job_can_have_are_asked_for_in_vain() -> None:
    assert ask(GET, f"id={2**53}&id=7") == Named("demo", numbers=(7,))
    assert ask(GET, f"id={'9' * 18}") == Named("demo", numbers=(0,))


def test_names_are_bounded() -> None:
    for query in (f"id={'9' * 19}", spelt(job="x" * 513)):
        with pytest.raises(Invalid):
            ask(GET, query)
    with pytest.raises(Invalid, match="may be given"):
        ask(GET, "&".join(f"id={number}" for number in range(1, PAGE_LIMIT_MAX + 2)))


# --- job/list -----------------------------------------------------------------------------------


def test_by_default_the_newest_hundred_of_four_weeks() -> None:
    query = listed()
    assert (query.project, query.limit, query.window, query.total) == ("demo", 100, Offset(0), True)
    assert [(sort.column, sort.descending) for sort in query.sort] == [("created", True)]
    [condition] = query.conditions
    assert condition.filter is FILTERS["created_from"]
    assert condition.values == (NOW - timedelta(days=28),)


@pytest.mark.parametrize(
    ("query", "start", "limit"),
    [
        ("num_items=5", 0, 5),
        ("num_items=5&page=2", 10, 5),
        ("page=3", 300, 100),
        ("num_items=1&page=0&object=x", 0, 1),
    ],
)
def test_pages_count_from_0(query: str, start: int, limit: int) -> None:
    found = listed(query)
    assert (found.window, found.limit) == (Offset(start), limit)


@pytest.mark.parametrize(
    "query",
    [
        "num_items=0",
        "num_items=-1",
        "num_items=x",
        "num_items=1.0",
        "num_items=1001",
        "page=-1",
        "page=x",
        f"page={2**60}",
    ],
)
def test_pages_are_whole_numbers_within_bounds(query: str) -> None:
    with pytest.raises(Invalid, match="is a whole number"):
        listed(query)


@pytest.mark.parametrize("state", ["Created", "Queued", "Processing", "Succeeded", "Canceled"])
def test_states_by_name(state: str) -> None:
    assert values(listed(f"job.state={state}")) == {"state": (state,)}


def test_states_by_id_and_several() -> None:
    assert values(listed("job.state=7&job.state=1&job.state=Created")) == {
        "state": ("Created", "Queued")
    }
    assert values(listed("job.state=2&job.state=3&job.state=5")) == {
        "state": ("Processing", "Succeeded", "Canceled")
    }
    assert values(listed("job.state=4&job.state=6&job.state=1")) == {"state": ("Failed", "Queued")}


def test_failed_and_fatal_are_told_apart() -> None:
    assert values(listed("job.state=4&job.state=1")) == {
        "outcome": ("Failed", "Retrying", "Incomplete", "Queued")
    }
    assert values(listed("job.state=Fatal")) == {"outcome": ("Rejected", "Exhausted")}


@pytest.mark.parametrize("state", ["8", "0", "failed", "Paused", "Failed,Fatal", "04x"])
def test_there_are_no_other_states(state: str) -> None:
    with pytest.raises(Invalid, match=r"job.state is one of 1 Queued, .*7 Created"):
        listed(spelt(**{"job.state": state}))


def test_object_types_by_id_name_and_several() -> None:
    assert values(listed("job.objecttype=1")) == {"type": ("VirtualServer",)}
    assert values(listed("job.objecttype=LoadBalancer&job.objecttype=4&job.objecttype=2")) == {
        "type": ("LoadBalancer", "StorageDNS")
    }
    assert values(listed("job.objecttype=Category")) == {"type": ("Category",)}
    with pytest.raises(Invalid, match="asked for by name"):
        listed("job.objecttype=1234567")


def test_owner_and_object() -> None:
    found = values(listed(spelt(owner="ankit@gogrid.com", object="test 2")))
    assert found == {"owner": ("ankit@gogrid.com",), "object": ("test 2",)}
    with pytest.raises(Invalid, match="owner: "):
        listed(spelt(owner="x" * 513))


def test_a_datacenter_narrows_nothing_but_must_be_one() -> None:
    assert listed("datacenter=1&datacenter=EU-West-1") == listed()
    with pytest.raises(Invalid, match="datacenter is one of 1 US-West-1"):
        listed("datacenter=9")


# --- lookups ------------------------------------------------------------------------------------


def test_a_lookup_asks_nothing() -> None:
    assert ask(LOOKUP, "lookup=job.state") == Nothing()


@pytest.mark.parametrize(
    "query",
    [
        "",
        "lookup=",
        "lookup=job.states",
        "lookup=25",
        "lookup=job.state&sort=object",
        "lookup=job.state&asc=up",
    ],
)
def test_a_lookup_names_a_table_and_an_order(query: str) -> None:
    with pytest.raises(Invalid, match=r"lookup|sort|asc"):
        ask(LOOKUP, query)
