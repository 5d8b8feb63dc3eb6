"""The data folder: made whole, configured soundly, closed to everybody else, refused in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger import cluster, embedded
from tests.fix_embedded import StartServer, ask, tell

SYSTEM_BINS = [p for p in Path("/usr/lib/postgresql").glob("*/bin") if int(p.parent.name) >= 15]


@pytest.mark.parametrize("bin_dir", [None, *SYSTEM_BINS], ids=str)
def test_a_new_folder_gets_a_server_whose_rows_survive_a_restart(
    start_server: StartServer, tmp_path: Path, bin_dir: Path | None
) -> None:
    server = start_server(tmp_path / "new", bin_dir=bin_dir)
    assert server.is_running()
    tell(server, "CREATE TABLE kept AS SELECT 'ä€😀' AS word")
    server.stop()
    assert not server.is_running()
    again = start_server(tmp_path / "new", bin_dir=bin_dir)
    assert again.pid != server.pid
    assert ask(again, "SELECT word FROM kept") == "ä€😀"
    assert ask(again, "SELECT current_setting('data_checksums')") == "on"
    assert ask(again, "SELECT datcollate FROM pg_database WHERE datname = 'ledger'") == "C"


def test_our_settings_are_in_force_and_name_only_known_ones(
    start_server: StartServer, cluster_folder: Path
) -> None:
    server = start_server(cluster_folder)
    for name, value, _reason in cluster.SETTINGS:
        assert ask(server, f"SELECT current_setting('{name}')") == value.strip("'"), name
    assert ask(server, "SELECT count(*) FROM pg_file_settings WHERE error IS NOT NULL") == 0


def test_only_its_user_may_enter_the_socket_folder_and_nothing_listens_on_tcp(
    start_server: StartServer, cluster_folder: Path
) -> None:
    server = start_server(cluster_folder)
    assert server.socket.stat().st_mode & 0o777 == 0o700
    assert (cluster_folder / "postgres").stat().st_mode & 0o777 == 0o700
    inodes = {
        str(entry.readlink())
        for entry in Path(f"/proc/{server.pid}/fd").iterdir()
        if entry.is_symlink()
    }
    tcp = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    listening = {f"socket:[{line.split()[9]}]" for line in tcp.splitlines()[1:] if " 0A " in line}
    assert any(name.startswith("socket:") for name in inodes)
    assert not inodes & listening


def test_a_half_made_folder_is_made_anew(start_server: StartServer, tmp_path: Path) -> None:
    half = tmp_path / "postgres.new" / "base"
    half.mkdir(parents=True)
    (half.parent / "PG_VERSION").write_text("18\n")
    assert ask(start_server(tmp_path), "SELECT current_database()") == "ledger"
    assert not half.parent.exists()


def test_a_folder_without_programs_is_refused_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(cluster.CannotStart, match="There is no PostgreSQL in") as refusal:
        embedded.start(tmp_path / "d", bin_dir=tmp_path)
    assert refusal.value.code == "embedded_database"
    assert "LEDGER_DATABASE_URL" in refusal.value.hint


def test_a_refusal_repeats_the_last_words_of_the_server(
    start_server: StartServer, cluster_folder: Path
) -> None:
    server = start_server(cluster_folder)
    server.stop()
    (cluster_folder / "postgres" / "PG_VERSION").write_text("14\n")
    with pytest.raises(cluster.CannotStart, match="not compatible"):
        embedded.start(cluster_folder)
