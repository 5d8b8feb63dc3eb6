"""Times as a table writes them: ISO 8601, a pattern, or numbers from an epoch.

Invariants: what comes out is in UTC; a time without an offset needs the map's zone, and a time that is none is refused, never guessed.
Units: numbers in the map's unit, kept to the microsecond. Errors: ValueError with the rest of a sentence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal

from api.transfer.cells import shown
from api.transfer.map import Times
from ledger.events import Json

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FAR = (
    Decimal(10) ** 20
)  # no time has more digits, and a number like 1e999999999 would fill the memory
MICROSECONDS = {
    "s": Decimal(1_000_000),
    "ms": Decimal(1_000),
    "us": Decimal(1),
    "ns": Decimal("0.001"),
}

Reader = Callable[[Json], datetime]


def reader(times: Times) -> Reader:
    """How this map's times are read."""
    if times.unit is not None:
        return _numbers(times.unit, times.epoch or EPOCH)
    if times.format in (None, "iso"):
        return _text(datetime.fromisoformat, "ISO 8601", times.zone)
    pattern = times.format
    assert pattern is not None
    return _text(lambda text: datetime.strptime(text, pattern), pattern, times.zone)  # noqa: DTZ007 - the zone comes next


def _numbers(unit: str, epoch: datetime) -> Reader:
    microseconds = MICROSECONDS[unit]

    def read(said: Json) -> datetime:
        text = said if isinstance(said, str) else repr(said)
        try:
            if unit == "s" and text.isdecimal():
                return epoch + timedelta(0, int(text))
            number = Decimal(text)
            if not abs(number) < FAR:
                raise ValueError
            return epoch + timedelta(microseconds=int(number * microseconds))
        except (ArithmeticError, ValueError) as error:
            raise ValueError(
                f"{shown(said)} is no time in {unit} from {epoch:%Y-%m-%dT%H:%M:%SZ}."
            ) from error

    return read


def _text(parse: Callable[[str], datetime], form: str, zone: tzinfo | None) -> Reader:
    def read(said: Json) -> datetime:
        try:
            if not isinstance(said, str):
                raise TypeError
            moment = parse(said)
            if moment.tzinfo is UTC:
                return moment
            if moment.tzinfo is not None:
                return moment.astimezone(UTC)
            if zone is not None:
                return moment.replace(tzinfo=zone).astimezone(UTC)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"{shown(said)} is no time of the form {form}.") from error
        raise ValueError(f"{shown(said)} says no offset, and the map's [times] no zone.")

    return read
