"""Every filter of every list, in the dialect's words, finds the jobs that it should: by what was written of them, not by the read models.

Seen red: GoGrid's `enddate` without the millisecond that its answers round away, and a filter of Orange that was left unread."""

from __future__ import annotations

import pytest

from api.dialects.dialect import Dialect
from api.operation import Operation, Parameter
from api.operations import OPERATIONS
from tests.conformance.speakers import OWN, PAGING, SPEAKERS, WHEN, Filtering, Speaker
from tests.conformance.stage import Stage

WORDS_MAX = 8  # of one filter that are tried; of times and ids there are as many as jobs


def parameters(dialect: Dialect, operation: Operation) -> list[Parameter]:
    """What narrows a list, of an operation that lists jobs; a form's are those of the same operation as a GET."""
    speaker = SPEAKERS.get(dialect.name, Speaker())
    told = speaker.lists.get(operation.id)
    if told is None or told.of is None:
        return []
    spoken = operation.parameters or next(
        one.parameters
        for one in dialect.operations
        if one.path == operation.path and one.parameters
    )
    narrowing = (one for one in spoken if one.where == "query")
    return [one for one in narrowing if one.name not in PAGING | WHEN | speaker.idle]


CASES = [
    pytest.param(
        dialect, operation, parameter.name, id=f"{dialect.name}-{operation.id}-{parameter.name}"
    )
    for dialect, operation in OPERATIONS
    for parameter in parameters(dialect, operation)
]


def filtering(dialect: Dialect, name: str) -> Filtering:
    found = SPEAKERS[dialect.name].filters.get(name) or OWN.get(name)
    assert found, f"SPEAKERS does not say what {dialect.name}'s {name} finds"
    return found


def found(
    stage: Stage, dialect: Dialect, operation: Operation, *words: tuple[str, str]
) -> set[str]:
    speaker = SPEAKERS[dialect.name]
    told = speaker.lists[operation.id]
    fixed = [pair for pair in told.words if pair[0] not in {name for name, _ in words}]
    answer = stage.ask(dialect, operation, (*told.page(1_000), *speaker.always, *fixed, *words))
    assert answer.status_code == 200, answer.text
    names = told.names(answer)
    assert told.total(answer) in (None, len(names))
    return set(names)


@pytest.mark.parametrize(("dialect", "operation", "name"), CASES)
def test_a_filter_finds_what_it_should(
    stage: Stage, dialect: Dialect, operation: Operation, name: str
) -> None:
    told, asked = SPEAKERS[dialect.name].lists[operation.id], filtering(dialect, name)
    assert told.of is not None
    words = sorted({word for one in stage.made if (word := asked.word(one)) is not None})
    step = -(-len(words) // WORDS_MAX)
    assert len(words) > 1
    for word in words[::step]:
        expected = {getattr(one, told.of) for one in stage.made if asked.finds(one, word)}
        assert expected
        assert found(stage, dialect, operation, (name, word)) == expected, word


REPEATABLE = [
    one for one in CASES if "repeated" in next(
        parameter.description
        for parameter in parameters(*one.values[:2])  # type: ignore[arg-type]
        if parameter.name == one.values[2]
    )
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "operation", "name"), REPEATABLE)
def test_a_repeated_filter_finds_what_either_does(
    stage: Stage, dialect: Dialect, operation: Operation, name: str
) -> None:
    asked = filtering(dialect, name)
    words = sorted({word for one in stage.made if (word := asked.word(one)) is not None})[-2:]
    each = [found(stage, dialect, operation, (name, word)) for word in words]
    assert found(stage, dialect, operation, *((name, word) for word in words)) == each[0] | each[1]


@pytest.mark.parametrize(("dialect", "operation", "name"), CASES)
def test_a_word_that_no_job_has_finds_none_or_is_refused(
    stage: Stage, dialect: Dialect, operation: Operation, name: str
) -> None:
    speaker = SPEAKERS[dialect.name]
    told = speaker.lists[operation.id]
    words = (*told.page(5), *speaker.always, (name, "no'body %' OR 1=1 -- \\"))
    answer = stage.ask(dialect, operation, words)
    if answer.status_code == 200:
        assert told.names(answer) == []
    else:
        assert answer.status_code == speaker.refusals.parameter


def test_every_dialect_that_lists_is_tried() -> None:
    listing = {dialect.name for dialect, operation in OPERATIONS if parameters(dialect, operation)}
    assert {one.values[0].name for one in CASES} == listing  # type: ignore[union-attr]
    assert len(CASES) > 60
