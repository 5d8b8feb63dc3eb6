"""`jobledger serve` as its operators know it: a process that is started, signalled, killed, and looked after."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import httpx2 as httpx
import pytest
from starlette.applications import Starlette

from api.ending import Ending
from api.serving import CannotListen, CannotServe, listen, serve, url_of
from tests.fix_command import DEADLINE_S, Command, commanding
from tests.fix_embedded import wait_until

SCOPES = ("--scope", "jobs:read", "--scope", "jobs:write")


def test_serve_makes_a_ledger_and_leaves_nothing_running(tmp_path: Path) -> None:
    with commanding(tmp_path / "new") as command:
        serving = command.serve()
        assert serving.url is not None
        assert httpx.get(f"{serving.url}/livez", timeout=DEADLINE_S).status_code == 200
        assert httpx.get(f"{serving.url}/readyz", timeout=DEADLINE_S).status_code == 200
        database = command.postgres()
        assert database is not None
        assert serving.end(signal.SIGTERM) == 0
        assert not database.is_alive()
        assert not (command.data / "postgres" / "postmaster.pid").exists()
        assert stat.S_IMODE((command.data / "secret").stat().st_mode) == 0o600
        log = [json.loads(line) for line in serving.errors.read_text().splitlines()]
        assert str(command.data) in next(
            line["database"] for line in log if line["event"] == "database in use"
        )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_serve_ends_in_order_on(number: signal.Signals, command: Command) -> None:
    serving = command.serve()
    assert serving.end(number) == 0
    assert command.postgres() is None


def test_a_signal_before_it_is_ready(command: Command) -> None:
    serving = command.start("serve", "--port", "0")
    wait_until(lambda: "database in use" in serving.errors.read_text())
    assert serving.end() == 0
    assert command.postgres() is None


def test_serve_takes_the_port_it_is_given_and_no_other(command: Command) -> None:
    first = command.serve()
    assert first.url is not None
    port = first.url.rpartition(":")[2]
    second = command("serve", "--port", port)
    assert second.returncode == 1
    assert second.stdout == ""
    assert f"127.0.0.1 port {port} cannot be used" in second.stderr
    assert "--port" in second.stderr
    assert command.postgres() is not None


def test_a_killed_server_leaves_a_database_that_the_next_one_uses(command: Command) -> None:
    first = command.serve()
    made = command.answer("keys", "create", "--project", "p", *SCOPES)
    job = first.create_job(made["key"])
    first.end(signal.SIGKILL)
    left = command.postgres()
    assert left is not None
    # In a process of its own, since it leaves the database in use for as long as it lives.
    assert command.start("dsn").process.wait(DEADLINE_S) == 0
    assert command.postgres() == left, "asking for its address does not stop it"
    second = command.serve()
    assert command.postgres() == left
    with second.client(made["key"]) as api:
        assert api.get(f"/v1/projects/p/jobs/{job['id']}").json() == job
    assert second.end() == 0
    assert not left.is_alive()


def test_a_crash_in_a_library_says_where(command: Command) -> None:
    """Seen red without the handler: the process was gone, and nothing told of it."""
    serving = command.serve()
    assert serving.end(signal.SIGSEGV) == -signal.SIGSEGV
    told = serving.errors.read_text()
    assert "Fatal Python error: Segmentation fault" in told
    assert "api/serving.py" in told


def test_a_killed_database_is_started_again(command: Command) -> None:
    serving = command.serve()
    made = command.answer("keys", "create", "--project", "p", *SCOPES)
    job = serving.create_job(made["key"])
    killed = command.postgres()
    assert killed is not None
    os.kill(killed.pid, signal.SIGKILL)
    with serving.client(made["key"]) as api:
        wait_until(lambda: api.get(f"/v1/projects/p/jobs/{job['id']}").status_code == 200)
        wait_until(lambda: api.post("/v1/projects/p/jobs", json={"type": "x"}).status_code == 201)
    again = command.postgres()
    assert again is not None
    assert again.pid != killed.pid
    assert serving.end() == 0
    assert not again.is_alive()
    log = [json.loads(line) for line in serving.errors.read_text().splitlines()]
    assert "the database had ended and was started again" in {line["event"] for line in log}


def test_a_refusal_is_logged_with_its_request(command: Command) -> None:
    serving = command.serve()
    assert serving.url is not None
    key = "jl_0123456789abcdef_" + "Zx" * 21 + "Z_abc123"
    headers = {"Authorization": f"Bearer {key}", "X-Request-Id": "who-was-it"}
    jobs = f"{serving.url}/v1/projects/p/jobs"
    refused = httpx.get(jobs, headers=headers, timeout=DEADLINE_S)
    assert refused.status_code == 401
    assert serving.end() == 0
    text = serving.errors.read_text()
    log = [json.loads(line) for line in text.splitlines()]
    line = next(line for line in log if line["event"] == "credential refused")
    assert line["request_id"] == "who-was-it"
    assert "ZxZx" not in text


def test_two_servers_share_a_folder_and_the_last_one_stops_its_database(command: Command) -> None:
    first, second = command.serve(), command.serve()
    made = command.answer("keys", "create", "--project", "p", *SCOPES)
    first.create_job(made["key"])
    second.create_job(made["key"])
    assert first.end() == 0
    with second.client(made["key"]) as api:
        assert len(api.get("/v1/projects/p/jobs").json()["jobs"]) == 2
    assert command.postgres() is not None
    assert second.end() == 0
    assert command.postgres() is None


def test_a_database_of_ones_own(tmp_path: Path, database: str) -> None:
    with commanding(tmp_path / "only-the-secret") as command:
        command.environment["LEDGER_DATABASE_URL"] = f"{database}&password=sesame"
        serving = command.serve()
        made = command.answer("keys", "create", "--project", "p", *SCOPES)
        serving.create_job(made["key"])
        assert command("dsn").stdout.startswith(database)
        assert serving.end() == 0
        assert sorted(path.name for path in command.data.iterdir()) == ["notary", "secret"]
        assert "sesame" not in serving.errors.read_text()
        assert "PostgreSQL, database test_" in serving.errors.read_text()


def test_requests_under_way_are_answered_before_it_ends(command: Command) -> None:
    serving = command.serve()
    made = command.answer("keys", "create", "--project", "p", *SCOPES)
    assert serving.url is not None
    host, port = serving.url.removeprefix("http://").split(":")
    body = b'{"type": "VirtualServer"}'
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        head = (
            f"POST /v1/projects/p/jobs HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n"
        )
        connection.sendall(
            f"{head}Authorization: Bearer {made['key']}\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        assert connection.recv(1_024).startswith(b"HTTP/1.1 100 ")
        serving.process.send_signal(signal.SIGTERM)
        wait_until(lambda: _refused(host, int(port)))
        connection.sendall(body)
        assert connection.recv(1_024).startswith(b"HTTP/1.1 201 ")
    assert serving.process.wait(30) == 0


def _refused(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=30).close()
    except (ConnectionRefusedError, ConnectionResetError):
        # Reset: it was taken just as the server stopped listening.
        return True
    return False


def test_addresses() -> None:
    with listen("127.0.0.1", 0) as listening:
        url = url_of(listening)
        assert url.startswith("http://127.0.0.1:")
        with pytest.raises(CannotListen):
            listen("127.0.0.1", int(url.rpartition(":")[2]))
    with pytest.raises(CannotListen):
        listen("no such host.invalid", 0)


def test_an_application_that_does_not_start() -> None:
    def lifespan(_: Starlette) -> AbstractAsyncContextManager[None]:
        raise RuntimeError

    with listen("127.0.0.1", 0) as listening, pytest.raises(CannotServe), Ending() as ending:
        serve(
            Starlette(lifespan=lifespan), listening, ending, lambda: pytest.fail("it is not ready")
        )


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_ipv6() -> None:
    try:
        listening = listen("::1", 0)
    except CannotListen:
        pytest.skip("this machine has no loopback for IPv6")
    with listening:
        assert url_of(listening).startswith("http://[::1]:")
