"""What a superuser of the database tries who lacks the signing key, against a checkpoint that was kept elsewhere: each attack is found by
`jobledger verify`, and by Go's golang.org/x/mod/sumdb, which nobody here wrote, where a log can tell it at all.

Invariants: an attack changes real rows of a real PostgreSQL with every guard turned off, and keeps the rest as consistent as it can; an honest append
is not found. Go sees leaves made of what is served and signed notes, so neither read models (13) nor the schema (14)."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from api import checks
from api.place import Place, Where
from ledger import audit, embedded, tile, tree
from ledger.connection import Role, conninfo
from ledger.note import Verifier
from projections import PROJECTIONS
from tests.attacks import ATTACKS, KEPT, NOW, OLD, Attack
from tests.fix_log import builds, forger
from tests.fix_postgres import cloned
from tests.fix_proof import Sealed, history

GO_PATH = Path("/usr/share/gocode")  # where Debian's golang-golang-x-mod-dev lies
GLUE = Path(__file__).parents[2] / "scripts" / "auditor" / "rootcheck.go"
LOG = history(NOW // 5)
INSTALL_S = 100  # to fetch Go
BUILD_S = 250  # and to build with it from nothing
# The first test that needs Go pays for it; those of other processes wait.
pytestmark = pytest.mark.timeout(INSTALL_S + BUILD_S + 100)


@dataclass(frozen=True)
class Scene:
    """Databases to clone, and what an auditor kept: a checkpoint and a key."""

    now: str
    old: str
    notary: Path
    checkpoint: str
    vkey: str


@pytest.fixture(scope="module")
def scene(
    postgres: embedded.Server,
    postgres_admin: psycopg.Connection,
    template_database: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("scene")
    with ExitStack() as stack:
        dsn = stack.enter_context(cloned(postgres, postgres_admin, template_database))
        sealed = Sealed(dsn, folder / "notary")
        sealed.append(LOG[:OLD])
        sealed.seal()
        old = stack.enter_context(cloned(postgres, postgres_admin, name_of(dsn)))
        sealed.append(LOG[OLD:KEPT])
        sealed.seal()
        kept = sealed.note()
        sealed.append(LOG[KEPT:])
        sealed.seal()
        with psycopg.connect(conninfo(dsn, Role.PROJECTOR), autocommit=True) as connection:
            for build in builds(dsn):
                build.create(connection)
                build.advance(connection, 0, NOW)
                with connection.transaction():
                    build.show(connection)
        yield Scene(name_of(dsn), name_of(old), sealed.folder, kept, sealed.vkeys()[0])


@pytest.fixture(scope="module")
def rootcheck(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Go's verifier behind our glue, built once for all processes of the tests; where CI lacks Go, it is installed."""
    mine = tmp_path_factory.getbasetemp()
    folder = (mine.parent if "PYTEST_XDIST_WORKER" in os.environ else mine) / "go"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "rootcheck").exists():
            _build(folder)
    return folder / "rootcheck"


def _build(folder: Path) -> None:
    """Raises Skipped, with the reason, where Go cannot be had."""
    modules = GO_PATH / "src" / "golang.org" / "x" / "mod"
    tried = folder / "tried"
    lacking = not shutil.which("go") or not modules.exists()
    if lacking and os.environ.get("CI") and os.geteuid() == 0 and not tried.exists():
        tried.touch()
        install = "apt-get update && apt-get install -y --no-install-recommends golang-go golang-golang-x-mod-dev"
        with suppress(subprocess.TimeoutExpired):
            subprocess.run(
                ["sh", "-c", install], capture_output=True, timeout=INSTALL_S, check=False
            )
    if not shutil.which("go") or not modules.exists():
        pytest.skip("needs Go and x/mod: apt-get install golang-go golang-golang-x-mod-dev")
    environment = {
        **os.environ,
        "GOPATH": str(GO_PATH),
        "GO111MODULE": "off",
        "GOFLAGS": "",
        "GOCACHE": str(folder / "cache"),
    }
    words = ["go", "build", "-o", str(folder / "made"), str(GLUE)]
    subprocess.run(words, env=environment, check=True, timeout=BUILD_S)
    (folder / "made").rename(folder / "rootcheck")


