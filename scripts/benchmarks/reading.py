"""Reads over HTTP among many jobs: one by id, a list of fifty with history, an exact total; and the bare route beside them.

Invariants: jobs from all over the table; every answer is 2xx. GoGrid's requests are signed anew for each slot."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from urllib.parse import urlencode

from scripts.benchmarks import life
from scripts.benchmarks.client import request
from scripts.benchmarks.scene import Scene
from scripts.benchmarks.slot import Measured, Slot

Enter = Callable[[Scene], AbstractContextManager[Slot]]
LIST_LENGTH = 50

# What people look for on a page of jobs.
_LISTS = (
    {"limit": LIST_LENGTH},
    {"limit": LIST_LENGTH, "state": "Succeeded"},
    {"limit": LIST_LENGTH, "type": life.TYPES[1], "sort": "created"},
    {"limit": LIST_LENGTH, "owner": life.OWNERS[2]},
)
_TOTALS = tuple({**words, "limit": 1, "count": "exact"} for words in _LISTS[:2])


def get(connections: int) -> Enter:
    """One job by its id, from the product."""

    def steps(scene: Scene) -> list[str]:
        return [_asked(scene, f"/jobs/{job_id}") for job_id in scene.seeded]

    return _reading(connections, steps)


def listed(connections: int) -> Enter:
    """Fifty jobs with their history, natively."""

    def steps(scene: Scene) -> list[str]:
        return [_asked(scene, f"/jobs?{urlencode(words)}") for words in _LISTS]

    return _reading(connections, steps)


def counted(connections: int) -> Enter:
    """The exact number of matching jobs, with one of them."""

    def steps(scene: Scene) -> list[str]:
        return [_asked(scene, f"/jobs?{urlencode(words)}") for words in _TOTALS]

    return _reading(connections, steps)


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
        }
        return [request("GET", f"/api/grid/job/list?{urlencode(words)}")]

    return _reading(connections, steps)


def bare_get(connections: int) -> Enter:
    """One row by its id, from the bare route."""

    def steps(scene: Scene) -> list[str]:
        return [request("GET", f"/get/{job_id}") for job_id in scene.seeded]

    return _reading(connections, steps, bare=True)


def _asked(scene: Scene, path: str) -> str:
    headers = {"authorization": f"Bearer {scene.key.key}"}
    return request("GET", f"/v1/projects/{life.PROJECT}{path}", headers)


def _reading(
    connections: int, steps: Callable[[Scene], Sequence[str]], *, bare: bool = False
) -> Enter:
    @contextmanager
    def enter(scene: Scene) -> Iterator[Slot]:
        scene.seeded  # noqa: B018 - touched, so that the jobs are there before the server is
        scene.product  # noqa: B018 - whose read models the bare route reads, too

        def slot(slot_s: float) -> Measured:
            port = scene.bare if bare else scene.product
            return scene.load.play(
                port, steps(scene), connections=connections, slot_s=slot_s, spread=True
            ).measured

        yield slot

    return enter
