"""A client over HTTP with a journal: it repeats under one key whatever it was not told the outcome of, and sometimes what it was told.

Invariants: journalled, synced, before it is sent and after it is answered; every definite refusal counts as false, since it only asks for what
may be; two answers to one request are compared to the byte. Units: seconds. Errors: what breaks a thread is kept in `broken`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx2 as httpx

from tests.faults.speakers import Json, Request, Speaker
from tests.journal import Journal, Outcome

RETRY_S = 0.05
REQUEST_S = 20.0
AGAIN_EACH = 10  # of so many acknowledged requests one is sent once more


class Client(threading.Thread):
    """One of them. `url` is asked before each request, since servers come and go."""

    def __init__(
        self, name: str, speaker: Speaker, folder: Path, key: str, url: Callable[[], str | None]
    ) -> None:
        super().__init__(name=name, daemon=True)
        self.ending = threading.Event()
        self.acknowledged = self.unknown = self.replayed = 0
        self.refused: list[str] = []
        self.broken: Exception | None = None
        self._speaker = speaker
        self._path = folder / f"{name}.jsonl"
        self._key = key
        self._url = url
        self._operations = 0

    def run(self) -> None:
        """Until it is told to end and what is under way has its outcome."""
        headers = {"Authorization": f"Bearer {self._key}"}
        try:
            with (
                Journal(self._path) as self._journal,
                httpx.Client(headers=headers, timeout=REQUEST_S) as self._http,
            ):
                nth = 0
                while not self.ending.is_set():
                    nth += 1
                    made = self._ask(self._speaker.create(self.name, nth))
                    for move in () if made is None else self._speaker.moves(made):
                        if self.ending.is_set() or self._ask(move) is None:
                            break
        except Exception as error:  # noqa: BLE001 - told by whoever joins the thread
            self.broken = error

    def _ask(self, request: Request) -> Json | None:
        """The answer, as soon as there is a definite one; None when it is a refusal."""
        self._operations += 1
        operation = f"{self.name}-{self._operations}"
        again = self._operations % AGAIN_EACH == 0
        while True:
            self._journal.sent(operation, request.said)
            outcome, answer = self._once(operation, request)
            self._journal.told(
                operation, outcome, None if answer is None else [answer.status_code, answer.text]
            )
            if outcome is Outcome.UNKNOWN:
                self.unknown += 1
                if self.ending.wait(RETRY_S) and self.unknown_too_long():
                    return None
                continue
            if outcome is Outcome.FAIL:
                assert answer is not None
                self.refused.append(f"{operation}: {answer.status_code} {answer.text[:300]}")
                return None
            if again:
                again, self.replayed = False, self.replayed + 1
                continue
            self.acknowledged += 1
            assert answer is not None
            told: Json = answer.json()
            return told

    def unknown_too_long(self) -> bool:
        """Whether nobody will answer any more: the run is over and the server with it."""
        return self._url() is None

    def _once(self, operation: str, request: Request) -> tuple[Outcome, httpx.Response | None]:
        url = self._url()
        if url is None:
            return Outcome.UNKNOWN, None
        headers = {"Idempotency-Key": operation, "X-Request-Id": operation}
        if self._operations % 2:
            headers["Prefer"] = "respond-async"
        try:
            answer = self._http.request(
                request.method, url + request.path, json=request.body, headers=headers
            )
        except httpx.HTTPError:
            return Outcome.UNKNOWN, None
        if answer.is_success:
            return Outcome.OK, answer
        passing = answer.status_code >= 500 or "retry-after" in answer.headers
        return (Outcome.UNKNOWN, None) if passing else (Outcome.FAIL, answer)


def wait_for(condition: Callable[[], bool], what: str, deadline_s: float = 90.0) -> float:
    """Wait for something that sends no word; how long it took. Raises AssertionError."""
    began_s = time.monotonic()
    while not condition():
        assert time.monotonic() < began_s + deadline_s, (
            f"{what} did not come within {deadline_s:g} s"
        )
        time.sleep(0.005)
    return time.monotonic() - began_s
