"""OpenID tokens from a real issuer, a program of its own that nobody here wrote, taken by the real server: what it grants, what it does not, and
new keys. Tokens that no issuer would give are signed here, with a key that it does not show or does.

Invariants: the issuer's address and the server's are found at run time; both end with the test."""

from __future__ import annotations

import base64
import json
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2 as httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from api import oidc
from api.oidc import Issuer, Untrusted, trust_of
from ledger.errors import Busy, Misconfigured
from ledger.settings import OIDC_FETCH_PAUSE_S
from tests.fix_command import Command

DEADLINE_S = 30.0
AUDIENCE = "job-ledger"
TRUST = """
issuer = "http://localhost:{port}"
jwks_url = "http://localhost:{port}/jwks"
audience = "job-ledger"
name_claim = "name"

[[grant]]
claim = "groups"
value = "operators"
project = "demo"
scopes = ["jobs:read", "jobs:write"]

[[grant]]
claim = "groups"
value = "operators"
project = "other"
scopes = ["jobs:read"]
"""


def free_port() -> int:
    """One that the system gives to nobody by itself, until the issuer takes it."""
    while True:
        port = secrets.choice(range(20_000, 30_000))
        with closing(socket.socket()) as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextmanager
def issuing(port: int) -> Iterator[None]:
    """The issuer, with new keys at each start."""
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + DEADLINE_S
        while True:
            try:
                httpx.get(f"http://localhost:{port}/jwks", timeout=DEADLINE_S).raise_for_status()
                break
            except httpx.HTTPError:
                assert time.monotonic() < deadline, "the issuer did not start"
                time.sleep(0.05)
        yield
    finally:
        process.kill()
        process.wait()


def token(port: int, sub: str, audience: str = AUDIENCE, **claims: Any) -> str:
    """Log in at the issuer, as a browser and a client would: its token."""
    base = f"http://localhost:{port}"
    with httpx.Client(base_url=base, timeout=DEADLINE_S) as client:
        client.put(f"/users/{sub}", json=claims).raise_for_status()
        asked = {
            "client_id": audience,
            "redirect_uri": "http://client/",
            "response_type": "code",
            "scope": "openid profile",
        }
        sent = client.post("/oauth2/authorize", params=asked, data={"sub": sub})
        code = httpx.URL(sent.headers["location"]).params["code"]
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": "http://client/",
            "client_id": audience,
            "client_secret": "any",
        }
        answer = client.post("/oauth2/token", data=form)
        answer.raise_for_status()
    found: str = answer.json()["id_token"]
    return found


def trust_file(folder: Path, port: int) -> Path:
    file = folder / "trust.toml"
    file.write_text(TRUST.format(port=port), encoding="utf-8")
    return file


def test_a_token_is_what_the_operators_file_makes_of_it(command: Command, tmp_path: Path) -> None:
    port = free_port()
    command.environment["LEDGER_OIDC_FILE"] = str(trust_file(tmp_path, port))
    with issuing(port):
        serving = command.serve()
        ann = token(port, "ann", groups=["operators"], name="Ann")
        with serving.client(ann) as client:
            made = client.post("/v1/projects/demo/jobs", json={"type": "T"})
            assert made.status_code == 201, made.text
            path = f"/v1/projects/demo/jobs/{made.json()['id']}/events"
            [event] = client.get(path).json()["events"]
            assert (event["actor"], event["credential_id"]) == ("Ann", "oidc:ann")
            assert client.get("/v1/projects/other/jobs").status_code == 200
            assert client.post("/v1/projects/other/jobs", json={"type": "T"}).status_code == 403
            assert client.get("/v1/projects/third/jobs").status_code == 404
            # Without a project in the path: the first, or the one that is named.
            assert client.get("/jobs").json()["metadata"]["recordsCount"] == 1
            named = client.get("/jobs", headers={"Ledger-Project": "other"})
            assert named.json()["metadata"]["recordsCount"] == 0
        for refused in (
            token(port, "bob", groups=["guests"]),
            token(port, "eve", "another-audience", groups=["operators"]),
            ann[:-4] + "AAAA",
            _unsigned(ann),
        ):
            with serving.client(refused) as client:
                answer = client.get("/v1/projects/demo/jobs")
                assert answer.status_code == 401
                assert answer.headers["www-authenticate"]
    with issuing(port):
        # New keys: the old token is worth nothing once they are known, and a new one is taken.
        bob = token(port, "bob", groups=["operators"], name="Bob")
        deadline = time.monotonic() + DEADLINE_S
        with serving.client(bob) as client:
            while client.get("/v1/projects/demo/jobs").status_code != 200:
                assert time.monotonic() < deadline, "the new keys are not believed"
                time.sleep(0.2)
        with serving.client(ann) as client:
            assert client.get("/v1/projects/demo/jobs").status_code == 401
    emitted = serving.errors.read_text()
    assert not any(word in emitted for word in (ann, bob, ann.split(".")[2]))
    assert '"reason": "InvalidSignatureError' in emitted


