"""A real server for tests: uvicorn on a loopback port, over a database of the test's own.

Invariants: requests go over TCP as a client's do; every server is stopped with its test, appends in flight included."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import httpx2 as httpx
import psycopg
import pytest
import uvicorn

from api import keys
from api.app import create_app
from api.line import Line
from api.operation import Scope
from api.secret import SECRET_BYTES, Secret
from ledger import settings

ALL_JOBS = (Scope.JOBS_READ, Scope.JOBS_WRITE)


@dataclass
class LiveServer:
    """A running server. `client` carries a key of project demo that may read and write."""

    dsn: str
    secret: Secret
    host: str
    port: int
    client: httpx.Client = field(init=False)
    _clients: list[httpx.Client] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.client = self.client_of("demo")

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def issue(
        self,
        project: str = "demo",
        scopes: Sequence[Scope] = ALL_JOBS,
        *,
        signing: bool = False,
        name: str | None = None,
    ) -> keys.Issued:
        """Make a key as an operator does."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            return keys.create(
                connection,
                self.secret,
                project=project,
                scopes=scopes,
                signature="md5" if signing else None,
                name=name,
            )

    def make_key(
        self, project: str = "demo", scopes: Sequence[Scope] = ALL_JOBS, *, signing: bool = False
    ) -> tuple[str, str]:
        """(key, "") of a key, (api_key, shared secret) of a signing one."""
        issued = self.issue(project, scopes, signing=signing)
        if issued.shared_secret is not None:
            return issued.stored.key_id, issued.shared_secret
        return issued.key, ""

    def client_of(
        self, project: str, scopes: Sequence[Scope] = ALL_JOBS, name: str | None = None
    ) -> httpx.Client:
        """A client with a key of its own."""
        key = self.issue(project, scopes, name=name or f"{project}-client").key
        return self.opened(headers={"Authorization": f"Bearer {key}"})

    def opened(self, headers: dict[str, str] | None = None) -> httpx.Client:
        """A client that is closed with the server; without headers it is nobody."""
        client = httpx.Client(base_url=self.url, headers=headers, timeout=30)
        self._clients.append(client)
        return client

    def close(self) -> None:
        """Close every client."""
        for client in self._clients:
            client.close()


class _Started(uvicorn.Server):
    """uvicorn in a thread of the test's: it tells when it listens, and takes no signals."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = threading.Event()

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        await super().startup(sockets)  # type: ignore[arg-type]
        self.listening.set()


def serve(
    dsn: str, secret: Secret, http: type[asyncio.Protocol] | Literal["httptools"] = Line
) -> Iterator[LiveServer]:
    """Run the application until the generator is closed."""
    config = uvicorn.Config(
        create_app(dsn, secret),
        http=http,
        host="127.0.0.1",
        port=0,
        log_level="warning",
        lifespan="on",
    )
    server = _Started(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), name="uvicorn")
    thread.start()
    try:
        assert server.listening.wait(30), "the server did not start"
        assert server.servers, "the server gave up while it started"
        port = server.servers[0].sockets[0].getsockname()[1]
        live = LiveServer(dsn, secret, "127.0.0.1", port)
        yield live
        live.close()
    finally:
        server.should_exit = True
        thread.join(30)


@pytest.fixture
def live_server(database: str) -> Iterator[LiveServer]:
    """The whole product on an empty ledger."""
    yield from serve(database, Secret(secrets.token_bytes(SECRET_BYTES)))


@pytest.fixture(scope="session")
def shared_server(shared_database: str) -> Iterator[LiveServer]:
    """The whole product, for all tests of the session that keep to a project of their own."""
    yield from serve(shared_database, Secret(secrets.token_bytes(SECRET_BYTES)))


NarrowServer = Callable[[Mapping[str, int]], LiveServer]


@pytest.fixture
def narrow_server(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[NarrowServer]:
    """A server whose operator has set these LEDGER_* variables."""
    running: list[Iterator[LiveServer]] = []

    def started(chosen: Mapping[str, int]) -> LiveServer:
        for name, value in chosen.items():
            monkeypatch.setenv(name, str(value))
        settings.settings.cache_clear()
        running.append(serve(database, Secret(bytes(SECRET_BYTES))))
        return next(running[0])

    yield started
    for server in running:
        next(server, None)
    settings.settings.cache_clear()
