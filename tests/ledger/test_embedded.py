"""The embedded server: shared by processes, killed, found again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from ledger import cluster, embedded
from tests.fix_embedded import DEADLINE_S, StartServer, ask, kill, tell, wait_until

CHECKOUT = Path(__file__).parents[2]


def elsewhere(script: str, *arguments: object) -> subprocess.Popen[str]:
    """Run some Python in another process, with `data_dir` bound to its first argument."""
    prelude = "import sys, os; from pathlib import Path; from ledger import embedded; data_dir = Path(sys.argv[1])\n"
    return subprocess.Popen(
        [sys.executable, "-c", prelude + script, *map(str, arguments)],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_psql_understands_the_dsn(start_server: StartServer, cluster_folder: Path) -> None:
    server = start_server(cluster_folder)
    psql = [str(server.bin_dir / "psql"), "-XAtc", "SELECT current_user", server.dsn()]
    said = subprocess.run(psql, check=True, capture_output=True, text=True, cwd="/").stdout
    assert said.strip() == "jobledger"


@pytest.mark.parametrize("made", [False, True], ids=("new", "made before"))
@pytest.mark.parametrize("name", ["x" * 120, 'with blank, o\'clock, "ü" \\n'])
def test_any_folder_name_will_do(
    start_server: StartServer, tmp_path: Path, made_cluster: Path, name: str, made: bool
) -> None:
    if made:
        shutil.copytree(made_cluster, tmp_path / name)
    server = start_server(tmp_path / name)
    assert ask(server, "SELECT 1") == 1
    attached = embedded.running(tmp_path / name)
    assert attached is not None
    assert (attached.pid, attached.dsn(), attached.bin_dir) == (
        server.pid,
        server.dsn(),
        server.bin_dir,
    )
    attached.leave()
    server.stop()
    assert server.socket.is_relative_to(tmp_path) or not server.socket.exists()


def test_a_second_start_attaches_and_the_last_to_leave_stops(
    start_server: StartServer, cluster_folder: Path
) -> None:
    server = start_server(cluster_folder)
    script = "s = embedded.start(data_dir); print(s.pid, flush=True); sys.stdin.readline(); print(s.leave())"
    with elsewhere(script, cluster_folder) as other:
        assert other.stdout is not None
        assert int(other.stdout.readline()) == server.pid
        assert server.leave() is False
        assert server.is_running()
        assert other.communicate("\n")[0].strip() == "True"
    assert not server.is_running()


def test_a_killed_user_does_not_hold_the_server(
    start_server: StartServer, cluster_folder: Path
) -> None:
    server = start_server(cluster_folder)
    with elsewhere(
        "embedded.start(data_dir); print(1, flush=True); sys.stdin.readline()", cluster_folder
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        other.kill()
        other.wait(DEADLINE_S)
    assert server.leave() is True
    assert not server.is_running()


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_a_server_outlives_its_owner_and_is_found_again(
    start_server: StartServer, cluster_folder: Path, by: signal.Signals
) -> None:
    with elsewhere(
        "print(embedded.start(data_dir).pid, flush=True); sys.stdin.readline()", cluster_folder
    ) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        owner.send_signal(by)
        owner.wait(DEADLINE_S)
    server = start_server(cluster_folder)
    assert server.pid == pid
    assert ask(server, "SELECT 1") == 1


def test_processes_that_start_at_once_get_one_server(
    start_server: StartServer, tmp_path: Path
) -> None:
    script = "sys.stdin.readline(); s = embedded.start(data_dir); print(s.pid, flush=True); sys.stdin.readline()"
    with ExitStack() as stack:
        others = [stack.enter_context(elsewhere(script, tmp_path / "new")) for _ in range(4)]
        for other in others:
            assert other.stdin is not None
            other.stdin.write("go\n")
            other.stdin.flush()
        pids = {int(other.stdout.readline()) for other in others if other.stdout is not None}
        server = start_server(tmp_path / "new")
        assert pids == {server.pid}


def test_rows_survive_kill_9_of_the_server(start_server: StartServer, cluster_folder: Path) -> None:
    server = start_server(cluster_folder)
    tell(server, "CREATE TABLE kept AS SELECT generate_series(1, 1000)")
    kill(server)
    assert (cluster_folder / "postgres" / "postmaster.pid").exists()
    assert (server.socket / ".s.PGSQL.5432").exists()
    assert embedded.running(cluster_folder) is None
    again = start_server(cluster_folder)
    assert ask(again, "SELECT count(*) FROM kept") == 1000


def test_a_start_waits_for_sessions_that_outlived_their_server(
    start_server: StartServer, cluster_folder: Path
) -> None:
    server = start_server(cluster_folder)
    busy = psycopg.pq.PGconn.connect(server.dsn().encode())
    # A session that computes does not look whether its server still lives.
    busy.send_query(b"SELECT count(*) FROM generate_series(1, 4000000) a WHERE a % 7 = 3")
    wait_until(
        lambda: ask(server, "SELECT count(*) FROM pg_stat_activity WHERE state = 'active'") == 2
    )
    kill(server)
    assert ask(start_server(cluster_folder), "SELECT 1") == 1
    busy.finish()


def test_asking_for_a_running_server_makes_nothing(tmp_path: Path) -> None:
    assert embedded.running(tmp_path / "none") is None
    assert list(tmp_path.iterdir()) == []


def test_the_environment_names_the_programs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LEDGER_POSTGRES_BIN", str(tmp_path))
    assert embedded.default_bin_dir() == tmp_path


def test_a_socket_folder_of_somebody_else_is_refused(
    public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(public / "t"))
    long = public / ("x" * 120)
    (long / "postgres").mkdir(parents=True)
    (public / "t").mkdir()
    chosen = embedded._socket_folder(long)
    assert chosen.is_relative_to(public / "t")
    chosen.rmdir()
    chosen.symlink_to(public)
    with pytest.raises(cluster.CannotStart, match="not a folder of ours"):
        embedded._socket_folder(long)


def test_a_server_that_mends_itself_after_a_crash_is_stopped(
    start_server: StartServer, cluster_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen red where it is always told to stop fast: PostgreSQL 18 that reads its log again does not end then."""
    monkeypatch.setattr(embedded, "EMBEDDED_STOP_S", 10.0)
    server = start_server(cluster_folder)
    victim = psycopg.connect(server.dsn(), autocommit=True)
    victim.execute("CREATE TABLE kept AS SELECT generate_series(1, 500000)")
    os.kill(victim.info.backend_pid, signal.SIGKILL)

    wait_until(lambda: psycopg.pq.PGconn.ping(server.dsn().encode()) == psycopg.pq.Ping.REJECT)
    server.stop()
    assert not server.is_running()
    victim.close()
    assert ask(start_server(cluster_folder), "SELECT count(*) FROM kept") == 500_000
