"""Reads over HTTP among many jobs: one by id, a list of fifty with history, an exact total; and the bare route beside them.

Invariants: jobs of a data set, from all over the table; every answer is 2xx. GoGrid's requests are signed anew for each slot."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from urllib.parse import urlencode

from scripts.benchmarks import life
from scripts.benchmarks.client import request
from scripts.benchmarks.dataset import BEGAN, Size
from scripts.benchmarks.scene import Scene
from scripts.benchmarks.slot import Measured, Slot

Enter = Callable[[Scene], AbstractContextManager[Slot]]
LIST_LENGTH = 50

# What people look for on a page of jobs.
_LISTS = (
    {"limit": LIST_LENGTH},
    {"limit": LIST_LENGTH, "state": "Succeeded"},
    {"limit": LIST_LENGTH, "type": life.TYPES[1], "sort": "created"},
    {"limit": LIST_LENGTH, "owner": "owner-7"},
)
_TOTALS = tuple({**words, "limit": 1, "count": "exact"} for words in _LISTS[:2])


def get(connections: int, size: Size = "4M") -> Enter:
    """One job by its id, from the product."""
    return _reading(connections, size, gets)


def listed(connections: int, size: Size = "4M") -> Enter:
    """Fifty jobs with their history, natively."""
    return _reading(connections, size, lambda scene: _asked_each(scene, _LISTS))


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
    """Fifty jobs as another dialect tells them. `path` has the project's place in braces."""

    def steps(scene: Scene) -> list[str]:
        headers = {"authorization": f"Bearer {scene.key.key}"}
        return [request("GET", path.format(project=life.PROJECT), headers)]

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
