"""Systems: what other products answered, read as histories. `SYSTEMS` has a row for each form of response.

Invariants: a reader makes rows of a stream, one a job, in memory for one job; a telling makes of a row what it says of its job. Errors: Bad for
one row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import BinaryIO, Final

from api.transfer.feed import OneARow
from api.transfer.foreign import documents, markup, sheet
from api.transfer.foreign.comestri import ComestriJobs
from api.transfer.foreign.gogrid import GoGridJobs
from api.transfer.foreign.orange import OrangeJobs
from api.transfer.lines import Row

Read = Callable[[BinaryIO], Iterator[Row]]


@dataclass(frozen=True, slots=True)
class System:
    """One form of response. `telling` takes the project, None where each job names its own, and whose the events are."""

    read: Read
    telling: Callable[[str | None, str], OneARow]
    names_project: bool = False


SYSTEMS: Final[Mapping[str, System]] = MappingProxyType(
    {
        "gogrid-json": System(documents.reader("list"), GoGridJobs),
        "gogrid-xml": System(markup.rows, GoGridJobs),
        "gogrid-csv": System(sheet.rows, GoGridJobs),
        "comestri": System(documents.reader("entries"), ComestriJobs),
        "orange": System(documents.reader(), OrangeJobs, names_project=True),
    }
)
