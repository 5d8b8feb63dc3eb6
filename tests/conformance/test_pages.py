"""Every list of every dialect, paged to its end in its own words, is the unpaged read: nothing twice, nothing left out, in the same order; also
while writes go on, where the dialect's cursor promises so.

Seen red: a dialect whose second page begins with the last row of the first (an offset one too small)."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import pytest

from api.dialects.dialect import Dialect
from api.operation import Operation
from api.operations import OPERATIONS
from tests.conformance.paging import Listing, Words
from tests.conformance.population import Made
from tests.conformance.speakers import ELSEWHERE, PAGING, SPEAKERS, Speaker
from tests.conformance.stage import Stage, staged

PAGERS = frozenset({"page", "offset", "cursor", "after", "page_token"})
LISTS = [
    (dialect, operation)
    for dialect, operation in OPERATIONS
    if (PAGERS & {one.name for one in operation.parameters} and operation.id not in ELSEWHERE)
    or operation.id in SPEAKERS.get(dialect.name, Speaker()).lists
]


def each(lists: Sequence[tuple[Dialect, Operation]]) -> pytest.MarkDecorator:
    """Once for each list."""
    ids = [f"{dialect.name}-{operation.id}" for dialect, operation in lists]
    return pytest.mark.parametrize(("dialect", "operation"), lists, ids=ids)


def told_of(dialect: Dialect, operation: Operation) -> Listing | None:
    return SPEAKERS.get(dialect.name, Speaker()).lists.get(operation.id)


def listing(dialect: Dialect, operation: Operation) -> Listing:
    found = told_of(dialect, operation)
    assert found, f"SPEAKERS does not say how one pages through {dialect.name}'s {operation.id}"
    return found


def pages(
    stage: Stage,
    dialect: Dialect,
    operation: Operation,
    size: int,
    words: Words = (),
    about: str | None = None,
) -> Iterator[list[str]]:
    """The names on each page, up to the first that is empty or has none behind it."""
    told = listing(dialect, operation)
    always = (*SPEAKERS[dialect.name].always, *told.words, *words)
    asked: Words | None = told.page(size)
    while asked is not None:
        names_only = {name for name, _ in asked}
        sent = (*asked, *(pair for pair in always if pair[0] not in names_only))
        answer = stage.ask(dialect, operation, sent, job=about)
        assert answer.status_code == 200, answer.text
        names = told.names(answer)
        assert len(names) <= size
        yield names
        if not names:
            return
        asked = told.following(asked, size, answer)


@each(LISTS)
def test_all_pages_joined_are_the_whole(
    stage: Stage, dialect: Dialect, operation: Operation
) -> None:
    told = listing(dialect, operation)
    if told.subject is not None:
        return
    [whole, *rest] = pages(stage, dialect, operation, 1_000)
    assert not [name for page in rest for name in page]
    assert len(whole) == len(set(whole)) > 1
    if told.of is not None:
        assert set(whole) == {getattr(one, told.of) for one in stage.made}
    for size in (1, 7, len(whole) - 1, len(whole), len(whole) + 1):
        found = list(pages(stage, dialect, operation, size))
        assert [name for page in found for name in page] == whole
        assert all(len(page) == size for page in found[: len(whole) // size])


MADE = [one for one in LISTS if (told := told_of(*one)) and told.subject]


@each(MADE)
def test_pages_of_a_size_that_nobody_chooses(
    stage: Stage, dialect: Dialect, operation: Operation
) -> None:
    told = listing(dialect, operation)
    assert told.subject is not None
    own = staged(stage.server, f"made {dialect.name} {operation.id}", made=stage.made)
    about, expected = told.subject(own)
    found = list(pages(own, dialect, operation, len(expected), about=about))
    assert len(found) > 1
    assert [name for page in found for name in page] == expected
    total = told.total(own.ask(dialect, operation, job=about))
    assert total in (None, len(expected))


@each(LISTS)
def test_a_total_counts_what_is_listed(
    stage: Stage, dialect: Dialect, operation: Operation
) -> None:
    told = listing(dialect, operation)
    if told.subject is not None:
        return
    words = (*SPEAKERS[dialect.name].always, *told.words)
    for size in (1, 1_000):
        answer = stage.ask(dialect, operation, (*told.page(size), *words))
        total = told.total(answer)
        if total is not None:
            assert total == sum(len(page) for page in pages(stage, dialect, operation, 1_000))


STABLE = [one for one in LISTS if (told := told_of(*one)) and told.stable]


@each(STABLE)
def test_pages_neither_repeat_nor_miss_while_writes_go_on(
    stage: Stage, dialect: Dialect, operation: Operation
) -> None:
    """Jobs are created and moved between the pages; what was there at the start comes once, whatever comes beside it."""
    own = staged(stage.server, f"moving {dialect.name} {operation.id}")
    writer = own.server.client_of(own.project)
    ending = threading.Event()
    thread = threading.Thread(target=_write, args=(writer, own, ending))
    [before, *_] = pages(own, dialect, operation, 1_000)
    thread.start()
    try:
        for size in (1, 3, 10):
            found = [name for page in pages(own, dialect, operation, size) for name in page]
            assert len(found) == len(set(found))
            assert [name for name in found if name in set(before)] == before
    finally:
        ending.set()
        thread.join()


def _write(writer: object, own: Stage, ending: threading.Event) -> None:
    path = f"/v1/projects/{own.project}/jobs"
    movable = iter([one for one in own.made if one.life.state == "Created"])
    for nth in range(200):
        if ending.is_set():
            return
        writer.post(path, json={"type": "Late", "object": f"late {nth}"})  # type: ignore[attr-defined]
        one: Made | None = next(movable, None)
        if one is not None:
            writer.post(f"{path}/{one.id}/events", json={"event": "queued"})  # type: ignore[attr-defined]


def test_what_pages_has_a_row() -> None:
    for one in LISTS:
        listing(*one)
    assert set(SPEAKERS) >= {dialect.name for dialect, _ in OPERATIONS}, "a dialect has no row"
    assert PAGERS <= PAGING
