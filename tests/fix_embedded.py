"""Servers of a test's own, for tests that start, stop and kill them.

Invariants: whatever a test started is stopped when it ends. Units: deadlines in seconds."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from ledger import embedded

DEADLINE_S = 60.0

StartServer = Callable[..., embedded.Server]


@pytest.fixture
def start_server() -> Iterator[StartServer]:
    """`embedded.start`, with every server stopped when the test ends."""
    with ExitStack() as stack:

        def started(data_dir: Path, *, bin_dir: Path | None = None) -> embedded.Server:
            server = embedded.start(data_dir, bin_dir=bin_dir)
            stack.callback(server.stop, "immediate")
            return server

        yield started


@pytest.fixture(scope="session")
def made_cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a server once ran, so that not every test has to wait for initdb."""
    cluster_folder = tmp_path_factory.mktemp("made")
    embedded.start(cluster_folder).stop()
    return cluster_folder


@pytest.fixture
def cluster_folder(tmp_path: Path, made_cluster: Path) -> Path:
    """A copy of it, of this test's own."""
    shutil.copytree(made_cluster, tmp_path / "d")
    return tmp_path / "d"


def ask(server: embedded.Server, question: str) -> object:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        answer = connection.execute(question.encode()).fetchone()
    return answer[0] if answer else None


def tell(server: embedded.Server, statement: str) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(statement.encode())


def await_standby(owner: psycopg.Connection[Any], name: str) -> None:
    """Have the whole server's commits wait for a standby of this name, or `*`; of none by an empty one."""
    owner.execute(sql.SQL("ALTER SYSTEM SET synchronous_standby_names = {}").format(name))
    owner.execute("SELECT pg_reload_conf()")


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for a condition about other processes, which send no word of it."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.005)  # the processor is the others', who are to make it true


def kill(server: embedded.Server) -> None:
    """kill -9 the server and wait until it is gone."""
    os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: not server.is_running())


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that everybody may enter, all the way up."""
    folder = Path(tempfile.mkdtemp(prefix="jl-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)
