"""The keyring: what keys do to keys of their project, over HTTP.

Invariants: it is the database that holds a manager to his project and scopes (ledger/migrations/0016), and that writes down who did it; a
secret is in the answer of its issue and nowhere else. Whoever manages keys comes with a key: a token's grants are known to the operator's file
alone. Units: days, hours. Errors: Forbidden, UnknownKey, Rotated, Invalid, QuotaReached, Busy; BrokenOff when nobody knows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import psycopg
import pydantic_core
import structlog
from psycopg import AsyncConnection
from psycopg.rows import dict_row, kwargs_row

from api import keys
from api.auth import Authenticator
from api.faults import Forbidden
from api.keyring.question import (
    KeyActs,
    KeyList,
    KeyQuestion,
    KeysFound,
    NewKey,
    Revocation,
    Rotation,
)
from api.keys import Draft, Issued, Rotated, StoredKey, UnknownKey, stored_key
from api.operation import Asked, Scope
from api.refusals import refusals
from api.secret import Secret
from ledger import settings, sql
from ledger.connection import Role, conninfo, heard
from ledger.errors import Invalid, LedgerError, QuotaReached, Unreachable

log = structlog.get_logger("api.keyring")

SQL = sql.load(__file__)
Row = dict[str, Any]


class BrokenOff(Unreachable):
    """Nobody knows whether a key was managed."""

    hint = "List the keys, which tells what became of it; one whose secret was never shown to you had better be revoked."


@dataclass(frozen=True, slots=True)
class Keyring:
    """One process's. Keys are managed seldom, so each time has a connection of its own, as the committer's role."""

    dsn: str
    secret: Secret
    authenticator: Authenticator

    async def answer(self, question: KeyQuestion, asked: Asked) -> KeysFound:
        """What was asked for, in the name of the key that asks."""
        proof = await self.authenticator.hash_of(asked.who.key_id)
        if proof is None:
            raise Forbidden("Keys are managed by those who come with a key, not with a token.")
        # The credential's project, whatever one the path names.
        question = replace(question, project=asked.who.project)
        row: Row = {"by_key": asked.who.key_id, "by_hash": proof, "project": question.project}
        acts = not isinstance(question, KeyList | KeyActs)
        async with _refusals(), await self._connected() as connection:
            with heard(connection), _broken_off(connection) if acts else nullcontext():
                found = await self._found(connection, question, row, asked)
        if acts:
            done, key_id = type(question).__name__, found.rows[0]["key_id"]
            log.info("key managed", done=done, key_id=key_id, by_key=asked.who.key_id)
        return found

    async def _connected(self) -> AsyncConnection[Any]:
        return await AsyncConnection.connect(conninfo(self.dsn, Role.APP), autocommit=True)

    async def _found(
        self, connection: AsyncConnection[Any], question: KeyQuestion, row: Row, asked: Asked
    ) -> KeysFound:
        match question:
            case NewKey():
                return _new(await self._issue(connection, question, row, asked))
            case Rotation():
                return _new(await self._rotate(connection, question, row))
            case Revocation():
                more: Row = {"ended_key": question.key_id, "why": question.reason}
                ended = await _keys(connection, "revoke", {**row, **more})
                if not ended:
                    raise _unknown()
                return KeysFound((_shown(ended[0]),))
            case KeyList():
                more = {"after": question.after, "most": question.limit}
                listed = await _keys(connection, "listed", {**row, **more})
                return KeysFound(tuple(map(_shown, listed)))
            case KeyActs():
                more = {"before": question.before, "most": question.limit}
                async with connection.cursor(row_factory=dict_row) as cursor:
                    await cursor.execute(SQL["told"], {**row, **more})
                    return KeysFound(tuple(await cursor.fetchall()))

    async def _issue(
        self, connection: AsyncConnection[Any], question: NewKey, row: Row, asked: Asked
    ) -> Issued:
        scopes = [Scope(word) for word in question.scopes]
        lacking = [scope.value for scope in scopes if not asked.who.may(scope)]
        if lacking:
            raise Forbidden(f"A key grants no scope that it lacks: {', '.join(lacking)}.")
        made = keys.draft(
            self.secret,
            question.project,
            scopes,
            question.name,
            question.expires_in_days,
            question.signature,
            question.public_key,
        )
        more = {**_made(made, question.reason), "good_max": settings.PROJECT_KEYS_MAX}
        [stored] = await _keys(connection, "issue", {**row, **more})
        return made.issued(stored)

    async def _rotate(
        self, connection: AsyncConnection[Any], question: Rotation, row: Row
    ) -> Issued:
        old = await self.authenticator.signature_of(question.key_id, question.project)
        if old is None:
            raise _unknown()
        signature = old[0]
        if (signature == "ed25519") != (question.public_key is not None):
            raise Invalid(
                "An ed25519 key, and no other, is rotated with a public key.", field="public_key"
            )
        made = keys.draft(
            self.secret,
            question.project,
            (Scope.JOBS_READ,),  # the database takes the old key's
            None,
            question.expires_in_days,
            signature,
            question.public_key,
        )
        overlap = timedelta(hours=question.overlap_hours)
        more = {"old_key": question.key_id, "overlap": overlap, **_made(made, question.reason)}
        [stored] = await _keys(connection, "rotate", {**row, **more})
        return made.issued(stored)


def _new(issued: Issued) -> KeysFound:
    return KeysFound((_shown(issued.stored),), issued.key or None, issued.shared_secret)


def _shown(stored: StoredKey) -> Row:
    """All that anybody may see of a key."""
    names = ("key_id", "project", "name", "scopes", "signature", "replaces")
    times = ("created_at", "expires_at", "revoked_at")
    return {name: getattr(stored, name) for name in (*names, *times)}


async def _keys(connection: AsyncConnection[Any], name: str, row: Row) -> list[StoredKey]:
    async with connection.cursor(row_factory=kwargs_row(stored_key)) as cursor:
        await cursor.execute(SQL[name], row)
        return await cursor.fetchall()


def _made(draft: Draft, reason: str | None) -> Row:
    """The draft as the functions take it: one document, bytes in hex."""
    shown = {
        name: word.hex() if isinstance(word, bytes) else word
        for name, word in draft.row.items()
        if name not in ("expires_in", "project")
    }
    text = pydantic_core.to_json({**shown, "reason": reason}).decode()
    return {"made": text, "lasts": draft.row["expires_in"]}


def _unknown() -> LedgerError:
    return UnknownKey("There is no such key in this project.")


@contextmanager
def _broken_off(connection: AsyncConnection[Any]) -> Iterator[None]:
    """Who lost the connection in the middle knows of nothing."""
    try:
        yield
    except psycopg.OperationalError as error:
        if not connection.closed and not connection.broken:
            raise  # the server refused it: nothing is done
        raise BrokenOff("The connection broke before it was known to be done.") from error


@asynccontextmanager
async def _refusals() -> AsyncIterator[None]:
    """Word what the functions refuse."""
    async with refusals():
        try:
            yield
        except psycopg.errors.InsufficientPrivilege as error:
            raise Forbidden(str(error.diag.message_primary)) from error
        except psycopg.errors.NoDataFound as error:
            raise _unknown() from error
        except psycopg.errors.ObjectNotInPrerequisiteState as error:
            raise Rotated(str(error.diag.message_primary)) from error
        except psycopg.errors.ProgramLimitExceeded as error:
            raise QuotaReached(str(error.diag.message_primary), retry_after_s=60) from error
