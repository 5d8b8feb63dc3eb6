"""The status file: read while it is written, and told from one that a killed server left."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path

from ledger.postmaster import Postmaster
from tests.fix_embedded import StartServer, kill


def test_the_status_file_of_a_starting_server_reads_as_starting(tmp_path: Path) -> None:
    assert Postmaster.read(tmp_path) is None
    (tmp_path / "postmaster.pid").write_text("")
    assert Postmaster.read(tmp_path) is None
    (tmp_path / "postmaster.pid").write_text("1\n/x\n")
    found = Postmaster.read(tmp_path)
    assert found is not None
    assert (found.pid, found.socket, found.status, found.is_ready, found.is_alive()) == (
        1,
        None,
        "starting",
        False,
        False,
    )
    with suppress(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_stale_status_file_that_names_a_stranger_is_seen_through(
    start_server: StartServer, cluster_folder: Path
) -> None:
    server = start_server(cluster_folder)
    status = cluster_folder / "postgres" / "postmaster.pid"
    uid = status.stat().st_uid
    kill(server)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, user=uid) as stranger:
        for left in (status, server.socket / ".s.PGSQL.5432.lock"):
            lines = left.read_text().splitlines()
            left.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        again = start_server(cluster_folder)
        assert again.pid not in (server.pid, stranger.pid)
        assert stranger.poll() is None
        stranger.communicate()
