"""Lists in the words of who asked: which jobs are on the page, and how each of them is said.

Invariants: which jobs, in which order and at which versions is always asked of the read model, behind the wall; only how one is said at a version may
be remembered. A page is of one moment: when a job moves on between two statements, all is asked again in one. Errors: as for `query.find`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, NamedTuple

from ledger.sight import array
from ledger.wires import Wires
from projections import behind, rivals, statement
from projections.lately import Lately, Version, Words
from projections.question import Page, Query, Telling
from projections.reader import Source, read
from projections.row import Rows


async def page(
    source: Source, query: Query, telling: Telling, sight: tuple[str, ...], lately: Lately
) -> Page:
    """One page of jobs as they are."""
    return await Listing(source, query, telling, sight, lately).page()


class Gathered(NamedTuple):
    """The jobs of a page and one more when there is another, in their order. `keys`: the values of the order of the page's last job."""

    numbers: Sequence[int]
    versions: Sequence[Version]
    reached: int
    total: int | None
    keys: Sequence[Any]
    columns: Sequence[Sequence[Any]]

    @property
    def rows(self) -> Iterable[tuple[Any, ...]]:
        """The columns that were asked for, a job a tuple, with its version and its number behind them."""
        return zip(*self.columns, self.versions, self.numbers, strict=True) if self.numbers else ()


@dataclass(frozen=True, slots=True)
class Listing:
    """A list that is asked for, of jobs as they are."""

    source: Source
    query: Query
    telling: Telling
    sight: tuple[str, ...]
    lately: Lately

    async def page(self) -> Page:
        """One page. A list that nobody asked for a moment ago is one statement, and so is one of jobs that are remembered."""
        page = await self._remembered() if self.lately.asked(self.query) else None
        return await self._afresh() if page is None else page

    async def gathered(self, columns: tuple[str, ...]) -> Gathered:
        """The page, with these columns of each job."""
        return await asked(self.source, self.query, self.sight, columns)

    async def read(self, numbers: list[int]) -> Iterable[tuple[Any, ...]]:
        """What is told of these jobs, as `Gathered.rows`."""
        text = statement.by_number((*self.telling.columns, "version", "number"))
        values = {"project": self.query.project, "numbers": numbers, "sight": array(self.sight)}
        return await read(self.source, None, text, values)

    async def _remembered(self) -> Page | None:
        """The page from what is remembered, and read beside it what is not; None when a job has moved on in between."""
        found = await self.gathered(())
        count = min(len(found.numbers), self.query.limit)
        numbers, versions = found.numbers[:count], found.versions[:count]
        known = self.lately.words(self.query.project, self.telling, self.query.as_of)
        told = [known.get(number) for number in numbers]
        lacking = [
            number
            for number, version, one in zip(numbers, versions, told, strict=True)
            if one is None or one[0] != version
        ]
        if lacking:
            fresh = self._say(await self.read(lacking))
            told = [fresh.get(number, one) for number, one in zip(numbers, told, strict=True)]
            if [one and one[0] for one in told] != versions:
                return None
        self.lately.on_told(count - len(lacking), len(lacking))
        return page_of(self.query, found, [one[1] for one in told if one is not None])

    async def _afresh(self) -> Page:
        """The page from its rows."""
        found = await self.gathered(self.telling.columns)
        words = self._say(islice(found.rows, self.query.limit))
        self.lately.on_told(0, len(words))
        return page_of(self.query, found, [said for _, said in words.values()])

    def _say(self, rows: Iterable[tuple[Any, ...]]) -> Words:
        """How the jobs of these rows are said, in their order."""
        say, about = self.telling.say, self.telling.about
        words = {row[-1]: (row[-2], say(row[:-2], about)) for row in rows}
        self.lately.keep(self.query.project, self.telling, words, self.query.as_of)
        return words


async def asked(
    source: Source, query: Query, sight: tuple[str, ...], columns: tuple[str, ...]
) -> Gathered:
    """The page that a question is about as it is now, with these columns of each job."""
    text, values = statement.gathered(query, columns)
    values["sight"] = array(sight)
    # Wires keep the plan of rivals by themselves; a connection that plans for values must be told to.
    kept = rivals.compete(query) and not isinstance(source, Wires)
    [row] = await read(source, sight if kept else None, text, values, walk=kept)
    return gathered(query, *row)


def gathered(
    query: Query,
    numbers: Sequence[int],
    versions: Sequence[Version],
    reached: int,
    total: int | None,
    *rest: Any,
) -> Gathered:
    """The same of a row that a statement gathered."""
    keys = len(query.sort)
    return Gathered(numbers, versions, reached, total, rest[:keys], rest[keys:])


def page_of(query: Query, found: Gathered, said: Sequence[bytes] | None = None) -> Page:
    """A page, with what is said of its jobs."""
    after = None
    if len(found.numbers) > query.limit:
        after = behind.after_row(found.keys, found.numbers[query.limit - 1])
    return Page((), after, found.total, found.reached, said=said)


def whole(query: Query, found: Gathered) -> Page:
    """A page with the columns that were asked for, or with whole jobs."""
    rows = [one[:-2] for one in islice(found.rows, query.limit)]
    page = page_of(query, found)
    return replace(page, rows=rows) if query.columns else replace(page, jobs=Rows(rows))