def name_of(dsn: str) -> str:
    return str(conninfo_to_dict(dsn)["dbname"])


@pytest.fixture
def attacked(
    scene: Scene, postgres: embedded.Server, postgres_admin: psycopg.Connection
) -> Iterator[Callable[[str], str]]:
    """A clone of a database of the scene, to be attacked."""
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(cloned(postgres, postgres_admin, name))


def ours(dsn: str, scene: Scene, name: str = "log") -> list[str]:
    """What our verify finds, which holds the kept checkpoint and the key and nothing else."""
    place = Place(Where(None, None, None), dsn)
    wanted = checks.Wanted(scene.checkpoint, (Verifier.parse(scene.vkey),))
    (check,) = (one for one in checks.CHECKS if one.name == name)
    return [fault for verdict in checks.made(check, place, wanted) for fault in verdict.faults]


def go_accepts(dsn: str, scene: Scene, rootcheck: Path, folder: Path) -> bool:
    """Whether Go's verifier finds what is served to be what was signed."""
    leaves: list[bytes] = []
    with psycopg.connect(dsn) as connection:
        epoch = tree.epoch(connection)
        if epoch is not None:
            audit.Audit(connection, epoch, (), sink=leaves.extend).run()
    kept = folder / "kept.checkpoint"
    kept.write_text(scene.checkpoint)
    done = subprocess.run(
        [rootcheck, scene.vkey, kept],
        input=tile.bundled(leaves),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return done.returncode == 0


@pytest.mark.parametrize(
    ("number", "attack"),
    [pytest.param(number, attack, id=f"{number}: {name}") for number, name, attack in ATTACKS],
)
def test_an_attack_is_found(
    number: int,
    attack: Attack,
    scene: Scene,
    attacked: Callable[[str], str],
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MALLORY", str(tmp_path / "mallory"))
    dsn = attacked(scene.old if number in (9, 10) else scene.now)
    with forger(dsn) as connection:
        connection.execute("SET search_path = pg_catalog")
        attack(connection)
    assert ours(dsn, scene)
    rootcheck = request.getfixturevalue("rootcheck")
    assert not go_accepts(dsn, scene, rootcheck, tmp_path)


def test_13_a_changed_row_of_a_read_model_is_found(
    scene: Scene, attacked: Callable[[str], str]
) -> None:
    dsn = attacked(scene.now)
    with forger(dsn) as connection:
        changed = connection.execute(
            sql.SQL("UPDATE projections.{} SET owner = 'mallory' WHERE number = 6").format(
                sql.Identifier(PROJECTIONS[0].table)
            )
        )
        assert changed.rowcount == 1
    assert ours(dsn, scene, "projections")


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TRIGGER append_only ON ledger.stored_events",
        "DROP POLICY sight ON ledger.stored_events",
    ],
)
def test_14_a_dropped_guard_is_found(
    scene: Scene, attacked: Callable[[str], str], statement: str
) -> None:
    dsn = attacked(scene.now)
    with forger(dsn) as connection:
        connection.execute(statement.encode())
    assert ours(dsn, scene, "schema")


def test_a_beginning_that_nobody_signed_is_found(
    scene: Scene, attacked: Callable[[str], str]
) -> None:
    """Why a log began anew is part of what is proved."""
    dsn = attacked(scene.now)
    with forger(dsn) as connection:
        connection.execute(
            "UPDATE proof.epochs SET statement = replace(statement, 'begins', 'goes on')"
        )
    assert ours(dsn, scene)


def test_an_honest_ledger_is_not_flagged(
    scene: Scene, attacked: Callable[[str], str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    dsn = attacked(scene.now)
    shutil.copytree(scene.notary, tmp_path / "notary")
    sealed = Sealed(dsn, tmp_path / "notary")
    sealed.append(history(1, after=NOW))
    sealed.seal()
    sealed.append(history(1, after=NOW + 5))
    for check in checks.CHECKS:
        assert ours(dsn, scene, check.name) == []
    assert go_accepts(dsn, scene, request.getfixturevalue("rootcheck"), tmp_path)
