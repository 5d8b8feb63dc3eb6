"""Paging: the ways in which dialects page through what they list.

Invariants: a way is the words of a first page and those of the page behind one; it knows nothing of any dialect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2 as httpx

from tests.conformance.stage import Stage

Response = httpx.Response
Words = tuple[tuple[str, str], ...]
# The words of the page behind one, given the words of that page, its size and its answer; None behind the last.
Following = Callable[[Words, int, Response], Words | None]


@dataclass(frozen=True)
class Listing:
    """An operation that lists, and how one pages through it.

    `names` finds what each thing listed is called, in order; `of` says by which field of a job that is, where they are jobs; `page` are the
    words of a first page of so many, nothing where the size is not the caller's to choose; `total` is how many there are in all, where that is
    told; `stable`: pages neither repeat nor miss while writes go on; `subject` makes what is listed where that is not the population: the word in
    the path, and the names expected."""

    names: Callable[[Response], list[str]]
    page: Callable[[int], Words]
    following: Following
    of: str | None = "number"
    total: Callable[[Response], int | None] = lambda answer: None
    stable: bool = False
    words: Words = ()
    subject: Callable[[Stage], tuple[str, list[str]]] | None = None


def numbered(page: str, size: str, first: int) -> dict[str, Any]:
    def following(words: Words, asked: int, answer: Response) -> Words | None:
        given = dict(words)
        return (*((size, given[size]),), (page, str(int(given[page]) + 1)))

    return {"page": lambda n: ((size, str(n)), (page, str(first))), "following": following}


def offset() -> dict[str, Any]:
    def following(words: Words, asked: int, answer: Response) -> Words | None:
        given = dict(words)
        return ("limit", given["limit"]), ("offset", str(int(given["offset"]) + asked))

    return {"page": lambda n: (("limit", str(n)), ("offset", "0")), "following": following}


def linked(*, header: bool = True) -> dict[str, Any]:
    def following(words: Words, asked: int, answer: Response) -> Words | None:
        address = answer.json()["next"]
        if address is None:
            assert "link" not in answer.headers
            return None
        assert not header or answer.headers["link"] == f'<{address}>; rel="next"'
        return tuple(parse_qsl(urlsplit(address).query, keep_blank_values=True))

    return {"page": lambda n: (("limit", str(n)),), "following": following, "stable": True}


def tokens() -> dict[str, Any]:
    def following(words: Words, asked: int, answer: Response) -> Words | None:
        token = answer.json().get("next_page_token")
        return (("page_token", token),) if token else None

    return {
        "page": lambda n: (),
        "following": following,
        "of": None,
        "total": lambda answer: int(answer.json()["total_records"]),
    }


def each(key: str, name: str) -> Callable[[Response], list[str]]:
    return lambda answer: [str(one[name]) for one in answer.json()[key]]
