"""Signed requests over a real server: what is signed cannot be changed, and is good once, in every process. They are signed by the library's own
signer, through its client for httpx where it can.

Invariants: a key for signed requests is good for nothing else. Seen red with: a nonce that is remembered by one process only, a query that is
not covered."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx2 as httpx
import psycopg
import pytest
from http_message_signatures import HTTPMessageSigner, MappingKeyResolver
from http_message_signatures.algorithms import HMAC_SHA256

from ledger.settings import SIGNED_AHEAD_S_MAX, SIGNED_WINDOW_S
from tests.fix_server import LiveServer, serve
from tests.signer import COVERED, JOBS, Signer

NEW = {"type": "VirtualServer"}


@pytest.fixture(params=["ed25519", "hmac-sha256"])
def signer(request: pytest.FixtureRequest, shared_server: LiveServer) -> Signer:
    return Signer(shared_server, request.param)


def refused(answer: httpx.Response) -> bool:
    assert answer.status_code == 401, answer.text
    assert answer.headers["www-authenticate"]
    assert answer.headers["date"], "a client whose clock is off can see by how much"
    return "not valid" in answer.text


def test_signed_requests_read_and_write(signer: Signer) -> None:
    made = signer.send(signer.signed("POST", body=NEW))
    assert made.status_code == 201, made.text
    job = made.json()
    listed = signer.send(signer.signed(path=f"{JOBS}?type=VirtualServer&limit=1"))
    assert listed.status_code == 200, listed.text
    events = signer.send(signer.signed(path=f"{JOBS}/{job['id']}/events")).json()["events"]
    assert [one["actor"] for one in events] == ["signer"]
    assert events[0]["credential_id"] == signer.issued.stored.key_id


def test_what_is_signed_cannot_be_changed(signer: Signer) -> None:
    one = signer.signed("POST", body=NEW)
    other_body = json.dumps({"type": "Other"}).encode()
    changed: list[tuple[str, str, bytes]] = [
        ("PUT", str(one.url), one.content),
        ("POST", str(one.url) + "?x=1", one.content),
        ("POST", str(one.url.copy_with(path=f"{JOBS}/")), one.content),
        ("POST", str(one.url), other_body),
    ]
    kept = {n: v for n, v in one.headers.items() if n.lower() not in ("content-length", "host")}
    for method, url, content in changed[1:]:
        answer = signer.client.request(method, url, content=content, headers=kept)
        assert answer.status_code in (401, 404), answer.text
    digest = base64.b64encode(hashlib.sha256(other_body).digest()).decode()
    with_digest = {**kept, "content-digest": f"sha-256=:{digest}:"}
    assert refused(signer.client.post(str(one.url), content=other_body, headers=with_digest))
    assert signer.send(one).status_code == 201, "and none of these tries has used its nonce up"


@pytest.mark.parametrize("left_out", COVERED)
def test_everything_has_to_be_covered(signer: Signer, left_out: str) -> None:
    covered = tuple(one for one in COVERED if one != left_out)
    assert refused(signer.send(signer.signed(covered_component_ids=covered)))


def test_a_body_has_to_be_covered(signer: Signer) -> None:
    request = signer.signed("POST", body=NEW)
    bare = signer.client.build_request("POST", JOBS)
    signer._signer.sign(
        bare,
        key_id=signer.issued.stored.key_id,
        nonce="n" * 16,
        covered_component_ids=COVERED,
    )
    heads = {n: bare.headers[n] for n in ("signature", "signature-input")}
    assert refused(signer.client.post(JOBS, content=request.content, headers=heads))


@pytest.mark.parametrize("nonce", [None, "short", "n" * 129])
def test_a_nonce_has_to_be_there(signer: Signer, nonce: str | None) -> None:
    assert refused(signer.send(signer.signed(nonce=nonce)))


@pytest.mark.parametrize(
    "ahead_s", [-SIGNED_WINDOW_S - 3 * SIGNED_AHEAD_S_MAX, 10 * SIGNED_AHEAD_S_MAX]
)
def test_a_signature_of_another_time(signer: Signer, ahead_s: int) -> None:
    created = datetime.now(UTC) + timedelta(seconds=ahead_s)
    assert refused(signer.send(signer.signed(created=created)))


@pytest.fixture
def second_process(shared_server: LiveServer) -> Iterator[LiveServer]:
    """Another application on the same database: nothing but that is shared."""
    yield from serve(shared_server.dsn, shared_server.secret)


def test_a_replay_is_refused_in_every_process(signer: Signer, second_process: LiveServer) -> None:
    request = signer.signed("POST", body=NEW, covered_component_ids=COVERED)
    assert signer.send(request).status_code == 201
    assert refused(signer.send(request))
    kept = {n: v for n, v in request.headers.items() if n.lower() != "host"}
    elsewhere = second_process.opened().post(JOBS, content=request.content, headers=kept)
    assert refused(elsewhere)


def test_a_key_for_signing_is_good_for_nothing_else(signer: Signer) -> None:
    assert signer.issued.key == ""
    other = Signer(signer.server, "hmac-sha256")
    forged = signer.signed(key_id=signer.issued.stored.key_id)
    swapped = forged.headers["signature-input"].replace(
        signer.issued.stored.key_id, other.issued.stored.key_id
    )
    forged.headers["signature-input"] = swapped
    assert refused(signer.send(forged))
    plain = signer.server.issue("signed", signing=True)
    forged.headers["signature-input"] = swapped.replace(
        other.issued.stored.key_id, plain.stored.key_id
    )
    assert refused(signer.send(forged))


def test_an_algorithm_is_the_keys_and_not_the_requests(shared_server: LiveServer) -> None:
    """A public key is no secret: HMAC with it as the secret must not pass for Ed25519."""
    signer = Signer(shared_server, "ed25519")
    with psycopg.connect(shared_server.dsn) as connection:
        row = connection.execute(
            "SELECT public_key FROM access.keys WHERE key_id = %s", (signer.issued.stored.key_id,)
        ).fetchone()
    assert row is not None
    forger = HTTPMessageSigner(
        signature_algorithm=HMAC_SHA256,
        key_resolver=MappingKeyResolver(
            public_keys={}, private_keys={signer.issued.stored.key_id: bytes(row[0])}
        ),
    )
    for include_alg in (True, False):
        request = signer.client.build_request("GET", JOBS)
        forger.sign(
            request,
            key_id=signer.issued.stored.key_id,
            nonce="n" * 20,
            include_alg=include_alg,
            covered_component_ids=COVERED,
        )
        assert refused(signer.send(request))


@pytest.mark.parametrize(
    "heads",
    [
        {"signature-input": "", "signature": ""},
        {"signature-input": "x", "signature": "x"},
        {"signature-input": 'a=("@method");keyid="0123456789abcdef"', "signature": "a=:AAAA:"},
        {"signature-input": 'a=("@method");keyid="0123456789abcdef"', "signature": "a=1"},
        {"signature-input": "a=(" * 2_000, "signature": "\xff"},
    ],
)
def test_nonsense_is_refused(shared_server: LiveServer, heads: dict[str, str]) -> None:
    encoded = {name: value.encode("latin-1") for name, value in heads.items()}
    assert shared_server.opened().get(JOBS, headers=encoded).status_code == 401  # type: ignore[arg-type]
