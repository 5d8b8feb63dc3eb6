"""Ending in order: what a signal does, and when."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

import pytest

from api.ending import SIGNALS, Ending


@pytest.fixture(autouse=True)
def _handlers_come_back() -> Any:
    before = [signal.getsignal(number) for number in SIGNALS]
    yield
    assert [signal.getsignal(number) for number in SIGNALS] == before


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_unwinds(number: signal.Signals) -> None:
    unwound = []

    def command() -> None:
        with Ending():
            try:
                os.kill(os.getpid(), number)
                pytest.fail("the signal was not heard")
            finally:
                unwound.append(number)

    with pytest.raises(SystemExit) as ended:
        command()
    assert ended.value.code == 128 + number
    assert unwound == [number]


@pytest.mark.parametrize("number", SIGNALS)
def test_patience_puts_it_off(number: signal.Signals) -> None:
    done = []

    def command() -> None:
        with Ending() as ending:
            ending.then = lambda: done.append("told")
            with ending.patient():
                with ending.patient():
                    os.kill(os.getpid(), number)
                    done.append("inner")
                done.append("outer")
            pytest.fail("patience has ended")

    with pytest.raises(SystemExit) as ended:
        command()
    assert ended.value.code == 128 + number
    assert done == ["told", "inner", "outer"]


def test_an_error_is_not_hidden_by_a_signal_that_was_forgiven() -> None:
    with Ending() as ending, ending.patient():
        os.kill(os.getpid(), signal.SIGTERM)
        assert ending.asked == signal.SIGTERM
        ending.asked = None


def test_what_our_parent_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Ending():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_in_another_thread_nothing_changes() -> None:
    found: list[Any] = []

    def inside() -> None:
        with Ending():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGTERM)]
