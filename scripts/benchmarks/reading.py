"""Reads over HTTP among many jobs: one by id, a list of fifty with history, an exact total; and the bare route beside them.

Invariants: jobs of a data set, from all over the table; every answer is 2xx. A list is one of 64 pages, which many look at again and again; beside
it, as another contestant, come pages that nobody asked for before. GoGrid's requests are signed anew for each slot."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from api import cursor
from api.dialects.native import ask
from ledger import sql
from projections import behind
from projections.filters import Sort
from projections.question import Query
from scripts.benchmarks import life
from scripts.benchmarks.client import request
from scripts.benchmarks.dataset import BEGAN, Size
from scripts.benchmarks.scene import Scene
from scripts.benchmarks.slot import Measured, Slot

SQL = sql.load(__file__)

Enter = Callable[[Scene], AbstractContextManager[Slot]]
Begin = tuple[datetime, datetime, int]  # when a job was created and last changed, and its number
LIST_LENGTH = 50

# What people look for, and how far they turn the pages.
_LISTS: tuple[Mapping[str, str], ...] = (
    {},
    {"state": "Succeeded"},
    {"type": life.TYPES[1], "sort": "created"},
    {"owner": "owner-7"},
    {"sort": "-updated"},
    {"state": "Failed"},
    {"command": "Resize"},
    {"sort": "number"},
)
# The same in words that other dialects have, too.
_OTHER_LISTS: tuple[Mapping[str, str], ...] = (
    {},
    *({"type": word} for word in (*life.TYPES, "Rare")),
    *({"command": word} for word in ("Add", "Resize")),
)
_PAGES: Final = 8
_FRESH_LISTS: Final[tuple[Mapping[str, str], ...]] = (
    {},
    {"sort": "created"},
    {"sort": "-updated"},
    {"sort": "number"},
)
_FRESH_PAGES: Final = 4_000  # more than a slot asks for
_TOTALS = tuple({**words, "limit": "1", "count": "exact"} for words in _LISTS[:2])


def get(connections: int, size: Size = "4M") -> Enter:
    """One job by its id, from the product."""
    return _reading(connections, size, gets)


def listed(connections: int, size: Size = "4M") -> Enter:
    """Fifty jobs with their history, natively: pages of some lists, the same ones all the time."""

    def steps(scene: Scene) -> list[str]:
        begins = _begins(scene, _PAGES - 1)
        return [_page(scene, words, one) for words in _LISTS for one in (None, *begins)]

    return _reading(connections, size, steps)


def first_listed(connections: int, *, past: bool = False) -> Enter:
    """The first pages of these lists, now or as of the middle of the log."""

    def steps(scene: Scene) -> list[str]:
        then = {"as_of": str(scene.position() // 2)} if past else {}
        return [_page(scene, {**words, **then}, None) for words in _LISTS]

    return _reading(connections, "4M", steps)


def fresh_listed(connections: int) -> Enter:
    """The same, but pages from all over the lists that nobody asked for before."""

    def steps(scene: Scene) -> list[str]:
        begins = _begins(scene, _FRESH_PAGES, random.randrange(scene.jobs))
        return [_page(scene, random.choice(_FRESH_LISTS), one) for one in begins]

    return _reading(connections, "4M", steps)


def _begins(scene: Scene, most: int, shift: int = 0) -> list[Begin]:
    """Jobs from all over the table, behind which a page may begin."""
    stride = max(1, scene.jobs // most)
    values = (life.PROJECT, stride, shift % stride, most)
    return scene.owner.execute(SQL["begins"], values).fetchall()


def _page(scene: Scene, words: Mapping[str, str], begin: Begin | None) -> str:
    """A page of a native list: the first, or the one behind a job."""
    sort = words.get("sort", "-created")
    more = {}
    if begin is not None:
        key = Sort(sort.removeprefix("-"), sort.startswith("-"))
        value = dict(zip(("created", "updated", "number"), begin, strict=True))[key.column]
        query = Query(life.PROJECT, ask.conditions(words.items()), (key,))
        more["cursor"] = cursor.encode(behind.after_row((value,), begin[-1]), query)
    return _asked(scene, f"/jobs?{urlencode({'limit': LIST_LENGTH, **words, **more})}")


def counted(connections: int) -> Enter:
    """The exact number of matching jobs, with one of them."""
    return _reading(connections, "4M", lambda scene: _asked_each(scene, _TOTALS))


def gogrid_listed(connections: int) -> Enter:
    """Fifty jobs as GoGrid's JSON, by a signed request."""

    def steps(scene: Scene) -> list[str]:
        issued = scene.key
        signed = f"{issued.stored.key_id}{issued.shared_secret}{int(time.time())}"
        words = {
            "v": "1.8",
            "format": "json",
            "api_key": issued.stored.key_id,
            "sig": hashlib.md5(signed.encode(), usedforsecurity=False).hexdigest(),
            "num_items": LIST_LENGTH,
            "startdate": f"{BEGAN:%Y-%m-%d}",
        }
        return [request("GET", f"/api/grid/job/list?{urlencode(words)}")]

    return _reading(connections, "4M", steps)


def dialect_listed(connections: int, path: str) -> Enter:
    """Fifty jobs as another dialect tells them, of as many pages. `path` has the places of project, page and offset in braces."""

    def steps(scene: Scene) -> list[str]:
        headers = {"authorization": f"Bearer {scene.key.key}"}
        paths = [
            path.format(project=life.PROJECT, page=nth + 1, offset=nth * LIST_LENGTH)
            + "".join(f"&{name}={word}" for name, word in words.items())
            for words in _OTHER_LISTS
            for nth in range(_PAGES)
        ]
        return [request("GET", one, headers) for one in paths]

    return _reading(connections, "4M", steps)


def bare_get(connections: int) -> Enter:
    """One row by its id, from the bare route."""

    def steps(scene: Scene) -> list[str]:
        return [request("GET", f"/get/{job_id}") for job_id in scene.ids]

    return _reading(connections, "4M", steps, bare=True)


def gets(scene: Scene) -> list[str]:
    """Jobs by their ids, as requests."""
    return [_asked(scene, f"/jobs/{job_id}") for job_id in scene.ids]


def _asked_each(scene: Scene, questions: Sequence[Mapping[str, object]]) -> list[str]:
    return [_asked(scene, f"/jobs?{urlencode(words)}") for words in questions]


def _asked(scene: Scene, path: str) -> str:
    headers = {"authorization": f"Bearer {scene.key.key}"}
    return request("GET", f"/v1/projects/{life.PROJECT}{path}", headers)


def _reading(
    connections: int, size: Size, steps: Callable[[Scene], Sequence[str]], *, bare: bool = False
) -> Enter:
    @contextmanager
    def enter(host: Scene) -> Iterator[Slot]:
        scene = host.among(size)
        scene.product  # noqa: B018 - whose read models the bare route reads, too

        def slot(slot_s: float) -> Measured:
            port = scene.bare if bare else scene.product
            return scene.load.play(
                port, steps(scene), connections=connections, slot_s=slot_s, spread=True
            ).measured

        yield slot

    return enter
