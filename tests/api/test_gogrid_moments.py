"""GoGrid's dates: every way in which its clients write one, and what is none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.dialects.gogrid import moments
from ledger.errors import Invalid
from tests.fix_gogrid import LIST, NOW, ask, spelt


def since(query: str) -> Any:
    conditions = {one.filter.name: one.values for one in ask(LIST, query).conditions}
    return conditions["created_from"][0]


SEED_START = datetime(2009, 1, 3, 18, 34, 4, 632_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("word", "moment"),
    [
        ("2009-01-03 18:34:04.632 Z", SEED_START),
        ("2009-01-03 18:34:04.632Z", SEED_START),
        ("2009-01-03 10:34:04.632 -08:00", SEED_START),
        ("2009-01-04 00:04:04.632 +05:30", SEED_START),
        ("2009-01-03T10:34:04.632-08:00", SEED_START),
        ("2009-01-03 18:34:04.632", SEED_START),
        ("2009-01-03 18:34:04.6 Z", SEED_START.replace(microsecond=600_000)),
        ("2009-01-03 18:34:04 Z", SEED_START.replace(microsecond=0)),
        ("2009-01-03", datetime(2009, 1, 3, tzinfo=UTC)),
        ("01/03/2009", datetime(2009, 1, 3, tzinfo=UTC)),
        ("1/3/2009", datetime(2009, 1, 3, tzinfo=UTC)),
        ("01/03/09", datetime(2009, 1, 3, tzinfo=UTC)),
        ("1231007644632", SEED_START),
        ("0", datetime(1970, 1, 1, tzinfo=UTC)),
        ("-1", datetime(1969, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)),
        ("now", NOW),
    ],
)
def test_the_ways_to_write_a_date(word: str, moment: datetime) -> None:
    assert since(spelt(startdate=word)) == moment


@pytest.mark.parametrize(
    "query",
    [
        "2009-01-04 00:04:04.632+05:30",
        "2009-01-04+00:04:04.632++05:30",
        "2009-01-04+00:04:04.632+05:30",
        "2009-01-04T00:04:04.632+0530",
    ],
)
def test_a_plus_may_arrive_as_a_space(query: str) -> None:
    assert since(f"startdate={query}") == SEED_START


@pytest.mark.parametrize(
    "word",
    [
        *(
            "yesterday",
            "2009-13-01",
            "2009-02-30",
            "13/01/2009",
            "1/2/345",
            "2009-01-03 25:00:00 Z",
            "2009-01-03 10:60:00 Z",
        ),
        *(
            "2009-01-03 10:00:00 +25:00",
            "2009-01-03 10:00:00 +05:99",
            "9" * 15,
            "9" * 16,
            "0000-01-01",
            "NOW",
            "1e12",
            "-",
        ),
        *(
            "0001-01-01 00:00:00 +14:00",
            "9999-12-31 23:59:59 -14:00",
            "2009-01-03 10:34:04.632 PST",
            "١/٣/٢٠٠٩",
        ),
    ],
)
def test_other_words_are_no_date(word: str) -> None:
    for name in ("startdate", "enddate"):
        with pytest.raises(Invalid, match=f"{name} is no date") as refused:
            ask(LIST, spelt(**{name: word}))
        assert refused.value.field == name


def test_both_ends_of_a_range_belong_to_it() -> None:
    query = ask(LIST, "startdate=1231007644632&enddate=1231007644632")
    start, end = (condition.values[0] for condition in query.conditions)
    assert [condition.filter.operator for condition in query.conditions] == [">=", "<="]
    assert isinstance(start, datetime)
    assert isinstance(end, datetime)
    # Everything that is shown as this millisecond.
    assert moments.milliseconds(start) == moments.milliseconds(end) == 1231007644632
    assert end - start == timedelta(microseconds=999)


def test_the_last_moment_of_all_is_a_date() -> None:
    ask(
        LIST,
        spelt(enddate="9999-12-31 23:59:59.999999 Z", startdate="9999-12-31 23:59:59.999999 Z"),
    )


@given(st.datetimes(timezones=st.just(UTC)), st.integers(-14 * 60, 14 * 60))
def test_a_moment_written_in_any_offset_is_read_back(moment: datetime, offset_min: int) -> None:
    moment = min(max(moment, datetime(2, 1, 1, tzinfo=UTC)), datetime(9998, 1, 1, tzinfo=UTC))
    sign, (hours, minutes) = "-" if offset_min < 0 else "+", divmod(abs(offset_min), 60)
    local = moment + timedelta(minutes=offset_min)
    word = f"{local.year:04}-{local:%m-%d %H:%M:%S.%f} {sign}{hours:02}:{minutes:02}"
    assert moments.parse("startdate", word, NOW) == moment
    assert moments.parse("startdate", word.replace("+", " "), NOW) == moment
    whole = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    assert moments.parse("startdate", str(moments.milliseconds(moment)), NOW) == whole
