"""Lists in the words of who asked: which jobs are on the page, and how each of them is said.

Invariants: which jobs, in which order and at which versions is always asked of the read model, behind the wall; only how one is said at a version may
be remembered. A page is of one moment: when a job moves on between two statements, all is asked again in one. Errors: as for `query.find`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ledger.sight import array
from ledger.store import Connection
from projections import behind, statement
from projections.lately import Lately, Words
from projections.question import Page, Query, Telling
from projections.reader import read


async def page(
    connection: Connection, query: Query, telling: Telling, sight: tuple[str, ...], lately: Lately
) -> Page:
    """One page. A list that nobody asked for a moment ago is one statement, and so is one of jobs that are remembered."""
    asked = _List(connection, query, telling, sight, lately)
    page = await asked.remembered() if lately.asked(query) else None
    return await asked.afresh() if page is None else page


@dataclass(frozen=True, slots=True)
class _List:
    connection: Connection
    query: Query
    telling: Telling
    sight: tuple[str, ...]
    lately: Lately

    async def remembered(self) -> Page | None:
        """The page from what is remembered, and read beside it what is not; None when a job has moved on in between."""
        numbers, versions, *rest = await self._gathered(())
        count = min(len(numbers), self.query.limit)
        known = self.lately.words(self.query.project, self.telling)
        told = [known.get(number) for number in numbers[:count]]
        lacking = [
            number
            for number, version, one in zip(numbers, versions, told, strict=False)
            if one is None or one[0] != version
        ]
        if lacking:
            fresh = await self._read(lacking)
            told = [fresh.get(number, one) for number, one in zip(numbers, told, strict=False)]
            if [one and one[0] for one in told] != versions[:count]:
                return None
        self.lately.on_told(count - len(lacking), len(lacking))
        return self._page(numbers, rest, [one[1] for one in told if one is not None])

    async def afresh(self) -> Page:
        """The page from its rows."""
        numbers, versions, *rest = await self._gathered(self.telling.columns)
        columns = rest[-len(self.telling.columns) :]
        count = min(len(numbers), self.query.limit)
        rows = zip(*columns, versions, numbers, strict=True) if numbers else ()
        words = self._say(islice(rows, count))
        self.lately.on_told(0, count)
        return self._page(numbers, rest, [said for _, said in words.values()])

    async def _gathered(self, columns: tuple[str, ...]) -> tuple[Any, ...]:
        text, values = statement.gathered(self.query, columns)
        values["sight"] = array(self.sight)
        [row] = await read(self.connection, None, text, values)
        return row

    async def _read(self, numbers: list[int]) -> Words:
        text = statement.by_number((*self.telling.columns, "version", "number"))
        values = {"project": self.query.project, "numbers": numbers, "sight": array(self.sight)}
        return self._say(await read(self.connection, None, text, values))

    def _say(self, rows: Iterable[tuple[Any, ...]]) -> Words:
        """How the jobs of these rows are said, in their order."""
        say, about = self.telling.say, self.telling.about
        words = {row[-1]: (row[-2], say(row[:-2], about)) for row in rows}
        self.lately.keep(self.query.project, self.telling, words)
        return words

    def _page(self, numbers: list[int], rest: list[Any], said: list[bytes]) -> Page:
        reached, total, *keys = rest
        after = None
        if len(numbers) > self.query.limit:
            keys = keys[: len(self.query.sort)]
            after = behind.after_row(keys, numbers[self.query.limit - 1])
        return Page((), after, total, reached, said=said)
