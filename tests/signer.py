"""A client that signs its requests (RFC 9421) by the library's own signer, and may be told to sign wrongly.

Invariants: each request has a nonce of its own, unless one is wished."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import httpx2 as httpx
import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from http_message_signatures import HTTPMessageSigner, MappingKeyResolver
from http_message_signatures.algorithms import ED25519, HMAC_SHA256

from api import keys
from api.keys import Issued, Signature
from api.operation import Scope
from tests.fix_server import LiveServer

JOBS = "/v1/projects/signed/jobs"
COVERED = ("@method", "@path", "@query")


class Signer:
    """One client, with a key of project `signed`."""

    def __init__(self, server: LiveServer, algorithm: Signature) -> None:
        private = Ed25519PrivateKey.generate()
        ed25519 = algorithm == "ed25519"
        with psycopg.connect(server.dsn, autocommit=True) as connection:
            self.issued: Issued = keys.create(
                connection,
                server.secret,
                project="signed",
                scopes=(Scope.JOBS_READ, Scope.JOBS_WRITE),
                name="signer",
                signature=algorithm,
                public_key=private.public_key().public_bytes_raw() if ed25519 else None,
            )
        secret = (self.issued.shared_secret or "").encode()
        self.server = server
        self.client = server.opened()
        self._signer = HTTPMessageSigner(
            signature_algorithm=ED25519 if ed25519 else HMAC_SHA256,
            key_resolver=MappingKeyResolver(
                public_keys={},
                private_keys={self.issued.stored.key_id: private if ed25519 else secret},
            ),
        )
        self._nonces = iter(range(10**6))

    def signed(
        self, method: str = "GET", path: str = JOBS, body: object = None, **wishes: Any
    ) -> httpx.Request:
        content = json.dumps(body).encode() if body is not None else b""
        request = self.client.build_request(method, path, content=content or None)
        nonce = f"nonce-{next(self._nonces):012}-{self.issued.stored.key_id}"
        given = {
            "key_id": self.issued.stored.key_id,
            "created": datetime.now(UTC),
            "nonce": nonce,
            "covered_component_ids": COVERED,
            "body": content or None,
            **wishes,
        }
        self._signer.sign(request, **{k: v for k, v in given.items() if v is not None})
        return request

    def send(self, request: httpx.Request) -> httpx.Response:
        return self.client.send(request)
