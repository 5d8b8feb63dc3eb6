"""Keys managed over HTTP: shown once, listed without secrets, rotated with both good, revoked, and never beyond what the manager may; and the
committer's role, which alone may call the functions, can forge nothing without the hash of a manager's key."""

from __future__ import annotations

import time
from typing import Any

import httpx2 as httpx
import psycopg
import pytest

from api.operation import Scope
from ledger.connection import Role, conninfo
from tests.fix_server import LiveServer
from tests.native import problem

MANAGER = (Scope.KEYS_MANAGE, Scope.JOBS_READ)
KEYS = "/v1/projects/managed/keys"
DEADLINE_S = 30.0


@pytest.fixture(scope="module")
def manager(shared_server: LiveServer) -> httpx.Client:
    return shared_server.client_of("managed", MANAGER, name="Maria")


def made(manager: httpx.Client, **wishes: Any) -> dict[str, Any]:
    answer = manager.post(KEYS, json={"scopes": ["jobs:read"], **wishes})
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    found: dict[str, Any] = answer.json()
    return found


def opens(server: LiveServer, key: str) -> int:
    client = server.opened({"Authorization": f"Bearer {key}"})
    return client.get("/v1/projects/managed/jobs").status_code


def test_a_key_is_shown_once_and_works(shared_server: LiveServer, manager: httpx.Client) -> None:
    new = made(manager, name="Nils", reason="a new worker", expires_in_days=1)
    assert opens(shared_server, new["key"]) == 200
    listed = manager.get(KEYS, params={"limit": 1000})
    assert new["key_id"] in listed.text
    assert new["key"].split("_")[2] not in listed.text
    acts = manager.get("/v1/projects/managed/key-acts", params={"limit": 1}).json()["acts"]
    assert [(a["act"], a["key_id"], a["actor"], a["reason"]) for a in acts] == [
        ("created", new["key_id"], "Maria", "a new worker")
    ]
    assert acts[0]["by_key"] == manager.headers["authorization"].split("_")[1]


def test_pages_of_keys_join(manager: httpx.Client) -> None:
    for _ in range(3):
        made(manager)
    whole = [one["key_id"] for one in manager.get(KEYS, params={"limit": 1000}).json()["keys"]]
    paged: list[str] = []
    address: str | None = f"{KEYS}?limit=2"
    while address:
        page = manager.get(address).json()
        paged += [one["key_id"] for one in page["keys"]]
        address = page["next"]
    assert paged == whole


def test_two_are_good_while_a_key_is_rotated(
    shared_server: LiveServer, manager: httpx.Client
) -> None:
    old = made(manager)
    rotated = manager.post(f"{KEYS}/{old['key_id']}/rotation", json={"overlap_hours": 1})
    assert rotated.status_code == 201, rotated.text
    new = rotated.json()
    assert new["replaces"] == old["key_id"]
    assert new["scopes"] == ["jobs:read"]
    assert opens(shared_server, old["key"]) == opens(shared_server, new["key"]) == 200
    problem(manager.post(f"{KEYS}/{old['key_id']}/rotation", json={}), 409, "rotated")


def test_a_revoked_key_is_refused_soon(shared_server: LiveServer, manager: httpx.Client) -> None:
    new = made(manager)
    assert opens(shared_server, new["key"]) == 200
    for _ in range(2):
        ended = manager.post(f"{KEYS}/{new['key_id']}/revocation", json={"reason": "left"})
        assert ended.json()["revoked_at"]
    deadline = time.monotonic() + DEADLINE_S
    while opens(shared_server, new["key"]) != 401:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    acts = manager.get("/v1/projects/managed/key-acts", params={"limit": 2}).json()["acts"]
    assert [one["act"] for one in acts] == ["revoked", "created"], "the second time did nothing"


@pytest.mark.parametrize("scope", ["jobs:write", "jobs:cancel", "audit:read", "admin"])
def test_nobody_grants_what_he_lacks(manager: httpx.Client, scope: str) -> None:
    problem(manager.post(KEYS, json={"scopes": ["jobs:read", scope]}), 403, "forbidden")


def test_nor_gets_it_by_rotation(shared_server: LiveServer, manager: httpx.Client) -> None:
    strong = shared_server.issue("managed", [Scope.ADMIN]).stored.key_id
    problem(manager.post(f"{KEYS}/{strong}/rotation", json={}), 403, "forbidden")


def test_keys_of_others_do_not_exist(shared_server: LiveServer, manager: httpx.Client) -> None:
    theirs = shared_server.issue("elsewhere").stored.key_id
    for path in ("rotation", "revocation"):
        answer = manager.post(f"{KEYS}/{theirs}/{path}", json={})
        problem(answer, 404, "unknown_key")
    problem(manager.get("/v1/projects/elsewhere/keys"), 404, "unknown_project")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        *(({"scopes": []}, 422), ({"scopes": ["root"]}, 422), ({"scopes": ["public"]}, 422)),
        *(({}, 422), ({"scopes": ["jobs:read"], "more": 1}, 422)),
        ({"scopes": ["jobs:read"], "expires_in_days": 0}, 422),
        ({"scopes": ["jobs:read"], "expires_in_days": 1e9}, 422),
        ({"scopes": ["jobs:read"], "signature": "ed25519"}, 422),
        ({"scopes": ["jobs:read"], "public_key": "AAAA"}, 422),
        ({"scopes": ["jobs:read"], "name": "x" * 600}, 422),
    ],
)
def test_what_makes_no_sense_is_refused(
    manager: httpx.Client, body: dict[str, Any], status: int
) -> None:
    assert manager.post(KEYS, json=body).status_code == status


MADE = '{"key_id": "00000000000000aa", "name": "f", "scopes": ["%s"], "key_hash": "00"}'  # what a forger would like to have


@pytest.mark.parametrize("scope", ["jobs:read", "admin"])
@pytest.mark.parametrize("proof", [b"", bytes(32), b"own"])
def test_the_committers_role_forges_nothing(
    shared_server: LiveServer, scope: str, proof: bytes
) -> None:
    """Without a manager's hash nothing at all; with the hash of a key that manages, no scope that it lacks."""
    manager = shared_server.issue("managed", [Scope.KEYS_MANAGE])
    own = manager.stored.key_hash if proof == b"own" else proof
    forging = "SELECT * FROM access.issue(%s, %s, 'managed', %s::jsonb, NULL, 1000)"
    app = conninfo(shared_server.dsn, Role.APP)
    with psycopg.connect(app) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(forging, (manager.stored.key_id, own, MADE % scope))


def test_nor_does_any_other_role_call_what_lies_behind(shared_server: LiveServer) -> None:
    with psycopg.connect(shared_server.dsn) as connection:
        rows = connection.execute(
            "SELECT p.proname, r.rolname FROM pg_proc p, pg_roles r WHERE p.pronamespace = 'access'::regnamespace"
            " AND p.proname IN ('manager', 'check_grant', 'keep', 'issue', 'rotate', 'revoke', 'listed', 'told')"
            " AND r.rolname LIKE 'jobledger\\_%' AND has_function_privilege(r.oid, p.oid, 'EXECUTE')"
        ).fetchall()
    may = {(name, role) for name, role in rows if role != "jobledger_keeper"}
    open_ = ("issue", "rotate", "revoke", "listed", "told")
    assert may == {(name, "jobledger_app") for name in open_}


def test_a_project_has_only_so_many(
    shared_server: LiveServer, manager: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.settings.PROJECT_KEYS_MAX", 1)
    problem(manager.post(KEYS, json={"scopes": ["jobs:read"]}), 429, "quota_reached")
