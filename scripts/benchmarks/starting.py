"""Starting: how soon the command says what it can do, and how soon a server answers on a long log.

Invariants: each slot starts a new process, as a person does; a server is ended as soon as it is ready. Units: seconds.
Errors: ChildFailed."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.benchmarks.child import started
from scripts.benchmarks.scene import Scene
from scripts.benchmarks.slot import Measured, Slot

_COMMAND = str(Path(sys.executable).with_name("jobledger"))
_LIMIT_S = 60.0


@contextmanager
def helped(_: Scene) -> Iterator[Slot]:
    """`jobledger --help`, from the start of the process to its end."""

    def slot(_: float) -> Measured:
        began = time.perf_counter()
        with started("jobledger --help", [_COMMAND, "--help"]) as child:
            child.finish(_LIMIT_S)
            return _took(began)

    yield slot


@contextmanager
def ready(host: Scene) -> Iterator[Slot]:
    """`jobledger serve` among a million jobs, until it says that it answers."""
    scene = host.among("4M")

    def slot(_: float) -> Measured:
        command = [_COMMAND, "serve", "--port", "0"]
        began = time.perf_counter()
        with started("jobledger serve", command, scene.environment) as child:
            if not child.line(_LIMIT_S).startswith("ready "):
                raise child.failed("did not say `ready`")
            return _took(began)

    yield slot


def _took(began: float) -> Measured:
    took_s = time.perf_counter() - began
    return Measured(1 / took_s, beside={"took_s": took_s})
