"""Words of lists: what each dialect's own parameters can be given, drawn from what is in a log and from what is in none.

Invariants: a word is one that the dialect takes; times lie at a job's own, or a microsecond beside it, in each way in which they may be written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Final

from hypothesis import strategies as st

from ledger.job import Phase, State
from projections.filters import FILTERS, SORTS
from tests.fix_cuts import Cuts

NOBODYS: Final = "nobody's"

Choice = st.SearchStrategy[str]
# Ways of writing a time.
Writing = Callable[[datetime], str]


def iso(at: datetime) -> str:
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _milliseconds(at: datetime) -> str:
    return str(int(at.timestamp() * 1_000))


def _east(at: datetime) -> str:
    return at.astimezone(timezone(timedelta(hours=10))).isoformat(timespec="milliseconds")


def _american(at: datetime) -> str:
    return at.strftime("%m/%d/%Y")


def spoken_time(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S.%f +00:00")


@dataclass(frozen=True)
class Known:
    """What the words of requests are drawn from: what is in the whole log, before the cut and behind it, and what is in none."""

    cuts: Cuts

    def of(self, name: str) -> Choice:
        row = FILTERS[name]
        if row.operator != "in":
            return self.times(row.column, iso)
        found = {str(getattr(job, row.column)) for job in self.cuts.jobs} - {"None"}
        return st.sampled_from([*sorted(found), *MORE.get(name, (NOBODYS,))])

    def times(self, column: str, *writings: Writing) -> Choice:
        recorded = [one.recorded_at for one in self.cuts.ledger.log]
        known = sorted({getattr(job, column) for job in self.cuts.jobs} | set(recorded[::7]))
        return st.builds(
            lambda at, shift, write: write(at + timedelta(microseconds=shift)),
            st.sampled_from(known),
            st.integers(-1, 1),
            st.sampled_from(writings),
        )


# Words for what no job is called, that are still none to be refused.
MORE: Final[Mapping[str, tuple[str, ...]]] = {
    "state": tuple(State),
    "outcome": (),
    "phase": tuple(Phase),
    "number": ("0",),
    "id": ("00000000-0000-0000-0000-000000000000",),
}


def gogrid_words(known: Known) -> dict[str, Choice]:
    dates = known.times("created_at", _milliseconds, _american, spoken_time) | st.sampled_from(
        ["now", "2020-01-01"]
    )
    return {
        "num_items": SIZES,
        "page": st.sampled_from("0001"),
        "startdate": dates,
        "enddate": dates,
        "job.state": st.sampled_from(["Created", "Queued", "Processing", "Succeeded", "Failed", "Canceled", "Fatal", "1", "4", "6"]),
        "job.objecttype": known.of("type"),
        "owner": known.of("owner"),
        "object": known.of("object"),
    }  # fmt: skip


def comestri_words(known: Known) -> dict[str, Choice]:
    own = ("request_id", "state", "outcome", "type", "command", "object", "source_id")
    times = {
        f"{what}_time_{end}": known.times(f"{what}_at", iso, _east)
        for what in ("created", "updated")
        for end in ("from", "to")
    }
    return {
        "per_page": SIZES,
        "page": PAGES,
        "id": known.of("number"),
        "created_by": known.of("owner"),
        **times,
        **{name: known.of(name) for name in own},
    }


def orange_words(known: Known) -> dict[str, Choice]:
    own = ("type", "command", "owner", "request_id", "number", "source_id", "created_from", "created_to", "updated_from", "updated_to")  # fmt: skip
    fields = st.lists(st.sampled_from(["createdDate", "state", "requesterId", "id"]), min_size=1, max_size=3)  # fmt: skip
    return {
        "limit": SIZES,
        "offset": st.sampled_from("0123456789"),
        "state": st.lists(st.sampled_from([*Phase]), min_size=1, max_size=3).map(",".join),
        "sort": st.builds(lambda minus, names: minus + ",".join(names), MINUS, fields),
        "resource": known.of("object"),
        **{name: known.of(name) for name in own},
    }


def geoop_words(known: Known) -> dict[str, Choice]:
    return {
        "recordsPerPage": SIZES,
        "page": PAGES,
        "recordsCount": st.sampled_from(["true", "false"]),
        "sort": ORDERS,
        **{name: known.of(name) for name in FILTERS},
    }


def native_words(known: Known) -> dict[str, Choice]:
    return {
        "limit": SIZES,
        "count": st.just("exact"),
        "sort": ORDERS,
        **{name: known.of(name) for name in FILTERS},
    }


SIZES = st.sampled_from(["1", "3", "7", "20"])
PAGES = st.sampled_from("1112")
MINUS = st.sampled_from(["", "-"])
ORDERS = st.builds(lambda minus, name: minus + name, MINUS, st.sampled_from([*SORTS]))
