"""A client of the native API, as one should be written: every write has an Idempotency-Key, so that any request may be sent again.

Invariants: an answer with an unknown outcome (no answer, 503, or a request still in flight) is resolved by repeating the request as it was; any
other status than the expected one is an error. Units: seconds. Errors: Unexpected."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final, Self

import httpx2 as httpx

from scripts.demonstration.unexpected import Unexpected

TIMEOUT_S: Final = 20.0
ATTEMPTS: Final = 5
PAUSE_S: Final = 0.5


class Client:
    """One project, seen with one key. Threads may share it."""

    def __init__(self, url: str, project: str, key: str) -> None:
        self.url = url
        self.project = project
        self.key = key
        self.jobs = f"/v1/projects/{project}/jobs"
        self.events = f"/v1/projects/{project}/events"
        self.counts = f"/v1/projects/{project}/counts"
        self._http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=TIMEOUT_S,
            trust_env=False,  # a proxy of the environment's does not know our loopback address
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, *, expect: int = 200, **words: Any) -> httpx.Response:
        """Read; `path` may be a whole address, such as that of the next page."""
        return self._send(self._http.build_request("GET", path, params=words or None), (expect,))

    def post(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        key: str,
        etag: str | None = None,
        expect: tuple[int, ...] = (200, 201),
    ) -> httpx.Response:
        """Write, under an idempotency key; with an ETag only if the job is still as it was."""
        headers = {"Idempotency-Key": key, **({"If-Match": etag} if etag else {})}
        return self._send(
            self._http.build_request("POST", path, json=body, headers=headers), expect
        )

    def _send(self, request: httpx.Request, expect: tuple[int, ...]) -> httpx.Response:
        found = ""
        for attempt in range(ATTEMPTS):
            time.sleep(PAUSE_S * attempt)
            try:
                answer = self._http.send(request)
            except httpx.TransportError as error:
                found = f"no answer ({type(error).__name__}: {error})"
                continue
            if answer.status_code in expect:
                return answer
            found = f"{answer.status_code}: {answer.text[:600]}"
            if answer.status_code != 503 and "idempotency_key_in_flight" not in answer.text:
                break
        wanted = " or ".join(map(str, expect))
        raise Unexpected(f"{request.method} {request.url} answered {found}; expected {wanted}.")
