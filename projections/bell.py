"""A bell: wakes one worker, from any thread of this process or by NOTIFY from another.

Invariants: ringing never blocks and never fails; what was rung while nobody waited is heard by the next wait; a position told is a hint, since the
log alone knows its end. Units: seconds, positions."""

from __future__ import annotations

import select
import socket
import threading
import time
from math import inf
from typing import Any

from psycopg import Connection, Notify

from ledger import settings
from ledger.wake import AWAITED, CHANNEL


class Bell:
    """Ring it, or wait for it. One thread waits."""

    def __init__(self) -> None:
        self._ear, self._rope = socket.socketpair()
        self._ear.setblocking(False)
        self._rope.setblocking(False)
        self._told = 0
        self._telling = threading.Lock()
        self._awaited_s = -inf

    def ring(self, position: int = 0) -> None:
        """Wake who waits. `position`: how far the log has grown, where that is known."""
        with self._telling:
            self._told = max(self._told, position)
        try:
            self._rope.send(b"\0")
        except OSError:
            # Full, so it is ringing already; or closed, so nobody listens.
            pass

    @staticmethod
    def listen(connection: Connection[Any], *, past: bool = False) -> None:
        """Hear other processes from now on. `past`: but not of those who wait for no read model of the past."""
        connection.execute(f"LISTEN {CHANNEL}")
        if not past:
            connection.execute(f"LISTEN {AWAITED}")

    @property
    def awaited(self) -> bool:
        """Whether, as far as was heard, somebody waited lately."""
        return time.monotonic() < self._awaited_s + settings.AWAITED_S

    def wait(self, connection: Connection[Any], timeout_s: float) -> int | None:
        """The greatest position told so far once somebody rings; None when nobody did, or told no position."""
        # What came beside the answers of a fold was read with them: its socket says nothing of it any more.
        told = [self._heard(notice) for notice in connection.notifies(timeout=0)]
        # No selector, which is a file to be opened and closed for two that are looked at once.
        looking = select.poll()
        looking.register(self._ear, select.POLLIN)
        looking.register(connection, select.POLLIN)
        ready = dict(looking.poll(0 if told else timeout_s * 1000))
        if self._ear.fileno() in ready:
            self._ear.recv(65_536)
            with self._telling:
                told.append(self._told)
        told += [self._heard(notice) for notice in connection.notifies(timeout=0)]
        # One that names no position, and nobody ringing at all, both mean: look at the log.
        return max(told) if told and all(told) else None

    def _heard(self, notice: Notify) -> int:
        if notice.channel == AWAITED:
            self._awaited_s = time.monotonic()
        return _position(notice.payload)

    def close(self) -> None:
        """Nobody waits any more."""
        self._rope.close()
        self._ear.close()


def _position(payload: str) -> int:
    """What a NOTIFY tells: a position, or 0 for anything else."""
    return int(payload) if payload.isdecimal() and len(payload) < len(str(2**63)) else 0
