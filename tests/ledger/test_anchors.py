"""Anchors: every checkpoint reaches each place outside, in order, after failures too. Seen red: one marked as taken before it is handed over."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import psycopg
import pytest

from ledger.anchors import Anchoring, Sink, shown, sinks
from ledger.errors import Misconfigured
from tests.fix_embedded import wait_until
from tests.fix_proof import Sealed, history

LOG = history(3)


def notes(sealed: Sealed) -> list[str]:
    with psycopg.connect(sealed.dsn) as connection:
        rows = connection.execute("SELECT note FROM proof.checkpoints ORDER BY size").fetchall()
    return [note for (note,) in rows]


@contextmanager
def anchoring(sealed: Sealed, *to: Sink) -> Iterator[None]:
    running = Anchoring(sealed.dsn, to, 0.01)
    running.start()
    try:
        yield
    finally:
        running.end()
        running.join(30)


def sign(sealed: Sealed, first: int, last: int) -> None:
    for at in range(first, last):
        sealed.append(LOG[at : at + 1])
        sealed.seal()


def test_each_checkpoint_is_added_to_the_file_and_given_to_the_command(
    sealed: Sealed, tmp_path: Path
) -> None:
    file, copy = tmp_path / "anchors", tmp_path / "copies"
    sign(sealed, 0, 3)
    with anchoring(sealed, *sinks(file, f"cat >> '{copy}'", None)):
        wait_until(lambda: copy.exists() and copy.read_text() == "".join(notes(sealed)))
        sign(sealed, 3, 6)
        wait_until(lambda: copy.read_text() == "".join(notes(sealed)))
        wait_until(lambda: file.read_text() == "".join(f"{note}\n" for note in notes(sealed)))
    with psycopg.connect(sealed.dsn) as connection:
        assert [row[2] for row in shown(connection)] == [6, 6]


def test_a_place_that_fails_gets_it_again_and_holds_up_no_other(sealed: Sealed) -> None:
    taken: dict[str, list[str]] = {"steady": [], "shaky": []}
    failures = [1, 1, 1]

    def shaky(note: str) -> None:
        taken["shaky"].append(note)
        if failures:
            failures.pop()
            raise OSError("not now")

    sign(sealed, 0, 3)
    with anchoring(sealed, Sink("shaky", shaky), Sink("steady", taken["steady"].append)):
        wait_until(lambda: taken["shaky"][-1:] == notes(sealed)[-1:])
    assert taken["steady"] == notes(sealed)
    assert taken["shaky"] == [notes(sealed)[0]] * 3 + notes(sealed)


def test_why_it_was_not_taken_is_shown(sealed: Sealed) -> None:
    sign(sealed, 0, 1)
    with anchoring(sealed, *sinks(None, "echo no >&2; exit 7", None)):
        wait_until(lambda: bool(_shown(sealed)))
    ((name, _, size, at, error),) = _shown(sealed)
    assert (name, size, at) == ("command", 0, None)
    assert "exit status 7" in str(error)


def _shown(sealed: Sealed) -> list[tuple[object, ...]]:
    with psycopg.connect(sealed.dsn) as connection:
        return shown(connection)


def test_a_webhook_is_posted_to_and_its_secret_kept(sealed: Sealed) -> None:
    got: list[tuple[str, str]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            got.append((self.path, body.decode()))
            self.send_response(500 if len(got) == 1 else 204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        sign(sealed, 0, 2)
        url = f"http://127.0.0.1:{server.server_port}/swordfish"
        with anchoring(sealed, *sinks(None, None, url)):
            wait_until(lambda: len(got) >= 3)
    finally:
        server.shutdown()
        server.server_close()
    first, second = notes(sealed)
    assert got == [("/swordfish", first), ("/swordfish", first), ("/swordfish", second)]
    assert "swordfish" not in str(_shown(sealed))


@pytest.mark.parametrize("url", ["ftp://a/b", "file:///etc/passwd", "https://", "x"])
def test_what_is_no_webhook_is_refused(url: str) -> None:
    with pytest.raises(Misconfigured):
        sinks(None, None, url)
