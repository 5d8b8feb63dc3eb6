"""A table with one row a job, read as histories.

Invariants: what a row does not say is not made up: a state that must have been passed without a time becomes an imported entry without one, which
says so; times that run backwards refuse the row; the end's time counts only where the status is an end. Errors: Bad for a row, BadMap for the map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError
from uuid_utils.compat import uuid7

from api.transfer import cells, moment
from api.transfer.creation import Creation, sentence
from api.transfer.lines import Bad, Row
from api.transfer.map import BadMap, Map
from api.transfer.path import AT, Step, path
from ledger import codec, imported, store
from ledger.errors import LedgerError
from ledger.events import Envelope, Event, Text
from ledger.imported import Claim, History

IMPLIED = "implied by the final status"
_TEXT: TypeAdapter[str] = TypeAdapter(Text)


class Entry(NamedTuple):
    """One event of a row, with its body, at one of the row's times."""

    step: int  # a Step; members of an enum are slow to make and to compare
    event: Event
    envelope: Envelope
    state: bytes


class Table:
    """A map, ready to read the rows of one file. `columns` are the file's in order, None where each row names its own.

    `new_number` gives the numbers of jobs where the map has none."""

    def __init__(
        self,
        map_: Map,
        columns: Sequence[str] | None,
        *,
        project: str,
        actor: str,
        new_number: Callable[[], int],
    ) -> None:
        self._map = map_
        self.project = project
        self.envelope = Envelope(project, actor, imported.CREDENTIAL, imported=True)
        self._cell = cells.getter(columns)
        self._creation = Creation(map_.job, self._cell, self.envelope, new_number)
        times = map_.times
        self.moment = moment.reader(times)
        self._columns = (times.created, times.queued, times.started, times.ended)
        self._at = tuple(None if name is None else self._cell(name) for name in self._columns)
        self._status = self._cell(map_.status.column)
        self._note = None if map_.status.note is None else self._cell(map_.status.note)
        self._ends = {
            word: AT[ending.state] is Step.ENDED for word, ending in map_.status.values.items()
        }
        self._paths: dict[tuple[str, bool, bool], tuple[Entry, ...]] = {}
        for word in map_.status.values:
            try:
                self.path(word, queued=False, started=False)
            except LedgerError as error:
                raise BadMap(f"[status.values] {word}: {error}") from error

    def history(self, row: Row) -> History:
        """What a row tells. Raises Bad."""
        if isinstance(row.cells, Bad):
            raise row.cells
        try:
            return self._history(row)
        except LedgerError as error:
            raise Bad(str(error)) from error

    def _history(self, row: Row) -> History:
        word = self._ending(row.cells)
        at = self._times(row.cells, ends=self._ends[word])
        if at[Step.CREATED] is None:
            raise Bad(f"Column {self._columns[0]!r} is empty: the row has no time of its creation.")
        queued, started = at[Step.QUEUED] is not None, at[Step.STARTED] is not None
        entries = self.path(word, queued=queued, started=started)
        job_id, event, state, drawn = self._creation.told(row.cells)
        entries = (Entry(0, event, self.envelope, state), *entries)
        if self._note is not None and (note := self._note(row.cells)) is not None:
            entries = (*entries[:-1], self.noted(entries[-1], note))
        self._check_order(entries, at)
        line = row.line
        claims = [
            Claim(event, envelope, at[step], state, None, line)
            for step, event, envelope, state in entries
        ]
        # A number of ours, which comes first, is no name that the row is known by.
        names = tuple(store.identities_of(event)[drawn and event.number is not None :])
        raws = {line: row.raw}
        by_id = job_id is not None
        return History(
            self.project, job_id or uuid7(), names, claims, raws, by_id=by_id, drawn=drawn
        )

    def _ending(self, row: Any) -> str:
        word = self._status(row)
        if word is None:
            word = ""
        if not isinstance(word, str) or word not in self._map.status.values:
            known = ", ".join(map(repr, self._map.status.values))
            raise Bad(
                f"Column {self._map.status.column!r}: the status {cells.shown(word)} is none of {known}."
            )
        return word

    def _times(self, row: Any, *, ends: bool) -> list[datetime | None]:
        """The times that a row has, by step."""
        at: list[datetime | None] = []
        try:
            # Where the status is no end, the column of the end often holds the time of the export instead.
            for get in self._at if ends else self._at[: Step.ENDED]:
                said = None if get is None else get(row)
                at.append(None if said is None else self.moment(said))
        except ValueError as error:
            raise Bad(f"Column {self._columns[len(at)]!r}: {error}") from error
        return at

    def path(self, word: str, *, queued: bool, started: bool) -> tuple[Entry, ...]:
        """The entries behind the creation: the same for all rows with this status and these times. Raises LedgerError where no job goes like that."""
        key = (word, queued, started)
        if key not in self._paths:
            assumed = self._columns[Step.QUEUED] == self._columns[Step.CREATED]
            told = path(
                self._map.status.values[word],
                queued=queued,
                started=started,
                queued_assumed=assumed,
            )
            entries = []
            for step, event, implied in told:
                envelope = self.envelope._replace(note=IMPLIED) if implied else self.envelope
                entries.append(Entry(int(step), event, envelope, codec.encode(event, envelope)))
            self._paths[key] = tuple(entries)
        return self._paths[key]

    def noted(self, entry: Entry, note: Any) -> Entry:
        """An entry with a row's note. Raises Bad, or LedgerError when it cannot be stored."""
        column = self._map.status.note
        try:
            envelope = entry.envelope._replace(note=_TEXT.validate_python(cells.text(note)))
        except ValidationError as error:
            raise Bad(f"Column {column!r} (note): {sentence(error)}") from error
        except Bad as error:
            raise Bad(f"Column {column!r} (note): {error}") from None
        return entry._replace(envelope=envelope, state=codec.encode(entry.event, envelope))

    def _check_order(self, entries: Sequence[Entry], at: Sequence[datetime | None]) -> None:
        then, before = at[0], 0
        for step, *_ in entries:
            now = at[step]
            if now is None:
                continue
            if then is not None and now < then:
                raise Bad(
                    f"Times run backwards: {self._columns[step]!r} ({_shown(now)}) lies before"
                    f" {self._columns[before]!r} ({_shown(then)})."
                )
            then, before = now, step


def _shown(moment_: datetime) -> str:
    return moment_.isoformat().replace("+00:00", "Z")
