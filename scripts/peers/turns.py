"""Turns: what the drivers of peers have in common. Each is a process in its peer's own environment, spoken to in lines.

Invariants: it says `ready`, then answers each line, which is how many seconds to work, with {"rate": ...}; it ends when stdin does. Nothing but
Python's own library is imported here. Units: things per second."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable


def taken(turn: Callable[[float], float]) -> None:
    """Take turns until nobody asks any more."""
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps({"rate": turn(float(line))}), flush=True)