def _unsigned(good: str) -> str:
    """The oldest trick: the same claims, and the algorithm `none`."""
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).decode().rstrip("=")
    return f"{header}.{good.split('.')[1]}."


class Mint:
    """An issuer whose key the test has, with a clock that moves when told to. `fetched` counts how often its keys were asked for."""

    def __init__(self, trust: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.private = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        self.now_s = 0.0
        self.fetched = 0
        shown = jwt.PyJWK({**public, "kid": "k"})

        def fetch(_: Issuer) -> dict[str, jwt.PyJWK]:
            self.fetched += 1
            return {"k": shown}

        monkeypatch.setattr(Issuer, "_fetch", fetch)
        self.issuer = Issuer(trust_of(trust), clock=lambda: self.now_s)
        self.now = datetime.now(UTC)
        self.good: dict[str, Any] = {
            "iss": "http://localhost:1",
            "aud": AUDIENCE,
            "sub": "ann",
            "iat": self.now,
            "exp": self.now + timedelta(minutes=5),
            "groups": ["operators"],
        }

    def made(self, kid: str = "k", **changed: Any) -> str:
        claims = {n: v for n, v in {**self.good, **changed}.items() if v is not None}
        return jwt.encode(claims, self.private, algorithm="RS256", headers={"kid": kid})


@pytest.fixture
def mint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mint:
    return Mint(trust_file(tmp_path, 1), monkeypatch)


@pytest.mark.anyio
async def test_claims_that_no_issuer_would_sign(mint: Mint) -> None:
    principal = await mint.issuer.principal(mint.made())
    assert (principal.project, principal.key_id, set(principal.grants)) == (
        "demo",
        "oidc:ann",
        {"demo", "other"},
    )
    for changed in (
        {"iss": "http://localhost:2"},
        {"aud": "other"},
        {"exp": mint.now - timedelta(hours=1)},
        {"nbf": mint.now + timedelta(hours=1)},
        {"sub": None},
        {"exp": None},
        {"aud": None},
        {"groups": "operator"},
        {"groups": None},
        {"kid": "unknown"},
    ):
        with pytest.raises(Untrusted):
            await mint.issuer.principal(mint.made(**changed))


@pytest.mark.anyio
async def test_signatures_that_the_operator_did_not_ask_for(mint: Mint) -> None:
    """A public key is no shared secret, and an algorithm that is not named is none."""
    shared = jwt.encode(mint.good, "x" * 32, algorithm="HS256", headers={"kid": "k"})
    other = jwt.encode(mint.good, mint.private, algorithm="RS512", headers={"kid": "k"})
    for forged in (shared, other, _unsigned(mint.made()), "a.b.c", "..", "é.é.é"):
        with pytest.raises(Untrusted):
            await mint.issuer.principal(forged)


@pytest.mark.anyio
async def test_unknown_keys_make_nobody_ask_the_issuer_each_time(mint: Mint) -> None:
    for after_s, fetched in ((0, 1), (OIDC_FETCH_PAUSE_S + 1, 2)):
        mint.now_s += after_s
        for _ in range(20):
            with pytest.raises(Untrusted):
                await mint.issuer.principal(mint.made(kid="unknown"))
        assert mint.fetched == fetched


@pytest.mark.anyio
async def test_an_issuer_that_is_away_is_nobodys_fault(tmp_path: Path) -> None:
    issuer = Issuer(trust_of(trust_file(tmp_path, 1)))
    with pytest.raises(Busy):
        await issuer.principal(jwt.encode({"sub": "x"}, "x" * 32, headers={"kid": "k"}))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "issuer =",
        TRUST.format(port=1).replace("http://localhost:1/jwks", "http://example.com/jwks"),
        TRUST.format(port=1).replace("http://localhost:1/jwks", "file:///etc/passwd"),
        TRUST.format(port=1).replace("jobs:write", "jobs:everything"),
        TRUST.format(port=1) + 'algorithms = ["HS256"]',
        'algorithms = ["none"]\n' + TRUST.format(port=1),
        TRUST.format(port=1) + "colour = 1",
    ],
)
def test_a_file_that_makes_no_sense(tmp_path: Path, text: str) -> None:
    file = tmp_path / "trust.toml"
    file.write_text(text)
    with pytest.raises(Misconfigured, match=r"trust\.toml"):
        trust_of(file)
    with pytest.raises(Misconfigured):
        oidc.trust_of(tmp_path / "missing.toml")
