"""A client of GoGrid's API: signed requests, and nothing of ours but the function that signs.

Invariants: the signature is made anew for each address, and good for about ten minutes. Errors: Unexpected."""

from __future__ import annotations

import time
from typing import Final
from urllib.parse import urlencode

import httpx2 as httpx

from api.dialects.gogrid.signature import sign
from scripts.demonstration.client import TIMEOUT_S
from scripts.demonstration.unexpected import Unexpected

JOB_GET: Final = "/api/grid/job/get"
JOB_LIST: Final = "/api/grid/job/list"


class Grid:
    """An api_key and its shared secret."""

    def __init__(self, url: str, api_key: str, secret: str) -> None:
        self._url = url
        self._api_key = api_key
        self._secret = secret

    def address(self, path: str, **words: object) -> str:
        """A signed address, to be opened by anything within ten minutes."""
        sig = sign(self._api_key, self._secret, int(time.time()))
        signed = {"api_key": self._api_key, "sig": sig, "v": "1.8", **words}
        return f"{self._url}{path}?{urlencode(signed)}"

    def get(self, path: str, **words: object) -> httpx.Response:
        """A signed request, answered as expected."""
        answer = self.fetch(self.address(path, **words))
        if answer.status_code != 200:
            raise Unexpected(f"GET {path} answered {answer.status_code}: {answer.text[:600]}")
        return answer

    @staticmethod
    def fetch(address: str) -> httpx.Response:
        """Whatever an address answers."""
        try:
            return httpx.get(address, timeout=TIMEOUT_S, trust_env=False)
        except httpx.TransportError as error:
            raise Unexpected(f"GET {address} got no answer: {error}") from error
