"""PostgreSQL for root: every way of being somebody else, also where only root may look."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ledger import cluster, embedded
from ledger.unprivileged import WAYS, Identity, identities
from tests.fix_embedded import DEADLINE_S, StartServer, ask, tell

CHECKOUT = Path(__file__).parents[2]

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A folder that only root may enter."""
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    return folder


def copy_of_the_wheel(folder: Path) -> Path:
    """Copy PostgreSQL out of the wheel; return its folder of programs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("LEDGER_POSTGRES_BIN", raising=False)
        wheel = embedded.default_bin_dir().parents[1]
    shutil.copytree(wheel, folder / wheel.name, ignore=shutil.ignore_patterns("include"))
    libraries = wheel.with_name(wheel.name + ".libs")
    if libraries.exists():
        shutil.copytree(libraries, folder / libraries.name)
    return folder / wheel.name / "pginstall" / "bin"


@pytest.fixture(scope="session")
def private_bin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PostgreSQL below a folder that only root may enter, as in a checkout under /root."""
    folder = tmp_path_factory.mktemp("env") / "private"
    folder.mkdir(mode=0o700)
    return copy_of_the_wheel(folder)


@as_root
@pytest.mark.parametrize("way", [way for way in WAYS if way != "self"])
def test_each_way_of_not_being_root(
    public: Path,
    start_server: StartServer,
    private: Path,
    private_bin: Path,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
) -> None:
    def only(folder: Path) -> tuple[Identity, ...]:
        return tuple(identity for identity in identities(folder) if identity.way == way)

    monkeypatch.setattr(cluster, "identities", only)
    if way == "drop":
        assert ask(start_server(public / "d", bin_dir=copy_of_the_wheel(public)), "SELECT 1") == 1
        with pytest.raises(cluster.CannotStart, match=r"cannot be run here \(drop: "):
            embedded.start(private / "d", bin_dir=private_bin)
        return
    for data_dir in (private / "d", public / "d"):
        server = start_server(data_dir, bin_dir=private_bin)
        assert ask(server, "SELECT count(*) > 0 FROM pg_timezone_names") is True
        seen = {
            line.split()[1]
            for line in Path(f"/proc/{server.pid}/status").read_text().splitlines()
            if "Uid" in line
        }
        assert ("0" in seen) == (way == "namespace")
    assert private.stat().st_mode & 0o777 == 0o700
    assert private.stat().st_uid == 0


@as_root
def test_a_folder_made_one_way_opens_another_way(
    start_server: StartServer, private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for way in ("namespace", "reach", "namespace", "reach"):
        with monkeypatch.context() as patch:
            patch.setattr(
                cluster,
                "identities",
                lambda folder, way=way: tuple(i for i in identities(folder) if i.way == way),
            )
            server = start_server(private)
        tell(server, f"CREATE TABLE {way}_{server.pid} ()")
        server.stop()


@as_root
def test_root_uses_the_folder_of_another_user_as_that_user(
    public: Path, start_server: StartServer
) -> None:

    nobody = pwd.getpwnam("nobody")
    server = start_server(public)
    server.stop()
    for parent, folders, files in os.walk(public):
        for name in (*folders, *files):
            os.chown(Path(parent, name), nobody.pw_uid, nobody.pw_gid)
    start_server(public)
    assert (public / "postgres" / "postmaster.pid").stat().st_uid == nobody.pw_uid


@as_root
def test_an_ordinary_user_needs_no_trick(public: Path) -> None:

    nobody = pwd.getpwnam("nobody")
    os.chown(public, nobody.pw_uid, nobody.pw_gid)
    script = (
        "import os, sys; sys.path.insert(0, sys.argv[2]); from pathlib import Path; from ledger import embedded\n"
        "import psycopg; server = embedded.start(Path(sys.argv[1])); connection = psycopg.connect(server.dsn())\n"
        "print(os.geteuid(), Path(f'/proc/{server.pid}').stat().st_uid, connection.info.dbname, server.leave())"
    )
    # The interpreter and the checkout may be root's alone, hence "reach"; the server under it sees an ordinary user.
    identity = Identity("reach", nobody.pw_uid, nobody.pw_gid)
    command = identity.command(
        public, Path(sys.executable), "-c", script, str(public), str(CHECKOUT)
    )
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=DEADLINE_S)
    assert said.stdout.split() == [str(nobody.pw_uid), str(nobody.pw_uid), "ledger", "True"]
