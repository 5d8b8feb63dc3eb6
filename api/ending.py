"""Ending in order: SIGINT, SIGTERM and SIGHUP unwind a command, so that a database server it started is stopped too.

Invariants: within `patient()` a signal is only noted, since a start or a stop cut in half would leave a server behind; it takes effect when the
patience ends. Handlers are put back. Errors: SystemExit with 128 + the signal's number, as shells count."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ending:
    """`with Ending() as ending`: the signals are ours until the end. In another thread than the main one nothing changes."""

    def __init__(self) -> None:
        self.asked: int | None = None
        # Called when a signal comes, before anything else.
        self.then: Callable[[], None] = lambda: None
        self._patience = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                # A signal that our parent ignores for us, as nohup does, stays ignored.
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._came)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def patient(self) -> Iterator[None]:
        """What must not be cut in half. A signal that came meanwhile ends the command afterwards."""
        self._patience += 1
        try:
            yield
        finally:
            self._patience -= 1
        self._end_if_asked()

    def _came(self, number: int, _frame: FrameType | None) -> None:
        self.asked = number
        self.then()
        self._end_if_asked()

    def _end_if_asked(self) -> None:
        if self.asked is not None and not self._patience:
            sys.exit(128 + self.asked)
