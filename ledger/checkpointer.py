"""The checkpointer: the thread that seals the log. It grows the tree by what was appended, and has the notary sign it.

Invariants: of several one works, the others stand by; a checkpoint is published after its leaves and tiles are stored and the notary remembers
it; what the notary refuses is shown and tried again, so that it goes on by itself once the cause is gone. Units: seconds, positions. Errors: none
escape."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection

from ledger import settings, tree
from ledger.connection import Role, conninfo
from ledger.errors import LedgerError
from ledger.notary import Memory, Notary, Refused
from ledger.tree import Epoch, Tree

log = logging.getLogger("ledger.checkpointer")
_LOCK = 0x6A6F6270  # any constant that no other program is likely to lock


class Checkpointer(threading.Thread):
    """Signs a checkpoint each `interval_s` while the log grows: what was appended since the last one is not protected yet."""

    def __init__(self, dsn: str, folder: Path, interval_s: float, name: str = "") -> None:
        super().__init__(name="checkpointer", daemon=True)
        self._conninfo = conninfo(
            dsn, Role.PROVER, statement_timeout_s=settings.SEAL_STATEMENT_TIMEOUT_S
        )
        self._notary = Notary(folder)
        self._interval_s = interval_s
        self._name = name
        self._ending = threading.Event()
        self._tree: Tree | None = None
        self._published = ""

    def end(self) -> None:
        """Stop after the batch under way, without a last checkpoint."""
        self._ending.set()

    def run(self) -> None:
        """Work, and begin again after whatever went wrong, a little later each time."""
        pause_s = settings.RESTART_S_MIN
        while not self._ending.is_set():
            try:
                with psycopg.connect(self._conninfo, autocommit=True) as connection:
                    self._tree, self._published = None, ""
                    # Leaves that a crash takes away are made again, the same bytes.
                    connection.execute("SET synchronous_commit = off")
                    connection.execute("SET jit = off")
                    # Nothing that somebody put beside a function of PostgreSQL's stands in for it.
                    connection.execute("SET search_path = pg_catalog")
                    if self._fenced(connection):
                        self._work(connection)
            except Exception as error:  # noqa: BLE001 - it outlives whatever befalls its database or its folder
                log.warning("the checkpointer begins again: %s", error)
                self._ending.wait(pause_s)
                pause_s = min(pause_s * 2, settings.RESTART_S_MAX)
            else:
                pause_s = settings.RESTART_S_MIN

    def _fenced(self, connection: Connection[Any]) -> bool:
        while not self._ending.is_set():
            if connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,)).fetchone() == (
                True,
            ):
                return True
            self._ending.wait(settings.FOLLOW_POLL_S)
        return False

    def _work(self, connection: Connection[Any]) -> None:
        shown = ""
        while not self._ending.is_set():
            began = time.monotonic()
            try:
                self.seal(connection)
                if shown:
                    log.info("checkpoints are signed again")
                    shown = ""
                connection.execute(tree.SQL["resumed"])
            except LedgerError as error:
                self._tree = None
                connection.execute(tree.SQL["stopped"], (str(error), error.hint))
                if shown != str(error):
                    log.error("no checkpoint is signed: %s", error)
                shown = str(error)
            self._ending.wait(max(0.0, self._interval_s - (time.monotonic() - began)))

    def seal(self, connection: Connection[Any]) -> None:
        """Bring the tree to the end of the log and have it signed, on the way too when that takes long. Raises LedgerError."""
        memory, current = self._known(connection)
        if self._tree is None or self._tree.epoch != current:
            try:
                self._tree = Tree.stored(connection, current)
            except ValueError as error:
                raise Refused(f"The stored tree is not whole: {error}.") from error
        growing = self._tree
        target, due = tree.head(connection), time.monotonic() + self._interval_s
        while growing.size < target and not self._ending.is_set():
            growing.extend(target)
            if time.monotonic() >= due and growing.size > memory.last.size:
                self._sign(connection, growing)
                due = time.monotonic() + self._interval_s
        if growing.size > target:
            raise Refused(
                f"The tree has {growing.size} leaves, and the log {target} events: it was set back."
            )
        # What was signed before a crash may have lost its leaves: they were made again just now.
        if growing.size == target and (growing.size or memory.last.size):
            self._sign(connection, growing)

    def _sign(self, connection: Connection[Any], growing: Tree) -> None:
        memory = self._notary.memory()
        old = memory.last.size if memory is not None else 0
        try:
            proof = growing.consistency(min(old, growing.size))
        except ValueError as error:
            raise Refused(f"The stored tree is not whole: {error}.") from error
        signed = self._notary.sign(growing.size, growing.root, proof)
        if signed == self._published:
            return
        for signer in self._notary.signers(growing.epoch.origin):
            words = (growing.epoch.number, str(signer.verifier))
            connection.execute(tree.SQL["tell_key"], words)
        told = (growing.epoch.number, growing.size, signed)
        connection.execute(tree.SQL["publish"], told, prepare=True)
        self._published = signed

    def _known(self, connection: Connection[Any]) -> tuple[Memory, Epoch]:
        """What the notary remembers and the log that it is of, begun now when neither is there. Raises Refused when they do not fit."""
        memory, current = self._notary.memory(), tree.epoch(connection)
        if current is None:
            current = self._begin(connection)
            memory = self._notary.memory()
        if memory is None:
            raise Refused(
                f"The notary's memory is not in {self._notary.folder}, so it cannot know what it signed of {current.origin}."
            )
        if (memory.epoch, memory.last.origin) != (current.number, current.origin):
            raise Refused(
                f"The notary signs {memory.last.origin}, and the database has the log {current.origin}."
            )
        return memory, current

    def _begin(self, connection: Connection[Any]) -> Epoch:
        origin = self._name or f"jobledger.invalid/{secrets.token_hex(8)}"
        begun = Epoch(1, origin, secrets.token_bytes(32))
        with connection.transaction():
            connection.execute("SET LOCAL synchronous_commit = on")
            values = (begun.number, begun.origin, begun.blinding)
            connection.execute(tree.SQL["begin"], (*values, self._notary.begin(origin)))
        return begun


def renew(connection: Connection[Any], folder: Path, reason: str) -> Epoch:
    """Begin another log in place of the one that cannot go on. Raises Refused when there was none, or without a reason."""
    notary, current = Notary(folder), tree.epoch(connection)
    memory = notary.memory()
    known = [(current.number, current.origin)] if current else []
    known += [(memory.epoch, memory.last.origin)] if memory and (current or memory.note) else []
    if not known:
        raise Refused("This ledger was never signed, so nothing has to begin anew.")
    last, origin = max(known)
    # A name that was signed under once is never given to another tree; one that was only begun when an earlier try ended is taken up.
    begun_only = memory is not None and memory.epoch == last > 1 and not memory.note
    number = last if begun_only and (current is None or current.number < last) else last + 1
    base = origin.removesuffix(f"/{last}") if last > 1 else origin
    begun = Epoch(number, f"{base}/{number}", secrets.token_bytes(32))
    with connection.transaction():
        statement = notary.renew(number, begun.origin, origin, reason, datetime.now(UTC))
        values = (begun.number, begun.origin, begun.blinding, statement)
        connection.execute(tree.SQL["begin"], values)
    return begun
