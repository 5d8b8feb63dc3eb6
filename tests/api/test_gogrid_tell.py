"""GoGrid's answers: what the envelope counts, and what a job and its history look like."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from api.dialects.gogrid.moments import milliseconds
from ledger.errors import UnknownJob
from ledger.events import (
    Canceled,
    Envelope,
    Event,
    Failed,
    FailureKind,
    Noted,
    Progressed,
    Queued,
    Started,
    Succeeded,
)
from tests.fix_gogrid import (
    FORMATS,
    GET,
    LIST,
    NOW,
    as_objects,
    created,
    documented_job,
    folded,
    got,
    live,
    page,
    tell,
)

RETRY = Failed(final=False)


# --- the envelope -------------------------------------------------------------------------------


def summary(path: str, answer: Any, query: str) -> dict[str, int]:
    told: dict[str, int] = json.loads(tell(path, answer, query).body)["summary"]
    return told


@pytest.mark.parametrize(
    ("total", "query", "numpages", "start"),
    [
        (39, "num_items=5", 8, 0),
        (68, "num_items=5", 14, 0),
        (68, "num_items=5&page=2", 14, 10),
        (7, "", 1, 0),
        (100, "", 1, 0),
        (101, "page=1", 2, 100),
        (10, "num_items=5", 2, 0),
        (0, "", 0, 0),
        (0, "num_items=5", 0, 0),
    ],
)
def test_a_list_counts_its_pages(total: int, query: str, numpages: int, start: int) -> None:
    told = summary(LIST, page(live(created()), total=total), query)
    assert told == {"total": total, "numpages": numpages, "start": start, "returned": 1}


def test_a_page_past_the_end_is_empty() -> None:
    told = summary(LIST, page(total=7), "num_items=5&page=9")
    assert told == {"total": 7, "numpages": 2, "start": 45, "returned": 0}


def test_a_get_has_no_pages() -> None:
    jobs = (live(created(1)), live(created(2)))
    told = summary(GET, jobs, "id=1&id=2&num_items=1&page=4")
    assert told == {"total": 2, "numpages": 0, "start": 0, "returned": 2}


def test_a_get_answers_in_the_order_asked_for_and_by_name_newest_first() -> None:
    jobs = tuple(live(created(number, object="web")) for number in (3, 1, 2))
    by_id = tell(GET, jobs, "id=2&id=3&id=1&id=4")
    assert [one["id"] for one in as_objects(by_id.body, "json")] == [2, 3, 1]
    by_name = tell(GET, jobs, "job=web")
    assert [one["id"] for one in as_objects(by_name.body, "json")] == [3, 2, 1]


def test_a_get_of_nothing_is_refused() -> None:
    with pytest.raises(UnknownJob):
        tell(GET, (), "id=1")


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(("path", "method"), [(GET, "/grid/job/get"), (LIST, "/grid/job/list")])
def test_the_method_is_the_path_without_api(path: str, method: str, form: str) -> None:
    jobs: Any = (live(created(7)),) if path == GET else page(live(created(7)))
    text = tell(path, jobs, f"id=7&format={form}").body.decode()
    shown = {
        "json": f'"method":"{method}","status":"success"',
        "xml": f'<gogrid><response method="{method}" status="success"><summary total="1" start="0" numpages=',
        "csv": f"# SUCCESS, {method}, TOTAL, 1, NUMPAGES, ",
    }
    assert shown[form] in text


def test_without_a_format_it_is_json_and_a_post_is_answered_alike() -> None:
    plain = tell(LIST, page(documented_job()))
    assert plain == tell(LIST, page(documented_job()), "format=json")
    assert plain == tell(LIST, page(documented_job()), form="format=json")
    assert ("Ledger-Position", "99") in plain.headers


def test_empty_lists() -> None:
    assert as_objects(tell(LIST, page(), "format=json").body, "json") == []
    text = tell(LIST, page(), "format=xml").body.decode()
    assert text.endswith(
        '<summary total="0" start="0" numpages="0" returned="0"/><list></list></response></gogrid>'
    )
    lines = tell(LIST, page(), "format=csv").body.decode().split("\n")
    assert lines[1].endswith(",objecttype.description,detail")
    assert lines[2:] == [""]


# --- jobs ---------------------------------------------------------------------------------------


def test_json_is_sorted_at_every_level() -> None:
    detail: Any = {"z": {"b": 1, "a": [{"d": 1, "c": 2}]}, "a": None}
    body = tell(GET, (live(created(detail=detail), Queued()),), "id=7").body
    pairs: list[list[str]] = []
    json.loads(body, object_pairs_hook=lambda found: pairs.append([key for key, _ in found]))
    assert len(pairs) > 5
    assert all(keys == sorted(keys) for keys in pairs)


def test_json_nulls_are_shown_and_left_out_as_in_the_original() -> None:
    birth = created(command="CreateVirtualServer", created_at=NOW)
    imported = Envelope(project="demo", actor="import", imported=True)
    shown = got(folded([(birth, imported), (Queued(), imported)]))
    assert shown["objecttype"] == {
        "object": "option",
        "id": 1,
        "name": "VirtualServer",
        "description": None,
    }
    assert shown["detail"] is None
    for entry in shown["history"]:
        assert set(entry) == {"id", "state"}
    noted = got(folded([(birth, imported), (Queued(), Envelope("demo", "me", note="at last"))]))
    assert set(noted["history"][1]) == {"id", "state", "note", "updatedon"}
    assert noted["history"][1]["note"] == "at last"


def test_every_entry_of_our_own_has_its_time() -> None:
    job = live(created(), Queued(), Started(), Succeeded())
    shown = got(job)
    times = [entry["updatedon"] for entry in shown["history"]]
    assert times == [milliseconds(NOW - timedelta(seconds=ago)) for ago in (3, 2, 1, 0)]
    assert times[-1] == shown["lastupdatedon"]
    assert times[0] == shown["createdon"]


@pytest.mark.parametrize("form", ["xml", "csv"])
def test_xml_and_csv_always_have_a_note_and_a_time(form: str) -> None:
    [shown] = as_objects(tell(GET, (documented_job(),), f"id=60531&format={form}").body, form)
    entries = shown["history"] if form == "xml" else list(shown["history"].values())
    assert [entry["note"] for entry in entries] == [""] * 4
    assert [entry["updatedon"] for entry in entries] == ["", "", "", "1231008346317"]


def test_entries_have_their_source_s_number_or_their_position() -> None:
    def imported(source_id: str | None) -> Envelope:
        return Envelope(project="demo", actor="import", source_id=source_id, imported=True)

    words = ("10242", "x-1", "0", "9" * 16, None, "-5", "١")
    events: list[Event] = [created(), *(Noted(), Queued(), Started(), RETRY, Queued(), Started())]
    events[1] = Queued()
    events[2] = RETRY
    history = [(event, imported(word)) for event, word in zip(events, words, strict=True)]
    shown = got(folded(history, position=500))
    assert [entry["id"] for entry in shown["history"]] == [10242, 501, 502, 503, 504, 505, 506]


def test_entries_are_transitions_and_attempts_count_starts() -> None:
    job = live(
        created(),
        Queued(),
        Started(),
        Progressed(progress=0.5),
        Noted(),
        RETRY,
        Queued(),
        Started(),
    )
    shown = got(job)
    names = [entry["state"]["name"] for entry in shown["history"]]
    assert names == ["Created", "Queued", "Processing", "Failed", "Queued", "Processing"]
    assert shown["attempts"] == 2
    assert shown["currentstate"] == shown["history"][-1]["state"]
    assert shown["lastupdatedon"] == milliseconds(NOW)


REJECTED = Failed(kind=FailureKind.REJECTED)
ITEM_ERRORS = Failed(kind=FailureKind.ITEM_ERRORS)


@pytest.mark.parametrize(
    ("events", "ids"),
    [
        ([], [7]),
        ([Queued()], [7, 1]),
        ([Queued(), Started()], [7, 1, 2]),
        ([Queued(), Started(), Succeeded()], [7, 1, 2, 3]),
        ([Queued(), Canceled()], [7, 1, 5]),
        ([Queued(), Started(), RETRY], [7, 1, 2, 4]),
        ([Queued(), Started(), Failed()], [7, 1, 2, 4]),
        ([Queued(), Started(), ITEM_ERRORS], [7, 1, 2, 4]),
        ([REJECTED], [7, 6]),
        ([Failed(kind=FailureKind.REJECTED, final=False)], [7, 4]),
        ([Queued(), Started(), RETRY, Failed()], [7, 1, 2, 4, 6]),
        ([Started(), RETRY, Queued(), Started(), Failed()], [7, 2, 4, 1, 2, 6]),
        ([Started(), RETRY, Queued(), Started(), RETRY], [7, 2, 4, 1, 2, 4]),
        ([Started(), RETRY, Queued(), Started(), ITEM_ERRORS], [7, 2, 4, 1, 2, 4]),
        ([Started(), RETRY, Queued(), Started(), Succeeded()], [7, 2, 4, 1, 2, 3]),
    ],
)
def test_the_state_of_every_entry(events: list[Event], ids: list[int]) -> None:
    shown = got(live(created(), *events))
    assert [entry["state"]["id"] for entry in shown["history"]] == ids
    assert shown["currentstate"]["id"] == ids[-1]
