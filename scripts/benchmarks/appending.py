"""Appends over HTTP: the whole product with authentication, validation, decision and read models running, and the bare route beside it.

Invariants: each connection plays job after job, one durable event a request; every answer is 2xx, and the log grows by exactly as many events as
were answered; in the same slot a follower sees each event once and in order, and each race has one winner, or the figure does not count; the read
models catch up before the next slot, so that nobody else pays for them. Errors: Spoilt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Literal

from ledger.codec import encode
from ledger.events import Envelope
from scripts.benchmarks import life
from scripts.benchmarks.client import request
from scripts.benchmarks.dataset import Size
from scripts.benchmarks.scene import Scene
from scripts.benchmarks.slot import Measured, Slot, Spoilt
from scripts.benchmarks.witness import watched


def product(
    connections: int,
    *,
    waits: bool,
    minimal: bool = False,
    workers: Literal[1, 2] = 1,
    size: Size = "none",
) -> Callable[[Scene], AbstractContextManager[Slot]]:
    """Appends to the product. `waits`: each answer comes once the read models have reached it, as is the default; `minimal`: without the job."""

    @contextmanager
    def enter(host: Scene) -> Iterator[Slot]:
        scene = host.among(size)
        port = scene.product if workers == 1 else scene.product_of_two
        asked = steps(scene, waits=waits, minimal=minimal)
        yield lambda slot_s: appended(scene, port, asked, connections, slot_s)
        scene.check_log()

    return enter


def appended(
    scene: Scene, port: int, asked: list[str], connections: int, slot_s: float, rate: float = 0.0
) -> Measured:
    """One slot of appends, under the eyes of witnesses."""
    with watched(scene, port) as seen:
        before = scene.position()
        played = scene.load.play(
            port, asked, connections=connections, slot_s=slot_s, rate=rate, tells=True
        )
        server_mib = scene.memory_mib(port)
    head = scene.position()
    seen.check(head)
    positions = {position for _, position in played.told}
    expected = set(range(before + 1, head + 1)) - seen.raced
    if positions != expected or len(played.told) != len(positions):
        raise Spoilt(
            f"{played.answered} appends were answered, and {len(expected)} events of them are in the log."
        )
    beside = {
        **played.measured.beside,
        "read_models_caught_up_s": scene.caught_up(),
        "server_mib": server_mib,
        **seen.figures,
    }
    return replace(played.measured, beside=beside)


def steps(scene: Scene, *, waits: bool, minimal: bool = False) -> list[str]:
    """The life of a job as requests."""
    headers: Mapping[str, str] = {"authorization": f"Bearer {scene.key.key}"}
    preferred = ["respond-async"] * (not waits) + ["return=minimal"] * minimal
    if preferred:
        headers = {**headers, "prefer": ", ".join(preferred)}
    path = f"/v1/projects/{life.PROJECT}/jobs"
    born = request("POST", path, headers, life.new_job())
    later = [request("POST", f"{path}/{{id}}/events", headers, one) for one in life.new_events()]
    return [born, *later]


def bare(connections: int) -> Callable[[Scene], AbstractContextManager[Slot]]:
    """One INSERT a request by the bare route, with a body as long as the product stores."""

    @contextmanager
    def enter(scene: Scene) -> Iterator[Slot]:
        scene.control  # noqa: B018 - touched, so that it is there
        body = encode(life.creation(1), Envelope(project=life.PROJECT, actor=life.ACTOR)).decode()
        asked = [request("POST", "/insert", body=body)]

        def slot(slot_s: float) -> Measured:
            return scene.load.play(
                scene.bare, asked, connections=connections, slot_s=slot_s
            ).measured

        yield slot

    return enter
