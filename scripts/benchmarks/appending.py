"""Appends over HTTP: the whole product with authentication, validation, decision and read models running, and the bare route beside it.

Invariants: each connection plays job after job, one durable event a request; every answer is 2xx, and the log grows by exactly as many events as
were answered; the read models catch up before the next slot, so that nobody else pays for them. Errors: Spoilt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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


def product(
    connections: int, *, waits: bool, workers: Literal[1, 2] = 1, size: Size = "none"
) -> Callable[[Scene], AbstractContextManager[Slot]]:
    """Appends to the product. `waits`: each answer comes once the read models have reached it, as is the default."""

    @contextmanager
    def enter(host: Scene) -> Iterator[Slot]:
        scene = host.among(size)
        port = scene.product if workers == 1 else scene.product_of_two
        headers = {"authorization": f"Bearer {scene.key.key}"}
        if not waits:
            headers["prefer"] = "respond-async"
        path = f"/v1/projects/{life.PROJECT}/jobs"
        steps = [request("POST", path, headers, life.new_job())]
        steps += [
            request("POST", f"{path}/{{id}}/events", headers, body) for body in life.new_events()
        ]

        def slot(slot_s: float) -> Measured:
            before = scene.position()
            played = scene.load.play(
                port,
                steps,
                connections=connections,
                slot_s=slot_s,
                spread=False,
            )
            grown = scene.position() - before
            if grown != played.answered:
                raise Spoilt(
                    f"{played.answered} appends were answered, and the log grew by {grown}."
                )
            server_mib = scene.memory_mib(port)
            caught_up_s = scene.caught_up()
            beside = {
                **played.measured.beside,
                "read_models_caught_up_s": caught_up_s,
                "server_mib": server_mib,
            }
            return replace(played.measured, beside=beside)

        yield slot
        scene.check_log()

    return enter


def bare(connections: int) -> Callable[[Scene], AbstractContextManager[Slot]]:
    """One INSERT a request by the bare route, with a body as long as the product stores."""

    @contextmanager
    def enter(scene: Scene) -> Iterator[Slot]:
        scene.control  # noqa: B018 - touched, so that it is there
        body = encode(life.creation(1), Envelope(project=life.PROJECT, actor=life.ACTOR)).decode()
        steps = [request("POST", "/insert", body=body)]

        def slot(slot_s: float) -> Measured:
            return scene.load.play(
                scene.bare, steps, connections=connections, slot_s=slot_s, spread=False
            ).measured

        yield slot

    return enter
