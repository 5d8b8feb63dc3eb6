"""What a row says of its job: quick or slow, the event and its body are the model's. Seen red with: the number behind the other fields, and long
words taken as plain."""

from __future__ import annotations

from itertools import count
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from api.transfer import cells
from api.transfer.creation import Creation
from api.transfer.lines import Bad
from api.transfer.map import JobMap
from ledger import settings
from ledger.codec import encode
from ledger.errors import LedgerError
from ledger.events import Created, Envelope
from tests.histories import details, texts

ENVELOPE = Envelope("p", 'ann "event":', "import", imported=True)
WORDS = ("type", "owner", "source_id", "command", "object", "request_id", "description")
plain = st.sampled_from(["a", "b c"])
said = (
    plain
    | texts()
    | st.sampled_from(["x" * (settings.WORD_BYTES_MAX + more) for more in (0, 1)])
    | st.sampled_from(["\x00", "\ud800", "x" * 20_000])
)
rows = st.fixed_dictionaries(
    dict.fromkeys(("type", "owner", "source_id"), plain | plain | plain | said),
    optional={
        **dict.fromkeys(WORDS[3:], said),
        "number": st.integers(-1, settings.COUNT_MAX + 1),
        "one": said | st.integers(-(10**5000), 10**5000) | st.floats(),
        "two": details,
    },
)


def creation(**more: str) -> Creation:
    map_ = JobMap.model_validate(
        {**{word: word for word in WORDS}, "detail": ["one", "two"], **more}
    )
    return Creation(map_, cells.getter(None), ENVELOPE, count(5).__next__)


@given(rows, st.booleans())
def test_it_is_what_the_model_makes_of_the_fields(row: dict[str, Any], numbered: bool) -> None:
    fields = {
        name: value for name, value in row.items() if value != "" and name not in ("one", "two")
    }
    if not numbered:
        fields["number"] = 5
    detail = {name: row[name] for name in ("one", "two") if row.get(name, "") != ""}
    try:
        told = creation(**({"number": "number"} if numbered else {})).told(row)
    except (Bad, LedgerError):
        told = None
    try:
        event = Created.model_validate({**fields, "detail": detail})
        named = "source_id" in fields or (numbered and "number" in fields)
        expected = (event, encode(event, ENVELOPE)) if named else None
    except (ValueError, LedgerError):
        expected = None
    assert (told and (told.event, told.state)) == expected


def test_a_plain_row_is_not_shown_to_the_model() -> None:
    told = creation().told({"type": "t", "owner": "o", "source_id": "s", "one": "1", "two": 2})
    assert told.drawn
    assert told.event == Created(
        type="t", owner="o", number=5, source_id="s", detail={"one": "1", "two": 2}
    )
    assert told.event.messages == ()
