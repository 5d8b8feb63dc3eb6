"""Checkpoint, tiles, receipts and proofs over HTTP: what a client of C2SP's paths gets leads to the signed root; what is another's is not there."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from api.operation import Scope
from ledger import merkle, proof, tile
from ledger.note import Verifier
from tests.fix_log import forger
from tests.fix_proof import Sealed, history
from tests.fix_server import LiveServer


@pytest.fixture
def signed(live_server: LiveServer, tmp_path: Path) -> Sealed:
    """The ledger behind the server: 600 events of demo under a checkpoint, 5 of other not yet."""
    sealed = Sealed(live_server.dsn, tmp_path / "notary")
    sealed.append(history(120))
    sealed.seal()
    sealed.append(history(1, after=600, project="other"))
    return sealed


def test_the_tree_over_http_is_the_one_that_was_signed(
    live_server: LiveServer, signed: Sealed
) -> None:
    anybody = live_server.opened()
    answer = anybody.get("/log/checkpoint")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text == signed.note()
    last = signed.last()
    fetched: dict[str, bytes] = {}

    def hashes(level: int, index: int) -> bytes:
        width = min(tile.WIDTH, (last.size >> (8 * level)) - index * tile.WIDTH)
        path = tile.Tile(level, index, width).path
        got = anybody.get(f"/log/tile/{path}")
        assert got.status_code == 200, path
        assert "immutable" in got.headers["cache-control"]
        assert got.headers["content-type"] == "application/octet-stream"
        fetched[path] = got.content
        return got.content

    assert merkle.root(last.size, tile.nodes(hashes)) == last.root
    assert set(fetched) == {"0/002.p/88", "1/000.p/2"}
    leaves = anybody.get("/log/tile/entries/000").content
    assert [merkle.leaf_hash(one) for one in tile.unbundled(leaves)] == [
        hashes(0, 0)[at : at + 32] for at in range(0, 8_192, 32)
    ]


@pytest.mark.parametrize(
    "path",
    [
        *(
            "0/003",
            "0/002",
            "0/002.p/89",
            "1/000.p/3",
            "2/000.p/1",
            "entries/002.p/89",
            "entries/3",
        ),
        *("0/0", "x/000", "0/x001/000", "0/x001/x002/003", "0/x001/x002/x003/004", "64/000"),
        "0/000.p/256",
    ],
)
def test_what_no_checkpoint_covers_is_not_there(
    live_server: LiveServer, signed: Sealed, path: str
) -> None:
    assert live_server.opened().get(f"/log/tile/{path}").status_code == 404


def test_nothing_is_there_before_the_first_checkpoint(live_server: LiveServer) -> None:
    answer = live_server.opened().get("/log/checkpoint")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_signed_yet")
    assert live_server.opened().get("/log/tile/0/000").status_code == 404


def test_a_receipt_is_for_its_project_alone(live_server: LiveServer, signed: Sealed) -> None:
    keys = [Verifier.parse(vkey) for vkey in signed.vkeys()]
    answer = live_server.client.get("/v1/projects/demo/events/258/receipt")
    event, last = proof.opened(answer.text, keys)
    assert (event.position, event.project, last.size) == (258, "demo", 600)
    other = live_server.client_of("other")
    absent = [
        client.get(f"/v1/projects/{project}/events/{position}/receipt")
        for client, project, position in (
            (other, "other", "258"),
            (other, "other", "999"),
            (live_server.client, "demo", "601"),
            (live_server.client, "demo", "0"),
            (live_server.client, "demo", "-1"),
            (live_server.client, "demo", "9" * 30),
            (live_server.client, "demo", "x"),
        )
    ]
    assert {(one.status_code, one.json()["code"]) for one in absent} == {(404, "unknown_event")}
    assert other.get("/v1/projects/demo/events/258/receipt").status_code == 404
    waiting = other.get("/v1/projects/other/events/601/receipt")
    assert (waiting.status_code, waiting.json()["code"]) == (404, "not_signed_yet")
    assert live_server.opened().get("/v1/projects/demo/events/1/receipt").status_code == 401
    writer = live_server.client_of("demo", (Scope.JOBS_WRITE,))
    assert writer.get("/v1/projects/demo/events/1/receipt").status_code == 403


def test_a_jobs_proof_is_what_prove_prints(live_server: LiveServer, signed: Sealed) -> None:
    keys = [Verifier.parse(vkey) for vkey in signed.vkeys()]
    job_id = history(1)[0].job_id
    answer = live_server.client.get(f"/v1/projects/demo/jobs/{job_id}/proof")
    assert proof.checked(answer.text, keys)["events"] == 5
    other = live_server.client_of("other")
    for path in (
        f"/v1/projects/other/jobs/{job_id}/proof",
        f"/v1/projects/demo/jobs/{job_id}/proof",
    ):
        assert other.get(path).status_code == 404


def test_a_tree_that_was_robbed_is_no_crash(live_server: LiveServer, signed: Sealed) -> None:
    with forger(signed.dsn) as connection:
        connection.execute("TRUNCATE proof.tiles, proof.leaves")
    for path in ("tile/0/000", "tile/entries/000"):
        assert live_server.opened().get(f"/log/{path}").status_code == 404
    answer = live_server.client.get("/v1/projects/demo/events/7/receipt")
    assert answer.json()["code"] == "bad_proof"
    with psycopg.connect(signed.dsn) as connection:
        assert connection.execute("SELECT FROM proof.leaves").fetchone() is None
