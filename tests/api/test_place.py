"""Where a ledger is: which database a command uses, what it makes there, and what it refuses to."""

from __future__ import annotations

import secrets
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from api import keys
from api.operation import Scope
from api.place import NoDatabase, Nowhere, Place, Unprepared, Where, has_ledger, opened, running_dsn
from api.secret import SECRET_BYTES, Secret
from ledger import migrate, store
from ledger.errors import Misconfigured
from tests.fix_embedded import StartServer, kill


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LEDGER_DATA", "LEDGER_DATABASE_URL", "LEDGER_SECRET_FILE"):
        monkeypatch.delenv(name, raising=False)


def at(dsn: str, data: Path | None = None, secret_file: Path | None = None) -> Where:
    return Where(data, SecretStr(dsn), secret_file)


def issue(place: Place) -> str:
    with place.owner() as connection:
        return keys.create(connection, place.secret(), project="p", scopes=(Scope.JOBS_READ,)).key


def test_the_command_line_comes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Nowhere):
        Where.said()
    monkeypatch.setenv("LEDGER_DATA", "/there")
    monkeypatch.setenv("LEDGER_DATABASE_URL", "postgresql://there/db")
    monkeypatch.setenv("LEDGER_SECRET_FILE", "/there/secret")
    said = Where.said(Path("/here"), "postgresql://here/db")
    assert (said.data, said.secret_file) == (Path("/here"), Path("/there/secret"))
    assert said.database_url is not None
    assert said.database_url.get_secret_value() == "postgresql://here/db"
    assert Where.said().data == Path("/there")
    assert "here/db" not in repr(said)


def test_a_database_of_ones_own_comes_before_the_folder(database: str, tmp_path: Path) -> None:
    with opened(at(database, tmp_path)) as place:
        assert place.embedded is None
        place.secret()
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]
    assert not has_ledger(tmp_path)


def test_a_database_of_ones_own_is_not_migrated_unasked(bare: str, tmp_path: Path) -> None:
    with (
        pytest.raises(
            Unprepared,
            match=f"lacks {len(migrate.migrations())} migrations, the first of them 0001_log",
        ),
        opened(at(bare, tmp_path)),
    ):
        pytest.fail("it was opened")
    with psycopg.connect(bare) as connection:
        assert connection.execute("SELECT to_regnamespace('ledger')").fetchone() == (None,)
    with opened(at(bare, tmp_path), prepare=True) as place:
        assert place.asked(store.head) == 0
    with opened(at(bare, tmp_path)):
        pass


def test_a_place_in_words_keeps_its_password(database: str) -> None:
    with opened(at(f"{database}&password=sesame")) as place:
        assert "sesame" not in f"{place} {place!r}"
        assert str(place).startswith("PostgreSQL, database test_")


def test_a_database_that_goes_away_is_told(
    database: str, postgres_admin: psycopg.Connection
) -> None:
    def lose(place: Place) -> None:
        with place.owner() as connection:
            postgres_admin.execute(
                "SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,)
            )
            connection.execute("SELECT 1")

    with (
        pytest.raises(NoDatabase, match="does not answer: terminating"),
        opened(at(database)) as place,
    ):
        lose(place)


def test_the_folder_has_the_secret(database: str, tmp_path: Path) -> None:
    with opened(at(database, tmp_path)) as place:
        key = issue(place)
        assert keys.parse(key, place.secret())
        assert place.secret_path == tmp_path / "secret"


def test_a_lost_secret_is_not_replaced(database: str, tmp_path: Path) -> None:
    with opened(at(database, tmp_path)) as place:
        issue(place)
        place.secret_path.unlink()
        with pytest.raises(Misconfigured, match="is missing, and keys were issued under it"):
            place.secret()
        assert not place.secret_path.exists()


def test_a_secret_file_is_never_made(database: str, tmp_path: Path) -> None:
    path = tmp_path / "mounted"
    with opened(at(database, secret_file=path)) as place:
        with pytest.raises(Misconfigured, match="cannot be read"):
            place.secret()
        assert not path.exists()
        path.write_bytes(root := secrets.token_bytes(SECRET_BYTES))
        assert place.secret().hash("x") == Secret(root).hash("x")


def test_without_folder_or_file_there_is_no_secret(database: str) -> None:
    with (
        opened(at(database)) as place,
        pytest.raises(Misconfigured, match="LEDGER_SECRET_FILE or --data"),
    ):
        place.secret()


def test_the_embedded_database_is_started_migrated_and_stopped(cluster_folder: Path) -> None:
    where = Where(cluster_folder, None, None)
    with opened(where) as place:
        assert place.embedded is not None
        assert place.embedded.is_running()
        with place.owner() as connection:
            assert migrate.pending(connection) == ()
        assert str(cluster_folder) in str(place)
    assert not place.embedded.is_running()


def test_an_error_stops_it_too(cluster_folder: Path) -> None:
    places = []

    def fail() -> None:
        with opened(Where(cluster_folder, None, None)) as place:
            places.append(place)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert places[0].embedded is not None
    assert not places[0].embedded.is_running()


def test_a_database_that_others_use_is_left_running(
    cluster_folder: Path, start_server: StartServer
) -> None:
    server = start_server(cluster_folder)
    where = Where(cluster_folder, None, None)
    assert running_dsn(where) == server.dsn()
    with opened(where) as place:
        assert place.dsn == server.dsn()
    assert server.is_running()


def test_a_database_that_was_killed_is_started_again(cluster_folder: Path) -> None:
    with opened(Where(cluster_folder, None, None)) as place:
        first = place.embedded
        assert first is not None
        assert not place.revive(), "it runs"
        kill(first)
        assert place.revive()
        assert place.asked(store.head) == 0
    assert place.embedded is not None
    assert place.embedded.pid != first.pid
    assert not place.embedded.is_running()


def test_sessions_are_looked_at_where_the_server_is_not_ours(
    database: str,
    start_server: StartServer,
    cluster_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Seen red with a start that serves whatever a pooler makes of them."""

    def spoilt(dsn: str) -> None:
        raise Misconfigured(f"a pooler at {dsn}")

    monkeypatch.setattr("ledger.sessions.check", spoilt)
    with pytest.raises(Misconfigured, match="a pooler"), opened(at(database, tmp_path)):
        pass
    start_server(cluster_folder)
    with opened(Where(cluster_folder, None, None)):
        pass
